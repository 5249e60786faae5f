// SPDX-License-Identifier: LGPL-2.1-or-later

// What the tests of the binding for GJS share: a small TAP, and workers.

import GLib from 'gi://GLib';
import Malt from 'gi://Malt?version=1';
import System from 'system';

import {isSame, show} from '../conformance/checks.js';

/** Nothing here takes that long; whoever waits longer has hung. */
export const PATIENCE = 120000;

const tests = [];

/** What a skipped test throws. */
class Skip extends Error {}

export function skip(reason) {
    throw new Skip(reason);
}

/** Adds a test, which may be async. */
export function test(name, body) {
    tests.push({name, body});
}

export function ok(value, what = 'the condition') {
    if (!value)
        throw new Error(`${what} is not so: ${show(value)}`);
}

export function equal(value, expected) {
    if (!isSame(value, expected))
        throw new Error(`${show(value)} instead of ${show(expected)}`);
}

export function matches(text, pattern) {
    if (!pattern.test(text))
        throw new Error(`${show(text)} does not match ${pattern}`);
}

/** Awaits a promise that is to fail in this way; gives the error. */
export async function rejects(promise, type, pattern = /./) {
    let value;
    try {
        value = await promise;
    } catch (error) {
        if (!(error instanceof type))
            throw new Error(`${show(error)} is no ${type.name}: ${error?.stack}`);
        matches(error.message, pattern);
        return error;
    }
    throw new Error(`it gave ${show(value)} instead of failing with ${pattern}`);
}

/** The same for what fails at once. */
export function throws(body, type, pattern = /./) {
    let value;
    try {
        value = body();
    } catch (error) {
        if (!(error instanceof type))
            throw new Error(`${show(error)} is no ${type.name}: ${error.stack}`);
        matches(error.message, pattern);
        return error;
    }
    throw new Error(`it gave ${show(value)} instead of failing with ${pattern}`);
}

export function sleep(milliseconds) {
    return new Promise(resolve => GLib.timeout_add(GLib.PRIORITY_DEFAULT, milliseconds, () => {
        resolve();
        return GLib.SOURCE_REMOVE;
    }));
}

/** Waits until a condition holds, which something is on its way to bring about. */
export async function until(condition) {
    while (!condition())
        await sleep(5);
}

const BUILD = GLib.getenv('G_TEST_BUILDDIR');

export const NATIVE = {runtime: 'native', searchPath: [BUILD], stderr: 'discard'};
export const PYTHON = {runtime: 'python'};
export const GJS = {runtime: 'gjs'};

/** Skips the test if there is no such runtime in this build. */
export function need(options) {
    const folders = (GLib.getenv('MALT_MODULE_PATH') ?? '').split(':');
    if (!folders.some(folder => GLib.file_test(`${folder}/libmalt-runtime-${options.runtime}.so`, GLib.FileTest.EXISTS)))
        skip(`there is no runtime ${options.runtime}`);
}

/** A test with a worker of its own. */
export function testWith(options, name, body) {
    test(`${options.runtime}: ${name}`, async () => {
        need(options);
        const worker = await Malt.Worker.spawn(options);
        try {
            await body(worker);
        } finally {
            worker.kill();
        }
    });
}

/** Runs the tests; the exit status says whether all have passed. */
export async function run() {
    let failed = false;
    let number = 0;
    print(`1..${tests.length}`);
    for (const {name, body} of tests) {
        number++;
        const watchdog = GLib.timeout_add(GLib.PRIORITY_DEFAULT, PATIENCE, () => {
            print(`Bail out! ${name} hangs`);
            System.exit(1);
        });
        try {
            await body();
            print(`ok ${number} ${name}`);
        } catch (error) {
            if (error instanceof Skip) {
                print(`ok ${number} ${name} # SKIP ${error.message}`);
            } else {
                failed = true;
                print(`not ok ${number} ${name}`);
                for (const line of `${error}\n${error?.stack ?? ''}`.trimEnd().split('\n'))
                    print(`# ${line}`);
            }
        }
        GLib.source_remove(watchdog);
    }
    if (failed)
        System.exit(1);
}
