// SPDX-License-Identifier: LGPL-2.1-or-later

// What values become on their way to workers and back.

import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Malt from 'gi://Malt?version=1';

import {GJS, NATIVE, PYTHON, equal, ok, rejects, run, test, testWith} from './tap.js';

/** Values that come back as they are. */
const SAME = [
    null, true, false, 0, 1, -1, 2 ** 53 - 1, -(2 ** 53 - 1), 0.5, -0, NaN, Infinity, -Infinity, 1e300,
    2n ** 63n - 1n, -(2n ** 63n), 2n ** 64n - 1n,
    '', 'text', 'äöü €', '😀', '𝄞'.repeat(100),
    [], [1, 2, 3], [1.5, 2], [true, false], ['a', 'b'], [1, 'a', null, true], [[1], [2, 3]], [[], [1]], [null, null],
    {}, {a: 1}, {a: {b: {c: [1, {d: 'e'}]}}, 'with spaces': null, '': 1, 'ä': 2}, [{a: 1}, {b: 'x'}],
    new Uint8Array(0), new Uint8Array([0, 1, 255]), new Uint8Array(100000).fill(7),
    [2n ** 64n - 1n, 2n ** 63n], new Map([[1, 'a'], [2, 'b']]),
];

/** Others, and what they come back as. */
const OTHER = [
    [undefined, null], [[undefined, 1], [null, 1]], [{a: undefined}, {a: null}], [5n, 5], [[1n, 2], [1, 2]],
    [new ArrayBuffer(3), new Uint8Array(3)], [new DataView(new Uint8Array([1, 2, 3]).buffer, 1), new Uint8Array([2, 3])],
    [new Uint8ClampedArray([1, 300]), new Uint8Array([1, 255])],
    [new Float64Array([1.5, -0]), [1.5, -0]], [new Float32Array([0.5]), [0.5]],
    [new BigInt64Array([1n, -(2n ** 63n)]), [1, -(2n ** 63n)]],
    [new Map([['a', 1]]), {a: 1}], [new Set([1, 2]), [1, 2]],
    [Object.create(null, {a: {value: 1, enumerable: true}}), {a: 1}],
    [new Number(5), 5], [new String('x'), 'x'],  // eslint-disable-line no-new-wrappers
    [new GLib.Bytes(new Uint8Array([1, 2])), new Uint8Array([1, 2])],
];

for (const options of [NATIVE, PYTHON, GJS]) {
    testWith(options, 'there and back', async worker => {
        const echo = await getEcho(options, worker);
        for (const value of SAME)
            equal(await worker.call(echo, value), value);
        for (const [value, expected] of OTHER)
            equal(await worker.call(echo, value), expected);
    });

    testWith(options, 'large ones', async worker => {
        const echo = await getEcho(options, worker);
        const bytes = new Uint8Array(1 << 22).map((_, i) => i);
        equal(await worker.call(echo, bytes), bytes);
        equal(await worker.call(echo, [bytes, 'and more']), [bytes, 'and more']);
        const numbers = Array.from({length: 100000}, (_, i) => i);
        equal(await worker.call(echo, numbers), numbers);
        const texts = numbers.map(String);
        equal(await worker.call(echo, texts), texts);
        const object = Object.fromEntries(texts.map(text => [`k${text}`, Number(text)]));
        equal(await worker.call(echo, object), object);
    });
}

/** The name of a function that gives its only argument back. */
async function getEcho(options, worker) {
    if (options === NATIVE)
        return 'native-functions:echo';
    if (options === PYTHON)
        await worker.eval('echo = lambda value: value');
    else
        await worker.eval('globalThis.echo = value => value; undefined');
    return 'echo';
}

