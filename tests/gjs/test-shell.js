// SPDX-License-Identifier: LGPL-2.1-or-later

// In a main loop that a program runs at its end and without awaiting anything, as GNOME Shell does.

import GLib from 'gi://GLib';
import Malt from 'gi://Malt?version=1';

import {PYTHON, equal, ok, rejects, run, test} from './tap.js';

const loop = new GLib.MainLoop(null, false);

test('python: calls in the main loop of the program', async () => {
    ok(loop.is_running(), 'that the loop runs');
    const worker = await Malt.Worker.spawn(PYTHON);
    const values = await Promise.all([1, 4, 9].map(n => worker.call('math.sqrt', n)));
    equal(values, [1, 2, 3]);
    await rejects(worker.eval('1 / 0'), Malt.RemoteError);
    const channel = await worker.channel('c = malt.Channel(3); c.put(1); c.put(2); c.close(); c');
    const taken = [];
    for await (const value of channel)
        taken.push(value);
    equal(taken, [1, 2]);
    equal(await worker.stop(), Malt.StopResult.WAS_RUNNING);
});

// From within the loop only.
GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
    run().finally(() => loop.quit());
    return GLib.SOURCE_REMOVE;
});

// Newer GJS runs it when the module has ended, older here.
if (loop.runAsync)
    loop.runAsync();
else
    loop.run();
