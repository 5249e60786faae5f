// SPDX-License-Identifier: LGPL-2.1-or-later

// Calling and evaluating, errors, deadlines, cancelling, and the ends of workers.

import GLib from 'gi://GLib';
import Gio from 'gi://Gio';
import Malt from 'gi://Malt?version=1';

import {GJS, NATIVE, PYTHON, equal, matches, need, ok, rejects, run, sleep, test, testWith, throws, until} from './tap.js';

testWith(PYTHON, 'evaluations and calls give plain values', async worker => {
    equal(await worker.eval('1 + 1'), 2);
    equal(await worker.call('math.hypot', 3, 4), 5);
    equal(await worker.call('max', ...Array(30).keys()), 29);
    await rejects(worker.call('max', ...Array(30).keys(), Symbol('no')), Malt.SerializationError, /argument 31: cannot convert a symbol/);
    equal(await worker.eval('x = 20'), null);
    equal(await worker.eval('x + 22'), 42);
    equal(await worker.eval('x = 1', {module: 'other'}), null);
    equal(await worker.eval('x'), 20);
    equal(await worker.options({module: 'other'}).eval('x'), 1);
    equal(await worker.options({keywords: {key: null, reverse: true}}).call('sorted', [1, 3, 2]), [3, 2, 1]);
});

testWith(PYTHON, 'requests begin in the order in which they were made', async worker => {
    await worker.eval('seen = []');
    const all = [];
    for (let i = 0; i < 100; i++) {
        all.push(i % 2 ? worker.call('seen.append', i) : worker.eval(`seen.append(${i})`));
        worker.do('seen.append', -1);
    }
    await Promise.all(all);
    equal((await worker.eval('seen')).filter(i => i >= 0), Array.from({length: 100}, (_, i) => i));
});

testWith(NATIVE, 'what waits goes on in the order in which it waits', async worker => {
    const seen = [];
    const add = n => worker.call('native-functions:add', n, 0);
    const first = add(1);
    first.then(() => {
        seen.push('first');
        Promise.resolve().then(() => seen.push('of the first')).then(() => seen.push('of that'));
        Promise.reject(new Error('caught')).catch(({message}) => seen.push(message));
    });
    first.then(() => {
        seen.push('second');
        throw new Error('thrown');
    }).catch(({message}) => seen.push(message));
    await first;
    seen.push('third');
    equal(await add(2), 2);
    equal(seen, ['first', 'second', 'third', 'of the first', 'caught', 'thrown', 'of that']);

    // Not before what waits already for what a program has settled itself.
    const order = [];
    await new Promise(resolve => GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
        add(3).then(() => order.push('call')).then(resolve);
        Promise.resolve().then(() => order.push('own'));
        return GLib.SOURCE_REMOVE;
    }));
    equal(order, ['own', 'call']);
});

testWith(PYTHON, 'what is thrown in the worker is a RemoteError', async worker => {
    const error = await rejects(worker.eval('def f():\n    raise ValueError("no")\nf()'), Malt.RemoteError,
        /^Remote exception from process worker \(python\) with PID \d+: ValueError: no$/);
    ok(error instanceof Malt.Error);
    ok(error instanceof GLib.Error);
    ok(!(error instanceof Malt.StartError));
    ok(error.matches(Malt.Error, Malt.Error.REMOTE));
    equal([error.name, error.remoteType, error.remoteMessage], ['RemoteError', 'ValueError', 'no']);
    matches(error.remoteStack, /^Traceback[^]*in f\n[^]*ValueError: no$/);
    equal(error.worker, worker);
    matches(error.workerName, /^process worker \(python\) with PID \d+$/);
    equal(error.exitInfo, null);
    matches(error.stack, /in f\n[^]*\(in the worker, called from\)\n[^]*test-calls\.js/);
    matches(String(error), /^Malt\.RemoteError: Remote exception/);

    await rejects(worker.eval('1 +'), Malt.RemoteError, /SyntaxError.*line 1/);
    await rejects(worker.call('math.none_such'), Malt.NotFoundError, /none_such/);
    await rejects(worker.call('none_such.f'), Malt.NotFoundError, /none_such/);
    equal(await worker.eval('6 * 7'), 42);
});

