#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

# A backend in Python that runs Python: each worker is a thread of the program, with an
# asyncio loop and a main namespace of its own. It finishes requests on that thread, which
# the functions that the library calls only tell what is to be done.

import ast
import asyncio
import builtins
import ctypes
import importlib
import signal
import sys
import threading
import traceback
import types
import weakref

import gi
gi.require_version('Malt', '1')
from gi.repository import Gio, GLib, Malt

BEGUN = 1           # as the id of a request, which is the backend's to use
VALUE = '<value>'   # as the name of what an evaluation gives, which no source can have


class NoFunction(Exception):
    pass


class NoValue(Exception):
    pass


def fail(request, code, message, domain=Malt.error_quark()):
    request.return_error(GLib.Error.new_literal(domain, message, code))


def to_text(value):
    """What str() gives, if it gives anything, as a text that can be sent."""
    try:
        text = str(value)
    except Exception:
        text = ''
    return text.encode('utf-8', 'backslashreplace').decode().replace('\0', '\\0')


def to_variant(value):
    """A value of Python as one of GLib."""
    forms = {bool: 'b', int: 'x', float: 'd', str: 's'}
    if value is None:
        return GLib.Variant('mv', None)
    if type(value) in forms:
        try:
            return GLib.Variant(forms[type(value)], value)
        except (OverflowError, UnicodeError) as error:
            raise NoValue(f'cannot convert a {type(value).__name__}: {error}') from None
    if isinstance(value, (bytes, bytearray)):
        return GLib.Variant.new_from_bytes(GLib.VariantType('ay'), GLib.Bytes.new(bytes(value)), True)
    if isinstance(value, (list, tuple)):
        items = [to_variant(item) for item in value]
        kinds = {item.get_type_string() for item in items}
        if len(kinds) == 1 and kinds <= {'x', 'd', 's'}:
            return GLib.Variant('a' + kinds.pop(), value)
        return GLib.Variant('av', items)
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return GLib.Variant('a{sv}', {key: to_variant(item) for key, item in value.items()})
    raise NoValue(f'cannot convert a {type(value).__name__}')


def from_variant(variant):
    """A value of GLib as one of Python."""
    kind = variant.get_type_string()
    if kind == 'ay':
        return variant.get_data_as_bytes().get_data() or b''
    if kind not in ('v', 'mv', 'av'):
        return variant.unpack()
    items = [from_variant(variant.get_child_value(i)) for i in range(variant.n_children())]
    return items if kind == 'av' else items[0] if items else None


