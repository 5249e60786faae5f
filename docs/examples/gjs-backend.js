#!/usr/bin/gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later

// A backend in JavaScript: its functions are those of an object in the program itself. They are
// called in the main context in which the worker was made, so what takes long is asynchronous,
// as "later" is here.

import Gio from 'gi://Gio?version=2.0';
import GObject from 'gi://GObject?version=2.0';
import Malt from 'gi://Malt?version=1';

const SIGTERM = 15;

/** @type {{[name: string]: (...args: any[]) => any}} */
const functions = {
    add: (...numbers) => numbers.reduce((sum, number) => sum + number, 0),
    greet: name => `Hello, ${name.trim()}`,
    later: milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds, 'at last')),
};

const TableWorker = GObject.registerClass(class TableWorker extends Malt.Worker {
    /** @param {Malt.Request} request */
    async vfunc_submit(request) {
        const func = functions[request.get_function() ?? ''];
        if (request.get_kind() !== Malt.RequestKind.CALL)
            throw new Malt.NotSupportedError('a table evaluates no source');
        if (!func)
            throw new Malt.NotFoundError(`there is no ${request.get_function()}`);
        const value = await func(...request.args);
        // It may have been broken off meanwhile.
        if (!request.is_done())
            request.resolve(value);
    }

    /** @param {Malt.Request} request */
    vfunc_cancel(request) {
        request.return_error(new Gio.IOErrorEnum({code: Gio.IOErrorEnum.CANCELLED, message: 'it was broken off'}));
    }

    /** @param {number} signum */
    vfunc_kill(signum) {
        const kind = signum === SIGTERM ? Malt.ExitKind.STOPPED : Malt.ExitKind.SIGNALLED;
        this.report_terminated(Malt.ExitInfo.new(kind, signum));
    }
});

Malt.Worker.register('table', TableWorker);

const worker = await Malt.Worker.spawn({backend: 'table'});
print(await worker.call('add', 1, 2));
print(await worker.call('later', 50));
try {
    await worker.call('greet');
} catch (error) {
    if (error instanceof Malt.RemoteError)
        print(error.remoteType);
}
await worker.stop();
print(worker.get_exit_info()?.to_string());
