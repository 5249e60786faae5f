// SPDX-License-Identifier: LGPL-2.1-or-later

// What comes of a worker's own accord: calls of the program's functions, progress, output.

import GLib from 'gi://GLib';
import Malt from 'gi://Malt?version=1';
import System from 'system';

import {GJS, NATIVE, PYTHON, equal, matches, need, rejects, run, sleep, test, testWith, throws, until} from './tap.js';

testWith(PYTHON, 'the worker calls functions', async worker => {
    worker.export('add', (a, b) => a + b);
    worker.export('keywords', (...args) => args);
    worker.export('later', async value => {
        await sleep(5);
        return [value, value];
    });
    worker.export('nothing', () => {});
    equal(await worker.eval('malt.host.add(20, 22)'), 42);
    equal(await worker.eval('malt.host.add("a", b"")'), 'a');
    equal(await worker.eval('malt.host.keywords(1, b=2)'), [1, {b: 2}]);
    equal(await worker.eval('malt.host.later("x")'), ['x', 'x']);
    equal(await worker.eval('await malt.host_async.later({"a": 1})'), [{a: 1}, {a: 1}]);
    equal(await worker.eval('malt.host.nothing()'), null);
});

testWith(PYTHON, 'a function that throws', async worker => {
    worker.export('throws', () => {
        throw new RangeError('too far');
    });
    worker.export('rejects', async () => {
        throw new TypeError('wrong');
    });
    worker.export('odd', () => {
        throw {toString: null};  // eslint-disable-line no-throw-literal
    });
    worker.export('plain', () => Promise.reject({code: 5}));
    worker.export('file', () => GLib.file_get_contents('/none/such'));
    worker.export('unfit', () => ({a: [1, () => 2]}));
    const attempt = name => worker.eval(`
try:
    malt.host.${name}()
except malt.HostError as error:
    result = [error.type, error.message, error.traceback]
result`);
    const [type, message, traceback] = await attempt('throws');
    equal([type, message], ['RangeError', 'too far']);
    matches(traceback, /test-host\.js/);
    equal((await attempt('rejects')).slice(0, 2), ['TypeError', 'wrong']);
    equal((await attempt('odd')).slice(0, 2), ['Error', 'something that cannot be shown']);
    equal((await attempt('plain')).slice(0, 2), ['Error', '{"code":5}']);
    matches((await attempt('file'))[1], /none\/such/);
    matches((await attempt('unfit'))[1], /key 'a', item 1: cannot convert/);
    const error = await rejects(worker.eval('malt.host.throws()'), Malt.RemoteError, /HostError/);
    matches(error.remoteStack, /too far/);
});

testWith(GJS, 'what C cannot hold in what is thrown', async worker => {
    const error = new RangeError('before\0after \ud800 \u{1f600}');
    error.name = 'Odd\0Name';
    worker.export('throws', () => {
        throw error;
    });
    worker.export('plain', () => Promise.reject('a\0b'));
    equal(await worker.call(async () => {
        const caught = [];
        for (const name of ['throws', 'plain'])
            await malt.host[name]().catch(({type, remoteMessage}) => caught.push([type, remoteMessage]));
        return caught;
    }), [['Odd\\0Name', 'before\\0after \\ud800 \u{1f600}'], ['Error', 'a\\0b']]);
    // The same as the other way.
    const other = await rejects(worker.eval('throw new RangeError("before\\0after \\ud800")'), Malt.RemoteError);
    equal(other.remoteMessage, 'before\\0after \\ud800');
});

testWith(PYTHON, 'a function that gives what is like a promise', async worker => {
    worker.export('twice', () => ({then(resolve, reject) {
        resolve(1);
        resolve(2);
        reject(new Error('too late'));
    }}));
    worker.export('getter', () => ({get then() {
        throw new RangeError('no then');
    }}));
    equal(await worker.eval('malt.host.twice()'), 1);
    await rejects(worker.eval('malt.host.getter()'), Malt.RemoteError, /no then/);
});