class Interpreter:
    """The thread behind a worker, which may go before it."""

    def __init__(self, ended):
        self.ended = weakref.WeakMethod(ended)
        self.lock = threading.Lock()
        self.queued = []         # with the lock: requests that it was told of, the latest last
        self.running = None      # with the lock: the request whose code runs
        self.closing = False
        self.waiting = {}        # the thread's: tasks of requests, the latest last
        self.cancelled = set()   # the thread's: those of them that were cancelled
        self.main = {'__name__': '__main__'}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.closing:
            try:
                self.loop.run_forever()
            except (KeyboardInterrupt, SystemExit):
                pass  # of a coroutine, which asyncio lets out too; or too late for its request
        if ended := self.ended():
            ended()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

    def tell(self, function, *arguments):
        """Has the thread call it, between what it runs."""
        try:
            self.loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            pass  # it has ended

    def submit(self, request):
        with self.lock:
            self.queued.append(request)
        self.tell(self.handle, request)

    def handle(self, request):
        with self.lock:
            if request.is_done():
                self.queued.remove(request)
                return
            request.set_id(BEGUN)
        try:
            value = self.compute(request)
            if asyncio.iscoroutine(value):
                task = self.waiting[request] = self.loop.create_task(value)
                task.add_done_callback(lambda task: self.finish(request, task))
            else:
                request.return_value(to_variant(value))
        except BaseException as error:
            self.fail(request, error)

    def finish(self, request, task):
        del self.waiting[request]
        try:
            request.return_value(to_variant(task.result()))
        except BaseException as error:
            self.fail(request, error)
        self.cancelled.discard(request)

    def fail(self, request, error):
        if isinstance(error, asyncio.CancelledError) and request in self.cancelled:
            fail(request, Gio.IOErrorEnum.CANCELLED, 'it was cancelled', Gio.io_error_quark())
        elif isinstance(error, NoFunction):
            fail(request, Malt.Error.NOT_FOUND, f'there is no function {error}')
        elif isinstance(error, NoValue):
            fail(request, Malt.Error.SERIALIZATION, str(error))
        else:
            request.return_exception(type(error).__name__, to_text(error),
                                     to_text(''.join(traceback.format_exception(error))))

    def compute(self, request):
        with self.lock:
            self.queued.remove(request)
            self.running = request
        try:
            if request.is_interrupted():
                raise KeyboardInterrupt
            if request.get_kind() == Malt.RequestKind.EVAL:
                return self.evaluate(request.get_source(), self.get_namespace(request.get_module()))
            arguments = request.get_arguments()
            keywords = request.get_keywords()
            return self.find(request.get_function())(
                *(from_variant(arguments.get_child_value(i)) for i in range(arguments.n_children())),
                **({} if keywords is None else keywords.unpack()))
        finally:
            with self.lock:
                self.running = None
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.thread.ident), None)

    def evaluate(self, source, namespace):
        tree = ast.parse(source, '<worker>')
        if tree.body and isinstance(last := tree.body[-1], ast.Expr):
            tree.body[-1] = ast.copy_location(ast.Assign([ast.Name(VALUE, ast.Store())], last.value), last)
        else:
            tree.body.append(ast.Assign([ast.Name(VALUE, ast.Store())], ast.Constant(None)))
        code = compile(ast.fix_missing_locations(tree), '<worker>', 'exec', ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        steps = eval(code, namespace)
        return self.take(steps, namespace) if asyncio.iscoroutine(steps) else namespace.pop(VALUE)

    async def take(self, steps, namespace):
        await steps
        return namespace.pop(VALUE)

    def get_namespace(self, module):
        if module in (None, '__main__'):
            return self.main
        try:
            return vars(importlib.import_module(module))
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
        return vars(sys.modules.setdefault(module, types.ModuleType(module)))

    def find(self, name):
        module, _, last = name.rpartition('.')
        namespace = self.get_namespace(module or None)
        if last not in namespace and (module or not hasattr(builtins, last)):
            raise NoFunction(name)
        return namespace[last] if last in namespace else getattr(builtins, last)

    def cancel(self, request):
        if request in self.waiting:
            self.cancelled.add(request)
            self.waiting[request].cancel()

    def interrupt(self, request):
        """Breaks off that request, or what runs: on any thread."""
        with self.lock:
            if self.running is not None and request in (None, self.running):
                self.running.interrupt()
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.thread.ident),
                                                           ctypes.py_object(KeyboardInterrupt))
                return
            if request is None and self.running is None and self.queued:
                self.queued[-1].interrupt()
                return
        self.tell(self.interrupt_waiting, request)

    def interrupt_waiting(self, request):
        request = request or next(reversed(self.waiting), None)
        if request in self.waiting:
            request.interrupt()
            self.waiting[request].cancel()

    def close(self):
        """Has the thread end."""
        self.closing = True
        self.interrupt(None)
        self.tell(self.loop.stop)


class ThreadWorker(Malt.Worker):
    __gtype_name__ = 'ThreadWorker'

    def do_start(self, request):
        for folder in reversed(self.get_launcher().props.search_path or ()):
            if folder not in sys.path:
                sys.path.insert(0, folder)
        self.interpreter = Interpreter(self.ended)
        # Also if nobody stops the worker: when do_stop() is called by the last unref, its
        # attributes are gone already.
        weakref.finalize(self, self.interpreter.close)
        request.return_value(None)

    def do_submit(self, request):
        if request.get_kind() == Malt.RequestKind.CHANNEL:
            fail(request, Malt.Error.NOT_SUPPORTED, 'a thread has no channels')
        else:
            self.interpreter.submit(request)

    def do_cancel(self, request):
        # Code that runs is only told by the request's cancellable, at which it may look.
        with self.interpreter.lock:
            if request.get_id() != BEGUN:
                return request.return_withdrawn()
        self.interpreter.tell(self.interpreter.cancel, request)

    def do_interrupt(self, request):
        self.interpreter.interrupt(request)

    def do_stop(self):
        if interpreter := getattr(self, 'interpreter', None):
            interpreter.close()

    def do_kill(self, signum):
        # A thread cannot be killed: it is left alone, and its worker has ended.
        self.end(Malt.ExitKind.SIGNALLED, signum)
        self.do_stop()

    def ended(self):
        self.end(Malt.ExitKind.STOPPED, 0)

    def end(self, kind, code):
        if self.get_exit_info() is None:
            self.report_terminated(Malt.ExitInfo.new(kind, code))


Malt.Worker.register('thread', ThreadWorker)

if __name__ == '__main__':
    with Malt.Worker(backend='thread') as worker:
        worker.eval('def double(x): return 2 * x')
        print(worker.call('double', 21), worker.call('math.sqrt', 2.25))
        try:
            worker.call('math.sqrt', -1)
        except Malt.RemoteException as error:
            print(f'{error.type}: {error.message}')
    print(worker.get_exit_info().to_string())
