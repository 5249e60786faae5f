// SPDX-License-Identifier: LGPL-2.1-or-later

// A backend in JavaScript, registered at run time and used by its name.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Malt from 'gi://Malt?version=1';

import System from 'system';

import {equal, matches, ok, rejects, run, sleep, test, throws, until} from './tap.js';

const SIGTERM = 15;

/** What the backend below is asked for, in their order. */
const asked = [];

/** Runs functions of an object, and evaluates nothing but names. */
const OwnWorker = GObject.registerClass(class OwnWorker extends Malt.Worker {
    constructor(properties) {
        super(properties);
        this.running = new Set();
        this.ended = false;
    }

    vfunc_start(request) {
        asked.push('start');
        const {runtime} = this.get_launcher();
        if (runtime === 'refused')
            request.reject(new Malt.StartError('not today'));
        else
            GLib.idle_add(GLib.PRIORITY_DEFAULT, () => request.resolve(null) ?? GLib.SOURCE_REMOVE);
    }

    vfunc_submit(request) {
        asked.push(request.get_function() ?? request.get_source());
        if (request.get_kind() === Malt.RequestKind.CHANNEL) {
            request.return_channel(Malt.Channel.new(Number(request.get_source())));
            return;
        }
        switch (request.get_function()) {
        case 'echo':
            request.resolve(request.args);
            break;
        case 'keywords':
            request.resolve(request.keywords);
            break;
        case 'throw':
            request.reject(new RangeError('too far'));
            break;
        case 'unfit':
            request.resolve({a: () => 1});
            break;
        case 'wait':
            this.running.add(request);
            break;
        case 'progress':
            this.report_progress(request, 0.5, 'half');
            request.resolve(1);
            break;
        case 'drop':
            break;
        case 'exit':
            this.end(Malt.ExitKind.EXITED, 3);
            break;
        default:
            request.reject(new Malt.NotFoundError(`there is no ${request.get_function()}`));
        }
    }

    vfunc_cancel(request) {
        asked.push('cancel');
        if (this.running.delete(request))
            request.return_error(new Gio.IOErrorEnum({code: Gio.IOErrorEnum.CANCELLED, message: 'given up'}));
    }

    vfunc_interrupt(request) {
        asked.push('interrupt');
        request ??= [...this.running].pop();
        if (request && this.running.delete(request))
            request.reject(new Malt.InterruptedError('interrupted'));
    }

    vfunc_kill(signum) {
        asked.push(`kill ${signum}`);
        if (signum === SIGTERM)
            this.end(Malt.ExitKind.STOPPED, 0);
        else
            this.end(Malt.ExitKind.SIGNALLED, signum);
    }

    end(kind, status) {
        if (this.ended)
            return;
        this.ended = true;
        this.report_terminated(Malt.ExitInfo.new(kind, status));
        this.running.clear();
    }
});

Malt.Worker.register('own', OwnWorker.$gtype);

const OWN = {backend: 'own', callTimeout: 60000};

test('calls', async () => {
    asked.length = 0;
    const worker = await Malt.Worker.spawn(OWN);
    ok(worker instanceof OwnWorker);
    equal(await worker.call('echo', 1, 'b', [2], {c: 3}, new Uint8Array([4])), [1, 'b', [2], {c: 3}, new Uint8Array([4])]);
    equal(await worker.options({keywords: {a: 1}}).call('keywords'), {a: 1});
    equal(await worker.call('keywords'), null);
    equal(asked, ['start', 'echo', 'keywords', 'keywords']);
    equal(await Promise.all(Array.from({length: 100}, (_, i) => worker.call('echo', i))),
        Array.from({length: 100}, (_, i) => [i]));
    worker.do('echo', 'nobody hears');
    await worker.stop();
});

