// SPDX-License-Identifier: LGPL-2.1-or-later

// Workers in the shape of those of browsers.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import Malt from 'gi://Malt?version=1';

import {GJS, equal, matches, need, ok, run, sleep, test, throws, until} from './tap.js';

function testWeb(name, body) {
    test(name, async () => {
        need(GJS);
        await body();
    });
}

/** The data of the next messages, or the message of an error. */
function receive(worker, n = 1) {
    return new Promise((resolve, reject) => {
        const data = [];
        worker.onmessage = event => {
            data.push(event.data);
            if (data.length === n)
                resolve(n === 1 ? data[0] : data);
        };
        worker.onerror = event => reject(event);
    });
}

testWeb('messages go there and back', async () => {
    const worker = new Malt.WebWorker(`
        onmessage = event => postMessage({got: event.data, of: self === globalThis, name});
    `, {name: 'echo'});
    for (const value of [5, 'text', [1, 'a', null], {a: {b: [1.5]}}, new Uint8Array([1, 2])]) {
        const reply = receive(worker);
        worker.postMessage(value);
        equal(await reply, {got: value, of: true, name: 'echo'});
    }
    worker.terminate();
});

testWeb('messages keep their order, also from before there was a worker', async () => {
    const worker = new Malt.WebWorker('addEventListener("message", ({data}) => { for (const i of [0, 1]) postMessage(2 * data + i); })');
    const replies = receive(worker, 2000);
    for (let i = 0; i < 1000; i++)
        worker.postMessage(i);
    equal(await replies, Array.from({length: 2000}, (_, i) => i));
    worker.terminate();
});

testWeb('scripts are loaded by URL', async () => {
    const [file, stream] = Gio.File.new_tmp('XXXXXX.js');
    stream.close(null);
    file.replace_contents('export const x = 1; onmessage = ({data}) => postMessage(data + x + 20);', null, false,
        Gio.FileCreateFlags.NONE, null);
    for (const script of [file, file.get_uri(), file.get_path()]) {
        const worker = new Malt.WebWorker(script, {type: 'module'});
        const reply = receive(worker);
        worker.postMessage(21);
        equal(await reply, 42);
        worker.terminate();
    }
    file.replace_contents('const x = 2; onmessage = function ({data}) { this.postMessage(data * x); };', null, false,
        Gio.FileCreateFlags.NONE, null);
    for (const script of [file.get_path(), `data:text/javascript,${encodeURIComponent('onmessage = e => postMessage(e.data * 2)')}`,
        `data:;base64,${GLib.base64_encode('onmessage = e => postMessage(e.data * 2)')}`]) {
        const worker = new Malt.WebWorker(script);
        const reply = receive(worker);
        worker.postMessage(21);
        equal(await reply, 42);
        worker.terminate();
    }
    file.delete(null);
});

testWeb('errors are events', async () => {
    const worker = new Malt.WebWorker(`
        onmessage = ({data}) => {
            if (data === 'throw')
                throw new RangeError('too far');
            if (data === 'reject')
                return Promise.reject(new TypeError('wrong'));
            postMessage(data);
        };
    `);
    const events = [];
    worker.addEventListener('error', event => events.push(event));
    worker.postMessage('throw');
    worker.postMessage('reject');
    await until(() => events.length === 2);
    equal(events.map(({type, message, name}) => [type, message, name]),
        [['error', 'RangeError: too far', 'RangeError'], ['error', 'TypeError: wrong', 'TypeError']]);
    ok(events[0].target === worker && events[0].lineno > 0 && events[0].filename.startsWith('<eval'));
    const reply = receive(worker);
    worker.postMessage('still there');
    equal(await reply, 'still there');
    worker.terminate();
});

testWeb('errors of timers are events', async () => {
    const worker = new Malt.WebWorker(`
        let n = 0;
        setTimeout(text => { throw new RangeError(text); }, 1, 'of a timer');
        setTimeout(async () => { throw new TypeError('later'); }, 2);
        const interval = setInterval(() => {
            if (++n === 3)
                clearInterval(interval);
            throw n;
        }, 1);
        clearTimeout(setTimeout(() => postMessage('cleared'), 1));
        addEventListener('message', {text: 'of an object', handleEvent() { throw new Error(this.text); }});
    `);
    const messages = [];
    worker.onmessage = ({data}) => messages.push(`got ${data}`);
    worker.onerror = ({message}) => messages.push(message);
    worker.postMessage(1);
    await until(() => messages.length === 6);
    equal(messages.sort(), ['1', '2', '3', 'Error: of an object', 'RangeError: of a timer', 'TypeError: later']);
    worker.terminate();
});

testWeb('scripts that fail', async () => {
    for (const [script, pattern, name, place] of [
        ['\n  throw new RangeError("at once")', /RangeError: at once/, 'RangeError', [2, 9]],
        ['// nothing\nsyntax error', /SyntaxError/, 'SyntaxError', [2, 8]],
        ['/none/such.js', /none/, '', [0, 0]],
        ['file:///none/such.js', /none/, '', [0, 0]],
    ]) {
        const worker = new Malt.WebWorker(script);
        const event = await receive(worker).then(() => null, error => error);
        matches(event.message, pattern);
        equal([event.name, event.lineno, event.colno], [name, ...place]);
        equal(typeof event.stack, 'string');
        worker.terminate();
    }
    const worker = new Malt.WebWorker('', {program: '/none/such'});
    const event = await receive(worker).then(() => null, error => error);
    ok(event.error instanceof Malt.NotFoundError);
    worker.postMessage(1);
});

