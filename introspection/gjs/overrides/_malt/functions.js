// SPDX-License-Identifier: LGPL-2.1-or-later

// Functions that are sent to a worker as their source.
//
// The first call of a function defines it in the worker, in an object of the global one; what
// is asked for comes after that in the order in which it was asked for.

/* exported extend, applierOf, callFunction */

const {native} = imports.overrides._malt.native;
const {handleOf} = imports.overrides._malt.handles;

const PLACE = '__maltFunctions';

let Malt;

/** What each worker was sent: the names in that object, and source → {name, problem} of those it has. */
const sent = new WeakMap();

function isExpression(source) {
    try {
        return Function(`return (${source}\n);`) !== null;
    } catch {
        return false;
    }
}

/** Those that are introspected have no name of their own, but say whose wrapper they are. */
function nameOf(func) {
    return func.name || /wrapper for native symbol (\w+)/.exec(String(func))?.[1];
}

function fail(func, reason) {
    const name = nameOf(func);
    throw new TypeError(`cannot send the function ${name ? `'${name}'` : 'without a name'}: ${reason}`);
}

/** The source of a function. To JavaScript those that are introspected are none. */
function textOf(func) {
    try {
        return Function.prototype.toString.call(func);
    } catch {
        return 'function () { [native code] }';
    }
}

/** An expression whose value is the function. */
function sourceOf(func) {
    if (typeof func !== 'function')
        throw new TypeError(`the function has to be a name or a function, not ${func === null ? 'null' : typeof func}`);

    const source = textOf(func);
    if (/\{\s*\[native code\]\s*\}\s*$/.test(source))
        fail(func, 'it is native or bound, and has no source; send a function that calls it');
    if (isExpression(source)) {
        if (/^class\b/.test(source))
            fail(func, 'it is a class');
        return source;
    }

    // A method is the source of a property.
    if (/^(?:static\s+)?(?:get|set)\s+[^(]/.test(source))
        fail(func, 'it is the getter or setter of a property');
    const method = source.replace(/^static\s+/, '');
    if (isExpression(`{${method}}`))
        return `(object => object[Reflect.ownKeys(object)[0]])({${method}})`;
    return fail(func, 'its source cannot be used elsewhere');
}

function speaksJavaScript(launcher) {
    return launcher.runtime === 'gjs';
}

/** A name that none of those has: the function's own or like it, with which calls that nobody waits for are reported. */
function newName({name: own}, names) {
    const isUsable = typeof own === 'string' && /^[A-Za-z$_][\w$]*$/.test(own) && !(own in {});
    const base = isUsable ? own : 'f';
    let name = isUsable ? own : `f${names.size}`;

    for (let n = names.size; names.has(name); n++)
        name = `${base}_${n}`;
    names.add(name);
    return name;
}

/**
 * The name that a function has in a worker from now on, and, until it is known to be there, a
 * promise of why it is not.
 */
function define(worker, func, source) {
    let known = sent.get(worker);
    if (known === undefined) {
        known = {names: new Set(), functions: new Map()};
        sent.set(worker, known);
    }

    let entry = known.functions.get(source);
    if (entry === undefined) {
        const name = newName(func, known.names);
        // Bound, as it is called as a property of that object, which is not to be its `this`.
        const text = `void ((globalThis.${PLACE} ??= {}).${name} = (${source}\n).bind())`;
        entry = {name: `${PLACE}.${name}`, problem: null};
        entry.problem = native.evaluate(handleOf(worker), text).then(() => {
            entry.problem = null;
            return null;
        }, error => {
            // The next call sends it again.
            known.functions.delete(source);
            return error;
        });
        known.functions.set(source, entry);
    }
    return entry;
}

/** The source of a function that a worker, or those of a pool, can be sent. */
function sourceFor(object, func) {
    const source = sourceOf(func);
    const launcher = object instanceof Malt.Worker ? object.get_launcher() : object.launcher;
    if (!speaksJavaScript(launcher))
        fail(func, `the worker does not run JavaScript but ${launcher.runtime ?? launcher.program ?? 'something else'}`);
    return source;
}

/** What calls a function in any worker of a pool: a name, and the source that comes before the arguments. */
function applierOf(pool, func) {
    return ['malt.applySource', sourceFor(pool, func)];
}

/** Has a function called through call(name, arguments, source or nothing). */
function callFunction(object, func, args, call) {
    // The workers of a pool come and go, so each call brings its function along.
    if (!(object instanceof Malt.Worker)) {
        const [name, source] = applierOf(object, func);
        return call(name, args, source);
    }

    const {name, problem} = define(object, func, sourceFor(object, func));
    const result = call(name, args);
    if (problem === null || typeof result?.catch !== 'function')
        return result;
    // Where there is no such function, the reason has come before, and is to be told. Nothing
    // else waits for it, as it is long in coming from a worker that is busy.
    return result.catch(async error => {
        throw error instanceof Malt.NotFoundError ? await problem ?? error : error;
    });
}

function extend(namespace) {
    Malt = namespace;
}
