// SPDX-License-Identifier: LGPL-2.1-or-later

// The part of the GJS runtime that is written in JavaScript: the object `malt`, and how
// source is rewritten before it is run.  It is called once with the functions that are
// written in C++, and gives those that they call.
(function (native) {
'use strict';

const {Channel} = native;
const {parse} = Reflect;
const {InternalError} = globalThis;
const GLib = imports.gi.GLib;

// Errors.

class InterruptedError extends Error {
    get name() {
        return 'InterruptedError';
    }
}

class ChannelClosed extends Error {
    get name() {
        return 'ChannelClosed';
    }
}

class TimeoutError extends Error {
    get name() {
        return 'TimeoutError';
    }
}

class CancelledError extends Error {
    get name() {
        return 'CancelledError';
    }
}

class HostError extends Error {
    constructor(parts) {
        super(parts.type ? `${parts.type}: ${parts.message}` : parts.message);
        this.domain = parts.domain;
        this.code = parts.code;
        this.type = parts.type;
        this.remoteMessage = parts.message;
        this.traceback = parts.traceback;
    }

    get name() {
        return 'HostError';
    }
}

// Those of the library that have a class of their own, by domain and code.
const SERIALIZATION = 3;
const TIMEOUT = 5;

function exception(parts) {
    if (parts.domain === 'g-io-error-quark' && parts.code === 18 /* G_IO_ERROR_CLOSED */)
        return new ChannelClosed(parts.message);
    if (parts.domain === 'MaltError' && parts.code === TIMEOUT)
        return new TimeoutError(parts.message);
    if (parts.domain === 'MaltError' && parts.code === SERIALIZATION)
        return new TypeError(parts.message);
    return new Error(parts.message);
}

function hostException(parts) {
    return new HostError(parts);
}

function interruption() {
    return new InterruptedError('interrupted');
}

function exhaustion(message) {
    return new InternalError(message);
}

// Channels.

Channel.prototype[Symbol.asyncIterator] = async function* () {
    for (;;) {
        try {
            yield await this.take();
        } catch (error) {
            if (error instanceof ChannelClosed)
                return;
            throw error;
        }
    }
};

Channel.prototype[Symbol.iterator] = function* () {
    for (;;) {
        try {
            yield this.takeSync();
        } catch (error) {
            if (error instanceof ChannelClosed)
                return;
            throw error;
        }
    }
};

// The program's functions: any name, perhaps with dots.  Keyword arguments are the last one.

class Keywords {
    #values;

    constructor(values) {
        this.#values = {...values};
        // What converts it looks at that.
        Object.defineProperty(this, 'values', {enumerable: true, get: Keywords.#refuse});
        Object.freeze(this);
    }

    static #refuse() {
        throw new TypeError('keyword arguments are no value: malt.keywords() is the last argument of a function of malt.host');
    }

    static take(args) {
        return args.at(-1) instanceof Keywords ? args.pop().#values : undefined;
    }
}

function hostNames(call, name) {
    return new Proxy(function () {}, {
        get(_target, key) {
            // What JavaScript itself looks for is no function of the program's.
            if (typeof key === 'symbol' || key === 'then')
                return undefined;
            return hostNames(call, name === null ? key : `${name}.${key}`);
        },
        apply(_target, _this, args) {
            if (name === null)
                throw new TypeError('malt.host is no function; its properties are');
            const keywords = Keywords.take(args);
            return call(name, keywords, ...args);
        },
    });
}

// The call whose code runs, for what that does after an `await`, when nothing tells any more whose
// code it is.

class Call {
    #handle;

    constructor(handle) {
        this.#handle = handle;
    }

    get cancelled() {
        return native.cancelled(this.#handle);
    }

    throwIfCancelled() {
        if (this.cancelled)
            throw new CancelledError('the call was cancelled');
    }

    progress(fraction, text) {
        native.progress(fraction, text, this.#handle);
    }
}

// Functions that come with each call as their source, for workers that are not the same each
// time; the latest of them are kept.

const functions = new Map();
const MAX_FUNCTIONS = 256;

function applySource(source, args) {
    let func = functions.get(source);
    if (func === undefined) {
        // The name is for stacks, in which there would be a place in this file.
        func = (0, eval)(`(${source}\n)\n//# sourceURL=<function>`);
        if (functions.size === MAX_FUNCTIONS)
            functions.delete(functions.keys().next().value);
        functions.set(source, func);
    }
    return func(...args);
}

const malt = Object.freeze({
    applySource,
    CancelledError,
    Channel,
    ChannelClosed,
    HostError,
    InterruptedError,
    TimeoutError,
    keywords: values => new Keywords(values),
    host: hostNames(native.callHost, null),
    hostSync: hostNames(native.callHostSync, null),
    progress: (fraction, text) => native.progress(fraction, text),
    cancelled: () => native.cancelled(),
    get currentCall() {
        const handle = native.currentCall();
        return handle ? new Call(handle) : null;
    },
});

for (const [name, value] of Object.entries({malt, Channel})) {
    if (!(name in globalThis)) {
        Object.defineProperty(globalThis, name,
            {value, writable: true, configurable: true, enumerable: false});
    }
}

// Main loops that code runs, so that an interrupt can leave them: the innermost is the last.
// Each was begun in a certain depth of dispatches. They are not taken out when they are left, as an
// interrupt may come between any two steps, but when they are looked at.

const loops = [];
const runLoop = GLib.MainLoop.prototype.run;

// The innermost one that runs what is called in that depth.
function loopAround(depth) {
    const isLeft = entry => entry.depth >= depth || !entry.loop.is_running();

    while (loops.length > 0 && isLeft(loops[loops.length - 1]))
        loops.pop();
    return loops[loops.length - 1];
}

GLib.MainLoop.prototype.run = function (...args) {
    const depth = GLib.main_depth();

    loopAround(depth);
    loops.push({loop: this, depth});
    runLoop.apply(this, args);
    native.check();
};

// Whether that was what runs the dispatch in which it is called, and not something within the loop.
function leaveLoop() {
    const depth = GLib.main_depth();
    const innermost = loopAround(depth);

    innermost?.loop.quit();
    return innermost?.depth === depth - 1;
}

// GLib's functions that take the default main context are those of the program's thread,
// where JavaScript cannot run: here they are this thread's.
function keepSources() {
    const {GObject} = imports.gi;
    const context = GLib.MainContext.get_thread_default();
    const {attach} = GLib.Source.prototype;
    const {source_remove: removeSource} = GLib;

    GLib.Source.prototype.attach = function (other = null) {
        return attach.call(this, other ?? context);
    };

    function add(source, priority, callback) {
        source.set_priority(priority);
        GObject.source_set_closure(source, callback);
        return source.attach(context);
    }

    GLib.idle_add = (priority, callback) => add(GLib.idle_source_new(), priority, callback);
    GLib.timeout_add = (priority, msec, callback) => add(GLib.timeout_source_new(msec), priority, callback);
    GLib.timeout_add_seconds = (priority, seconds, callback) =>
        add(GLib.timeout_source_new_seconds(seconds), priority, callback);
    GLib.source_remove = id => {
        const source = context.find_source_by_id(id);

        source?.destroy();
        return source !== null || removeSource(id);
    };
}

if (native.hasThread)
    keepSources();

// In a process of its own code ends the worker.
if (native.exit)
    imports.system.exit = native.exit;

// Modules.

// What a module inherits of the exports of its file. They can be hidden by variables of the same
// name, as nothing can that inherits from the namespace itself.
async function load(name, uri) {
    const exported = await import(uri);
    const inherited = {};

    for (const key of Object.keys(exported)) {
        Object.defineProperty(inherited, key, {
            get: () => exported[key],
            set(value) {
                Object.defineProperty(this, key, {value, writable: true, configurable: true, enumerable: true});
            },
            enumerable: true,
            configurable: true,
        });
    }
    return [name, inherited];
}

// Rewriting: edits of the text at places that the parser tells.

// Where the parser counts columns from.
const firstColumn = parse('a').body[0].loc.start.column;

class Text {
    constructor(source) {
        this.source = source;
        this.edits = [];
        this.lines = [0];
        for (const {index, 0: end} of source.matchAll(/\r\n|[\n\r\u2028\u2029]/g))
            this.lines.push(index + end.length);
    }

    place({line, column}) {
        return this.lines[line - 1] + column - firstColumn;
    }

    replace(start, end, text) {
        this.edits.push({start, end, text, order: this.edits.length});
    }

    insert(place, text) {
        this.replace(place, place, text);
    }

    toString() {
        let result = '';
        let place = 0;

        this.edits.sort((a, b) => a.start - b.start || a.order - b.order);
        for (const {start, end, text} of this.edits) {
            result += this.source.slice(place, start) + text;
            place = end;
        }
        return result + this.source.slice(place);
    }
}

// The names that a pattern binds.
function* boundNames(pattern) {
    if (!pattern)
        return;

    switch (pattern.type) {
    case 'Identifier':
        yield pattern.name;
        break;
    case 'ArrayPattern':
        for (const element of pattern.elements)
            yield* boundNames(element);
        break;
    case 'ObjectPattern':
        for (const property of pattern.properties)
            yield* boundNames(property.value ?? property.argument ?? property.expression);
        break;
    case 'AssignmentExpression':
    case 'AssignmentPattern':
        yield* boundNames(pattern.left);
        break;
    case 'SpreadExpression':
    case 'RestElement':
        yield* boundNames(pattern.expression ?? pattern.argument);
        break;
    }
}

// A script, in which let, const and class are to declare variables.
function rewriteScript(text, program) {
    for (const {type, kind, id, loc} of program.body) {
        const start = text.place(loc.start);

        if (type === 'VariableDeclaration' && kind !== 'var') {
            text.replace(start, start + kind.length, kind === 'let' ? 'var' : 'var  ');
        } else if (type === 'ClassStatement') {
            text.insert(start, `var ${id.name} = `);
            text.insert(text.place(loc.end), ';');
        }
    }
}

// What throws as an import does that asks for what is not there; a part of the rewritten source, as
// an error knows its file.
const CHECK = '((module, names) => { for (const [name, place] of names) if (!(name in module))' +
    ' throw Object.assign(new SyntaxError(`import not found: ${name}`), place); return module; })';

function importClause({specifiers, moduleRequest, source}) {
    const specifier = JSON.stringify((moduleRequest?.source ?? source).value);
    const names = [];
    const wanted = [];
    const locals = [];
    let whole = null;

    for (const {type, id, name} of specifiers) {
        locals.push(name.name);
        if (type === 'ImportNamespaceSpecifier') {
            whole = name.name;
            continue;
        }

        const {line: lineNumber, column: columnNumber} = (id.loc ?? name.loc).start;
        names.push(`${JSON.stringify(id.value ?? id.name)}: ${name.name}`);
        wanted.push([id.value ?? id.name, {lineNumber, columnNumber}]);
    }

    let expression = `await import(${specifier})`;
    if (wanted.length > 0)
        expression = `${CHECK}(${expression}, ${JSON.stringify(wanted)})`;
    if (whole)
        expression = `${whole} = ${expression}`;
    if (names.length > 0)
        expression = `{${names.join(', ')}} = ${expression}`;
    return {expression, locals};
}

// Where the statement after another one, or the first, starts. The parser does not count
// parentheses around the whole, and takes a function that has a name to start with that.
function statementStart(text, previous) {
    const end = previous ? text.place(previous.loc.end) : 0;
    const between = /(?:[\s;)]+|\/\/.*|\/\*[^]*?\*\/)*/y;

    between.lastIndex = end;
    return end + between.exec(text.source)[0].length;
}

// A function, which is then called: what it declares at its top is to be variables outside
// of it, and its value is that of its last statement.
function rewriteAsync(text, program) {
    const names = new Set();
    const published = program.body.filter(({type}) => type === 'FunctionDeclaration')
        .map(({id: {name}}) => `this.${name} = ${name}; `).join('');
    const first = program.body.findIndex(({expression}) => typeof expression?.value !== 'string');

    // 'use strict' has to come first.
    text.insert(first > 0 ? text.place(program.body[first - 1].loc.end) : 0, first > 0 ? `; ${published}` : published);
    for (const [i, statement] of program.body.entries()) {
        const {type, kind, id, loc} = statement;
        const start = text.place(loc.start);
        const end = text.place(loc.end);

        if (type === 'VariableDeclaration') {
            text.replace(start, start + kind.length, ';void (');
            for (const {id: target, init} of statement.declarations) {
                for (const name of boundNames(target))
                    names.add(name);
                if (!init && kind !== 'var')
                    text.insert(text.place(target.loc.end), ' = undefined');
            }
            const last = text.source[end - 1] === ';' ? end - 1 : end;
            text.insert(last, ')');
        } else if (type === 'ClassStatement') {
            names.add(id.name);
            text.insert(start, `;${id.name} = `);
            text.insert(end, ';');
        } else if (type === 'ImportDeclaration') {
            const {expression, locals} = importClause(statement);
            const breaks = '\n'.repeat(loc.end.line - loc.start.line);

            for (const name of locals)
                names.add(name);
            text.replace(start, end, `;void (${expression});${breaks}`);
        } else if (type === 'ExpressionStatement' && i === program.body.length - 1) {
            text.insert(statementStart(text, program.body[i - 1]), 'return ');
        }
    }

    const variables = names.size > 0 ? `var ${[...names].join(', ')}; ` : '';
    return `${variables}(async () => { ${text}\n})`;
}

// A source that awaits, as the body of a function, in which that is not strict, either.
function parseBody(source, file) {
    const {body: statements} = parse(`(async () => {\n${source}\n})`, {source: file, line: 0});
    const {type, body} = statements[0].expression ?? {};

    // It may have ended the function, and it must not return from it.
    if (statements.length > 1 || type !== 'ArrowFunctionExpression' || contains(body, node => node.type === 'ReturnStatement'))
        throw new SyntaxError('not the body of a function');
    return body;
}

// One with imports, which only a module can have, and which is strict.
function parseModule(source, file) {
    return parse(source, {source: file, target: 'module'});
}

function parseAwaiting(source, file) {
    try {
        return parseBody(source, file);
    } catch (error) {
        try {
            return parseModule(source, file);
        } catch (other) {
            // That tells what is wrong which got further, but not how a function ends.
            const isFurther = error.lineNumber - other.lineNumber || error.columnNumber - other.columnNumber;
            throw isFurther > 0 && error.fileName === file && error.lineNumber <= new Text(source).lines.length ? error : other;
        }
    }
}

// A source that awaits, as it is parsed.  The parser puts in the place of an `if` whose condition is
// a constant the branch that is taken, and so tells the wrong places; not where that has a label.
function parseUnfolded(source, file) {
    for (;;) {
        const text = new Text(source);
        const program = parseAwaiting(source, file);
        const folded = program.body.findIndex(({type}, i) =>
            type !== 'IfStatement' && /^if\b/.test(source.slice(statementStart(text, program.body[i - 1]))));

        if (folded === -1)
            return {text, program};

        const start = statementStart(text, program.body[folded - 1]);
        source = `${source.slice(0, start)}malt_if: ${source.slice(start)}`;
    }
}

// Whether there is such a node outside of all functions.
function contains(program, test) {
    const nodes = [program];

    while (nodes.length > 0) {
        const node = nodes.pop();

        if (node === null || typeof node !== 'object' || /Function/.test(node.type))
            continue;
        if (test(node))
            return true;
        for (const part of Object.values(node))
            nodes.push(part);
    }
    return false;
}

// Whether a source that can be a script, where `await (x)` calls a function of that name, awaits.
function isAwaiting(source, script) {
    if (!/\bawait\b/.test(source) ||
        !contains(script, ({type, name}) => type === 'Identifier' && name === 'await'))
        return false;

    try {
        return contains(parseBody(source), ({operator}) => operator === 'await');
    } catch {
        return false;
    }
}

// The source as it is to be run, and whether that gives a function that is to be called;
// undefined for as it is.
function rewrite(original, file) {
    // What begins like a script of a shell does so with a comment, which only the whole may have.
    const source = original.replace(/^#!/, '//');
    const text = new Text(source);
    let program = null;
    let problem = null;

    try {
        program = parse(source, {source: file});
    } catch (error) {
        problem = error;
    }

    if (program && !isAwaiting(source, program)) {
        rewriteScript(text, program);
        return text.edits.length > 0 ? [text.toString(), false] : undefined;
    }

    if (!/\b(await|import)\b/.test(source))
        return undefined;

    try {
        const {text: unfolded, program: body} = parseUnfolded(source, file);

        return [rewriteAsync(unfolded, body), true];
    } catch (error) {
        // Of what is neither a script nor a module the parser tells most; but what nests too deeply
        // for it may be a script.
        if (error instanceof SyntaxError || problem instanceof SyntaxError)
            throw error;
        return undefined;
    }
}

return {exception, exhaustion, hostException, interruption, leaveLoop, load, rewrite};
})