testWith(PYTHON, 'an error says where the call was made', async worker => {
    const line = /test-calls\.js:(\d+)/;
    let expected;
    function inner() {
        expected = Number(line.exec(new Error().stack)[1]) + 1;
        return worker.call('math.sqrt', -1);
    }
    function outer() {
        return inner();
    }

    equal(Malt.wholeStacks, false);
    const brief = await rejects(outer(), Malt.RemoteError, /ValueError/);
    equal(Number(line.exec(brief.stack)[1]), expected);
    matches(brief.stack, /^ValueError[^\n]*\n\(in the worker, called from\)\n@file:[^\n]*\n$/);

    Malt.wholeStacks = true;
    equal(Malt.wholeStacks, true);
    const whole = await rejects(outer(), Malt.RemoteError, /ValueError/);
    Malt.wholeStacks = false;
    equal(Number(line.exec(whole.stack)[1]), expected);
    matches(whole.stack, /\ninner@[^]*\nouter@/);
    const limited = await rejects(worker.options({timeout: 10000}).call('math.sqrt', -1), Malt.RemoteError);
    matches(limited.stack, /\n[^@]*@[^]*\n[^@]*@[^]*test-calls\.js/);
});

testWith(PYTHON, 'a method of a worker wants a worker', async worker => {
    const {call} = worker;
    throws(() => call('math.sqrt', 4), Error);
    throws(() => call.call({}, 'math.sqrt', 4), Error);
    await rejects(call.call(Malt.Channel.new(1), 'math.sqrt', 4), Error, /this is no MaltWorker but a MaltChannel/);
    equal(await call.call(worker, 'math.sqrt', 4), 2);
});

test('errors can be made, and are of their class', () => {
    for (const name of ['RemoteError', 'TerminatedError', 'StartError', 'SerializationError', 'InterruptedError',
        'TimeoutError', 'ProtocolError', 'NotSupportedError', 'NotFoundError']) {
        const error = new Malt[name]('so it is');
        ok(error instanceof Malt[name] && error instanceof Malt.Error && error instanceof GLib.Error, name);
        equal([error.name, error.message, String(error)], [name, 'so it is', `Malt.${name}: so it is`]);
        matches(error.stack, /test-calls\.js/);
    }
    ok(!(new Malt.TimeoutError('') instanceof Malt.RemoteError));
    ok(!(new Error('') instanceof Malt.RemoteError) && !(null instanceof Malt.RemoteError));
    ok(!(new Gio.IOErrorEnum({code: Malt.Error.REMOTE, message: ''}) instanceof Malt.RemoteError));
    class Mine extends Malt.TimeoutError {}
    ok(new Mine('') instanceof Mine && new Mine('') instanceof Malt.TimeoutError);
    ok(!(new Malt.TimeoutError('') instanceof Mine));
});

testWith(PYTHON, 'what the library itself throws is of its class too', async worker => {
    const error = throws(() => worker.remote_eval_fetch(null, '1 / 0', -1, null), Malt.RemoteError, /ZeroDivisionError/);
    equal(error.remoteType, 'ZeroDivisionError');
    equal(worker.remote_eval_fetch(null, '1 + 1', -1, null).unpack(), 2);
    await rejects(worker.eval('2 ** 64'), Malt.SerializationError, /64 bits/);
});

testWith(PYTHON, 'a deadline ends a call', async worker => {
    const error = await rejects(worker.eval('while True: pass', {timeout: 50}), Malt.TimeoutError);
    equal(error.rung, Malt.Rung.INTERRUPTED);
    await rejects(worker.options({timeout: 50}).call('time.sleep', 1000), Malt.TimeoutError);
    await rejects(worker.options({timeout: 50}).eval('import asyncio; await asyncio.Future()'), Malt.TimeoutError);
    equal(await worker.eval('1', {timeout: Infinity}), 1);
    for (const timeout of [-1, NaN, '5', true])
        await rejects(worker.eval('1', {timeout}), TypeError, /the timeout has to be a number of milliseconds/);
});