test('errors', async () => {
    const worker = await Malt.Worker.spawn(OWN);
    const error = await rejects(worker.call('throw'), Malt.RemoteError, /RangeError: too far/);
    equal([error.remoteType, error.remoteMessage], ['RangeError', 'too far']);
    matches(error.remoteStack, /vfunc_submit/);
    await rejects(worker.call('none'), Malt.NotFoundError, /there is no none/);
    await rejects(worker.call('unfit'), Malt.SerializationError, /key 'a'/);
    await rejects(worker.eval('1'), Malt.NotFoundError);
    const dropped = rejects(worker.call('drop'), GLib.Error);
    imports.system.gc();
    await dropped;
    await rejects(Malt.Worker.spawn({...OWN, runtime: 'refused'}), Malt.StartError, /not today/);
    equal(await worker.call('echo', 1), [1]);
    await worker.stop();
});

test('cancelling, interrupts and deadlines', async () => {
    const worker = await Malt.Worker.spawn({...OWN, interruptTimeout: 50, cancelTimeout: 50});
    const cancellable = new Gio.Cancellable();
    const cancelled = rejects(worker.options({cancellable}).call('wait'), Gio.IOErrorEnum);
    await sleep(5);
    cancellable.cancel();
    ok((await cancelled).matches(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED));

    const interrupted = rejects(worker.call('wait'), Malt.InterruptedError);
    await until(() => worker.running.size === 1);
    worker.interrupt();
    await interrupted;

    await rejects(worker.options({timeout: 10}).call('wait'), Malt.TimeoutError);
    equal(worker.running.size, 0);
    equal(await worker.call('echo', 1), [1]);
    await worker.stop();
});

test('channels and progress', async () => {
    const worker = await Malt.Worker.spawn(OWN);
    const channel = await worker.channel('3');
    equal(channel.capacity, 3);
    await channel.put({a: 1});
    equal(await channel.take(), {a: 1});
    const seen = [];
    worker.connect('progress', (_worker, _id, ...rest) => seen.push(rest));
    equal(await worker.call('progress'), 1);
    await until(() => seen.length === 1);
    equal(seen, [[0.5, 'half']]);
    await worker.stop();
});

test('its ends', async () => {
    const stopped = await Malt.Worker.spawn(OWN);
    const waiting = rejects(stopped.call('wait'), Malt.TerminatedError);
    equal(await stopped.stop(), Malt.StopResult.WAS_RUNNING);
    await waiting;
    equal(stopped.get_exit_info().kind, Malt.ExitKind.STOPPED);
    await rejects(stopped.call('echo'), Malt.TerminatedError);

    const killed = await Malt.Worker.spawn(OWN);
    killed.kill();
    await until(() => !killed.is_running());
    equal(killed.get_exit_info().signal, 9);

    const exited = await Malt.Worker.spawn(OWN);
    const error = await rejects(exited.call('exit'), Malt.TerminatedError);
    equal(error.exitInfo.get_exit_code(), 3);
});

/** What its functions throw, now or later. */
const ThrowingWorker = GObject.registerClass(class ThrowingWorker extends Malt.Worker {
    async vfunc_start() {
        await sleep(1);
        if (this.get_launcher().runtime === 'refused')
            throw new RangeError('not today');
        if (this.get_launcher().runtime === 'missing')
            throw new Malt.NotFoundError('nowhere');
        throw new Gio.IOErrorEnum({code: Gio.IOErrorEnum.INVALID_ARGUMENT, message: 'what?'});
    }

    vfunc_submit() {}

    vfunc_kill() {}
});

test('what a start throws', async () => {
    Malt.Worker.register('throwing', ThrowingWorker);
    await rejects(Malt.Worker.spawn({backend: 'throwing', runtime: 'refused'}), Malt.StartError,
        /RangeError: not today\n.*vfunc_start/);
    await rejects(Malt.Worker.spawn({backend: 'throwing', runtime: 'missing'}), Malt.NotFoundError, /nowhere/);
    await rejects(Malt.Worker.spawn({backend: 'throwing', runtime: 'other'}), Gio.IOErrorEnum, /what\?/);
});

