// SPDX-License-Identifier: LGPL-2.1-or-later

// The C++ half of the binding: functions that are called directly, and by introspection what
// gives them objects of GJS, and takes such from them.

/* exported MaltJs, give, guard, hooks, native, toTuple, toVariant, fromVariant */

imports.gi.versions.MaltJs = '1';

var MaltJs;
try {
    MaltJs = imports.gi.MaltJs;
    MaltJs.open();
} catch (error) {
    throw new Error('The binding of libmalt for GJS needs its library libmalt-js-1, which is missing or was built ' +
        `for another GJS: ${error.message}`);
}

var native = globalThis.__maltNative;
delete globalThis.__maltNative;

// Before that GJS lost what was called while its collector was between two steps of sweeping.
const LOSES_CALLBACKS = imports.system.version < 18200;
if (LOSES_CALLBACKS)
    native.watchCollector();

/** Has handlers that are connected to a worker's signals afterwards called at any time. */
function guard(object) {
    if (LOSES_CALLBACKS)
        MaltJs.guard(object);
}

/** What the C++ half calls; the parts of this one add theirs. */
var hooks = {};

/** Gives a cancellable to the function that is called next; whether there is one. */
function give(cancellable) {
    if (cancellable === null)
        return false;
    MaltJs.give_object(cancellable);
    return true;
}

/** A GLib.Variant of any value that can be sent. */
function toVariant(value) {
    native.toVariant(value);
    return MaltJs.take_variant();
}

/** A GLib.Variant of an array of arguments. */
function toTuple(args) {
    native.toTuple(args);
    return MaltJs.take_variant();
}

/** The plain value of a GLib.Variant. */
function fromVariant(variant) {
    if (variant === null)
        return undefined;
    MaltJs.give_variant(variant);
    return native.fromVariant();
}