for (const options of [PYTHON, GJS]) {
    testWith(options, 'arrays of numbers keep their types', async worker => {
        const typed = [new Int16Array([1, -2]), new Uint16Array([1]), new Int32Array([1, -2]), new Uint32Array([2 ** 32 - 1])];
        const echo = await getEcho(options, worker);
        for (const value of typed) {
            const back = await worker.call(echo, value);
            equal([...back], [...value]);
            if (options === GJS)
                equal(back, value);
        }
        equal([...await worker.call(echo, new Int8Array([-1]))], [-1]);
    });

    testWith(options, 'what has no form says where it is', async worker => {
        const loop = {};
        loop.self = {loop};
        const GObjectClass = new GObject.Object();
        for (const [value, pattern] of [
            [() => 1, /argument 2: cannot convert .*function/],
            [{a: [1, {b: Math.max}]}, /argument 2, key 'a', item 1, key 'b': cannot convert the function 'max'/],
            [Symbol('x'), /cannot convert a symbol/],
            [2n ** 64n, /cannot convert a BigInt of more than 64 bits/],
            [[1, 2n ** 70n], /item 1: cannot convert a BigInt/],
            ['a\0b', /cannot convert a string with a NUL character, at 1/],
            ['a\ud800', /cannot convert a string with a lone surrogate, at 1/],
            [['x', '\udc00'], /item 1: cannot convert a string with a lone surrogate/],
            [{'a\0': 1}, /cannot convert a key with a NUL character/],
            [loop, /contains itself/],
            [new Date(NaN), /Date/],
            [new Map([[{}, 1]]), /Map whose keys/],
            [new WeakMap(), /an object of the class 'WeakMap'/],
            [GObjectClass, /cannot convert an object/],
            [Promise.resolve(1), /an object of the class 'Promise'/],
        ])
            await rejects(worker.call('f', 1, value), Malt.SerializationError, pattern);

        await rejects(worker.call('f', {
            get x() {
                throw new RangeError('from a getter');
            },
        }), RangeError, /from a getter/);
        equal(await worker.eval('1 + 1'), 2);
    });
}

/** A value of so many containers inside each other, of one of a few kinds. Also runs in the worker. */
function makeDeep(depth, kind, leaf) {
    const {GLib} = imports.gi;
    const byte = new GLib.Variant('y', 1);
    const [adds, grow] = [[3, v => ({key: v})], [3, v => new Map([[5, v]])], [1, v => [v]], [1, v => new Set([v])],
        [2, v => [byte, v]]][kind];
    let [has, value] = [[0, 'text'], [2, null], [1, new Float64Array(2)], [3, new GLib.Variant('a{sv}', {})]][leaf];
    for (; has + adds <= depth; has += adds)
        value = grow(value);
    for (; has < depth; has++)
        value = [value];
    return value;
}

const DEEP_KINDS = ["key 'key'", "key '5'", 'item 0', 'item 0', 'item 1'];
const DEEP_LEAVES = 4;

