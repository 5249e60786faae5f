// SPDX-License-Identifier: LGPL-2.1-or-later

// The errors of the library: a class for each code of Malt.Error, which is itself the class of
// them all. GJS makes all of them Malt.Error; they are given the prototype of their class here.

/* exported extend, isClosed */

const {Gio} = imports.gi;
const {MaltJs, hooks, native} = imports.overrides._malt.native;
const {handleOf, handles, ownerOf} = imports.overrides._malt.handles;

const NAMES = {
    REMOTE: 'RemoteError',
    TERMINATED: 'TerminatedError',
    START: 'StartError',
    SERIALIZATION: 'SerializationError',
    INTERRUPTED: 'InterruptedError',
    TIMEOUT: 'TimeoutError',
    PROTOCOL: 'ProtocolError',
    NOT_SUPPORTED: 'NotSupportedError',
    NOT_FOUND: 'NotFoundError',
};

const TRACEBACK_LEAD = '\n\nTraceback in the worker:\n';

let Malt;
const prototypes = new Map();

function isOurs(error) {
    return typeof error === 'object' && error !== null && Malt.Error[Symbol.hasInstance].call(Malt.Error, error);
}

/** A class for one code. What GJS has made of an error of that code is one of it as well. */
function makeClass(name, code) {
    const made = {
        [name]: class extends Malt.Error {
            constructor(message = '') {
                return Object.setPrototypeOf(new Malt.Error({message: String(message), code}), new.target.prototype);
            }

            static [Symbol.hasInstance](error) {
                if (this !== made)
                    return Function.prototype[Symbol.hasInstance].call(this, error);
                return isOurs(error) && error.code === code;
            }

            get name() {
                return name;
            }

            toString() {
                return `Malt.${name}: ${this.message}`;
            }
        },
    }[name];
    return made;
}

/** What an error of ours has beside a message, for any of them. */
const DETAILS = {
    remoteType: error => Malt.remote_error_dup_type(error),
    remoteMessage: error => Malt.remote_error_dup_message(error),
    remoteStack: error => Malt.remote_error_dup_traceback(error),
    workerName: error => Malt.remote_error_dup_worker(error),
    exitInfo: error => Malt.remote_error_get_exit_info(error),
    rung: error => Malt.remote_error_get_rung(error),
};

/**
 * An error as it is thrown: of its class, and with a stack that tells where it comes from.
 *
 * @param error - what GJS has made of a GError
 * @param stack - where the call was made, if that is known
 * @param worker - whose error it is, if that is known
 */
function complete(error, stack, worker) {
    if (stack)
        error.stack = stack;
    if (!isOurs(error))
        return error;

    const prototype = prototypes.get(error.code);
    if (prototype !== undefined)
        Object.setPrototypeOf(error, prototype);

    const remoteStack = error.remoteStack;
    if (remoteStack) {
        const message = error.message.replace(TRACEBACK_LEAD + remoteStack, '');
        Object.defineProperty(error, 'message', {value: message, writable: true, configurable: true});
        error.stack = `${remoteStack.trimEnd()}\n(in the worker, called from)\n${error.stack}`;
    }
    if (worker)
        Object.defineProperty(error, 'worker', {value: worker, writable: true, configurable: true});
    return error;
}

function makeError(stack, handle) {
    try {
        MaltJs.take_error();
    } catch (error) {
        return complete(error, stack, ownerOf(handle));
    }
    return new Error('something went wrong, and nobody knows what');
}

function extend(namespace) {
    Malt = namespace;

    for (const [name, get] of Object.entries(DETAILS)) {
        Object.defineProperty(Malt.Error.prototype, name, {
            get() {
                return get(this);
            },
            configurable: true,
        });
    }
    Object.defineProperty(Malt.Error.prototype, 'worker', {value: undefined, writable: true, configurable: true});

    for (const [nick, name] of Object.entries(NAMES)) {
        Malt[name] = makeClass(name, Malt.Error[nick]);
        prototypes.set(Malt.Error[nick], Malt[name].prototype);
    }

    Object.assign(hooks, {makeError, log: error => logError(error), handleOf});
    hooks.takeObject = () => MaltJs.take_object();
    hooks.takeVariant = () => MaltJs.take_variant();
    native.setHooks(hooks, handles);

    let wholeStacks = false;
    Object.defineProperty(Malt, 'wholeStacks', {
        get: () => wholeStacks,
        set(value) {
            wholeStacks = Boolean(value);
            native.wholeStacks(wholeStacks);
        },
    });
}

/** Whether an error says that something was closed. */
function isClosed(error) {
    return error.matches?.(Gio.IOErrorEnum, Gio.IOErrorEnum.CLOSED) ?? false;
}
