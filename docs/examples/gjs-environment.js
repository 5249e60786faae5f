#!/usr/bin/gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later

// A worker that has the user's session and libraries, and begins in the directory of this program.

import GLib from 'gi://GLib?version=2.0';
import Malt from 'gi://Malt?version=1';

const NAMES = [
    'DISPLAY', 'WAYLAND_DISPLAY', 'XAUTHORITY',          // windows
    'DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR',       // services of the session, settings
    'XDG_CONFIG_HOME', 'XDG_DATA_HOME', 'XDG_CACHE_HOME', 'XDG_DATA_DIRS', 'XDG_CURRENT_DESKTOP',
    'GI_TYPELIB_PATH', 'LD_LIBRARY_PATH', 'GJS_PATH',    // libraries that are not installed
];

/** @type {{[name: string]: string}} */
const environment = {LANG: 'C.UTF-8'};
for (const name of NAMES) {
    const value = GLib.getenv(name);
    if (value !== null)
        environment[name] = value;
}

const worker = await Malt.Worker.spawn({environment, workingDirectory: GLib.get_current_dir()});
const missing = await worker.call(names => names.filter(name => imports.gi.GLib.getenv(name) === null),
    Object.keys(environment));
print(missing.length === 0 ? 'all of it is there' : `without ${missing}`);
print(await worker.eval('imports.gi.GLib.get_current_dir()') === GLib.get_current_dir());
await worker.stop();
