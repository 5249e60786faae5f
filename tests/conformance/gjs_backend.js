// SPDX-License-Identifier: LGPL-2.1-or-later

// The backend of the manual, in a program whose garbage is collected all the time: also within a
// blocking call, and while other threads have references to its workers.

import GLib from 'gi://GLib?version=2.0';
import GObject from 'gi://GObject?version=2.0';
import Malt from 'gi://Malt?version=1';
import System from 'system';

import {ProxyWorker} from '../../docs/examples/gjs-proxy-backend.js';

/** Not so often that nothing else is done: microseconds. */
const PAUSE = 50000;

let last = 0;

function collect() {
    if (GLib.get_monotonic_time() - last < PAUSE)
        return;
    System.gc();
    last = GLib.get_monotonic_time();
}

const CollectingWorker = GObject.registerClass(class CollectingWorker extends ProxyWorker {
    async vfunc_submit(request) {
        collect();
        await super.vfunc_submit(request);
        collect();
    }
});

Malt.Worker.register('collecting', CollectingWorker);
