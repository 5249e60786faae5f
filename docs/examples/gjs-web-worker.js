#!/usr/bin/gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later

// A worker in the shape of those of browsers.

import Malt from 'gi://Malt?version=1';

const worker = new Malt.WebWorker(`
    onmessage = ({data}) => {
        for (const word of data.split(' '))
            postMessage([word, word.length]);
        close();
    };
`);

worker.addEventListener('error', event => printerr(event.message));
worker.postMessage('how long are these words');

await new Promise(resolve => {
    worker.onmessage = ({data: [word, length]}) => {
        print(word, length);
        if (word === 'words')
            resolve(undefined);
    };
});
