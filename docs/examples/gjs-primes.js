#!/usr/bin/gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later

// Four workers look for prime numbers while this program goes on; one of them is lost on the
// way, and its share is given to a new one.

import Malt from 'gi://Malt?version=1';

const STEP = 50000;

/**
 * Runs in a worker; it is sent there as source.
 *
 * @param {number} begin
 * @param {number} end
 * @param {boolean} isShaky
 */
function countPrimes(begin, end, isShaky) {
    if (isShaky)
        imports.system.exit(1);
    let count = 0;
    for (let n = Math.max(begin, 2); n < end; n++) {
        let divisor = 2;
        while (divisor * divisor <= n && n % divisor !== 0)
            divisor++;
        if (divisor * divisor > n)
            count++;
    }
    return count;
}

/**
 * Counts in a worker of its own, and again in another one if that is lost.
 *
 * @param {number} begin
 * @returns {Promise<number>}
 */
async function share(begin) {
    for (const isShaky of [begin === 2 * STEP, false]) {
        const worker = await Malt.Worker.spawn({runtime: 'gjs', stderr: 'discard'});
        try {
            return await worker.call(countPrimes, begin, begin + STEP, isShaky);
        } catch (error) {
            if (!(error instanceof Malt.TerminatedError))
                throw error;
            print('a worker', error.exitInfo?.to_string());
        } finally {
            await worker.stop();
        }
    }
    throw new Error('lost twice');
}

const shares = await Promise.all([0, 1, 2, 3].map(i => share(i * STEP)));
print(shares.reduce((sum, n) => sum + n), 'primes below', 4 * STEP);