testWith(GJS, 'the deepest values cross in each way, and deeper ones say where they get too deep', async worker => {
    const pool = Malt.Pool.create({runtime: 'gjs', maxWorkers: 1});
    await worker.eval(`globalThis.makeDeep = ${makeDeep};
        globalThis.take = value => null;
        globalThis.there = new malt.Channel(1);
        globalThis.ask = (...how) => malt.host.take(makeDeep(...how));
        globalThis.askSync = (...how) => malt.hostSync.take(makeDeep(...how));
        globalThis.askByName = (...how) => malt.host.take(malt.keywords({name: makeDeep(...how)}));
        globalThis.askBack = async (...how) => void await malt.host.give(...how);
        globalThis.put = (...how) => there.put(makeDeep(...how));
        globalThis.putSync = (...how) => there.putSync(makeDeep(...how));
        undefined`);
    worker.export('take', () => null);
    worker.export('give', makeDeep);
    const channel = await worker.channel('there');
    const putThere = async how => {
        await channel.put(makeDeep(...how));
        equal(await worker.eval('there.take().then(value => value !== undefined)'), true);
    };
    const takeHere = async (name, how) => {
        await worker.call(name, ...how);
        ok(await channel.take() !== undefined);
    };

    const {RemoteError, SerializationError} = Malt;
    for (const [limit, place, type, way] of [
        [31, '', SerializationError, how => worker.call('makeDeep', ...how)],
        [29, 'argument 1, ', SerializationError, how => worker.call('take', makeDeep(...how))],
        [29, 'argument 2, ', SerializationError, how => worker.call('take', [], makeDeep(...how), 'more')],
        [28, "argument 'name', ", SerializationError,
            how => worker.options({keywords: {name: makeDeep(...how)}}).call('take')],
        [29, 'argument 1, ', SerializationError, how => worker.call(value => value === undefined, makeDeep(...how))],
        [29, 'argument 1, ', RemoteError, how => worker.call('ask', ...how)],
        [29, 'argument 1, ', RemoteError, how => worker.call('askSync', ...how)],
        [28, "argument 'name', ", RemoteError, how => worker.call('askByName', ...how)],
        [31, 'HostError: ', RemoteError, how => worker.call('askBack', ...how)],
        [31, '', SerializationError, putThere],
        [31, 'TypeError: ', RemoteError, how => takeHere('put', how)],
        [31, 'TypeError: ', RemoteError, how => takeHere('putSync', how)],
        [29, 'argument 1, ', SerializationError, how => pool.call('Array.of', makeDeep(...how))],
        [28, 'argument 1, ', SerializationError, how => pool.call(() => 1, makeDeep(...how))],
        [29, 'item 0: argument 1, ', SerializationError, how => pool.map('Array.of', [makeDeep(...how)])],
        [28, 'item 0: argument 1, ', SerializationError, how => pool.map(() => 1, [makeDeep(...how)])],
    ]) {
        for (const [kind, step] of DEEP_KINDS.entries()) {
            for (let leaf = 0; leaf < DEEP_LEAVES; leaf++) {
                await way([limit, kind, leaf]);
                await rejects(way([limit + 1, kind, leaf]), type, new RegExp(
                    `${place}((item \\d+|key '\\w+'), )*${step}.*: cannot convert a value that is ${limit + 1} containers ` +
                    `deep \\(limit ${limit};.* null as two; text, such as JSON\\.stringify\\(\\) makes, has no such limit\\)`));
            }
        }
    }

    // Also where the items differ.
    for (const [limit, func] of [[29, 'Array.of'], [28, () => 1]]) {
        await pool.map(func, ['text', makeDeep(limit, 0, 0)]);
        await rejects(pool.map(func, ['text', makeDeep(limit + 1, 0, 0)]), SerializationError, new RegExp(
            `item 1: argument 1, .*: cannot convert a value that is ${limit + 1} containers deep \\(limit ${limit};`));
    }
    await pool.shutdown();
    equal(await worker.eval('1 + 1'), 2);
});

testWith(PYTHON, 'what Python makes of them', async worker => {
    await worker.eval('show = repr');
    for (const [value, text] of [[null, 'None'], [1, '1'], [1.5, '1.5'], [true, 'True'], ['x', "'x'"], [[1, 2], '[1, 2]'],
        [new Uint8Array([1, 2]), "b'\\x01\\x02'"], [{a: 1}, "{'a': 1}"], [new Map([[1, 2]]), '{1: 2}'],
        [new Float64Array([1, 2]), '[1.0, 2.0]'], [2n ** 64n - 1n, '18446744073709551615']])
        equal(await worker.call('show', value), text);
    equal(await worker.call('show', new GLib.Variant('(yas)', [1, ['a']])), "(1, ['a'])");
    equal(await worker.eval('(1, "a", b"x")'), [1, 'a', new Uint8Array([120])]);
    equal(await worker.eval('{1: "a"}'), new Map([[1, 'a']]));
});

test('a GLib.Variant is what it is', async () => {
    const channel = Malt.Channel.new(1);
    for (const [type, value] of [['y', 5], ['u', 7], ['s', 'x'], ['d', 1], ['as', ['a']], ['(ai)', [[1, 2]]], ['mi', null],
        ['a{su}', {a: 1}], ['v', new GLib.Variant('o', '/')]]) {
        const variant = new GLib.Variant(type, value);
        await channel.put(variant);
        const taken = await new Promise(resolve => channel.take_async(null, (_, result) => resolve(channel.take_finish(result))));
        equal([taken.get_type_string(), taken.equal(variant)], [type, true]);
    }
});

await run();
