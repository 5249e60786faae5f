// SPDX-License-Identifier: LGPL-2.1-or-later

// What Malt.d.ts declares is there.

import GLib from 'gi://GLib';
import Malt from 'gi://Malt?version=1';

import {equal, ok, run, test} from './tap.js';

const path = `${GLib.getenv('G_TEST_SRCDIR')}/../introspection/gjs/Malt.d.ts`;
const text = new TextDecoder().decode(GLib.file_get_contents(path)[1]);

/** The bodies of declarations of a kind, by their names. */
function declared(kind) {
    return new Map([...text.matchAll(new RegExp(`^ {8}${kind} (\\w+)[^{]*\\{([^]*?)\\n? *\\}$`, 'gm'))]
        .map(([, name, body]) => [name, body]));
}

/** Whether a class has a member. Fields are the objects' own, and what backends implement is not in the class. */
function has(name, isStatic, member) {
    if (isStatic)
        return member in Malt[name];
    if (/^vfunc_/.test(member) || name === 'WebWorker' && /^on/.test(member) || name === 'Error' && /^(?:name|stack)$/.test(member))
        return true;
    return member in Malt[name].prototype;
}

test('classes and their members', () => {
    const classes = declared('class');
    for (const name of ['Worker', 'Pool', 'Channel', 'Launcher', 'Request', 'ExitInfo', 'Error', 'WebWorker'])
        ok(classes.has(name), name);
    let n = 0;
    for (const [name, body] of classes) {
        ok(Malt[name] !== undefined, name);
        for (const [, isStatic, member] of body.matchAll(/^ {12}(static )?(?:readonly )?'?(\w+)'?[?(<:]/gm)) {
            if (member !== 'constructor')
                ok(has(name, isStatic, member), `${name}.${member}`);
            n++;
        }
    }
    ok(n > 100, 'that members were found');
});

test('errors', () => {
    const names = [...text.matchAll(/^ {8}const (\w+): ErrorClass/gm)].map(([, name]) => name);
    equal(names.length, 9);
    for (const name of names)
        ok(new Malt[name]('x') instanceof Malt.Error, name);
});

test('enumerations', () => {
    const enums = declared('enum');
    equal([...enums.keys()].sort(), ['ExitKind', 'Output', 'RequestFlags', 'RequestKind', 'Rung', 'StopResult']);
    for (const [name, body] of enums)
        equal(Object.keys(Malt[name]), body.split(',').map(nick => nick.trim()).filter(nick => nick !== ''));
});

await run();
