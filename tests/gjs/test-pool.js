// SPDX-License-Identifier: LGPL-2.1-or-later

// Pools: calls, maps, iteration.

import Gio from 'gi://Gio';
import Malt from 'gi://Malt?version=1';

import {GJS, NATIVE, PYTHON, equal, matches, need, ok, rejects, run, test, throws, until} from './tap.js';

function testPool(name, options, body) {
    test(`${options.runtime}: ${name}`, async () => {
        need(options);
        const pool = Malt.Pool.create({maxWorkers: 2, ...options});
        try {
            await body(pool);
        } finally {
            await pool.shutdown({stopRunning: true});
        }
    });
}

testPool('calls and evaluations', PYTHON, async pool => {
    equal(await Promise.all([1, 4, 9].map(n => pool.call('math.sqrt', n))), [1, 2, 3]);
    equal(await pool.eval('6 * 7'), 42);
    equal(await pool.options({keywords: {reverse: true}}).call('sorted', [1, 3, 2]), [3, 2, 1]);
    pool.do('math.sqrt', 4);
    await pool.waitRoom();
    const error = await rejects(pool.call('math.sqrt', -1), Malt.RemoteError, /ValueError/);
    matches(error.stack, /test-pool\.js/);
    await rejects(pool.options({timeout: 50}).call('time.sleep', 1000), Malt.TimeoutError);
    await rejects(pool.eval('1', {colour: 1}), TypeError, /no option 'colour'/);
    equal(pool.maxWorkers, 2);
});

testPool('functions that throw', GJS, async pool => {
    const error = await rejects(pool.call(function failing(x) {
        return x.y.z;
    }, {}), Malt.RemoteError, /TypeError: x\.y is undefined/);
    equal(error.remoteStack, 'TypeError: x.y is undefined\nfailing@<function>:2:9');
});

testPool('a map is awaited', PYTHON, async pool => {
    equal(await pool.map('abs', [-1, 2, -3]), [1, 2, 3]);
    equal(await pool.map('str', [1, 'b', null, [2]]), ['1', 'b', 'None', '[2]']);
    equal(await pool.map('str', new Set([1, 2])), ['1', '2']);
    equal(await pool.map('abs', []), []);
    await rejects(pool.map('int', ['1', 'x', '3']), Malt.RemoteError, /'x'/);
    await rejects(pool.map('str', [1, () => 2]), Malt.SerializationError,
        /^1 of 2 items failed; item 1: argument 1: cannot convert/);
    equal((await pool.map('int', ['1', 'x', '3'], {settled: true})).map(({status, value, reason}) =>
        [status, value ?? reason.remoteType]), [['fulfilled', 1], ['rejected', 'ValueError'], ['fulfilled', 3]]);
    const error = await rejects(pool.map('int', Array(50).fill('x')), Malt.RemoteError, /^50 of 50 items failed; item 0: /);
    matches(error.stack, /in the worker, called from\)\n[^\n]*test-pool\.js:/);
    throws(() => pool.map('abs', [1], {orderd: true}), TypeError, /no option 'orderd'/);
    throws(() => pool.map('abs', 5), TypeError);
});

testPool('a map is iterated over', PYTHON, async pool => {
    const values = [];
    for await (const value of pool.map('abs', Array.from({length: 100}, (_, i) => -i)))
        values.push(value);
    equal(values, Array.from({length: 100}, (_, i) => i));

    values.length = 0;
    for await (const value of pool.map('abs', [-1, -2, -3], {ordered: false}))
        values.push(value);
    equal(values.sort(), [1, 2, 3]);

    const map = pool.map('abs', [-1, -2, -3, -4, -5, -6]);
    values.length = 0;
    await Promise.all([1, 2, 3].map(async () => {
        for await (const value of map)
            values.push(value);
    }));
    equal(values, [1, 2, 3, 4, 5, 6]);

    values.length = 0;
    await rejects((async () => {
        for await (const value of pool.map('int', ['1', 'x', '3']))
            values.push(value);
    })(), Malt.RemoteError, /'x'/);
    equal(values, [1]);

    for await (const value of pool.map('time.sleep', [0, 1000, 1000, 1000])) {
        equal(value, null);
        break;
    }
    // The others were cancelled.
    equal(await pool.call('abs', -5), 5);
});

