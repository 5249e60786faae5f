// SPDX-License-Identifier: LGPL-2.1-or-later

// Calling and evaluating in workers.

/* exported extend, CallOptions, callWith, evalWith, doWith */

const {give, hooks, native} = imports.overrides._malt.native;
const {addMethods, handleOf} = imports.overrides._malt.handles;
const {callFunction} = imports.overrides._malt.functions;
const {checkOptions, toTimeout, withCancellable} = imports.overrides._malt.limits;
const {show} = imports.overrides._malt.properties;

var CALL_OPTIONS = ['timeout', 'cancellable', 'signal', 'keywords', 'module', 'variant'];

/** Has a named function called, with limits; with a source, one that calls the function of that. */
function callNamed(object, name, args, options, flags = 0, source = undefined) {
    const timeout = toTimeout(options.timeout);
    return withCancellable(options, cancellable =>
        native.call(handleOf(object), name, args, options.keywords, timeout, flags, give(cancellable), options.variant,
            source));
}

function callWith(object, func, args, options, flags) {
    if (typeof func === 'string')
        return callNamed(object, func, args, options, flags);
    return callFunction(object, func, args, (name, all, source) => callNamed(object, name, all, options, flags, source));
}

function evalWith(object, source, options, flags = 0) {
    const timeout = toTimeout(options.timeout);
    return withCancellable(options, cancellable =>
        native.evaluate(handleOf(object), source, options.module ?? null, timeout, flags, give(cancellable),
            options.variant));
}

async function evalOptions(object, source, options) {
    checkOptions(options, ['timeout', 'cancellable', 'signal', 'module', 'variant']);
    return evalWith(object, source, options);
}

function doWith(object, func, args, options) {
    if (typeof func === 'string')
        native.post(handleOf(object), func, args, options.keywords);
    else
        callFunction(object, func, args,
            (name, all, source) => native.post(handleOf(object), name, all, options.keywords, source));
}

/** The calling functions of a worker or pool, with limits. */
var CallOptions = class {
    #object;
    #options;
    #flags;

    constructor(object, options, flags) {
        this.#object = object;
        this.#options = options;
        this.#flags = flags;
    }

    async call(func, ...args) {
        return callWith(this.#object, func, args, this.#options, this.#flags);
    }

    async eval(source) {
        return evalWith(this.#object, source, this.#options, this.#flags);
    }

    do(func, ...args) {
        doWith(this.#object, func, args, this.#options);
    }
};

const SIGKILL = 9;
const STOP_OPTIONS = ['exitTimeout', 'termTimeout', 'cancellable', 'signal'];

/** What workers can do beside what the library gives them. */
class WorkerMethods {
    eval(source, options) {
        if (options === undefined)
            return native.evaluate(handleOf(this), source);
        return evalOptions(this, source, options);
    }

    do(func, ...args) {
        doWith(this, func, args, {});
    }

    options(options) {
        checkOptions(options, CALL_OPTIONS);
        return new CallOptions(this, options);
    }

    async stop(options = {}) {
        checkOptions(options, STOP_OPTIONS);
        const timeouts = [toTimeout(options.exitTimeout), toTimeout(options.termTimeout)];
        return withCancellable(options, cancellable => native.stop(handleOf(this), ...timeouts, give(cancellable)));
    }
}

function extend(Malt) {
    addMethods(Malt.Worker.prototype, WorkerMethods);
    Malt.Worker.prototype.call = native.workerCall;

    /** Calls what is no name. */
    hooks.callWorker = function (func, ...args) {
        return new CallOptions(this, {}).call(func, ...args);
    };

    const {kill} = Malt.Worker.prototype;
    Malt.Worker.prototype.kill = function (signum = SIGKILL) {
        if (!Number.isInteger(signum) || signum < 1 || signum > 64)
            throw new TypeError(`the signal has to be a number from 1 to 64, not ${show(signum)}`);
        kill.call(this, signum);
    };
}
