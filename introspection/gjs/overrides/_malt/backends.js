// SPDX-License-Identifier: LGPL-2.1-or-later

// Backends in JavaScript: what becomes of what their functions throw.
//
// GJS logs what a virtual function throws, and goes on as if nothing had been: a request would
// then wait for an answer that nobody gives.

/* exported extend */

const {Gio, GObject} = imports.gi;
const {MaltJs} = imports.overrides._malt.native;

const SIGTERM = 15;

let Malt;

function failStart(worker, error, request) {
    if (request.is_done())
        logError(error);
    else if (error instanceof Malt.Error || error instanceof Gio.IOErrorEnum)
        request.reject(error);
    else
        request.reject(new Malt.StartError(`${error}\n${error?.stack ?? ''}`.trimEnd()));
}

function failRequest(worker, error, request) {
    if (request.is_done())
        logError(error);
    else
        request.reject(error);
}

function killInstead(worker, error) {
    logError(error);
    worker.vfunc_kill(SIGTERM);
}

const LOG = (worker, error) => logError(error);

const FUNCTIONS = {
    vfunc_start: failStart,
    vfunc_submit: failRequest,
    vfunc_cancel: LOG,
    vfunc_interrupt: LOG,
    vfunc_stop: killInstead,
    vfunc_kill: LOG,
};

/** A function, which may be async, with somebody who is told of what it throws. */
function guard(func, handle) {
    return function (...args) {
        try {
            const result = func.apply(this, args);
            if (typeof result?.then === 'function')
                result.then(undefined, error => handle(this, error, ...args));
        } catch (error) {
            handle(this, error, ...args);
        }
    };
}

function extend(namespace) {
    Malt = namespace;

    Malt.Worker._classInit = function (klass) {
        for (const [name, handle] of Object.entries(FUNCTIONS)) {
            const descriptor = Object.getOwnPropertyDescriptor(klass.prototype, name);
            if (typeof descriptor?.value === 'function')
                Object.defineProperty(klass.prototype, name, {...descriptor, value: guard(descriptor.value, handle)});
        }
        return GObject.Object._classInit(klass);
    };

    const {register} = Malt.Worker;
    Malt.Worker.register = function (name, type) {
        const gtype = type.$gtype ?? type;
        const isDone = register.call(this, name, gtype);
        MaltJs.guard_class(gtype);
        return isDone;
    };
}
