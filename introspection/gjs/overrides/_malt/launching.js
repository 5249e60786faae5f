// SPDX-License-Identifier: LGPL-2.1-or-later

// Starting workers: from an object of options to a Malt.Launcher.

/* exported extend, makeLauncher */

const {GObject} = imports.gi;
const {give, native, toVariant} = imports.overrides._malt.native;
const {handleOf} = imports.overrides._malt.handles;
const {withCancellable} = imports.overrides._malt.limits;

let Malt;

function toOutput(value) {
    if (typeof value !== 'string')
        return value;
    const output = Malt.Output[value.toUpperCase()];
    if (output === undefined)
        throw new TypeError(`'${value}' is none of forward, pipe, discard, inherit, signal`);
    return output;
}

function toEnvironment(value) {
    if (Array.isArray(value))
        return value;
    return Object.entries(value).map(([name, text]) => `${name}=${text}`);
}

function toOptions(value) {
    return toVariant(value);
}

const CONVERT = {
    stdout: toOutput,
    stderr: toOutput,
    environment: toEnvironment,
    backendOptions: toOptions,
    runtimeOptions: toOptions,
};

function toCamelCase(name) {
    return name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
}

let names;

/** A launcher with properties from an object, by their names in camelCase. */
function makeLauncher(options) {
    names ??= new Set(GObject.Object.list_properties.call(Malt.Launcher).map(({name}) => toCamelCase(name)));

    const launcher = new Malt.Launcher();
    if (!['backend', 'runtime', 'program'].some(name => name in options))
        launcher.runtime = 'gjs';
    for (const [name, value] of Object.entries(options)) {
        if (!names.has(name))
            throw new TypeError(`a worker has no option '${name}'; the options are the properties of Malt.Launcher`);
        launcher[name] = CONVERT[name]?.(value) ?? value;
    }
    return launcher;
}

function extend(namespace) {
    Malt = namespace;

    /** Starts a worker; the promise is fulfilled when it is ready. */
    Malt.Worker.spawn = async function (options = {}) {
        if (options === null || typeof options !== 'object')
            throw new TypeError('the options of a worker have to be an object');
        const {cancellable, signal, ...properties} = options;
        const launcher = makeLauncher(properties);
        return withCancellable({cancellable, signal}, given => native.spawn(handleOf(launcher), give(given)));
    };
}
