// SPDX-License-Identifier: LGPL-2.1-or-later

// Channels of the conformance suite, for GJS workers: see native-channels.c.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

export const channels = {};

export function make(name, capacity) {
    channels[name] = new malt.Channel(capacity);
}

export function fresh(capacity) {
    return new malt.Channel(capacity);
}

export function put(name, value) {
    channels[name].putSync(value);
}

export function try_put(name, value) {
    try {
        channels[name].putSync(value, 0);
    } catch (error) {
        if (error instanceof malt.TimeoutError)
            return false;
        throw error;
    }
    return true;
}

export function put_bytes(name, size) {
    channels[name].putSync(new Uint8Array(size));
}

export function take(name) {
    return channels[name].takeSync();
}

export function take_and_mark(name, mark) {
    channels[name].takeSync();
    GLib.file_set_contents(mark, '');
}

export function try_take(name) {
    try {
        return channels[name].takeSync(0);
    } catch (error) {
        if (error instanceof malt.TimeoutError)
            return null;
        throw error;
    }
}

export function is_ready(name) {
    return channels[name].isReady();
}

export function is_closed(name) {
    return channels[name].closed;
}

export function close(name) {
    channels[name].close();
}

export function sum(name) {
    let total = 0;

    for (const value of channels[name])
        total += value;
    return total;
}

export async function sum_async(name) {
    let total = 0;

    for await (const value of channels[name])
        total += value;
    return total;
}

export function produce(name, first, count) {
    for (let number = first; number < first + count; number++)
        channels[name].putSync(number);
    channels[name].close();
}

export async function produce_async(name, first, count) {
    for (let number = first; number < first + count; number++)
        await channels[name].put(number);
    channels[name].close();
}

export async function take_async(name) {
    return await channels[name].take();
}

async function pass(first, second) {
    for await (const value of channels[first])
        await channels[second].put(value);
    channels[second].close();
}

export function echo(first, second) {
    pass(first, second);
}

export function put_and_die(name, count) {
    for (let number = 0; number < count; number++)
        channels[name].putSync(number);
    GLib.spawn_command_line_sync(`/bin/kill -KILL ${new Gio.Credentials().get_unix_pid()}`);
}

// Numbers that the worker takes as well.
let taken = [];
let tasks = [];

async function give(name, count) {
    for (let number = 0; number < count; number++)
        await channels[name].put(number);
    channels[name].close();
}

async function gather(name) {
    for await (const value of channels[name])
        taken.push(value);
}

export function share(name, count) {
    taken = [];
    tasks = [give(name, count), gather(name), gather(name)];
}

export async function collect() {
    await Promise.all(tasks);
    return new GLib.Variant('(xx)', [taken.length, taken.reduce((a, b) => a + b, 0)]);
}