testPool('a map is cancelled', PYTHON, async pool => {
    const cancellable = new Gio.Cancellable();
    const cancelled = rejects(pool.map('time.sleep', [1000, 1000, 1000], {cancellable}), Gio.IOErrorEnum);
    cancellable.cancel();
    ok((await cancelled).matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED));
    await rejects(pool.map('abs', [1], {cancellable}), Gio.IOErrorEnum);
});

/** Numbers without end, and what has become of who gives them. */
function numbers(seen, last = Infinity) {
    return (function* () {
        try {
            for (seen.given = 0; seen.given < last;)
                yield seen.given++;
            throw new RangeError('no more');
        } finally {
            seen.isClosed = true;
        }
    })();
}

testPool('a map takes items as far as its workers get', PYTHON, async pool => {
    const window = 2 * pool.maxWorkers, seen = {};
    const map = pool.map('abs', numbers(seen));
    // They begin now, and no more of them before somebody wants what comes of them.
    equal(seen.given, window);
    await pool.call('abs', 1);
    equal(seen.given, window);
    let n = 0;
    for await (const value of map) {
        equal(value, n++);
        ok(seen.given <= n + window, `${seen.given} taken for ${n}`);
        if (n === 100)
            break;
    }
    equal([seen.isClosed, await pool.call('abs', -5)], [true, 5]);
    await rejects(map, Gio.IOErrorEnum);

    n = 0;
    for await (const {status} of pool.map('abs', numbers(seen), {ordered: false, settled: true})) {
        equal(status, 'fulfilled');
        if (++n === 100)
            break;
    }
    ok(seen.given <= n + window);
    equal(await pool.map('abs', new Map([[1, 2]]).values()), [2]);
    // An array is that of then.
    const array = Array.from({length: 50}, (_, i) => i);
    const whole = pool.map('abs', array);
    array.length = 0;
    equal((await whole).length, 50);
});

testPool('items that cannot be given', PYTHON, async pool => {
    const seen = {}, values = [];
    await rejects((async () => {
        for await (const value of pool.map('abs', numbers(seen, 20)))
            values.push(value);
    })(), RangeError, /no more/);
    equal([seen.given, values], [20, Array.from({length: values.length}, (_, i) => i)]);
    ok(values.length <= 20);
    await rejects(pool.map('abs', numbers(seen, 20)), RangeError, /no more/);
    await rejects(pool.map('abs', numbers(seen, 0), {settled: true}), RangeError, /no more/);

    // Where an item fails the iterator is closed, and what that throws is not told.
    const closed = [];
    const items = {
        next: () => ({done: false, value: 'x'}),
        return() {
            closed.push(true);
            throw new Error('of closing');
        },
        [Symbol.iterator]() {
            return this;
        },
    };
    await rejects((async () => {
        for await (const value of pool.map('int', items))
            equal(value, 'nothing');
    })(), Malt.RemoteError, /'x'/);
    equal(closed.length, 1);
    await rejects((async () => {
        for await (const value of pool.map('str', items)) {
            equal(value, 'x');
            break;
        }
    })(), Error, /of closing/);
    throws(() => pool.map('abs', null), TypeError, /iterable, which null is not/);
});

testPool('items that come with time', PYTHON, async pool => {
    const seen = {given: 0};
    const later = async function* (n) {
        try {
            for (let i = 0; i < n; i++) {
                await null;
                seen.given++;
                yield i;
            }
        } finally {
            seen.isClosed = true;
        }
    };
    equal(await pool.map('abs', later(50)), Array.from({length: 50}, (_, i) => i));
    let n = 0;
    seen.given = 0;
    for await (const value of pool.map('abs', later(Infinity))) {
        equal(value, n++);
        ok(seen.given <= n + 2 * pool.maxWorkers);
        if (n === 50)
            break;
    }
    await until(() => seen.isClosed);

    // One that gives nothing for long does not hold up who breaks off or cancels.
    const never = {
        next: () => new Promise(() => {}),
        [Symbol.asyncIterator]() {
            return this;
        },
    };
    const cancellable = new Gio.Cancellable();
    const cancelled = rejects(pool.map('abs', never, {cancellable}), Gio.IOErrorEnum);
    cancellable.cancel();
    ok((await cancelled).matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED));
    const items = {count: 0, [Symbol.asyncIterator]() {
        return {next: () => this.count++ === 0 ? Promise.resolve({value: -1}) : new Promise(() => {})};
    }};
    for await (const value of pool.map('abs', items)) {
        equal(value, 1);
        break;
    }
    await rejects(pool.map('abs', (async function* () {
        yield 1;
        throw new RangeError('at last');
    })()), RangeError, /at last/);
});

