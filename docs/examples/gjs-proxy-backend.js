#!/usr/bin/gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later

// A backend in JavaScript that stands before another one: each worker has a worker of the
// process backend inside, and hands on what it is asked for. What could be added here is a log, a
// limit, a choice of machines.

import Gio from 'gi://Gio?version=2.0';
import GLib from 'gi://GLib?version=2.0';
import GObject from 'gi://GObject?version=2.0';
import Malt from 'gi://Malt?version=1';
import System from 'system';

/** What the worker inside is started with, as the worker itself was. */
const OPTIONS = ['runtime', 'program', 'workingDirectory', 'environment', 'searchPath', 'stdout', 'stderr',
    'startTimeout', 'cancelTimeout', 'interruptTimeout', 'killOnTimeout', 'maxValueSize', 'spinLimit',
    'backendOptions', 'runtimeOptions'];

/** @param {{[name: string]: any}} launcher */
function copyOptions(launcher) {
    /** @type {{[name: string]: any}} */
    const options = {backend: 'process'};
    for (const name of OPTIONS.filter(option => launcher[option] !== null))
        options[name] = launcher[name];
    return options;
}

/** @param {GLib.Variant | null} tuple */
function membersOf(tuple) {
    return tuple ? Array.from({length: tuple.n_children()}, (_, i) => tuple.get_child_value(i)) : [];
}

export const ProxyWorker = GObject.registerClass(class ProxyWorker extends Malt.Worker {
    /** @param {object} properties */
    constructor(properties) {
        super(properties);
        /** @type {any} a Malt.Worker, when it has been started */
        this.inner = null;
        this.starting = new Gio.Cancellable();
        /** @type {Map<number, Malt.Request>} by the numbers that the worker inside gives them */
        this.requests = new Map();
    }

    /** @param {Malt.Request} request */
    async vfunc_start(request) {
        const worker = await Malt.Worker.spawn({...copyOptions(this.get_launcher()), cancellable: this.starting});
        worker.export(null, call => this.handOut(call));
        worker.connect('terminated', () => this.end());
        worker.connect('progress', (inner, number, fraction, text) => {
            const request = this.requests.get(number);
            if (request)
                this.report_progress(request, fraction, text);
        });
        worker.connect('output', (inner, number, stream, bytes) => {
            this.report_output(this.requests.get(number) ?? null, stream, bytes);
        });
        this.set_pid(worker.get_pid());
        this.set_pipes(worker.get_stdout_pipe(), worker.get_stderr_pipe());
        this.inner = worker;
        if (!request.is_done())
            request.return_value(null);
    }

    /**
     * What the code calls of the worker inside is the program's, which has exported it to this one.
     *
     * @param {Malt.Request} call
     */
    async handOut(call) {
        try {
            call.return_value(await this.callExported(call.get_function() ?? '', membersOf(call.get_arguments()), {
                keywords: call.get_keywords() ?? undefined,
                stalls: call.stalls(),
                cancellable: call.get_cancellable(),
                variant: true,
            }));
        } catch (error) {
            // As it is: it may be of any domain.
            call.return_error(/** @type {GLib.Error} */ (error));
        }
    }

    /** @param {Malt.Request} request */
    async vfunc_submit(request) {
        try {
            await this.forward(request);
        } catch (error) {
            if (this.inner.get_exit_info() || error instanceof Malt.TerminatedError || error instanceof Malt.ProtocolError)
                this.end();
            else if (!request.is_done())
                this.fail(request, error);
        }
    }

    /**
     * The values stay what they are in C, so that no type is lost on the way.
     *
     * @param {Malt.Request} request
     */
    async forward(request) {
        const options = {cancellable: request.get_cancellable(), timeout: Infinity};
        const module = request.get_module();
        const source = request.get_source() ?? '';
        const keywords = request.get_keywords() ?? undefined;
        const name = request.get_function() ?? '';
        const values = membersOf(request.get_arguments());

        if (request.get_kind() === Malt.RequestKind.CHANNEL) {
            const channel = await this.inner.channel(source, {...options, module});
            if (!request.is_done())
                request.return_channel(channel);
            return;
        }
        if (request.get_flags() & Malt.RequestFlags.NO_REPLY) {
            this.inner.options({keywords}).do(name, ...values);
            request.return_value(null);
            return;
        }

        const promise = request.get_kind() === Malt.RequestKind.EVAL
            ? this.inner.options({...options, module, variant: true}).eval(source)
            : this.inner.options({...options, keywords, variant: true}).call(name, ...values);
        const number = this.inner.get_last_request_id();
        this.requests.set(number, request);
        try {
            const value = await promise;
            if (!request.is_done())
                request.return_value(value);
        } finally {
            this.requests.delete(number);
        }
    }

    /**
     * @param {Malt.Request} request
     * @param {any} error
     */
    fail(request, error) {
        if (!error.matches?.(Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED))
            request.reject(error);
        else if (error.message.includes('withdrawn'))
            request.return_withdrawn();
        else
            request.return_error(error);
    }

    /** @param {Malt.Request} request */
    vfunc_cancel(request) {
        request.get_cancellable().cancel();
    }

    /** @param {Malt.Request | null} request */
    vfunc_interrupt(request) {
        // One that was cancelled is interrupted by the worker inside, which has the same patience.
        if (request === null)
            this.inner?.interrupt();
    }

    async vfunc_stop() {
        await this.inner?.stop({exitTimeout: Infinity});
        this.end();
    }

    /** @param {number} signum */
    vfunc_kill(signum) {
        this.starting.cancel();
        this.inner?.kill(signum);
    }

    end() {
        const exitInfo = this.inner?.get_exit_info();
        if (exitInfo && !this.get_exit_info())
            this.report_terminated(exitInfo);
    }
});

Malt.Worker.register('proxy', ProxyWorker);

// If this is the program, and not imported by one.
if (System.programPath && import.meta.url.endsWith(GLib.path_get_basename(System.programPath))) {
    const worker = await Malt.Worker.spawn({backend: 'proxy', runtime: 'gjs'});
    print(await worker.call('Math.max', 1, 2, 3), await worker.call((a, b) => a + b, 'a', 'b'));
    try {
        await worker.eval('null.none');
    } catch (error) {
        if (error instanceof Malt.RemoteError)
            print(error.remoteType);
    }
    worker.export('half', number => number / 2);
    print(await worker.eval('await malt.host.half(7)'));
    const numbers = await worker.channel('globalThis.numbers = new malt.Channel(2)');
    worker.do('eval', 'for (const i of [1, 2]) numbers.put(i)');
    print(await numbers.take() + await numbers.take());
    await worker.stop();
    print(worker.get_exit_info()?.to_string());
}
