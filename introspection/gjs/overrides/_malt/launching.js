// SPDX-License-Identifier: LGPL-2.1-or-later

// Starting workers: from an object of options to a Malt.Launcher.

/* exported extend, makeLauncher */

const {give, native, toVariant} = imports.overrides._malt.native;
const {handleOf} = imports.overrides._malt.handles;
const {withCancellable} = imports.overrides._malt.limits;
const {propertiesOf, show, toProperties} = imports.overrides._malt.properties;

let Malt;

function toOutput(value, name) {
    const output = typeof value === 'string' ? Malt.Output[value.toUpperCase()] : value;
    if (!Object.values(Malt.Output).includes(output))
        throw new TypeError(`the option '${name}': ${show(value)} is none of forward, pipe, discard, inherit, signal`);
    return output;
}

function toEnvironment(value, name) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
        return value;
    return Object.entries(value).map(([variable, text]) => {
        if (variable === '' || /[=\0]/.test(variable)) {
            throw new TypeError(`the option '${name}': ${show(variable)} is no name for a variable: ` +
                'it is empty, or has a = or NUL');
        }
        if (typeof text !== 'string' && typeof text !== 'number')
            throw new TypeError(`the option '${name}': ${variable} has to be a string, not ${show(text)}`);
        return `${variable}=${text}`;
    });
}

function toDictionary(value, name) {
    const variant = typeof value === 'object' && value !== null ? toVariant(value) : null;
    if (value !== null && variant?.get_type_string() !== 'a{sv}')
        throw new TypeError(`the option '${name}' has to be an object with names, not ${show(value)}`);
    return variant;
}

const CONVERT = {
    stdout: toOutput,
    stderr: toOutput,
    environment: toEnvironment,
    backendOptions: toDictionary,
    runtimeOptions: toDictionary,
};

/** A launcher with properties from an object. */
function makeLauncher(options) {
    const properties = propertiesOf(Malt.Launcher);
    for (const name of Object.keys(options)) {
        if (!properties.has(name))
            throw new TypeError(`a worker has no option '${name}'; the options are the properties of Malt.Launcher`);
    }

    const launcher = new Malt.Launcher(toProperties(properties, options, CONVERT));
    if (['backend', 'runtime', 'program'].every(name => options[name] === undefined))
        launcher.runtime = 'gjs';
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
