// SPDX-License-Identifier: LGPL-2.1-or-later

// What the C++ half knows objects by, and how classes of the library get methods.

/* exported addMethods, handleOf, handles, ownerOf */

const {MaltJs, native} = imports.overrides._malt.native;

// Each keeps the other as long as somebody has one of them.
var handles = new WeakMap();
const owners = new WeakMap();

/** The handle of a worker, pool or channel. */
function handleOf(object) {
    let handle = handles.get(object);
    if (handle === undefined) {
        MaltJs.give_object(object);
        handle = native.handle();
        handles.set(object, handle);
        owners.set(handle, object);
    }
    return handle;
}

/** The object that has a handle. */
function ownerOf(handle) {
    return handle === undefined ? undefined : owners.get(handle);
}

/** Gives an introspected class the methods of another one. */
function addMethods(prototype, {prototype: from}) {
    for (const key of Reflect.ownKeys(from)) {
        const descriptor = Object.getOwnPropertyDescriptor(from, key);
        if (key === 'constructor')
            continue;
        // What is introspected cannot be defined again.
        if ('value' in descriptor)
            prototype[key] = descriptor.value;
        else
            Object.defineProperty(prototype, key, descriptor);
    }
}
