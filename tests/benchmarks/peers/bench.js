// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict';
// Small helpers shared by the Node peers: samples, JSON lines, PSS.
const fs = require('node:fs');

const SIZE_64K = 65536, SIZE_1M = 1000000, SIZE_50M = 50000000;
const WARM_1M = 300;
const SCALE = Number(process.env.PEERS_SCALE) || 1; // how long to measure
const atLeast = (n) => Math.max(Math.min(n, 3), Math.floor(n * SCALE));
const now = () => Number(process.hrtime.bigint()) / 1e3; // us

function unitOf(row) {
  for (const [end, unit] of [['_per_s', '1/s'], ['_us', 'us'], ['_ms', 'ms'], ['_kb', 'kB']])
    if (row.endsWith(end)) return unit;
  return '';
}

function report(peer, row, values) {
  if (values.length === 0) return;
  const v = [...values].sort((a, b) => a - b), n = v.length;
  const median = n % 2 ? v[(n - 1) / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
  const r = (x) => Math.round(x * 1e4) / 1e4;
  console.log(JSON.stringify({ peer, row, unit: unitOf(row), median: r(median), min: r(v[0]),
    max: r(v[n - 1]), n }));
}

// after(): something to undo the call, not timed (then k must be 1)
// warm: how often it is done before. Until the collector has run, each array lies in fresh memory.
async function bench(peer, row, func,
  { k = 1, minN = 7, maxN = 400, budget = 0.6, warm = 3, after } = {}) {
  const div = row.endsWith('_us') ? 1 : 1e3, values = [];
  for (let i = 0; i < warm; i++) {
    await func();
    if (after) await after();
  }
  const end = now() + budget * SCALE * 1e6;
  while (values.length < maxN && (values.length < atLeast(minN) || now() < end)) {
    const t = now();
    for (let i = 0; i < k; i++) await func();
    values.push((now() - t) / k / div);
    if (after) await after();
  }
  report(peer, row, values);
}

async function benchRate(peer, row, func, calls, { minN = 5, maxN = 30, budget = 0.8 } = {}) {
  const values = [];
  await func();
  const end = now() + budget * SCALE * 1e6;
  while (values.length < maxN && (values.length < atLeast(minN) || now() < end)) {
    const t = now();
    await func();
    values.push(calls / (now() - t) * 1e6);
  }
  report(peer, row, values);
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// start() -> [handle, pid] after one finished call. For a thread the row of
// its memory is what the whole process gained.
async function benchSpawn(peer, start, stop, n, thread = false) {
  const spawn = [], halt = [], pss = [];
  for (let i = 0; i <= atLeast(n); i++) {
    const before = thread ? pssKb(process.pid) : 0;
    let t = now();
    const [handle, pid] = await start();
    const spawned = now() - t;
    await sleep(50);
    const kb = pssKb(thread ? process.pid : pid) - before;
    t = now();
    await stop(handle);
    const stopped = now() - t;
    if (i) {
      spawn.push(spawned / 1e3);
      halt.push(stopped / 1e3);
      pss.push(kb);
    }
  }
  report(peer, 'spawn_ms', spawn);
  report(peer, 'stop_ms', halt);
  report(peer, 'idle_worker_pss_kb', pss);
}

function pssKb(pid) {
  const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Pss:\s+(\d+)/m.exec(text)[1]);
}

function touch(buf) {
  let sum = 0;
  for (let i = 0; i < buf.length; i += 4096) sum += buf[i];
  return sum + buf[buf.length - 1];
}

function bytes(size) {
  const b = new Uint8Array(size); // not Buffer: no shared pool
  for (let i = 0; i < size; i++) b[i] = i & 255;
  return b;
}

module.exports = { SIZE_64K, SIZE_1M, SIZE_50M, WARM_1M, bench, benchRate, benchSpawn, bytes, touch, sleep };
