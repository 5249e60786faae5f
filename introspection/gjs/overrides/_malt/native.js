// SPDX-License-Identifier: LGPL-2.1-or-later

// The C++ half of the binding: functions that are called directly, and by introspection what
// gives them objects of GJS, and takes such from them.

/* exported MaltJs, native, toVariant, toItems, fromVariant */

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

/** A GLib.Variant of any value that can be sent. */
function toVariant(value) {
    native.toVariant(value);
    return MaltJs.take_variant();
}

/** A GLib.Variant of arguments for many calls, each of one value or of an array of them. */
function toItems(items, areLists = false) {
    native.toItems(items, areLists);
    return MaltJs.take_variant();
}

/** The plain value of a GLib.Variant. */
function fromVariant(variant) {
    if (variant === null)
        return undefined;
    MaltJs.give_variant(variant);
    return native.fromVariant();
}
