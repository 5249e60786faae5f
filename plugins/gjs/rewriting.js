// SPDX-License-Identifier: LGPL-2.1-or-later

// How source is rewritten before it is run.  It is called once, as glue.js is.
(function () {
'use strict';

const {parse} = Reflect;

// Edits of the text at places that the parser tells.

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

return {rewrite};
})