testWith(PYTHON, 'a Gio.Cancellable ends a call', async worker => {
    const cancellable = new Gio.Cancellable();
    const cancelled = rejects(worker.options({cancellable}).call('time.sleep', 1000), Gio.IOErrorEnum);
    await sleep(20);
    cancellable.cancel();
    const error = await cancelled;
    ok(error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED));
    await rejects(worker.eval('1', {cancellable}), Gio.IOErrorEnum);
    await rejects(worker.eval('1', {cancellable: 5}), TypeError, /has to be a Gio\.Cancellable/);
    equal(await worker.eval('1 + 1'), 2);
});

/** What of an AbortController is needed, where GJS has none. */
class Controller {
    constructor() {
        const listeners = new Set();
        this.listeners = listeners;
        this.signal = {
            aborted: false,
            reason: undefined,
            addEventListener: (_, listener) => listeners.add(listener),
            removeEventListener: (_, listener) => listeners.delete(listener),
        };
    }

    abort(reason) {
        this.signal.aborted = true;
        this.signal.reason = reason;
        for (const listener of this.listeners)
            listener();
    }
}

testWith(PYTHON, 'an AbortSignal ends a call', async worker => {
    const controller = new Controller();
    const aborted = rejects(worker.eval('import asyncio; await asyncio.Future()', {signal: controller.signal}),
        RangeError, /enough/);
    equal(controller.listeners.size, 1);
    await sleep(20);
    controller.abort(new RangeError('enough'));
    await aborted;
    equal(controller.listeners.size, 0);
    await rejects(worker.eval('1', {signal: controller.signal}), RangeError);
    const silent = new Controller();
    silent.abort();
    await rejects(worker.eval('1', {signal: silent.signal}), Gio.IOErrorEnum);
    const lasting = {aborted: false, addEventListener() {}};
    equal(await worker.eval('1', {signal: lasting}), 1);
    await rejects(worker.eval('1', {signal: {}}), TypeError, /AbortSignal/);
    await rejects(worker.eval('1', {signal: silent.signal, cancellable: new Gio.Cancellable()}), TypeError, /not both/);
    equal(await worker.eval('1 + 1'), 2);
});

testWith(PYTHON, 'an interrupt ends what runs', async worker => {
    const interrupted = rejects(worker.eval('while True: pass'), Malt.InterruptedError);
    const id = GLib.timeout_add(GLib.PRIORITY_DEFAULT, 5, () => {
        worker.interrupt();
        return GLib.SOURCE_CONTINUE;
    });
    await interrupted;
    GLib.source_remove(id);
    equal(await worker.eval('1 + 1'), 2);
});

for (const [options, source] of [[GJS, 'malt.host.begun(); for (;;);'], [PYTHON, 'malt.host.begun()\nwhile True: pass']]) {
    testWith(options, 'a call that was stopped says how the worker ended', async worker => {
        const begun = new Promise(resolve => worker.export('begun', resolve));
        const call = rejects(worker.eval(source), Malt.TerminatedError, /was stopped while the call was under way/);
        await begun;
        const stopping = worker.stop();
        const late = rejects(worker.eval('1'), Malt.TerminatedError);
        for (const error of [await call, await late]) {
            equal(error.exitInfo?.kind, Malt.ExitKind.STOPPED);
            equal(error.workerName, worker.dup_name());
        }
        await stopping;
    });
}

testWith(NATIVE, 'a crash is a TerminatedError', async worker => {
    let exitInfo = null;
    worker.connect('terminated', (_, info) => (exitInfo = info));
    const error = await rejects(worker.call('native-functions:crash'), Malt.TerminatedError, /signal 11/);
    equal(error.exitInfo.kind, Malt.ExitKind.SIGNALLED);
    equal(error.exitInfo.signal, 11);
    equal(error.worker, worker);
    await until(() => exitInfo !== null);
    equal(exitInfo, error.exitInfo);
    await rejects(worker.call('native-functions:nothing'), Malt.TerminatedError);
    equal(worker.is_running(), false);
});

