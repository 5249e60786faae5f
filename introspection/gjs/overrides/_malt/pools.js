// SPDX-License-Identifier: LGPL-2.1-or-later

// Pools: the calling functions of workers, and maps whose results can be iterated over.

/* exported extend */

const {Gio, GLib} = imports.gi;
const {MaltJs, give, native, toTuple} = imports.overrides._malt.native;
const {addMethods, handleOf} = imports.overrides._malt.handles;
const {CallOptions, doWith, evalWith} = imports.overrides._malt.calls;
const {makeLauncher} = imports.overrides._malt.launching;
const {applierOf} = imports.overrides._malt.functions;
const {checkOptions, toTimeout, withCancellable} = imports.overrides._malt.limits;
const {propertiesOf, show, toProperties} = imports.overrides._malt.properties;

let Malt;

const CALL_OPTIONS = ['timeout', 'cancellable', 'signal', 'keywords', 'module', 'retry'];
const EVAL_OPTIONS = ['timeout', 'cancellable', 'signal', 'module', 'retry'];
const MAP_OPTIONS = ['timeout', 'cancellable', 'signal', 'retry', 'ordered', 'settled'];

function toFlags({retry = false, ordered = true}) {
    return (retry ? Malt.PoolCallFlags.RETRY : 0) | (ordered ? 0 : Malt.PoolCallFlags.UNORDERED);
}

/** Arguments are a tuple for the library, and an array here. */
function toArguments(args, name) {
    if (args instanceof GLib.Variant && args.get_type_string().startsWith('('))
        return args;
    if (!Array.isArray(args))
        throw new TypeError(`the option '${name}' has to be an array, not ${show(args)}`);
    return toTuple(args);
}

/**
 * What comes of each item of a list for which a function is called.
 *
 * It can be iterated over with `for await`, or awaited as a whole, which gives an array. What was
 * begun is cancelled if the iteration ends before its time.
 */
class PoolMap {
    #outcomes = [];  // of the items that came and were not taken
    #isDone = false;
    #waiting = [];   // functions that wake up those who iterate
    #cancellable = new Gio.Cancellable();
    #isSettled;
    #all;

    constructor(pool, func, items, options) {
        this.#isSettled = options.settled ?? false;
        this.#all = withCancellable(options, cancellable => this.#run(pool, func, items, options, cancellable));
    }

    async #run(pool, func, items, options, outer) {
        if (outer !== null)
            MaltJs.link(outer, this.#cancellable);

        const values = new Array(items.length);
        const itemDone = (index, value, error) => {
            const outcome = error === undefined ? {status: 'fulfilled', value}
                : {status: 'rejected', reason: error};
            values[index] = outcome;
            this.#outcomes.push(outcome);
            this.#wakeUp();
        };

        try {
            const timeout = toTimeout(options.timeout);
            const [name, source] = typeof func === 'string' ? [func] : applierOf(pool, func);
            native.toItems(items, source);
            await native.map(handleOf(pool), name, itemDone, toFlags(options), timeout, give(this.#cancellable));
        } catch (error) {
            if (!this.#isSettled || values.length === 0 || values.includes(undefined))
                throw error;
        } finally {
            this.#isDone = true;
            this.#wakeUp();
        }
        return this.#isSettled ? values : values.map(({value}) => value);
    }

    #wakeUp() {
        for (const wake of this.#waiting.splice(0))
            wake();
    }

    then(...reactions) {
        return this.#all.then(...reactions);
    }

    catch(reaction) {
        return this.#all.catch(reaction);
    }

    finally(reaction) {
        return this.#all.finally(reaction);
    }

    async *[Symbol.asyncIterator]() {
        // Errors are heard of here.
        this.#all.catch(() => {});
        try {
            for (;;) {
                while (this.#outcomes.length === 0 && !this.#isDone)
                    await new Promise(resolve => this.#waiting.push(resolve));
                if (this.#outcomes.length === 0)
                    break;
                const outcome = this.#outcomes.shift();
                if (this.#isSettled)
                    yield outcome;
                else if (outcome.status === 'fulfilled')
                    yield outcome.value;
                else
                    throw outcome.reason;
            }
        } finally {
            this.#cancellable.cancel();
        }
        // It may have failed for a reason that is no item's.
        await this.#all;
    }
}

class PoolMethods {
    call(func, ...args) {
        if (typeof func === 'string')
            return native.call(handleOf(this), func, args);
        return new CallOptions(this, {}).call(func, ...args);
    }

    async eval(source, options = {}) {
        checkOptions(options, EVAL_OPTIONS);
        return evalWith(this, source, options, toFlags(options));
    }

    do(func, ...args) {
        doWith(this, func, args, {});
    }

    options(options) {
        checkOptions(options, CALL_OPTIONS);
        return new CallOptions(this, options, toFlags(options));
    }

    /** Has a function called with each item of an array. */
    map(func, items, options = {}) {
        checkOptions(options, MAP_OPTIONS);
        return new PoolMap(this, func, [...items], options);
    }

    /** Waits until a call would not have to wait for room in the queue. */
    async waitRoom(options = {}) {
        checkOptions(options, ['cancellable', 'signal']);
        return withCancellable(options, cancellable => native.waitRoom(handleOf(this), give(cancellable)));
    }

    /** Ends the workers, when the calls that wait and run have ended or, if asked, before. */
    async shutdown(options = {}) {
        checkOptions(options, ['cancellable', 'signal', 'dropQueued', 'stopRunning']);
        const flags = (options.dropQueued ? Malt.PoolShutdownFlags.DROP_QUEUED : 0) |
            (options.stopRunning ? Malt.PoolShutdownFlags.STOP_RUNNING : 0);
        return withCancellable(options, cancellable => native.shutDown(handleOf(this), flags, give(cancellable)));
    }
}

function extend(namespace) {
    Malt = namespace;
    addMethods(Malt.Pool.prototype, PoolMethods);

    /** Makes a pool; the options are those of its workers and its own. */
    Malt.Pool.create = function (options = {}) {
        if (options === null || typeof options !== 'object')
            throw new TypeError('the options of a pool have to be an object');
        const properties = propertiesOf(Malt.Pool);
        const own = {}, launching = {};
        for (const [name, value] of Object.entries(options))
            (properties.has(name) && name !== 'launcher' ? own : launching)[name] = value;
        return new Malt.Pool({
            launcher: makeLauncher(launching),
            ...toProperties(properties, own, {initializerArguments: toArguments}),
        });
    };
}
