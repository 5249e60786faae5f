// SPDX-License-Identifier: LGPL-2.1-or-later

// Requests with plain values: what a function of the program or a backend is asked for.

/* exported extend */

const {GLib} = imports.gi;
const {fromVariant, toVariant} = imports.overrides._malt.native;
const {addMethods} = imports.overrides._malt.handles;

let Malt;

function toText(value) {
    try {
        return String(value);
    } catch {
        return 'something that cannot be shown';
    }
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

    /** Finishes it with what was thrown: errors of the library as they are, others as exceptions. */
    reject(error) {
        if (error instanceof Malt.RemoteError && error.remoteType)
            this.return_exception(error.remoteType, error.remoteMessage, error.remoteStack);
        else if (error instanceof Malt.Error)
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
