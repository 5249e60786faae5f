// SPDX-License-Identifier: LGPL-2.1-or-later

// A manager in JavaScript: every case of cases.json with workers of each runtime.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import Malt from 'gi://Malt?version=1';

import {digest, isSame, make, show} from '../conformance/checks.js';
import {PATIENCE, equal, matches, need, ok, rejects, run, test, until} from '../gjs/tap.js';

const SOURCES = GLib.getenv('G_TEST_SRCDIR');
const SEARCH_PATH = [GLib.getenv('G_TEST_BUILDDIR'), `${SOURCES}/conformance`];
const CASES = JSON.parse(new TextDecoder().decode(GLib.file_get_contents(`${SOURCES}/matrix/cases.json`)[1]));

/** The source of what a language sends or sees; undefined if it does not. */
function part(value, name) {
    return typeof value === 'string' ? value : value?.[name];
}

/** A worker of one runtime, and how its functions are called. */
class Worker {
    constructor(runtime, worker) {
        this.runtime = runtime;
        this.names = CASES.runtimes[runtime];
        this.worker = worker;
    }

    call(group, name, ...args) {
        return this.worker.call(`${this.names[group]}${name}`, ...args);
    }

    async checkUsable() {
        equal(await this.call('functions', 'add', 40, 2), 42);
    }
}

function testMatrix(runtime, name, body) {
    test(`/gjs/${runtime}/${name}`, async () => {
        need({runtime});
        // What runs is to be interrupted soon; nothing else is to be ended, however slow it is.
        const worker = await Malt.Worker.spawn({
            runtime, searchPath: SEARCH_PATH, cancelTimeout: 20, interruptTimeout: 5 * PATIENCE,
        });
        try {
            const matrixWorker = new Worker(runtime, worker);
            await body(matrixWorker);
            await matrixWorker.checkUsable();
        } finally {
            await worker.stop();
        }
    });
}

async function checkValue(worker, row) {
    const sent = part(row.gjs, 'sent');
    const {runtime} = worker;
    if (sent === undefined || !(row.runtimes ?? Object.keys(CASES.runtimes)).includes(runtime))
        return;
    if (row['refused by']?.includes(runtime)) {
        await rejects(worker.call('functions', 'echo', make(sent)), Malt.SerializationError);
        return;
    }

    const expected = part(row[runtime === 'native' ? 'variant' : runtime], 'seen');
    const back = await worker.call('checks', 'expect', make(sent), expected);
    const seen = row.back?.[runtime]?.gjs ?? part(row.gjs, 'seen');
    ok(isSame(back, make(seen)), `${show(back)} instead of ${seen}`);
}

async function values(worker) {
    const failures = [];
    for (const row of CASES.values) {
        try {
            await checkValue(worker, row);
        } catch (error) {
            failures.push(`${row.name}: ${error.message}`);
        }
    }
    if (failures.length > 0)
        throw new Error(failures.join('\n'));
}

async function exception(worker) {
    const {function: name, text, [worker.runtime]: expected} = CASES.exception;
    const error = await rejects(worker.call('functions', name, text), Malt.RemoteError);
    equal([error.remoteType, error.remoteMessage], [expected.type, text]);
    matches(error.remoteStack ?? '', new RegExp(expected.traceback.join('[^]*')));
    equal(error.worker, worker.worker);
}

async function interrupt(worker) {
    for (let i = 0; i < 2; i++) {
        const [mark, stream] = Gio.File.new_tmp('malt-matrix-XXXXXX');
        stream.close(null);
        mark.delete(null);
        const interrupted = rejects(worker.call('functions', CASES.interrupt[worker.runtime], mark.get_path()),
            Malt.InterruptedError);
        await until(() => mark.query_exists(null));
        worker.worker.interrupt();
        await interrupted;
        mark.delete(null);
        await worker.checkUsable();
    }
}

async function makeChannel(worker, name, capacity) {
    const {module, [name]: expression} = worker.names.channel;
    await worker.call('channels', 'make', name, capacity);
    return worker.worker.channel(expression, {module});
}

async function channel(worker) {
    const {capacity, count} = CASES.channel;
    const there = await makeChannel(worker, 'a', capacity);
    const back = await makeChannel(worker, 'b', capacity);
    await worker.call('channels', 'echo', 'a', 'b');

    const putting = (async () => {
        for (let number = 0; number < count; number++)
            await there.put(number);
        there.close();
    })();
    const taken = [];
    for await (const number of back)
        taken.push(number);
    await putting;
    equal(taken, Array.from({length: count}, (_, i) => i));
    equal([there.closed, back.closed], [true, true]);
    await rejects(there.put(1), Gio.IOErrorEnum, /closed/);
    await rejects(back.take(), Gio.IOErrorEnum, /closed/);
}

async function large(worker, array) {
    const value = make(part(array.gjs, 'sent'));
    equal(digest(value), array.sha256);
    equal(await worker.call('checks', 'digest', value), array.sha256);
    const back = await worker.call('functions', 'echo', value);
    ok(isSame(back, make(part(array.gjs, 'seen'))), 'there and back');
}

for (const runtime of Object.keys(CASES.runtimes)) {
    testMatrix(runtime, 'values', values);
    testMatrix(runtime, 'exception', exception);
    testMatrix(runtime, 'interrupt', interrupt);
    testMatrix(runtime, 'channel', channel);
    for (const [name, array] of Object.entries(CASES.large))
        testMatrix(runtime, `large-${name}`, worker => large(worker, array));
}

await run();
