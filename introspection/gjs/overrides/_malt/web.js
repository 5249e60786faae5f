// SPDX-License-Identifier: LGPL-2.1-or-later

// Workers in the shape that browsers give them, for code that comes from there.

/* exported extend */

const {Gio, GLib} = imports.gi;
const {give, native, toVariant} = imports.overrides._malt.native;
const {handleOf} = imports.overrides._malt.handles;
const {isClosed} = imports.overrides._malt.errors;
const {makeLauncher} = imports.overrides._malt.launching;

const PLACE = '__maltWeb';

// Messages of each direction that may be under way; more wait where they are.
const CAPACITY = 256;

/** Runs in the worker: its half of all this. Returns nothing that would have to be sent. */
function boot(place, capacity, workerName) {
    const self = globalThis;
    const inbox = new malt.Channel(capacity);
    const outbox = new malt.Channel(capacity);
    const listeners = new Map();  // of messages: listener → options

    function send(kind, value) {
        // It is converted now, and what cannot be is thrown here.
        const sent = outbox.put([kind, value]);
        sent.catch(() => {});
        return sent;
    }

    /** What cannot be sent is said of the message, and not of what it is put into. */
    function post(message) {
        try {
            send('message', message);
        } catch (error) {
            if (typeof error?.message === 'string') {
                const text = error.message.replace(/\bitem 1(?:, |: )/, '');
                Object.defineProperty(error, 'message', {value: text, writable: true, configurable: true});
            }
            throw error;
        }
    }

    function report(error) {
        const isError = typeof error === 'object' && error !== null;
        send('error', {
            message: isError ? String(error.message) : String(error),
            name: isError ? String(error.name) : '',
            filename: String(isError && error.fileName || ''),
            lineno: isError && error.lineNumber || 0,
            colno: isError && error.columnNumber || 0,
            stack: String(isError && error.stack || ''),
        });
    }

    /** Calls a function of the script, of which nobody else hears what it throws. */
    function run(func, target, ...args) {
        try {
            const result = func.apply(target, args);
            if (typeof result?.then === 'function')
                result.then(undefined, report);
        } catch (error) {
            report(error);
        }
    }

    function dispatch(event) {
        for (const [listener, options] of [[self.onmessage, null], ...listeners]) {
            if (typeof listener !== 'function' && typeof listener?.handleEvent !== 'function')
                continue;
            if (options?.once)
                listeners.delete(listener);
            if (typeof listener === 'function')
                run(listener, self, event);
            else
                run(listener.handleEvent, listener, event);
        }
    }

    for (const name of ['setTimeout', 'setInterval']) {
        const begin = self[name];
        self[name] = function (callback, ...rest) {
            const isFunction = typeof callback === 'function';
            return begin.call(self, isFunction ? (...args) => run(callback, self, ...args) : callback, ...rest);
        };
    }

    async function listen() {
        for await (const data of inbox)
            dispatch({type: 'message', data, target: self, currentTarget: self});
    }

    const given = {
        self,
        name: workerName,
        onmessage: null,
        postMessage: post,
        addEventListener(type, listener, options) {
            if (type === 'message' && !listeners.has(listener))
                listeners.set(listener, options);
        },
        removeEventListener(type, listener) {
            if (type === 'message')
                listeners.delete(listener);
        },
        close() {
            inbox.close();
            send('close', null).then(() => outbox.close());
        },
    };
    for (const [key, value] of Object.entries(given))
        Object.defineProperty(self, key, {value, writable: true, configurable: true, enumerable: true});

    // What begins when the script has run.
    Object.defineProperty(self, place, {value: {inbox, outbox, report, listen}, configurable: true});
}

/** What a message or an error is to listeners. */
class WebEvent {
    defaultPrevented = false;

    constructor(type, target, properties) {
        Object.assign(this, properties);
        this.type = type;
        this.target = target;
        this.currentTarget = target;
    }

    preventDefault() {
        this.defaultPrevented = true;
    }
}

