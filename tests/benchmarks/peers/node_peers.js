// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict';
// Node: child_process.fork with both serializations, worker_threads, piscina.
// Usage: node node_peers.js json|advanced|threads|piscina [PISCINA_DIR]
const { fork } = require('node:child_process');
const { Worker } = require('node:worker_threads');
const path = require('node:path');
const { SIZE_64K, SIZE_1M, SIZE_50M, WARM_1M, bench, benchRate, benchSpawn, bytes, touch } =
  require('./bench.js');

const WORK = path.join(__dirname, 'node_work.js');
const N = 10000;

class Remote { // calls with a promise each, over any channel
  constructor(channel, send) {
    this.channel = channel;
    this.send = send;
    this.waiting = new Map();
    this.last = 0;
    channel.on('message', (m) => {
      const done = this.waiting.get(m.id);
      this.waiting.delete(m.id);
      done(m.r);
    });
  }
  call(f, a, transfer) {
    return new Promise((done) => {
      const id = ++this.last;
      this.waiting.set(id, done);
      this.send({ id, f, a }, transfer);
    });
  }
  forget(f, a) { this.send({ id: 0, f, a }); }
}

async function commonRows(peer, w) {
  await bench(peer, 'async_single_us', () => w.call('inc', 1), { k: 20 });
  await benchRate(peer, 'pipelined_calls_per_s', async () => {
    const all = [];
    for (let i = 0; i < N; i++) all.push(w.call('inc', 1));
    await Promise.all(all);
  }, N);
  if (w.forget)
    await benchRate(peer, 'fire_and_forget_per_s', async () => {
      for (let i = 0; i < N; i++) w.forget('inc', 1);
      await w.call('inc', 1);
    }, N);
}

async function byteRows(peer, w) {
  const small = bytes(SIZE_64K), big = bytes(SIZE_50M);
  await bench(peer, 'echo_64KB_us', async () => touch(await w.call('echo', small)), { k: 5 });
  const middle = bytes(SIZE_1M);
  const many = { k: 2, warm: WARM_1M };
  await bench(peer, 'echo_1MB_us', async () => touch(await w.call('echo', middle)), many);
  await bench(peer, 'fetch_1MB_us', async () => touch(await w.call('array', SIZE_1M)), many);
  await bench(peer, 'fetch_50MB_ms', async () => touch(await w.call('array', SIZE_50M)),
    { maxN: 10 });
  await bench(peer, 'send_50MB_ms', () => w.call('length', big), { maxN: 10 });
}

async function childProcess(serialization) {
  const peer = `node-fork-${serialization}`;
  const start = async () => {
    const child = fork(WORK, [], { serialization,
      env: { ...process.env, PEERS_NODE_CHILD: '1' } });
    const w = new Remote(child, (m) => child.send(m));
    return [w, await w.call('pid')];
  };
  const stop = (w) => new Promise((done) => {
    w.channel.once('exit', done);
    w.channel.disconnect();
  });
  await benchSpawn(peer, start, stop, 6);
  const [w] = await start();
  await commonRows(peer, w);
  if (serialization === 'advanced') {
    await byteRows(peer, w);
  } else {
    const decode = (s) => touch(Buffer.from(s, 'base64'));
    const small = bytes(SIZE_64K), big = bytes(SIZE_50M);
    const encode = (b) => Buffer.from(b.buffer).toString('base64');
    await bench(peer, 'echo_64KB_us', async () => decode(await w.call('echo64', encode(small))),
      { k: 5 });
    await bench(peer, 'fetch_1MB_us', async () => decode(await w.call('base64', SIZE_1M)));
    await bench(peer, 'fetch_50MB_ms', async () => decode(await w.call('base64', SIZE_50M)),
      { minN: 5, maxN: 7 });
    await bench(peer, 'send_50MB_ms', () => w.call('length64', encode(big)),
      { minN: 5, maxN: 7 });
  }
  await stop(w);
}

async function threads() {
  const start = async () => {
    const worker = new Worker(WORK, { workerData: { peers: true } });
    const w = new Remote(worker, (m, transfer) => worker.postMessage(m, transfer));
    await w.call('inc', 1);
    return [w, 0];
  };
  const stop = (w) => new Promise((done) => {
    w.channel.once('exit', done);
    w.forget('exit');
  });
  await benchSpawn('node-thread', start, stop, 10, true);
  const [w] = await start();
  await commonRows('node-thread', w);
  await byteRows('node-thread', w);

  const peer = 'node-thread-transfer';
  let b = bytes(SIZE_64K);
  await bench(peer, 'echo_64KB_us', async () => {
    b = await w.call('bounce', b, [b.buffer]);
    touch(b);
  }, { k: 5 });
  for (const [row, size] of [['fetch_1MB_us', SIZE_1M], ['fetch_50MB_ms', SIZE_50M]]) {
    let got;
    await w.call('give', size); // first one creates it
    got = bytes(size);
    await w.call('keep', got, [got.buffer]);
    await bench(peer, row, async () => touch(got = await w.call('give', size)),
      { maxN: 100, after: () => w.call('keep', got, [got.buffer]) });
    got = await w.call('give', size);
  }
  let big = bytes(SIZE_50M);
  await bench(peer, 'send_50MB_ms', () => w.call('keep', big, [big.buffer]),
    { maxN: 100, after: async () => { big = await w.call('give', SIZE_50M); } });
  await stop(w);
}

async function piscina(dir) {
  const { Piscina } = require(path.join(dir, 'node_modules', 'piscina'));
  const peer = 'node-piscina';
  const start = async () => {
    const pool = new Piscina({ filename: WORK, minThreads: 1, maxThreads: 1,
      env: {}, idleTimeout: 1e9 });
    await pool.run({ f: 'inc', a: 1 });
    return [pool, 0];
  };
  const stop = (pool) => pool.close();
  await benchSpawn(peer, start, stop, 10, true);
  const [pool] = await start();
  const w = { call: (f, a) => pool.run({ f, a }) };
  await commonRows(peer, w);
  await byteRows(peer, w);
  await stop(pool);
}

async function main() {
  switch (process.argv[2]) {
    case 'json':
    case 'advanced':
      return childProcess(process.argv[2]);
    case 'threads':
      return threads();
    case 'piscina':
      return piscina(process.argv[3]);
    default:
      throw new Error('which one?');
  }
}

main().then(() => process.exit(0), (e) => {
  console.error(String(e && e.stack || e));
  process.exit(1);
});
