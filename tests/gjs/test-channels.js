// SPDX-License-Identifier: LGPL-2.1-or-later

// Channels: promises, iteration, and the ends of them.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import Malt from 'gi://Malt?version=1';
import System from 'system';

import {GJS, PYTHON, equal, need, ok, rejects, run, sleep, test, testWith, until} from './tap.js';

testWith(PYTHON, 'a channel is iterated over', async worker => {
    await worker.eval(`
results = malt.Channel(20)
async def work(n):
    for i in range(n):
        await results.put_async({'n': i, 'text': str(i)})
    results.close()
`);
    const channel = await worker.channel('results');
    equal([channel.capacity, channel.closed], [20, false]);
    worker.do('work', 500);
    let n = 0;
    for await (const value of channel) {
        equal(value, {n, text: String(n)});
        n++;
    }
    equal([n, channel.closed], [500, true]);
    const error = await rejects(channel.take(), Gio.IOErrorEnum, /closed/);
    ok(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CLOSED));
    await rejects(channel.put(1), Gio.IOErrorEnum, /closed/);
});

testWith(PYTHON, 'values go both ways', async worker => {
    await worker.eval('there = malt.Channel(2); back = malt.Channel(2)');
    const [there, back] = await Promise.all([worker.channel('there'), worker.channel('back')]);
    const echo = worker.eval('async for value in there:\n    await back.put_async(value)\nback.close()');
    const values = [null, true, 5, 2.5, 'text', [1, 2], {a: [1, 'b']}, new Uint8Array([1, 2, 3])];
    const sending = (async () => {
        for (const value of values)
            await there.put(value);
        there.close();
    })();
    const received = [];
    for await (const value of back)
        received.push(value);
    await Promise.all([sending, echo]);
    equal(received, values);
});

testWith(GJS, 'a channel of JavaScript', async worker => {
    const channel = await worker.channel('globalThis.c = new malt.Channel(20)');
    equal(channel.capacity, 20);
    const work = worker.call(async n => {
        for (let i = 0; i < n; i++)
            await globalThis.c.put([i, {text: String(i)}]);
        globalThis.c.close();
        return 'done';
    }, 200);
    const values = [];
    for await (const value of channel)
        values.push(value);
    equal(values, Array.from({length: 200}, (_, i) => [i, {text: String(i)}]));
    equal(await work, 'done');

    const back = await worker.channel('globalThis.d = new malt.Channel(1)');
    const sum = worker.eval('let total = 0; for await (const value of d) total += value; total');
    for (let i = 0; i < 100; i++)
        await back.put(i);
    back.close();
    equal(await sum, 4950);
    await rejects(worker.channel('5'), Malt.Error, /channel/i);
    await rejects(worker.channel('new malt.Channel('), Malt.RemoteError, /SyntaxError/);
});

testWith(PYTHON, 'who breaks off leaves the rest', async worker => {
    const channel = await worker.channel('c = malt.Channel(10); c.put(1); c.put(2); c.put(3); c');
    for await (const value of channel) {
        equal(value, 1);
        break;
    }
    await channel.wait();
    equal([await channel.take(), await channel.take()], [2, 3]);
});

testWith(PYTHON, 'what waits can be cancelled', async worker => {
    const channel = await worker.channel('malt.Channel(1)');
    const cancellable = new Gio.Cancellable();
    const taken = rejects(channel.take({cancellable}), Gio.IOErrorEnum);
    const waited = rejects(channel.wait({cancellable}), Gio.IOErrorEnum);
    await sleep(10);
    cancellable.cancel();
    ok((await taken).matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED));
    await waited;
    await channel.put('here');
    equal(await channel.take(), 'here');
    await rejects(channel.put(1, {timeout: 5}), TypeError, /no option 'timeout'/);
    await rejects(channel.put([1, () => 2]), Malt.SerializationError, /item 1: cannot convert/);
});

testWith(PYTHON, 'what is no channel is none', async worker => {
    await rejects(worker.channel('5'), Malt.Error, /channel/i);
    await rejects(worker.channel('1 / 0'), Malt.RemoteError, /ZeroDivisionError/);
    await rejects(worker.channel('none_such'), Malt.Error);
    await rejects(worker.channel('1 +'), Malt.Error);
    await rejects(worker.channel(5), Error);
    equal(await worker.eval('1 + 1'), 2);
});

testWith(PYTHON, 'channels end with their worker', async worker => {
    const channel = await worker.channel('malt.Channel(1)');
    const taken = rejects(channel.take(), Malt.Error);
    await worker.stop();
    const error = await taken;
    equal(error instanceof Malt.TerminatedError, true);
});

test('a channel keeps its worker', async () => {
    need(GJS);
    const pids = [];
    const open = async () => {
        const worker = await Malt.Worker.spawn(GJS);
        pids.push(worker.pid);
        // Also where both are in a circle. It is not called: SpiderMonkey remembers for some time what it called last.
        const channel = await worker.channel('globalThis.c = new malt.Channel(1)');
        worker.export('circle', () => channel.capacity);
        worker.do(async () => {
            for (let i = 0; i < 20; i++)
                await globalThis.c.put(i);
            globalThis.c.close();
        });
        return channel;
    };
    const values = [];
    const use = async () => {
        for await (const value of await open()) {
            values.push(value);
            System.gc();
            await sleep(1);
        }
    };
    await use();
    equal(values, Array.from({length: 20}, (_, i) => i));

    // Nobody has the channel any more.
    const isThere = pid => GLib.file_test(`/proc/${pid}`, GLib.FileTest.EXISTS);
    for (let i = 0; i < 3; i++)
        await open();
    equal(pids.length, 4);
    await until(() => {
        System.gc();
        return !pids.some(isThere);
    });
});

test('a channel of the program itself', async () => {
    const channel = Malt.Channel.new(2);
    await channel.put({a: 1});
    await channel.put('b');
    channel.close();
    const values = [];
    for await (const value of channel)
        values.push(value);
    equal(values, [{a: 1}, 'b']);
});

await run();
