// SPDX-License-Identifier: LGPL-2.1-or-later

// Requests with plain values: what a function of the program or a backend is asked for.

/* exported extend */

const {Gio, GLib} = imports.gi;
const {fromVariant, toVariant} = imports.overrides._malt.native;
const {addMethods} = imports.overrides._malt.handles;

let Malt;

function toText(value) {
    let text = 'something that cannot be shown';
    try {
        text = String(value);
        // What is only this says more as JSON.
        if (text === '[object Object]')
            text = JSON.stringify(value) ?? text;
    } catch {
        // It has no such form.
    }
    // As workers have it: what C and UTF-8 cannot hold is escaped.
    return text.replace(/\0/g, '\\0').replace(/\p{Surrogate}/gu, half => `\\u${half.charCodeAt(0).toString(16)}`);
}

/** Whether it is an exception of a worker's code, or an interrupt of that. */
function isException(error) {
    return (error instanceof Malt.RemoteError || error instanceof Malt.InterruptedError) && error.remoteMessage !== null;
}

/** The error without the name of the worker, which another one's is put before. */
function withoutWorker(error) {
    const lead = `${error.workerName}: `;
    if (!error.message.startsWith(lead))
        return error;
    return new Malt.Error({code: error.code, message: error.message.slice(lead.length)});
}

class RequestMethods {
    /** The positional arguments. */
    get args() {
        return fromVariant(this.get_arguments()) ?? [];
    }

    /** The keyword arguments, an object, or undefined. */
    get keywords() {
        return fromVariant(this.get_keywords());
    }

    /** Finishes it with a value. */
    resolve(value) {
        let variant;
        try {
            variant = toVariant(value);
        } catch (error) {
            this.reject(error);
            return;
        }
        this.return_value(variant);
    }

    /**
     * Finishes it with what was thrown: errors of the library and of GIO as they are, others as
     * exceptions.
     * What went wrong in another worker is told as if it had gone wrong in this one.
     */
    reject(error) {
        if (isException(error)) {
            if (error instanceof Malt.InterruptedError)
                this.interrupt();
            this.return_exception(error.remoteType, error.remoteMessage, error.remoteStack);
        } else if (error instanceof Malt.Error)
            this.return_error(withoutWorker(error));
        else if (error instanceof Gio.IOErrorEnum)
            this.return_error(error);
        else if (error instanceof Error || error instanceof GLib.Error)
            this.return_exception(toText(error.name ?? 'GLib.Error'), toText(error.message), toText(error.stack ?? ''));
        else
            this.return_exception('Error', toText(error), null);
    }
}

function extend(namespace) {
    Malt = namespace;
    addMethods(Malt.Request.prototype, RequestMethods);
}