testWith(NATIVE, 'a worker is stopped, and used no more', async worker => {
    equal(worker.is_running(), true);
    equal(await worker.stop(), Malt.StopResult.WAS_RUNNING);
    equal(await worker.stop(), Malt.StopResult.WAS_DEAD);
    const error = await rejects(worker.call('native-functions:nothing'), Malt.TerminatedError, /was stopped before the call/);
    equal(error.exitInfo?.kind ?? Malt.ExitKind.STOPPED, Malt.ExitKind.STOPPED);
    await rejects(worker.eval('1'), Malt.TerminatedError);
    await rejects(worker.channel('1'), Malt.TerminatedError);
    throws(() => worker.do('native-functions:nothing'), Malt.TerminatedError);
});

testWith(PYTHON, 'a worker that does not end when asked is ended', async worker => {
    const lost = rejects(worker.eval('import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True:\n    try:\n' +
        '        while True: pass\n    except BaseException: pass'), Malt.TerminatedError);
    await sleep(20);
    equal(await worker.stop({exitTimeout: 20, termTimeout: 20}), Malt.StopResult.WAS_RUNNING);
    await lost;
    await rejects(worker.stop({exitTimeOut: 5}), TypeError, /no option 'exitTimeOut'/);
});

test('what does not start is a StartError', async () => {
    await rejects(Malt.Worker.spawn({program: '/bin/false'}), Malt.StartError, /exit/);
    await rejects(Malt.Worker.spawn({program: '/none/such'}), Malt.NotFoundError, /\/none\/such/);
    await rejects(Malt.Worker.spawn({runtime: 'klingon'}), Malt.NotFoundError, /klingon/);
    await rejects(Malt.Worker.spawn({backend: 'nowhere'}), Malt.NotFoundError, /nowhere/);
    await rejects(Malt.Worker.spawn({colour: 'red'}), TypeError, /no option 'colour'/);
    await rejects(Malt.Worker.spawn({stdout: 'nowhere'}), TypeError, /'nowhere' is none of forward, pipe/);
    await rejects(Malt.Worker.spawn(5), TypeError, /have to be an object/);
    const cancellable = new Gio.Cancellable();
    cancellable.cancel();
    await rejects(Malt.Worker.spawn({...PYTHON, cancellable}), Gio.IOErrorEnum);
});

test('options of a worker are those of the launcher', async () => {
    const worker = await Malt.Worker.spawn({
        ...PYTHON,
        environment: {MALT_TEST: 'yes'},
        workingDirectory: '/',
        callTimeout: 60000,
        stdout: 'discard',
        runtimeOptions: {buffers: 'view'},
        backendOptions: {},
    });
    equal(await worker.eval('import os; [os.environ["MALT_TEST"], os.getcwd()]'), ['yes', '/']);
    equal(worker.get_launcher().callTimeout, 60000);
    await rejects(Malt.Worker.spawn({...PYTHON, runtimeOptions: {none_such: 1}}), GLib.Error, /none_such/);
    worker.kill();

    const other = await Malt.Worker.spawn({
        ...PYTHON,
        runtime: 'python',
        program: undefined,
        startTimeout: Infinity,
        maxValueSize: 1000000n,
        searchPath: null,
        runtimeOptions: null,
    });
    equal(other.get_launcher().startTimeout, 2147483647);
    equal(other.get_launcher().maxValueSize, 1000000);
    other.kill();
});