testPool('a map without end is cancelled', PYTHON, async pool => {
    const cancellable = new Gio.Cancellable(), seen = {};
    const cancelled = rejects(pool.map('abs', numbers(seen), {cancellable}), Gio.IOErrorEnum);
    await until(() => seen.given > 100);
    cancellable.cancel();
    ok((await cancelled).matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED));
    ok(seen.isClosed);
});

testPool('a map waits for room in the queue', {...PYTHON, maxWorkers: 1, queueLength: 1, callsAhead: 5}, async pool => {
    const calls = Array.from({length: 4}, () => pool.call('abs', 1).catch(() => {}));
    equal(await pool.map('abs', numbers({}, 30), {settled: true}).catch(error => error.message), 'no more');
    const items = Array.from({length: 30}, (_, i) => i);
    equal(await pool.map('abs', items), items);
    await Promise.all(calls);
});

test('python: a pool that was shut down', async () => {
    const pool = Malt.Pool.create({...PYTHON, maxWorkers: 1, initializer: 'os.chdir',
        initializerArguments: ['/']});
    equal(await pool.eval('import os; os.getcwd()'), '/');
    await pool.shutdown();
    await rejects(pool.call('abs', 1), Gio.IOErrorEnum);
});

testPool('signals are heard while there is much garbage', {...NATIVE, maxWorkers: 1, maxCallsPerWorker: 1}, async pool => {
    const n = 30;
    let added = 0, removed = 0, garbage = [];
    pool.connect('worker-added', () => added++);
    pool.connect_after('worker-removed', () => removed++);
    for (let i = 0; i < n; i++) {
        garbage = Array.from({length: 2000}, () => [new Gio.Cancellable()]).concat(garbage.slice(0, 5000));
        await pool.call('native-functions:add', i, 1);
    }
    // They may come after the value of the call for which the worker was started.
    await until(() => added >= n && removed >= n - 1);
    equal(added, n);
});

test('options of a pool', async () => {
    const pool = Malt.Pool.create({...PYTHON, maxWorkers: 1, callsAhead: 2, idleTimeout: Infinity, initializer: 'os.getpid',
        initializerArguments: []});
    equal([pool.maxWorkers, pool.callsAhead, pool.idleTimeout], [1, 2, 2147483647]);
    equal(await pool.call('abs', -1), 1);
    await pool.shutdown();

    for (const [options, pattern] of [
        [{maxWorkers: 'x'}, /'maxWorkers' has to be a whole number in its range, not 'x'/],
        [{maxWorkers: -1}, /'maxWorkers' has to be a whole number in its range, not -1/],
        [{crashWindow: 0}, /'crashWindow' has to be a whole number in its range, not 0/],
        [{initializer: 5}, /'initializer' has to be a string without NUL, not 5/],
        [{initializerArguments: 5}, /'initializerArguments' has to be an array, not 5/],
        [{nWorkers: 1}, /no option 'nWorkers'/],
        [{launcher: null}, /no option 'launcher'/],
        [null, /have to be an object/],
    ])
        throws(() => Malt.Pool.create(options), TypeError, pattern);
});

testPool('functions are sent', GJS, async pool => {
    equal(await pool.call((a, b) => a + b, 1, 2), 3);
    equal(await pool.map(n => n * n, [1, 2, 3]), [1, 4, 9]);
    equal(await pool.call((...all) => all, 1, [2], {a: 3}), [1, [2], {a: 3}]);
    equal(await pool.map(value => [value], [1, 'a', [2, null]]), [[1], ['a'], [[2, null]]]);
    await rejects(pool.call(a => a, 1, () => 2), Malt.SerializationError, /^argument 2: cannot convert/);
    await rejects(pool.map(a => a, [1, () => 2]), Malt.SerializationError, /item 1: argument 1: cannot convert/);
    throws(() => Malt.Pool.create({initializerArguments: [1, () => 2]}), Malt.SerializationError, /^argument 2: cannot/);
    await rejects(pool.map(Math.max, [1]), TypeError, /native or bound/);
    await rejects(pool.call(() => {
        throw new RangeError('no');
    }), Malt.RemoteError, /RangeError: no/);
});

await run();
