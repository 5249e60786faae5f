// SPDX-License-Identifier: LGPL-2.1-or-later

// Deadlines and cancelling, for all that gives a promise.

/* exported checkOptions, explainCancelled, isCancelled, toTimeout, withCancellable, FOREVER */

const {Gio} = imports.gi;

/** MALT_TIMEOUT_NONE */
var FOREVER = 2147483647;

/** Throws a TypeError if there is an option that nobody knows. */
function checkOptions(options, names) {
    if (options === null || typeof options !== 'object')
        throw new TypeError(`the options have to be an object, not ${options === null ? 'null' : typeof options}`);
    for (const name in options) {
        if (!names.includes(name))
            throw new TypeError(`there is no option '${name}' here, only ${names.join(', ')}`);
    }
}

/** Milliseconds for the library: -1 for the launcher's. */
function toTimeout(timeout) {
    if (timeout === undefined || timeout === null)
        return -1;
    if (typeof timeout !== 'number' || !(timeout >= 0))
        throw new TypeError(`the timeout has to be a number of milliseconds that is not negative, not ${timeout}`);
    return timeout < FOREVER ? Math.ceil(timeout) : FOREVER;
}

function isCancelled(error) {
    return error?.matches?.(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED) ?? false;
}

/** The error, or where it is that of a signal, which may be none, the signal's reason. */
function explainCancelled(error, signal) {
    return isCancelled(error) && signal?.aborted && signal.reason !== undefined ? signal.reason : error;
}

async function withSignal(signal, begin) {
    const cancellable = new Gio.Cancellable();
    const abort = () => cancellable.cancel();
    if (signal.aborted)
        abort();
    else
        signal.addEventListener('abort', abort);
    try {
        return await begin(cancellable);
    } catch (error) {
        throw explainCancelled(error, signal);
    } finally {
        signal.removeEventListener?.('abort', abort);
    }
}

/** Calls begin() with the Gio.Cancellable of the options or null, and gives its promise. */
function withCancellable({cancellable, signal}, begin) {
    if (cancellable !== undefined && cancellable !== null && !(cancellable instanceof Gio.Cancellable))
        throw new TypeError('the cancellable has to be a Gio.Cancellable');
    if (signal === undefined || signal === null)
        return begin(cancellable ?? null);
    if (typeof signal.addEventListener !== 'function' || typeof signal.aborted !== 'boolean')
        throw new TypeError('the signal has to be an AbortSignal');
    if (cancellable)
        throw new TypeError('there can be a cancellable or a signal, not both');
    return withSignal(signal, begin);
}