test('options of a worker that are not what they have to be', async () => {
    const number = 'a whole number in its range', text = 'a string without NUL';
    for (const [options, wanted] of [
        [{startTimeout: 'x'}, `${number}, not 'x'`],
        [{callTimeout: -5}, `${number}, not -5`],
        [{callTimeout: NaN}, `${number}, not NaN`],
        [{callTimeout: 1e12}, `${number}, not 1000000000000`],
        [{spinLimit: {}}, `${number}, not an object`],
        [{maxValueSize: 2 ** 60}, `${number}, not 1152921504606847000`],
        [{maxValueSize: -1n}, `${number}, not -1`],
        [{killOnTimeout: 'no'}, "a boolean, not 'no'"],
        [{runtime: 5}, `${text}, not 5`],
        [{backend: Symbol('x')}, `${text}, not Symbol\\(x\\)`],
        [{program: 'a\0b'}, `${text}, not 'a\0b'`],
        [{searchPath: 'x'}, "an array of strings without NUL, not 'x'"],
        [{environment: [1, 'x']}, "an array of strings without NUL, not \\[1, 'x'\\]"],
        [{environment: 'A=b'}, "an array of strings without NUL, not 'A=b'"],
        [{runtimeOptions: 5}, 'an object with names, not 5'],
        [{runtimeOptions: [1]}, 'an object with names, not \\[1\\]'],
        [{backendOptions: new Map([[1, 1]])}, 'an object with names, not an object'],
    ])
        await rejects(Malt.Worker.spawn(options), TypeError, new RegExp(`'${Object.keys(options)[0]}' has to be ${wanted}`));
    await rejects(Malt.Worker.spawn({environment: {A: undefined}}), TypeError,
        /'environment': A has to be a string, not undefined/);
    for (const name of ['B=C', '', 'B\0C']) {
        await rejects(Malt.Worker.spawn({environment: {A: 'x', [name]: 'x'}}), TypeError,
            new RegExp(`'environment': '${name}' is no name for a variable`));
    }
    await rejects(Malt.Worker.spawn({stderr: 99}), TypeError, /'stderr': 99 is none of/);
    await rejects(Malt.Worker.spawn({runtimeOptions: {f: () => 1}}), Malt.SerializationError, /key 'f'/);
});

testWith(PYTHON, 'arguments whose getters make calls', async worker => {
    const cancellable = new Gio.Cancellable();
    const inner = [];
    await worker.eval('import time\ndef wait(options): time.sleep(1000)');
    const call = worker.options({cancellable}).call('wait', {
        get value() {
            const other = new Gio.Cancellable();
            inner.push(worker.options({cancellable: other}).call('abs', -1), worker.call('abs', -2));
            return 1;
        },
    });
    equal(await Promise.all(inner), [1, 2]);
    cancellable.cancel();
    await rejects(call, Gio.IOErrorEnum);

    const late = worker.options({timeout: -0}).call('time.sleep', 100);
    await rejects(late, Malt.TimeoutError);
});

testWith(PYTHON, 'more arguments than a message can have', async worker => {
    const zeros = n => Array(n).fill(0);
    equal(await worker.call('max', ...zeros(253)), 0);
    const message = /^cannot send 254 arguments, the type of which is longer than 255 characters; an array has no such limit$/;
    await rejects(worker.call('max', ...zeros(254)), Malt.SerializationError, message);
    await rejects(worker.options({timeout: 1000}).call('max', ...zeros(254)), Malt.SerializationError, message);
    throws(() => worker.do('max', ...zeros(254)), Malt.SerializationError, message);
    equal(await worker.call('max', zeros(1000)), 0);
});

