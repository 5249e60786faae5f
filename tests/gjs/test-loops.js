// SPDX-License-Identifier: LGPL-2.1-or-later

// The binding in main loops of several kinds, which it never holds up.
//
// Whether a step holds up the loop is not told by clocks, which run on while other programs have
// the processor. What is counted is when the thread gives the processor up by itself, that is,
// waits for something, and how much of it it uses.

import GLib from 'gi://GLib';
import Gio from 'gi://Gio';
import Malt from 'gi://Malt?version=1';

import {NATIVE, PYTHON, equal, ok, run, sleep, test, testWith} from './tap.js';

/** What a frame has, in microseconds. */
const FRAME = 16000;

/** A step that waits does so each time; one that does not may, now and then, meet a lock. */
const TRIES = 20;

const decoder = new TextDecoder();

function read(name) {
    return decoder.decode(GLib.file_get_contents(`/proc/thread-self/${name}`)[1]);
}

/** How often the thread has waited, and the microseconds for which it has run. */
function measure() {
    return {
        waits: Number(/^voluntary_ctxt_switches:\s*(\d+)$/m.exec(read('status'))[1]),
        used: Number(read('schedstat').split(' ')[0]) / 1000,
    };
}

/** Runs a step of a program, and says whether it has held up the loop for a frame. */
function holdsUp(step) {
    const before = measure();
    const value = step();
    const after = measure();
    return {value, held: after.waits > before.waits || after.used - before.used > FRAME};
}

/** That a step, whose promise is awaited afterwards, does not hold up the loop. */
async function neverHolds(what, step, tries = TRIES) {
    let times = 0;
    for (let i = 0; i < tries; i++) {
        const {value, held} = holdsUp(step);
        await value;
        times += held;
    }
    ok(times < tries, `${what} held up the loop ${times} times of ${tries}, so that it may go on`);
}

test('this test sees who holds up the loop', async () => {
    ok(holdsUp(() => GLib.usleep(1000)).held);
    ok(holdsUp(() => {
        const begin = measure().used;
        while (measure().used - begin < 2 * FRAME);
    }).held);
    const worker = Malt.Launcher.new('process', 'python').spawn(null);
    ok(holdsUp(() => worker.remote_eval_fetch(null, 'import time; time.sleep(0.01)', -1, null)).held);
    worker.kill();
});

test('starting and stopping', async () => {
    const workers = [];
    await neverHolds('spawn()', async () => workers.push(await Malt.Worker.spawn(PYTHON)), 6);
    await neverHolds('stop()', () => workers.pop().stop(), 3);
    await neverHolds('kill()', () => workers.pop().kill(), 3);
    equal(workers.length, 0);
});

testWith(PYTHON, 'calls, channels and functions', async worker => {
    const large = new Uint8Array(1 << 20);
    worker.export('f', () => 1);
    const channel = await worker.channel('malt.Channel(1)');

    await neverHolds('call()', () => worker.call('math.sqrt', 4));
    await neverHolds('call() of what takes its time', () => worker.call('time.sleep', 0.001));
    await neverHolds('call() with a megabyte', () => worker.call('bytes', large));
    await neverHolds('eval()', () => worker.eval('malt.host.f()'));
    await neverHolds('do()', () => worker.do('math.sqrt', 4));
    await neverHolds('interrupt()', () => worker.interrupt());
    await neverHolds('channel()', () => worker.channel('malt.Channel(1)'));
    await neverHolds('put() and take()', () => Promise.all([channel.put(1), channel.put(2), channel.take(), channel.take()]));
});

test('pools', async () => {
    let pool = Malt.Pool.create({...PYTHON, maxWorkers: 1});
    await neverHolds('the call of a pool', () => pool.call('time.sleep', 0.001));
    await neverHolds('the map of a pool', () => pool.map('time.sleep', [0.001, 0.001]).then());
    await pool.shutdown();
    await neverHolds('shutdown()', () => {
        pool = Malt.Pool.create({...PYTHON, maxWorkers: 1});
        const call = pool.call('abs', 1).catch(() => {});
        return Promise.all([call, pool.shutdown()]);
    }, 3);
});

testWith(NATIVE, 'frames go on while workers are busy', async worker => {
    let frames = 0;
    const clock = GLib.timeout_add(GLib.PRIORITY_DEFAULT, FRAME / 1000, () => {
        frames++;
        return GLib.SOURCE_CONTINUE;
    });
    await Promise.all(Array.from({length: 5}, () => worker.call('native-functions:sleep', 50)));
    GLib.source_remove(clock);
    ok(frames > 0, 'that there were frames');
});

test('what a toolkit draws goes on while values come without end', async () => {
    const REDRAW = GLib.PRIORITY_HIGH_IDLE + 20;
    const worker = await Malt.Worker.spawn();
    let sinceLast = 0, most = 0, n = 0;
    await worker.eval(`function numbers() {
        const channel = new malt.Channel(1000);
        (async () => {
            for (let i = 0; i < 50000; i++)
                await channel.put(i);
            channel.close();
        })();
        return channel;
    }`);

    const clock = GLib.idle_add(REDRAW, () => {
        most = Math.max(most, sinceLast);
        sinceLast = 0;
        return GLib.SOURCE_CONTINUE;
    });
    for await (const value of await worker.channel('numbers()')) {
        equal(value, n++);
        sinceLast++;
    }
    GLib.source_remove(clock);
    most = Math.max(most, sinceLast);
    equal(n, 50000);
    // No machine has so many in the few milliseconds after which others have their turn.
    ok(most < 5000, `${most} values came in a row`);
    worker.kill();
});

testWith(NATIVE, 'in a GLib.MainLoop that a program runs', async worker => {
    const values = [];
    const loop = new GLib.MainLoop(null, false);
    // Not within a promise's reaction, in which no others go on.
    await new Promise((resolve, reject) => GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
        (async () => {
            for (let i = 0; i < 10; i++)
                values.push(await worker.call('native-functions:add', i, 1));
        })().catch(reject).finally(() => loop.quit());
        loop.run();
        resolve();
        return GLib.SOURCE_REMOVE;
    }));
    equal(values, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});

testWith(NATIVE, 'in loops inside of loops', async worker => {
    const seen = [];
    const nest = depth => {
        const loop = new GLib.MainLoop(null, false);
        worker.call('native-functions:add', depth, 0).then(value => {
            seen.push(value);
            if (depth < 3) {
                GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
                    nest(depth + 1);
                    loop.quit();
                    return GLib.SOURCE_REMOVE;
                });
            } else {
                loop.quit();
            }
        });
        loop.run();
    };
    await new Promise(resolve => GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
        nest(1);
        resolve();
        return GLib.SOURCE_REMOVE;
    }));
    equal(seen, [1, 2, 3]);
});

test('in a Gio.Application', async () => {
    const worker = await Malt.Worker.spawn(NATIVE);
    const app = new Gio.Application({flags: Gio.ApplicationFlags.NON_UNIQUE});
    let value = null;
    app.connect('activate', () => {
        app.hold();
        worker.call('native-functions:add', 40, 2).then(sum => (value = sum)).finally(() => app.release());
    });
    await new Promise(resolve => GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
        app.run([]);
        resolve();
        return GLib.SOURCE_REMOVE;
    }));
    equal(value, 42);
    worker.kill();
});

await sleep(0);
await run();
