// SPDX-License-Identifier: LGPL-2.1-or-later

// Pools: the calling functions of workers, and maps.

/* exported extend */

const {GLib} = imports.gi;
const {give, native, toTuple} = imports.overrides._malt.native;
const {addMethods, handleOf} = imports.overrides._malt.handles;
const {CallOptions, doWith, evalWith} = imports.overrides._malt.calls;
const {makeLauncher} = imports.overrides._malt.launching;
const {checkOptions, withCancellable} = imports.overrides._malt.limits;
const {PoolMap} = imports.overrides._malt.maps;
const {propertiesOf, show, toProperties} = imports.overrides._malt.properties;

let Malt;

const CALL_OPTIONS = ['timeout', 'cancellable', 'signal', 'keywords', 'module', 'retry'];
const EVAL_OPTIONS = ['timeout', 'cancellable', 'signal', 'module', 'retry'];
const MAP_OPTIONS = ['timeout', 'cancellable', 'signal', 'retry', 'ordered', 'settled'];

function toFlags({retry = false}) {
    return retry ? Malt.PoolCallFlags.RETRY : 0;
}

/** Arguments are a tuple for the library, and an array here. */
function toArguments(args, name) {
    if (args instanceof GLib.Variant && args.get_type_string().startsWith('('))
        return args;
    if (!Array.isArray(args))
        throw new TypeError(`the option '${name}' has to be an array, not ${show(args)}`);
    return toTuple(args);
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

    /** Has a function called with each of some items, which may be those of an async iterable. */
    map(func, items, options = {}) {
        checkOptions(options, MAP_OPTIONS);
        return new PoolMap(this, func, items, toFlags(options), options);
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
