#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

# A backend in Python: its functions are those of a Python dictionary in the program
# itself.  The functions below are called in the main context in which the worker was
# made, so what takes long gives way to the loop, as "later" does here.

import signal
import traceback

import gi
gi.require_version('Malt', '1')
from gi.repository import Gio, GLib, Malt


class TableWorker(Malt.Worker):
    __gtype_name__ = 'TableWorker'

    functions = {
        'add': lambda *numbers: GLib.Variant('d', sum(numbers)),
        'greet': lambda name: GLib.Variant('s', f'Hello, {name}'),
        'later': lambda milliseconds: milliseconds,
    }

    def do_start(self, request):
        self.waiting = {}
        request.return_value(None)

    def do_submit(self, request):
        if request.get_kind() != Malt.RequestKind.CALL:
            self.fail(request, Malt.Error.NOT_SUPPORTED, 'a table evaluates no source')
            return
        function = self.functions.get(request.get_function())
        if function is None:
            self.fail(request, Malt.Error.NOT_FOUND, f'there is no {request.get_function()}')
            return
        try:
            value = function(*request.get_arguments().unpack())
        except Exception as error:
            request.return_exception(type(error).__name__, str(error), traceback.format_exc())
            return
        if isinstance(value, GLib.Variant):
            request.return_value(value)
        else:
            source = GLib.timeout_source_new(value)
            source.set_callback(self.finish, request)
            source.attach(GLib.MainContext.ref_thread_default())
            self.waiting[request] = source

    def finish(self, request):
        del self.waiting[request]
        request.return_value(GLib.Variant('s', 'at last'))
        return GLib.SOURCE_REMOVE

    def do_cancel(self, request):
        self.break_off(request, Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED)

    def do_interrupt(self, request):
        request = request or next(reversed(self.waiting), None)
        self.break_off(request, Malt.error_quark(), Malt.Error.INTERRUPTED)

    def do_kill(self, signum):
        # First of all, as a request that is dropped before would end with another error.
        kind = Malt.ExitKind.STOPPED if signum == signal.SIGTERM else Malt.ExitKind.SIGNALLED
        self.report_terminated(Malt.ExitInfo.new(kind, signum))
        # The last unref of a worker comes here when its attributes are gone already.
        waiting = getattr(self, 'waiting', {})
        for source in waiting.values():
            source.destroy()
        waiting.clear()

    def break_off(self, request, domain, code):
        source = self.waiting.pop(request, None)
        if source is not None:
            source.destroy()
            request.return_error(GLib.Error.new_literal(domain, 'it was broken off', code))

    def fail(self, request, code, message):
        request.return_error(GLib.Error.new_literal(Malt.error_quark(), message, code))


Malt.Worker.register('table', TableWorker)

if __name__ == '__main__':
    worker = Malt.Launcher.new('table', None).spawn(None)
    print(worker.remote_call_fetch('add', GLib.Variant('(dd)', (1, 2)), None, -1, None))
    print(worker.remote_call_fetch('later', GLib.Variant('(i)', (50,)), None, -1, None))
    try:
        worker.remote_call_fetch('greet', None, None, -1, None)
    except Malt.RemoteException as error:
        print(f'{error.type}: {error.message}')
    worker.stop(-1, -1, None)
    print(worker.get_exit_info().to_string())