testWith(PYTHON, 'bad input is refused, and the worker goes on', async worker => {
    await rejects(worker.call(''), GLib.Error, /name of the function is empty/);
    await rejects(worker.call('a\0b'), GLib.Error, /NUL character at 1/);
    await rejects(worker.call('\ud800'), GLib.Error, /lone surrogate at 0/);
    await rejects(worker.eval('"a\ud800b"'), GLib.Error, /the source has a lone surrogate at 2/);
    await rejects(worker.eval('1\0'), GLib.Error, /the source has a NUL character/);
    await rejects(worker.eval(5), TypeError, /the source has to be a string/);
    await rejects(worker.eval('1', {module: 5}), TypeError, /the name of the module has to be a string/);
    await rejects(worker.channel(5), TypeError, /the expression has to be a string/);
    for (const [keywords, type] of [[5, 'number'], [[1], 'Array'], [new Map([[1, 1]]), 'Map']]) {
        const message = new RegExp(`^the keywords have to be an object with names, not of the type ${type}$`);
        await rejects(worker.options({keywords}).call('abs', 1), TypeError, message);
    }
    const channel = await worker.channel('malt.Channel(1)');
    await rejects(Malt.Channel.prototype.take.call(worker), TypeError, /this is no MaltChannel but a MaltProcessWorker/);
    await rejects(Malt.Channel.prototype.put.call(worker, 1), TypeError, /this is no MaltChannel/);
    await rejects(Malt.Worker.prototype.call.call(channel, 'abs', 1), TypeError, /this is no MaltWorker/);
    await rejects(Malt.Worker.prototype.eval.call(channel, '1'), TypeError, /this is no MaltPool/);
    await rejects(Malt.Worker.prototype.stop.call(channel), TypeError, /this is no MaltWorker/);
    throws(() => Malt.Worker.prototype.do.call(channel, 'abs', 1), TypeError, /this is no MaltPool/);
    throws(() => Malt.Worker.prototype.export.call(channel, 'f', () => 1), TypeError, /this is no MaltWorker/);
    await rejects(Malt.Pool.prototype.shutdown.call(worker), TypeError, /this is no MaltPool/);
    await rejects(Malt.Pool.prototype.map.call(worker, 'abs', [1]), TypeError, /this is no MaltPool/);
    for (const signum of ['x', 0, 65, 1.5, null])
        throws(() => worker.kill(signum), TypeError, /the signal has to be a number from 1 to 64, not/);
    await rejects(worker.eval('1', {module: ''}), GLib.Error, /the name of the module is empty/);
    await rejects(worker.eval('1', {modul: 'x'}), TypeError, /there is no option 'modul'/);
    await rejects(worker.eval('1', null), TypeError, /the options have to be an object/);
    throws(() => worker.options({timeOut: 1}), TypeError, /there is no option 'timeOut'/);
    await rejects(worker.call(5), TypeError, /has to be a name or a function, not number/);
    await rejects(worker.call(), TypeError, /has to be a name or a function/);
    equal(await worker.eval('1 + 1'), 2);
});

testWith(PYTHON, 'calls go on without anybody who keeps the worker', async worker => {
    const call = (async () => (await Malt.Worker.spawn(PYTHON)).call('time.sleep', 0.05))();
    imports.system.gc();
    await sleep(10);
    imports.system.gc();
    equal(await call, null);
    equal(await worker.eval('1'), 1);
});

test('gjs: modules of files', async () => {
    need(GJS);
    const folder = Gio.File.new_for_path(GLib.dir_make_tmp('malt-XXXXXX'));
    const file = folder.get_child('tools.js');
    file.replace_contents('export let n = 1; export function next() { return ++n; } export default 5;', null, false,
        Gio.FileCreateFlags.NONE, null);
    const worker = await Malt.Worker.spawn({runtime: 'gjs', searchPath: [folder.get_path()]});
    try {
        equal([await worker.call('tools.next'), await worker.eval('n', {module: 'tools'})], [2, 2]);
        // Exports are hidden, and not changed, by what is evaluated.
        equal(await worker.eval('let n = 40; n + 2', {module: 'tools'}), 42);
        equal(await worker.eval('next = () => n; next()', {module: 'tools'}), 40);
        equal([await worker.eval('n', {module: 'tools'}), await worker.call('tools.next')], [40, 40]);
        equal(await worker.eval(`import(${JSON.stringify(file.get_uri())}).then(({n, next}) => [n, next()])`), [2, 3]);
        equal(await worker.eval('typeof n'), 'undefined');
    } finally {
        await worker.stop();
        file.delete(null);
        folder.delete(null);
    }
});

await run();