testWith(PYTHON, 'a function calls the worker while it waits', async worker => {
    worker.export('deeper', async n => (n === 0 ? 0 : 1 + await worker.call('deep', n - 1)));
    await worker.eval('async def deep(n): return await malt.host_async.deeper(n)');
    equal(await worker.call('deep', 10), 10);
});

testWith(GJS, 'a worker in JavaScript', async worker => {
    worker.export('add', (a, b) => a + b);
    worker.export('later', async value => {
        await sleep(1);
        return {value};
    });
    worker.export('throws', () => {
        throw new RangeError('too far');
    });
    equal(await worker.eval('await malt.host.add(20, 22)'), 42);
    equal(await worker.call(async () => [await malt.host.later([1, 'a']), await malt.host.add('x', 'y')]),
        [{value: [1, 'a']}, 'xy']);
    equal(await worker.call(async () => {
        try {
            await malt.host.throws();
        } catch (error) {
            return [error.type, error.remoteMessage];
        }
        return null;
    }), ['RangeError', 'too far']);

    const seen = [];
    worker.connect('progress', (_, _id, fraction, text) => seen.push([fraction, text]));
    equal(await worker.call(() => {
        malt.progress(0.25, 'a quarter');
        return 1;
    }), 1);
    await until(() => seen.length > 0);
    equal(seen, [[0.25, 'a quarter']]);
});

testWith(PYTHON, 'functions are taken back, and others refused', async worker => {
    worker.export('f', () => 1);
    worker.export('f', () => 2);
    equal(await worker.eval('malt.host.f()'), 2);
    equal([worker.unexport('f'), worker.unexport('f')], [true, false]);
    await rejects(worker.eval('malt.host.f()'), Malt.RemoteError, /no function 'f'/);
    throws(() => worker.export('', () => 1), TypeError, /name has to be a string/);
    throws(() => worker.export(5, () => 1), TypeError, /name has to be a string/);
    throws(() => worker.export('g', 5), TypeError, /'g' is no function/);
});

testWith(PYTHON, 'progress', async worker => {
    const seen = [];
    worker.connect('progress', (_, id, fraction, text) => seen.push([typeof id, fraction, text]));
    equal(await worker.eval('malt.progress(0.5, "half"); 1'), 1);
    await until(() => seen.length > 0);
    equal(seen, [['number', 0.5, 'half']]);
});

test('python: output', async () => {
    const worker = await Malt.Worker.spawn({...PYTHON, stdout: 'signal', stderr: 'signal'});
    const texts = {1: '', 2: ''};
    const id = worker.connect('output', (from, request, stream, bytes) => {
        equal([from, typeof request, bytes.constructor], [worker, 'number', Uint8Array]);
        texts[stream] += new TextDecoder().decode(bytes);
    });
    await worker.eval('import sys; print("out"); print("err", file=sys.stderr)');
    await until(() => texts[1] !== '' && texts[2] !== '');
    equal(texts, {1: 'out\n', 2: 'err\n'});
    worker.disconnect(id);
    await worker.stop();
});

test('native: functions that know their worker do not keep it', async () => {
    const pids = await (async () => {
        const workers = await Promise.all([1, 2, 3].map(() => Malt.Worker.spawn(NATIVE)));
        for (const worker of workers) {
            worker.export('f', () => worker.pid);
            worker.connect('terminated', () => worker.pid);
        }
        await workers[0].stop();
        return workers.map(({pid}) => pid);
    })();
    await until(() => {
        System.gc();
        return !pids.some(pid => GLib.file_test(`/proc/${pid}`, GLib.FileTest.EXISTS));
    });
});

test('gjs: functions are there when nobody else has the worker', async () => {
    need(GJS);
    const call = (async () => {
        const worker = await Malt.Worker.spawn(GJS);
        worker.export('f', async n => {
            System.gc();
            await sleep(1);
            System.gc();
            return n + 1;
        });
        return worker.eval('let n = 0; for (let i = 0; i < 10; i++) n = await malt.host.f(n); n');
    })();
    equal(await call, 10);
});

await run();
