// SPDX-License-Identifier: LGPL-2.1-or-later

// What a call from GJS to a worker that runs GJS costs: gjs -m gjs_manager.js PEER

import GLib from 'gi://GLib';
import Malt from 'gi://Malt?version=1';

const SIZE_64K = 65536;
const SIZE_1M = 1000000;
const SIZE_50M = 50000000;
const SCALE = Number(GLib.getenv('PEERS_SCALE') ?? 1);
const N = 10000;
const MANY = 100000;
const WARM_1M = 300;

const peer = ARGV[0] ?? 'malt-gjs-manager';
const now = () => GLib.get_monotonic_time();
const atLeast = n => Math.max(Math.min(n, 3), Math.floor(n * SCALE));

function unitOf(row) {
    for (const [end, unit] of [['_per_s', '1/s'], ['_us', 'us'], ['_ms', 'ms'], ['_kb', 'kB']]) {
        if (row.endsWith(end))
            return unit;
    }
    return '';
}

function report(row, values) {
    const sorted = [...values].sort((a, b) => a - b);
    const n = sorted.length;
    const median = (sorted[(n - 1) >> 1] + sorted[n >> 1]) / 2;
    const round = x => Math.round(x * 1e4) / 1e4;
    print(JSON.stringify({peer, row, unit: unitOf(row), median: round(median), min: round(sorted[0]),
        max: round(sorted[n - 1]), n}));
}

// warm: how often it is done before. Until the collector has run, each array lies in fresh memory.
async function bench(row, func, {k = 1, minN = 7, maxN = 400, budget = 0.6, warm = 3} = {}) {
    const divisor = row.endsWith('_us') ? 1 : 1e3;
    const values = [];
    for (let i = 0; i < warm; i++)
        await func();
    const end = now() + budget * SCALE * 1e6;
    while (values.length < maxN && (values.length < atLeast(minN) || now() < end)) {
        const begin = now();
        for (let i = 0; i < k; i++)
            await func();
        values.push((now() - begin) / k / divisor);
    }
    report(row, values);
}

async function benchRate(row, func, calls) {
    const values = [];
    await func();
    const end = now() + 0.8 * SCALE * 1e6;
    while (values.length < 30 && (values.length < atLeast(5) || now() < end)) {
        const begin = now();
        await func();
        values.push(calls / (now() - begin) * 1e6);
    }
    report(row, values);
}

function touch(array) {
    let sum = 0;
    for (let i = 0; i < array.length; i += 4096)
        sum += array[i];
    return sum;
}

function pssKb(pid) {
    const text = new TextDecoder().decode(GLib.file_get_contents(`/proc/${pid}/smaps_rollup`)[1]);
    return Number(/^Pss:\s+(\d+)/m.exec(text)[1]);
}

const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

async function starts() {
    const spawned = [], stopped = [], memory = [];
    for (let i = 0; i <= atLeast(8); i++) {
        let begin = now();
        const worker = await Malt.Worker.spawn({runtime: 'gjs'});
        await worker.call('Math.max', 1);
        const spawn = now() - begin;
        await sleep(50);
        const kb = pssKb(worker.get_pid());
        begin = now();
        await worker.stop();
        if (i > 0) {
            spawned.push(spawn / 1e3);
            stopped.push((now() - begin) / 1e3);
            memory.push(kb);
        }
    }
    report('spawn_ms', spawned);
    report('stop_ms', stopped);
    report('idle_worker_pss_kb', memory);
}

async function main() {
    // First, soon after those of the manager in C, with which they are compared.
    const worker = await Malt.Worker.spawn({runtime: 'gjs'});
    await worker.eval(`
        var nothing = () => {};
        var inc = x => x + 1;
        var echo = data => data;
        var length = data => data.length;
        var own = {};
        var array = size => own[size] ??= new Uint8Array(size).fill(7);
        undefined`);

    await bench('async_single_us', () => worker.call('nothing'), {k: 100, maxN: 4000, budget: 0.8});
    await benchRate('pipelined_calls_per_s', () => Promise.all(Array.from({length: N}, () => worker.call('inc', 1))), N);
    await benchRate('fire_and_forget_per_s', () => {
        for (let i = 0; i < MANY; i++)
            worker.do('inc', 1);
        return worker.call('inc', 1);
    }, MANY);

    await starts();

    const small = new Uint8Array(SIZE_64K).fill(7);
    const middle = new Uint8Array(SIZE_1M).fill(7);
    const big = new Uint8Array(SIZE_50M).fill(7);
    await bench('echo_64KB_us', async () => touch(await worker.call('echo', small)), {k: 5, budget: 0.4});
    await bench('echo_1MB_us', async () => touch(await worker.call('echo', middle)), {k: 2, budget: 0.4, warm: WARM_1M});
    await bench('fetch_1MB_us', async () => touch(await worker.call('array', SIZE_1M)), {k: 2, budget: 0.4, warm: WARM_1M});
    await bench('fetch_50MB_ms', async () => touch(await worker.call('array', SIZE_50M)), {maxN: 10});
    await bench('send_50MB_ms', () => worker.call('length', big), {maxN: 10});
    await worker.stop();
}

// As applications do. While a module awaits something at its top, GJS 1.74 never sleeps.
const loop = new GLib.MainLoop(null, false);
main().catch(logError).finally(() => loop.quit());
loop.run();
