// SPDX-License-Identifier: LGPL-2.1-or-later

// What comes from workers: calls of the program's functions, progress and output.

/* exported extend */

const {MaltJs, give, guard, hooks, native} = imports.overrides._malt.native;
const {addMethods, handleOf} = imports.overrides._malt.handles;
const {checkOptions, withCancellable} = imports.overrides._malt.limits;

// A worker's functions, by their names. They are the worker's own, so that they keep it no longer
// than it keeps them.
const EXPORTED = Symbol('exported');

const EXPORTED_OPTIONS = ['keywords', 'stalls', 'cancellable', 'signal', 'variant'];

/** Has the function for any name answer, which gets the request itself. */
function answerAny(worker, request) {
    const fail = error => {
        if (request.is_done())
            logError(error);
        else
            request.reject(error);
    };
    try {
        const result = worker[EXPORTED].get(null)(request);
        if (typeof result?.then === 'function')
            Promise.resolve(result).then(undefined, fail);
    } catch (error) {
        fail(error);
    }
}

/** Answers the request that was given. */
function answer(name) {
    const request = MaltJs.take_object();
    const worker = MaltJs.take_worker();
    if (name === null) {
        answerAny(worker, request);
        return;
    }
    try {
        const {args, keywords} = request;
        if (keywords !== undefined)
            args.push(keywords);

        const func = worker[EXPORTED].get(name);
        const value = func(...args);
        // What is like a promise may settle more than once, and promises do not.
        if (typeof value?.then === 'function')
            Promise.resolve(value).then(result => request.resolve(result), error => request.reject(error));
        else
            request.resolve(value);
    } catch (error) {
        request.reject(error);
    }
}

class WorkerMethods {
    /**
     * Lets the worker's code call a function, which may be async, by a name. The one for null gets
     * the requests that are for no other, and finishes them.
     */
    export(name, func) {
        if (name !== null && (typeof name !== 'string' || name === ''))
            throw new TypeError('the name has to be a string that is not empty');
        if (typeof func !== 'function')
            throw new TypeError(`what is exported as '${name}' is no function`);
        native.export(handleOf(this), name);
        this[EXPORTED] ??= new Map();
        this[EXPORTED].set(name, func);
    }

    /** Takes that back; whether there was one. */
    unexport(name) {
        this[EXPORTED]?.delete(name);
        return this.unexport_function(name);
    }

    /** For backends: has a function called that the program has exported. */
    async callExported(name, args = [], options = {}) {
        checkOptions(options, EXPORTED_OPTIONS);
        return withCancellable(options, cancellable =>
            native.callExported(handleOf(this), name, args, options.keywords, options.stalls, give(cancellable),
                options.variant));
    }
}

/** What a handler of a signal gets instead of what GJS gives it. */
const SIGNALS = {
    output: (worker, request, stream, bytes) => [worker, request, stream, bytes.toArray()],
};

function wrapConnect(prototype, name) {
    const connect = prototype[name];
    prototype[name] = function (signal, handler) {
        guard(this);
        const convert = SIGNALS[signal];
        if (convert === undefined || typeof handler !== 'function')
            return connect.call(this, signal, handler);
        return connect.call(this, signal, (...args) => handler.apply(this, convert(...args)));
    };
}

function extend(Malt) {
    addMethods(Malt.Worker.prototype, WorkerMethods);
    hooks.answer = answer;
    for (const {prototype} of [Malt.Worker, Malt.Pool]) {
        wrapConnect(prototype, 'connect');
        wrapConnect(prototype, 'connect_after');
    }
}
