// SPDX-License-Identifier: LGPL-2.1-or-later

// The part of the GJS runtime that is written in JavaScript, without what is in rewriting.js: the
// object `malt`, main loops and modules.  It is called once with the functions that are written in
// C++, and gives those that they call.
(function (native) {
'use strict';

const {Channel} = native;
const {InternalError} = globalThis;
const GLib = imports.gi.GLib;

// Errors.

class InterruptedError extends Error {
    get name() {
        return 'InterruptedError';
    }
}

class ChannelClosed extends Error {
    get name() {
        return 'ChannelClosed';
    }
}

class TimeoutError extends Error {
    get name() {
        return 'TimeoutError';
    }
}

class CancelledError extends Error {
    get name() {
        return 'CancelledError';
    }
}

class HostError extends Error {
    constructor(parts) {
        super(parts.type ? `${parts.type}: ${parts.message}` : parts.message);
        this.domain = parts.domain;
        this.code = parts.code;
        this.type = parts.type;
        this.remoteMessage = parts.message;
        this.traceback = parts.traceback;
    }

    get name() {
        return 'HostError';
    }
}

// Those of the library that have a class of their own, by domain and code.
const SERIALIZATION = 3;
const TIMEOUT = 5;

function exception(parts) {
    if (parts.domain === 'g-io-error-quark' && parts.code === 18 /* G_IO_ERROR_CLOSED */)
        return new ChannelClosed(parts.message);
    if (parts.domain === 'MaltError' && parts.code === TIMEOUT)
        return new TimeoutError(parts.message);
    if (parts.domain === 'MaltError' && parts.code === SERIALIZATION)
        return new TypeError(parts.message);
    return new Error(parts.message);
}

function hostException(parts) {
    return new HostError(parts);
}

function interruption() {
    return new InterruptedError('interrupted');
}

function exhaustion(message) {
    return new InternalError(message);
}

// Channels.

Channel.prototype[Symbol.asyncIterator] = async function* () {
    for (;;) {
        try {
            yield await this.take();
        } catch (error) {
            if (error instanceof ChannelClosed)
                return;
            throw error;
        }
    }
};

Channel.prototype[Symbol.iterator] = function* () {
    for (;;) {
        try {
            yield this.takeSync();
        } catch (error) {
            if (error instanceof ChannelClosed)
                return;
            throw error;
        }
    }
};

// The program's functions: any name, perhaps with dots.  Keyword arguments are the last one.

class Keywords {
    #values;

    constructor(values) {
        this.#values = {...values};
        // What converts it looks at that.
        Object.defineProperty(this, 'values', {enumerable: true, get: Keywords.#refuse});
        Object.freeze(this);
    }

    static #refuse() {
        throw new TypeError('keyword arguments are no value: malt.keywords() is the last argument of a function of malt.host');
    }

    static take(args) {
        return args.at(-1) instanceof Keywords ? args.pop().#values : undefined;
    }
}

function hostNames(call, name) {
    return new Proxy(function () {}, {
        get(_target, key) {
            // What JavaScript itself looks for is no function of the program's.
            if (typeof key === 'symbol' || key === 'then')
                return undefined;
            return hostNames(call, name === null ? key : `${name}.${key}`);
        },
        apply(_target, _this, args) {
            if (name === null)
                throw new TypeError('malt.host is no function; its properties are');
            const keywords = Keywords.take(args);
            return call(name, keywords, ...args);
        },
    });
}

// The call whose code runs, for what that does after an `await`, when nothing tells any more whose
// code it is.

class Call {
    #handle;

    constructor(handle) {
        this.#handle = handle;
    }

    get cancelled() {
        return native.cancelled(this.#handle);
    }

    throwIfCancelled() {
        if (this.cancelled)
            throw new CancelledError('the call was cancelled');
    }

    progress(fraction, text) {
        native.progress(fraction, text, this.#handle);
    }
}

// Functions that come with each call as their source, for workers that are not the same each
// time; the latest of them are kept.

const functions = new Map();
const MAX_FUNCTIONS = 256;

function applySource(source, args) {
    let func = functions.get(source);
    if (func === undefined) {
        // The name is for stacks, in which there would be a place in this file.
        func = (0, eval)(`(${source}\n)\n//# sourceURL=<function>`);
        if (functions.size === MAX_FUNCTIONS)
            functions.delete(functions.keys().next().value);
        functions.set(source, func);
    }
    return func(...args);
}

const malt = Object.freeze({
    applySource,
    CancelledError,
    Channel,
    ChannelClosed,
    HostError,
    InterruptedError,
    TimeoutError,
    keywords: values => new Keywords(values),
    host: hostNames(native.callHost, null),
    hostSync: hostNames(native.callHostSync, null),
    progress: (fraction, text) => native.progress(fraction, text),
    cancelled: () => native.cancelled(),
    get currentCall() {
        const handle = native.currentCall();
        return handle ? new Call(handle) : null;
    },
});

for (const [name, value] of Object.entries({malt, Channel})) {
    if (!(name in globalThis)) {
        Object.defineProperty(globalThis, name,
            {value, writable: true, configurable: true, enumerable: false});
    }
}

// Main loops that code runs, so that an interrupt can leave them: the innermost is the last.
// Each was begun in a certain depth of dispatches. They are not taken out when they are left, as an
// interrupt may come between any two steps, but when they are looked at.

const loops = [];
const runLoop = GLib.MainLoop.prototype.run;

// The innermost one that runs what is called in that depth.
function loopAround(depth) {
    const isLeft = entry => entry.depth >= depth || !entry.loop.is_running();

    while (loops.length > 0 && isLeft(loops[loops.length - 1]))
        loops.pop();
    return loops[loops.length - 1];
}

GLib.MainLoop.prototype.run = function (...args) {
    const depth = GLib.main_depth();

    loopAround(depth);
    loops.push({loop: this, depth});
    runLoop.apply(this, args);
    native.check();
};

// Whether that was what runs the dispatch in which it is called, and not something within the loop.
function leaveLoop() {
    const depth = GLib.main_depth();
    const innermost = loopAround(depth);

    innermost?.loop.quit();
    return innermost?.depth === depth - 1;
}

// GLib's functions that take the default main context are those of the program's thread,
// where JavaScript cannot run: here they are this thread's.
function keepSources() {
    const {GObject} = imports.gi;
    const context = GLib.MainContext.get_thread_default();
    const {attach} = GLib.Source.prototype;
    const {source_remove: removeSource} = GLib;

    GLib.Source.prototype.attach = function (other = null) {
        return attach.call(this, other ?? context);
    };

    function add(source, priority, callback) {
        source.set_priority(priority);
        GObject.source_set_closure(source, callback);
        return source.attach(context);
    }

    GLib.idle_add = (priority, callback) => add(GLib.idle_source_new(), priority, callback);
    GLib.timeout_add = (priority, msec, callback) => add(GLib.timeout_source_new(msec), priority, callback);
    GLib.timeout_add_seconds = (priority, seconds, callback) =>
        add(GLib.timeout_source_new_seconds(seconds), priority, callback);
    GLib.source_remove = id => {
        const source = context.find_source_by_id(id);

        source?.destroy();
        return source !== null || removeSource(id);
    };
}

if (native.hasThread)
    keepSources();

// In a process of its own code ends the worker.
if (native.exit)
    imports.system.exit = native.exit;

// Modules.

// What a module inherits of the exports of its file. They can be hidden by variables of the same
// name, as nothing can that inherits from the namespace itself.
async function load(name, uri) {
    const exported = await import(uri);
    const inherited = {};

    for (const key of Object.keys(exported)) {
        Object.defineProperty(inherited, key, {
            get: () => exported[key],
            set(value) {
                Object.defineProperty(this, key, {value, writable: true, configurable: true, enumerable: true});
            },
            enumerable: true,
            configurable: true,
        });
    }
    return [name, inherited];
}

return {exception, exhaustion, hostException, interruption, leaveLoop, load};
})
