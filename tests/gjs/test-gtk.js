// SPDX-License-Identifier: LGPL-2.1-or-later

// In an application with GTK 4, whose frames go on while a worker is busy.

import GLib from 'gi://GLib';
import Malt from 'gi://Malt?version=1';

import {PYTHON, equal, ok, run, skip, test} from './tap.js';

async function importGtk() {
    let Gtk;
    try {
        ({default: Gtk} = await import('gi://Gtk?version=4.0'));
    } catch {
        skip('there is no GTK 4');
    }
    if (!Gtk.init_check())
        skip('there is no display');
    return Gtk;
}

test('python: calls in an application', async () => {
    const Gtk = await importGtk();
    const worker = await Malt.Worker.spawn(PYTHON);
    const app = new Gtk.Application({flags: imports.gi.Gio.ApplicationFlags.NON_UNIQUE});
    let frames = 0;
    const values = [];

    async function work(window, label) {
        // Until there was a frame meanwhile, and there is a result.
        while (frames < 10 || values.length < 10) {
            values.push(await worker.call('math.sqrt', values.length ** 2));
            label.label = `${values.at(-1)}`;
            await worker.call('time.sleep', 0.01);
        }
        window.close();
    }

    app.connect('activate', () => {
        const label = new Gtk.Label();
        const window = new Gtk.ApplicationWindow({application: app, child: label});
        window.add_tick_callback(() => {
            frames++;
            label.queue_draw();
            return GLib.SOURCE_CONTINUE;
        });
        window.present();
        work(window, label).catch(error => {
            values.length = 0;
            logError(error);
            window.close();
        });
    });

    await new Promise(resolve => GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
        app.run([]);
        resolve();
        return GLib.SOURCE_REMOVE;
    }));
    ok(frames >= 10, 'that frames went on');
    equal(values.slice(0, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    await worker.stop();
});

await run();