testWeb('scripts beside the one that asks for them', async () => {
    const folder = Gio.File.new_for_uri(import.meta.url).get_parent();
    for (const [name, type, url] of [
        ['web-worker-script.js', 'classic', 'web-worker-script.js'],
        ['./web-worker-script.js', 'module', 'web-worker-script.js'],
        ['../gjs/web-worker-script.js', 'classic', 'web-worker-script.js'],
        ['none/such.mjs', 'classic', 'none/such.mjs'],
    ]) {
        const worker = new Malt.WebWorker(name, {type});
        worker.postMessage(5);
        const event = await receive(worker).then(data => equal(data, 10), reason => reason);
        if (event)
            ok(event.message.includes(folder.resolve_relative_path(url).get_path()));
        worker.postMessage('text');
        if (!event) {
            const {message, filename, lineno, stack} = await receive(worker).then(() => null, reason => reason);
            const uri = folder.resolve_relative_path(url).get_uri();
            equal([message, filename, lineno], ['TypeError: no number', uri, 5]);
            ok(stack.includes(`${uri}:5:`));
        }
        worker.terminate();
    }
    const source = new Malt.WebWorker('worker.js', {eval: true});
    matches((await receive(source).then(() => null, reason => reason)).message, /worker is not defined/);
    source.terminate();
});

testWeb('listeners', async () => {
    const worker = new Malt.WebWorker('onmessage = ({data}) => postMessage(data)');
    const seen = [];
    const listener = event => seen.push(['listener', event.data]);
    worker.addEventListener('message', listener);
    worker.addEventListener('message', listener);
    worker.addEventListener('message', {handleEvent: event => seen.push(['object', event.data])});
    worker.addEventListener('message', event => seen.push(['once', event.data]), {once: true});
    worker.postMessage(1);
    await until(() => seen.length === 3);
    worker.removeEventListener('message', listener);
    worker.addEventListener('message', null);
    throws(() => worker.addEventListener('message', 5), TypeError, /not 5/);
    equal(worker.onmessage, null);
    worker.onmessage = 'no function';
    equal(worker.onmessage, null);
    worker.onmessage = listener;
    equal(worker.onmessage, listener);
    worker.postMessage(2);
    await until(() => seen.length === 5);
    equal(seen, [['listener', 1], ['object', 1], ['once', 1], ['listener', 2], ['object', 2]]);
    worker.terminate();
});

testWeb('listeners in the worker', async () => {
    const worker = new Malt.WebWorker(`// a comment, and no path
        const say = text => () => postMessage(text);
        const removed = say('removed'), twice = say('twice');
        addEventListener('message', removed);
        addEventListener('message', say('once'), {once: true});
        addEventListener('message', twice);
        addEventListener('message', twice);
        addEventListener('message', {handleEvent: say('object')});
        removeEventListener('message', removed);
    `);
    const replies = receive(worker, 5);
    worker.postMessage(1);
    worker.postMessage(2);
    equal(await replies, ['once', 'twice', 'object', 'twice', 'object']);
    worker.terminate();

    const other = new Malt.WebWorker('/* no path */ postMessage(1)');
    equal(await receive(other), 1);
    other.terminate();
});

testWeb('what cannot be sent is thrown', async () => {
    const worker = new Malt.WebWorker('');
    throws(() => worker.postMessage({a: () => 1}), Malt.SerializationError, /key 'a': cannot convert/);
    const posting = new Malt.WebWorker(`
        for (const what of [function f() {}, [1, () => 1], {a: [Symbol('s')]}]) {
            try {
                postMessage(what);
            } catch (error) {
                postMessage(error.message);
            }
        }
    `);
    const texts = await receive(posting, 3);
    matches(texts[0], /^cannot convert the function 'f'/);
    matches(texts[1], /^item 1: cannot convert/);
    matches(texts[2], /^key 'a', item 0: cannot convert/);
    posting.terminate();
    throws(() => new Malt.WebWorker('', {type: 'shared'}), TypeError, /not 'shared'/);
    throws(() => new Malt.WebWorker(), TypeError, /not undefined/);
    throws(() => new Malt.WebWorker('1', {tpye: 'module'}), TypeError, /no option 'tpye'/);
    throws(() => new Malt.WebWorker('1', {stdout: 5}), TypeError, /the option 'stdout'/);
    throws(() => new Malt.WebWorker('https://example.org/a.js'), TypeError,
        /of file:, resource: or data:, not at 'https:\/\/example\.org\/a\.js'/);
    worker.terminate();
});

testWeb('the ends of workers', async () => {
    const closing = new Malt.WebWorker('postMessage("last"); close();');
    equal(await receive(closing), 'last');
    closing.postMessage('nobody hears');

    const crashing = new Malt.WebWorker('onmessage = () => imports.system.exit(3)', {stderr: 'discard'});
    const event = receive(crashing);
    crashing.postMessage(1);
    const {error} = await event.then(() => null, reason => reason);
    ok(error instanceof Malt.TerminatedError);
    equal(error.exitInfo.get_exit_code(), 3);

    // Before it has begun, and while it is busy.
    new Malt.WebWorker('postMessage(1)').terminate();
    const busy = new Malt.WebWorker('postMessage("begun"); onmessage = () => { for (;;); }');
    await receive(busy);
    busy.postMessage(1);
    await sleep(10);
    busy.terminate();
    busy.terminate();
});

await run();
