// SPDX-License-Identifier: LGPL-2.1-or-later

// Functions that are sent as their source.

import GLib from 'gi://GLib';
import Gio from 'gi://Gio';
import Malt from 'gi://Malt?version=1';

import {GJS, PYTHON, equal, matches, ok, rejects, run, sleep, testWith, throws} from './tap.js';

testWith(GJS, 'functions of every kind', async worker => {
    const object = {
        method(a) {
            return [a];
        },
        async later(a) {
            return [a];
        },
        'with spaces'(a) {
            return [a];
        },
        async(a) {
            return [a];
        },
        get(a) {
            return [a];
        },
        class(a) {
            return [a];
        },
        [Symbol.iterator](a) {
            return [a];
        },
    };
    class Class {
        static fixed(a) {
            return [a];
        }

        static class(a) {
            return [a];
        }

        method(a) {
            return [a];
        }
    }
    function named(a) {
        return [a];
    }
    for (const func of [a => [a], async a => [a], function (a) { return [a]; }, async function (a) { return [a]; },
        named, object.method, object.later, object['with spaces'], object.async, object.get, object.class,
        object[Symbol.iterator], Class.fixed, Class.class, new Class().method, (a, b = 3) => [a], ({length}) => [length + 4], (...all) => all])
        equal(await worker.call(func, func.length === 1 && /length/.test(func) ? 'x' : 5), [5]);
    equal(await worker.call((a, b) => a + b, 1, 2), 3);
    equal(await worker.call((a, b) => /* a comment */ a + b // and another
    , 1, 2), 3);
    equal(await worker.call(function fib(n) {
        return n < 2 ? n : fib(n - 1) + fib(n - 2);
    }, 10), 55);
});

testWith(GJS, '`this` is what it is in a plain call', async worker => {
    const pool = Malt.Pool.create({runtime: 'gjs', maxWorkers: 1});
    for (const object of [worker, pool]) {
        equal(await object.call(function () { return this === globalThis; }), true);
        equal(await object.call(function () { 'use strict'; return this === undefined; }), true);
        equal(await object.call(() => this === globalThis), true);
    }
    await pool.shutdown();
});

testWith(GJS, 'a function is sent once', async worker => {
    const inc = n => n + 1;
    for (let i = 0; i < 3; i++)
        equal(await worker.call(inc, i), i + 1);
    equal(await Promise.all(Array.from({length: 100}, (_, i) => worker.call(inc, i))),
        Array.from({length: 100}, (_, i) => i + 1));
    equal(await worker.eval('Object.keys(__maltFunctions).length'), 1);
    worker.do(() => {
        globalThis.done = 'yes';
    });
    equal(await worker.eval('done'), 'yes');
    equal(await worker.options({timeout: 60000}).call(inc, 1), 2);
});

testWith(GJS, 'functions that throw', async worker => {
    const error = await rejects(worker.call(function failing() {
        throw new RangeError('too far');
    }), Malt.RemoteError, /RangeError: too far/);
    equal([error.remoteType, error.remoteMessage], ['RangeError', 'too far']);
    matches(error.remoteStack, /failing/);
    await rejects(worker.call(async () => {
        throw new TypeError('later');
    }), Malt.RemoteError, /TypeError: later/);
    await rejects(worker.call(() => outside), Malt.RemoteError, /ReferenceError: outside/); // eslint-disable-line no-undef
    await rejects(worker.call(() => () => 1), Malt.SerializationError, /cannot (?:send|convert)/);
    await rejects(worker.options({timeout: 50}).call(() => new Promise(() => {})), Malt.TimeoutError);
    await rejects(worker.options({timeout: 50}).call(() => {
        for (;;);
    }), Malt.TimeoutError);
    equal(await worker.eval('1 + 1'), 2);
});

testWith(GJS, 'what cannot be sent', async worker => {
    class Class {}
    for (const [func, pattern] of [
        [Math.max, /cannot send the function 'max': it is native or bound/],
        [((a, b) => a + b).bind(null, 1), /'bound .*': it is native or bound/],
        [GLib.get_user_name, /cannot send the function 'g_get_user_name': it is native or bound/],
        [Class, /'Class': it is a class/],
        [class {}, /without a name: it is a class/],
        [class extends Class {}, /it is a class/],
        [Object.getOwnPropertyDescriptor({get x() {
            return 1;
        }}, 'x').get, /it is the getter or setter/],
        [null, /has to be a name or a function, not null/],
        [{}, /has to be a name or a function, not object/],
    ])
        await rejects(worker.call(func, 1), TypeError, pattern);
    throws(() => worker.do(Math.max), TypeError, /native or bound/);

    // What its name is made of is not there.
    const key = 'made';
    const {[key]: computed} = {
        [key](a) {
            return a;
        },
    };
    for (let i = 0; i < 2; i++)
        await rejects(worker.call(computed, 1), Malt.RemoteError, /ReferenceError: key/);
    equal(await worker.call(a => a, 1), 1);
    await worker.eval("globalThis.key = 'made'");
    equal(await worker.call(computed, 2), 2);
});

testWith(GJS, 'a worker that is too busy to be sent a function', async worker => {
    const cancellable = new Gio.Cancellable();
    const busy = worker.eval('for (;;);');
    const cancelled = worker.options({cancellable}).call(a => [a], 1);
    await rejects(worker.options({timeout: 10}).call(a => a, 1), Malt.TimeoutError);
    cancellable.cancel();
    const error = await rejects(cancelled, GLib.Error);
    ok(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED), 'that it was cancelled');

    while (await Promise.race([busy.then(() => true, () => true), sleep(20)]) !== true)
        worker.interrupt();
    equal(await worker.call(a => a, 1), 1);
});

testWith(GJS, 'functions have their names in the worker', async worker => {
    const named = name => ({
        [name]: Function(`return function ${/^\w+$/.test(name) ? name : ''}(a) { return [a, '${name}']; }`)(),
    })[name];
    const names = ['twice', 'twice_2', '', 'f3', 'constructor', '__proto__', 'two words', 'class_'];
    const functions = [...names.map(named), function twice(a) {
        return [a, 'again'];
    }];
    for (let i = 0; i < 2; i++) {
        equal(await Promise.all(functions.map((func, n) => worker.call(func, n))),
            [...names, 'again'].map((name, n) => [n, name]));
    }
    equal(await worker.eval('Object.keys(__maltFunctions)'),
        ['twice', 'twice_2', 'f2', 'f3', 'f4', 'f5', 'f6', 'class_', 'twice_8']);
});

testWith(PYTHON, 'a worker of another language', async worker => {
    await rejects(worker.call(() => 1), TypeError, /the worker does not run JavaScript but python/);
    throws(() => worker.do(() => 1), TypeError, /does not run JavaScript/);
    equal(await worker.eval('1 + 1'), 2);
});

await run();