/** Whether a script is a URL or a path, and not the source, which may begin with a comment. */
function isUrl(text) {
    return /^(?:[a-z][a-z0-9+.-]*:\/\/|data:|\/(?![/*]))[^\n]*$/i.test(text);
}

/** Whether it is the name of a file, relative to the one whose code asks for it. */
function isRelative(text) {
    return /^(?:\.{1,2}\/)*[\w@%+~-][\w@%+~./-]*\.m?js$/.test(text);
}

/** The URL of a name that is relative to the file of the newest frame of a stack that is not ours. */
function resolve(name, stack) {
    const files = stack.split('\n').map(frame => /@(.*):\d+:\d+$/.exec(frame)?.[1]);
    const caller = files.find(file => file !== undefined && file !== files[0]) ?? '';
    // What is evaluated has no file, but a working directory.
    const folder = caller === '' || caller.startsWith('<') ? Gio.File.new_for_path('.')
        : Gio.File.new_for_commandline_arg(caller).get_parent();

    return folder.resolve_relative_path(name).get_uri();
}

/** The URL of a script, where it is a name or path; a URL and source are what they are. */
function toUrl(script, stack) {
    if (isRelative(script))
        return resolve(script, stack);
    if (!isUrl(script))
        return script;
    if (script.startsWith('/'))
        return Gio.File.new_for_path(script).get_uri();
    if (!/^(?:file|resource|data):/i.test(script))
        throw new TypeError(`the script of a worker can be at a URL of file:, resource: or data:, not at '${script}'`);
    return script;
}

/** The file, line and column of the newest frame of a stack, or of a syntax error, as far as they are known. */
function placeOf(stack) {
    const [, filename = '', lineno = 0, colno = 0] = /@(.*):(\d+):(\d+)$/m.exec(stack) ??
        /\((.*), line (\d+), column (\d+)\)$/m.exec(stack) ?? [];
    return {filename, lineno: Number(lineno), colno: Number(colno)};
}

class WebWorker {
    #handlers = new Map();   // type → the function that is the property
    #listeners = new Map();  // type → listener → options
    #cancellable = new Gio.Cancellable();
    #inbox = null;           // once the worker has it
    #waiting = [];           // messages before that
    #worker = null;
    #url = null;             // of the script, if it has one
    #isOver = false;

    static {
        // Those of onmessageerror are for the shape: what cannot be read is not sent.
        for (const type of ['message', 'messageerror', 'error']) {
            Object.defineProperty(this.prototype, `on${type}`, {
                get() {
                    return this.#handlers.get(type) ?? null;
                },
                set(handler) {
                    this.#handlers.set(type, typeof handler === 'function' ? handler : null);
                },
                enumerable: true,
                configurable: true,
            });
        }
    }

    /**
     * @param script - a URL, a path, a Gio.File or the source itself
     * @param options - `type`: 'module' or 'classic'; `name`; the rest is for Malt.Worker.spawn()
     */
    constructor(script, options = {}) {
        const {type = 'classic', name = '', eval: isSource, ...launching} = options;
        if (type !== 'classic' && type !== 'module')
            throw new TypeError(`the type of a worker is 'classic' or 'module', not '${type}'`);
        if (script === undefined || script === null)
            throw new TypeError(`the script of a worker has to be a URL, a Gio.File or source, not ${script}`);
        if (script instanceof Gio.File)
            script = script.get_uri();
        else if (isSource)
            script = String(script);
        else
            script = toUrl(String(script), new Error().stack);

        const launcher = makeLauncher({runtime: 'gjs', ...launching});
        this.#run(script, type, name, isSource ?? !isUrl(script), launcher).catch(error => this.#fail(error));
    }

    async #run(script, type, name, isSource, launcher) {
        const Malt = imports.gi.Malt;
        const worker = await native.spawn(handleOf(launcher), give(this.#cancellable));
        this.#worker = worker;
        this.#url = isSource ? null : script;
        if (this.#isOver) {
            worker.kill();
            return;
        }

        await worker.call(boot, PLACE, CAPACITY, name);
        const [inbox, outbox] = await Promise.all(['inbox', 'outbox'].map(end => worker.channel(`${PLACE}.${end}`)));
        const reading = this.#read(outbox).catch(error => this.#fail(error));
        try {
            await this.#load(worker, script, type, isSource);
        } catch (error) {
            if (!(error instanceof Malt.RemoteError))
                throw error;
            this.#fail(error, {
                message: error.remoteMessage,
                name: error.remoteType,
                stack: error.remoteStack ?? '',
                ...placeOf(error.remoteStack),
            });
        }

        this.#inbox = inbox;
        for (const variant of this.#waiting.splice(0))
            this.#put(variant);
        // It ends with the worker, of which the other channel tells.
        worker.call(`${PLACE}.listen`).catch(() => {});
        await reading;
    }

    async #load(worker, script, type, isSource) {
        if (!isSource && type === 'module') {
            await worker.eval(`await import(${JSON.stringify(script)}); undefined`);
        } else if (isSource && type === 'module') {
            // Top-level await and imports work in any evaluation.
            await worker.eval(`${script}\n;undefined`);
        } else {
            const source = isSource ? script : await this.#fetch(script);
            // So stacks tell where it comes from.
            const place = isSource || script.startsWith('data:') ? '' : `\n//# sourceURL=${script}`;
            await worker.eval(`${source}\n;undefined${place}`);
        }
    }

    async #fetch(url) {
        const data = /^data:[^,]*?(;base64)?,(.*)$/is.exec(url);
        if (data !== null)
            return data[1] ? new TextDecoder().decode(GLib.base64_decode(data[2])) : decodeURIComponent(data[2]);
        return new Promise((resolve, reject) => {
            Gio.File.new_for_uri(url).load_contents_async(this.#cancellable, (file, result) => {
                try {
                    resolve(new TextDecoder().decode(file.load_contents_finish(result)[1]));
                } catch (error) {
                    reject(error);
                }
            });
        });
    }

    async #read(outbox) {
        try {
            for await (const [kind, value] of outbox) {
                if (this.#isOver)
                    return;
                if (kind === 'message')
                    this.#dispatch('message', {data: value});
                else if (kind === 'error')
                    this.#fail(null, value);
                else
                    break;
            }
        } catch (error) {
            if (!isClosed(error))
                throw error;
        }
        this.terminate();
    }

    #put(variant) {
        this.#inbox.put_async(variant, null, (channel, result) => {
            try {
                channel.put_finish(result);
            } catch {
                // The worker has closed, or is gone, of which its end tells.
            }
        });
    }

    #fail(error, {message, name, filename = '', stack = '', ...place} = {message: error.message}) {
        if (this.#isOver)
            return;
        // As browsers have it. A script that was loaded is evaluated, and has no name there.
        const text = name ? `${name}: ${message}` : message;
        const event = this.#dispatch('error', {
            message: text,
            name: name ?? error?.name ?? '',
            filename: filename.startsWith('<eval ') ? this.#url ?? filename : filename,
            lineno: 0, colno: 0, ...place, stack, error,
        });
        if (event === null)
            printerr(`Uncaught in a worker: ${stack.startsWith(text) ? stack : `${text}\n${stack}`}`);
        if (error !== null && this.#inbox === null)
            this.#over();
        if (this.#worker !== null && !this.#worker.is_running())
            this.#over();
    }

    /** The event, or null if nobody listens. */
    #dispatch(type, properties) {
        const event = new WebEvent(type, this, properties);
        const listeners = [[this.#handlers.get(type), {}], ...this.#listeners.get(type) ?? []].filter(([listener]) => listener);
        for (const [listener, options] of listeners) {
            if (options.once)
                this.removeEventListener(type, listener);
            try {
                if (typeof listener === 'function')
                    listener.call(this, event);
                else
                    listener.handleEvent(event);
            } catch (error) {
                logError(error);
            }
        }
        return listeners.length > 0 ? event : null;
    }

    #over() {
        this.#isOver = true;
        this.#waiting.length = 0;
    }

    /** Sends a value, which is copied: nothing is transferred. */
    postMessage(message, _transfer) {
        const variant = toVariant(message);
        if (this.#isOver)
            return;
        if (this.#inbox === null)
            this.#waiting.push(variant);
        else
            this.#put(variant);
    }

    addEventListener(type, listener, options) {
        if (listener !== null && typeof listener !== 'function' && typeof listener !== 'object')
            throw new TypeError(`a listener has to be a function, or an object with handleEvent(), not ${String(listener)}`);
        if (!this.#listeners.has(type))
            this.#listeners.set(type, new Map());
        if (listener && !this.#listeners.get(type).has(listener))
            this.#listeners.get(type).set(listener, typeof options === 'object' && options !== null ? options : {});
    }

    removeEventListener(type, listener) {
        this.#listeners.get(type)?.delete(listener);
    }

    /** Ends the worker at once. */
    terminate() {
        this.#over();
        this.#cancellable.cancel();
        this.#worker?.kill();
    }
}

function extend(Malt) {
    Malt.WebWorker = WebWorker;
}