/** Its functions go on after what they await. */
const AsyncWorker = GObject.registerClass(class AsyncWorker extends Malt.Worker {
    async vfunc_start(request) {
        await null;
        this.inner = await Malt.Worker.spawn({runtime: 'gjs'});
        this.inner.connect('terminated', (inner, exitInfo) => this.report_terminated(exitInfo));
        request.resolve(null);
    }

    async vfunc_submit(request) {
        await null;
        if (request.get_function() === 'throw')
            throw new RangeError('too far');
        if (request.get_function() === 'throw after')
            request.resolve(1);
        else
            request.return_value(await this.inner.options({variant: true}).call(request.get_function(), ...request.args));
        await null;
    }

    async vfunc_stop() {
        await null;
        throw new RangeError('not politely');
    }

    vfunc_kill(signum) {
        this.inner.kill(signum);
    }
});

test('nothing else runs within a call', async () => {
    const worker = await Malt.Worker.spawn(OWN);
    let hasRun = false;
    Promise.resolve().then(() => (hasRun = true));
    const called = worker.call('echo', 1);
    equal(hasRun, false);
    await called;
    equal(hasRun, true);
    await worker.stop();
});

/** Calls a function where nothing is awaited: in the main loop itself. */
function inLoop(func) {
    return new Promise((resolve, reject) => {
        GLib.idle_add(GLib.PRIORITY_DEFAULT, () => {
            try {
                resolve(func());
            } catch (error) {
                reject(error);
            }
            return GLib.SOURCE_REMOVE;
        });
    });
}

function fetch(worker, name, ...args) {
    return worker.remote_call_fetch(name, new GLib.Variant('(dd)', args), null, -1, null)?.unpack();
}

test('blocking calls of a backend that awaits', async () => {
    Malt.Worker.register('async', AsyncWorker);
    const launcher = Malt.Launcher.new('async', null);
    const worker = await inLoop(() => launcher.spawn(null));
    ok(worker instanceof AsyncWorker);
    equal(await inLoop(() => [fetch(worker, 'Math.max', 1, 2), fetch(worker, 'Math.pow', 2, 5)]), [2, 32]);
    await inLoop(() => throws(() => fetch(worker, 'throw', 0, 0), Malt.RemoteError, /RangeError: too far/));

    // What was begun by one call is heard of in another, and in the main loop.
    const [slow, quick] = await inLoop(() => [worker.call('imports.gi.GLib.usleep', 1000), fetch(worker, 'Math.min', 3, 4)]);
    await slow;
    equal(quick, 3);

    // Asked politely it throws, and is ended otherwise.
    GLib.test_expect_message('Gjs', GLib.LogLevelFlags.LEVEL_WARNING, '*not politely*');
    equal(await worker.stop(), Malt.StopResult.WAS_RUNNING);
    equal(worker.get_exit_info().signal, 15);
});

test('workers that are dropped', async () => {
    const pids = [];
    for (let i = 0; i < 5; i++) {
        const worker = await Malt.Worker.spawn({backend: 'async'});
        await worker.call('Math.max', 1, 2);
        pids.push(worker.inner.get_pid());
    }
    // With its wrapper goes what it has.
    await until(() => {
        System.gc();
        return pids.filter(pid => GLib.file_test(`/proc/${pid}`, GLib.FileTest.EXISTS)).length <= 1;
    });
});

test('values that stay variants', async () => {
    const worker = await Malt.Worker.spawn({runtime: 'native', searchPath: [GLib.getenv('G_TEST_BUILDDIR')]});
    const call = worker.options({variant: true, keywords: new GLib.Variant('a{sv}', {})});
    const value = await call.call('native-functions:echo', new GLib.Variant('y', 5));
    ok(value instanceof GLib.Variant);
    equal(value.print(true), 'byte 0x05');
    await worker.stop();

    const gjs = await Malt.Worker.spawn({runtime: 'gjs'});
    equal((await gjs.eval('[1, 2]', {variant: true})).print(true), '[int64 1, 2]');
    await gjs.stop();
});

await run();
