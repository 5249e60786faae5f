// SPDX-License-Identifier: LGPL-2.1-or-later

// Whether a value of JavaScript is what it should be; for workers and for those who test them.

import GLib from 'gi://GLib';

/** A value as text, as much of it as is worth showing. */
export function show(value) {
    if (typeof value === 'string')
        return JSON.stringify(value);
    if (typeof value === 'bigint')
        return `${value}n`;
    if (value instanceof Error || value instanceof GLib.Error)
        return String(value);
    if (value instanceof Map)
        return `Map(${show([...value])})`;
    if (value instanceof Set)
        return `Set(${show([...value])})`;
    if (ArrayBuffer.isView(value) && value.length !== undefined)
        return `${value.constructor.name}[${[...value.slice(0, 20)].map(show)}]`;
    if (Array.isArray(value))
        return `[${value.slice(0, 20).map(show)}]`;
    if (typeof value === 'object' && value !== null && !(value instanceof Date))
        return `${value.constructor?.name ?? ''}{${Object.entries(value).map(([key, item]) => `${key}: ${show(item)}`)}}`;
    return Object.is(value, -0) ? '-0' : String(value);
}

/** The same value of the same class, all the way down. */
export function isSame(a, b) {
    if (Object.is(a, b))
        return true;
    if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null)
        return false;
    if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b))
        return false;
    if (a instanceof Date)
        return a.getTime() === b.getTime();
    if (a instanceof ArrayBuffer)
        return isSame(new Uint8Array(a), new Uint8Array(b));
    if (ArrayBuffer.isView(a))
        return a.length === b.length && a.every((item, i) => Object.is(item, b[i]));
    if (a instanceof Map || a instanceof Set)
        return isSame([...a], [...b]);
    if (Array.isArray(a))
        return a.length === b.length && a.every((item, i) => isSame(item, b[i]));
    const keys = Object.keys(a);
    return keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && isSame(a[key], b[key]));
}

/** The value of an expression. */
export function make(source) {
    return Function('GLib', `return (${source})`)(GLib);
}

/** The value itself, if it is that of the source. */
export function expect(value, source) {
    if (!isSame(value, make(source)))
        throw new Error(`${show(value)} is not ${source}`);
    return value;
}

/** SHA-256 of bytes, or of an array of numbers as a processor has them. */
export function digest(value) {
    if (value instanceof Float64Array || Array.isArray(value) && value.every(item => typeof item === 'number'))
        value = new Uint8Array(new Float64Array(value).buffer);
    else if (!(value instanceof Uint8Array))
        throw new TypeError(`cannot make a digest of ${show(value)}`);
    return GLib.compute_checksum_for_data(GLib.ChecksumType.SHA256, value);
}
