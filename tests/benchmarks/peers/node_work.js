// SPDX-License-Identifier: LGPL-2.1-or-later
'use strict';
// The worker side of the Node peers: a child process, a thread, or piscina.
const { bytes } = require('./bench.js');
const threads = require('node:worker_threads');

const arrays = new Map();
function array(size) {
  if (!arrays.has(size)) arrays.set(size, bytes(size));
  return arrays.get(size);
}
function base64(size) { // JSON has no bytes: the usual way round is base64
  return Buffer.from(array(size)).toString('base64');
}

let moved = null; // an array that travels by transfer
const functions = {
  inc: (x) => x + 1,
  pid: () => process.pid,
  echo: (data) => data,
  array,
  length: (data) => data.length,
  base64,
  echo64: (s) => Buffer.from(s, 'base64').toString('base64'),
  length64: (s) => Buffer.from(s, 'base64').length,
};

function answer(msg, post) {
  const result = functions[msg.f](msg.a);
  if (msg.id) post({ id: msg.id, r: result });
}

if (process.env.PEERS_NODE_CHILD) {
  process.on('message', (msg) => answer(msg, (m) => process.send(m)));
  process.on('disconnect', () => process.exit(0));
} else if (threads.workerData && threads.workerData.peers) {
  const port = threads.parentPort;
  port.on('message', (msg) => {
    if (msg.f === 'give') { // hands its array over
      const b = moved || array(msg.a).slice();
      moved = null;
      port.postMessage({ id: msg.id, r: b }, [b.buffer]);
    } else if (msg.f === 'keep') {
      moved = msg.a;
      port.postMessage({ id: msg.id, r: moved.length });
    } else if (msg.f === 'bounce') {
      port.postMessage({ id: msg.id, r: msg.a }, [msg.a.buffer]);
    } else if (msg.f === 'exit') {
      port.close();
    } else {
      answer(msg, (m) => port.postMessage(m));
    }
  });
}

module.exports = ({ f, a }) => functions[f](a); // piscina
