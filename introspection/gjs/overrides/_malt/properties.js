// SPDX-License-Identifier: LGPL-2.1-or-later

// Options that are properties of a class of the library, by their names in camelCase.
//
// GJS makes a number, a boolean or nothing of much that is none, so the values are looked at here.

/* exported propertiesOf, show, toProperties */

const {GObject} = imports.gi;
const {FOREVER} = imports.overrides._malt.limits;

function toCamelCase(name) {
    return name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
}

const found = new Map();

/** The properties of a class that can be set: their names and what is known of each. */
function propertiesOf(constructor) {
    let properties = found.get(constructor);
    if (properties === undefined) {
        properties = new Map(GObject.Object.list_properties.call(constructor)
            .filter(({flags}) => flags & GObject.ParamFlags.WRITABLE)
            .map(spec => [toCamelCase(spec.name), spec]));
        found.set(constructor, properties);
    }
    return properties;
}

/** A value in a message. */
function show(value) {
    if (typeof value === 'string')
        return `'${value}'`;
    if (Array.isArray(value))
        return `[${value.slice(0, 5).map(show).join(', ')}${value.length > 5 ? ', …' : ''}]`;
    if (typeof value === 'object' && value !== null)
        return 'an object';
    return typeof value === 'function' ? 'a function' : String(value);
}

function isText(value) {
    return typeof value === 'string' && !value.includes('\0');
}

function isNumber(set) {
    return (value, spec) => {
        if (typeof value !== 'bigint' && !Number.isInteger(value))
            return false;
        const holder = new GObject.Value();
        holder.init(spec.value_type);
        try {
            holder[set](value);
        } catch {
            return false;
        }
        // Otherwise there is a nearest one that could be set.
        return !GObject.param_value_validate(spec, holder);
    };
}

/** By the types of properties: what their values have to be, and whether one is that. */
const KINDS = {
    gboolean: ['a boolean', value => typeof value === 'boolean'],
    gchararray: ['a string without NUL', value => value === null || isText(value)],
    gint: ['a whole number in its range', isNumber('set_int')],
    guint: ['a whole number in its range', isNumber('set_uint')],
    guint64: ['a whole number in its range', isNumber('set_uint64')],
    GStrv: ['an array of strings without NUL', value => value === null || Array.isArray(value) && value.every(isText)],
};

/**
 * The values of properties from an object of options.
 *
 * @param properties - what propertiesOf() has given
 * @param convert - what is made of some values before they are looked at, by the names
 */
function toProperties(properties, options, convert) {
    const values = {};
    for (let [name, value] of Object.entries(options)) {
        if (value === undefined)
            continue;
        const spec = properties.get(name);
        const [wanted, isGood] = KINDS[GObject.type_name(spec.value_type)] ?? ['', () => true];
        if (value === Infinity && name.endsWith('Timeout'))
            value = FOREVER;
        if (convert[name] !== undefined)
            value = convert[name](value, name);
        if (!isGood(value, spec))
            throw new TypeError(`the option '${name}' has to be ${wanted}, not ${show(value)}`);
        values[name] = value;
    }
    return values;
}
