// SPDX-License-Identifier: LGPL-2.1-or-later

// The functions of the conformance suite, for GJS workers.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import System from 'system';

const pid = new Gio.Credentials().get_unix_pid();

let stored = null;

export function add(a, b) {
    if (typeof a !== 'number' || typeof b !== 'number')
        throw new TypeError(`cannot add ${typeof a} and ${typeof b}`);
    return a + b;
}

export function subtract({a, b}) {
    return a - b;
}

export function echo(value) {
    return value;
}

export function nothing() {
}

export function bytes(size) {
    return new Uint8Array(size).map((_, i) => i & 0xff);
}

export function length(data) {
    return data.length;
}

export function put(value) {
    stored = value;
}

export function get() {
    return stored;
}

export function fail(text) {
    throw new Error(text);
}

export function sleep(msec) {
    GLib.usleep(msec * 1000);
}

export function later(msec, value) {
    return new Promise(resolve => setTimeout(() => resolve(value), msec));
}

export function later_never() {
    return new Promise(() => {});
}

function touch(mark) {
    GLib.file_set_contents(mark, '');
}

export function spin(mark) {
    touch(mark);
    for (;;)
        ;
}

function catching(mark) {
    try {
        spin(mark);
    } catch (error) {
        if (error instanceof malt.InterruptedError)
            return 'caught';
        throw error;
    }
}
export {catching as catch};

export function be_deaf(mark, end_mark) {
    for (;;) {
        try {
            touch(mark);
            while (!GLib.file_test(end_mark, GLib.FileTest.EXISTS))
                GLib.usleep(1000);
            return;
        } catch {
        }
    }
}

// SpiderMonkey looks at the first segmentation fault itself, and does not mind one that is none.
function kill(signal) {
    for (;;)
        GLib.spawn_command_line_sync(`/bin/kill -${signal} ${pid}`);
}

export function crash() {
    kill('SEGV');
}

export function crash_once(mark) {
    if (!GLib.file_test(mark, GLib.FileTest.EXISTS)) {
        touch(mark);
        kill('KILL');
    }
    return 1;
}

export function exit(code) {
    System.exit(code);
}

// Where newer versions of GLib have it, and older ones.
const addSignal = await import('gi://GLibUnix').then(unix => unix.default.signal_add ?? unix.default.signal_add_full,
                                                     () => GLib.unix_signal_add);
const UnixOutputStream = await import('gi://GioUnix').then(unix => unix.default.OutputStream, () => Gio.UnixOutputStream);
const streams = [1, 2].map(fd => new UnixOutputStream({fd, close_fd: false}));

function write(stream, text) {
    streams[stream].write_all(new TextEncoder().encode(text), null);
}

function print_(text) {
    write(0, text);
}
export {print_ as print};

export function print_text(text) {
    print(text);
}

export function print_error(text) {
    write(1, text);
}

export function print_many(count, text) {
    write(0, text.repeat(count));
}

export function print_bytes(data) {
    streams[0].write_all(data, null);
}

export function print_both(count, pause, text) {
    for (let i = 0; i < count; i++) {
        write(0, `${text} ${i}\n`);
        write(1, `${text} ${i}\n`);
        GLib.usleep(pause);
    }
}

export function allocate(size) {
    const memory = new Uint8Array(size);

    for (let place = 0; place < size; place += 4096)
        memory[place] = 1;
}

export function ignore_term() {
    addSignal(GLib.PRIORITY_DEFAULT, 15, () => GLib.SOURCE_CONTINUE);
}

export function fork_child() {
    const [, child] = GLib.spawn_async(null, ['/bin/sleep', '1000'], null, GLib.SpawnFlags.DO_NOT_REAP_CHILD, null);
    return child;
}

export function environment() {
    return GLib.listenv().map(name => `${name}=${GLib.getenv(name)}`);
}

// The open descriptors, without that of the folder that is read.
export function descriptors() {
    const folder = Gio.File.new_for_path('/proc/self/fd');
    const result = [];

    for (const info of folder.enumerate_children('standard::name,standard::symlink-target',
        Gio.FileQueryInfoFlags.NOFOLLOW_SYMLINKS, null)) {
        const target = info.get_symlink_target();
        if (target !== null && !target.endsWith('/fd'))
            result.push(new GLib.Variant('(xs)', [Number(info.get_name()), target]));
    }
    return result;
}

export function working_directory() {
    return GLib.get_current_dir();
}

export function process_group() {
    const [, content] = GLib.file_get_contents('/proc/self/stat');
    return Number(new TextDecoder().decode(content).split(') ')[1].split(' ')[2]);
}

// A worker of this worker does the same with one less.
export async function nested(depth) {
    if (depth === 0)
        return 0;

    const {default: Malt} = await import('gi://Malt?version=1');
    const launcher = Malt.Launcher.new('process', 'gjs');
    const folder = GLib.path_get_dirname(GLib.filename_from_uri(import.meta.url)[0]);
    launcher.set_search_path([folder]);
    for (const name of ['GI_TYPELIB_PATH', 'LD_LIBRARY_PATH', 'MALT_MODULE_PATH']) {
        if (GLib.getenv(name) !== null)
            launcher.setenv(name, GLib.getenv(name));
    }

    const worker = launcher.spawn(null);
    const value = worker.remote_call_fetch('gjs_functions.nested',
        new GLib.Variant('(x)', [depth - 1]), null, Malt.TIMEOUT_DEFAULT, null);
    worker.stop(-1, -1, null);
    // It is JavaScript's own already where the override is found.
    return 1 + (value instanceof GLib.Variant ? value.recursiveUnpack() : value);
}

export function host(name, args, keywords = {}) {
    return malt.hostSync[name](...args, malt.keywords(keywords));
}

export function host_error(name, args) {
    try {
        malt.hostSync[name](...args);
    } catch (error) {
        if (!(error instanceof malt.HostError))
            throw error;
        const domain = {MaltError: 'malt', 'g-io-error-quark': 'io'}[error.domain] ?? '?';
        return [domain, String(error.code), error.type ?? '', error.remoteMessage];
    }
    return null;
}

export async function host_later(name, args) {
    return await malt.host[name](...args);
}

const begun = [];

export async function host_begin(name, count) {
    for (let i = 0; i < count; i++)
        begun.push(malt.host[name]());
}

export function progress(fraction, text) {
    malt.progress(fraction >= 0 ? fraction : null, text);
    return new GLib.Variant('(ds)', [fraction, text]);
}

export function progress_steps(count) {
    for (let i = 1; i <= count; i++)
        malt.progress(i / count, `step ${i}`);
}
