// SPDX-License-Identifier: LGPL-2.1-or-later

// A backend in JavaScript, registered at run time and used by its name.

import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Malt from 'gi://Malt?version=1';

import {equal, matches, ok, rejects, run, sleep, test, until} from './tap.js';

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

await run();
