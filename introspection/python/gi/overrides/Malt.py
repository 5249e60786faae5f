# SPDX-License-Identifier: LGPL-2.1-or-later

"""libmalt for Python: workers that run code, and whose crashes are exceptions.

    with Malt.Worker(runtime='python') as worker:
        worker.eval('x = 20')
        worker.eval('x + 22')                           # 42
        future = worker.submit('math.factorial', 100)   # a concurrent.futures.Future
        await worker.eval_async('x + 1')                # under asyncio
"""

import functools
import os

from gi.repository import GLib, Gio

from ..module import get_introspection_module
from ..overrides import override
from ._malt import _native, aio, backends, channels, errors, forwarding, functions, futures, hosts, launching
from ._malt.aio import AsyncResult

_Malt = get_introspection_module('Malt')

__all__ = []

_NO_VALUE = int(_Malt.PoolCallFlags.NO_VALUE)

for _class in errors.define(_Malt.Error):
    globals()[_class.__name__] = _class
    __all__.append(_class.__name__)


def _read(error):
    """What a GLib.Error of ours has more than a message."""
    return (_Malt.remote_error_dup_type(error), _Malt.remote_error_dup_message(error),
            _Malt.remote_error_dup_traceback(error), _Malt.remote_error_dup_worker(error),
            _Malt.remote_error_get_exit_info(error), _Malt.remote_error_get_rung(error))


def _translate(function):
    """Has a function of the library raise Malt.Error instead of GLib.Error."""

    @functools.wraps(function)
    def translated(self, *args, **kwargs):
        try:
            return function(self, *args, **kwargs)
        except GLib.Error as error:
            translation = errors.from_glib(error, self if isinstance(self, Worker) else None, _read)
            if translation is error:
                raise
        raise translation

    return translated


def remote_error_dup_type(error):
    """The type of the exception behind an error, or None."""
    return error.type if isinstance(error, RemoteException) else _Malt.remote_error_dup_type(error)


def remote_error_dup_message(error):
    """The text of the exception behind an error, or None."""
    return error.message if isinstance(error, RemoteException) else _Malt.remote_error_dup_message(error)


def remote_error_dup_traceback(error):
    """The traceback of the exception behind an error, or None."""
    return error.traceback if isinstance(error, RemoteException) else _Malt.remote_error_dup_traceback(error)


def remote_error_dup_worker(error):
    """What the worker is called that an error is about, or None."""
    return error.worker_name if isinstance(error, Error) else _Malt.remote_error_dup_worker(error)


def remote_error_get_exit_info(error):
    """How the worker ended that an error is about, a Malt.ExitInfo or None."""
    if isinstance(error, Error):
        return getattr(error, 'exit_info', None)
    return _Malt.remote_error_get_exit_info(error)


def remote_error_get_rung(error):
    """How far a deadline had to go to end a call, a Malt.Rung."""
    return _Malt.Rung(error.rung) if isinstance(error, Error) else _Malt.remote_error_get_rung(error)


__all__ += ['remote_error_dup_type', 'remote_error_dup_message', 'remote_error_dup_traceback',
            'remote_error_dup_worker', 'remote_error_get_exit_info', 'remote_error_get_rung']


class Launcher(_Malt.Launcher):
    """The options of workers to come. Malt.Worker(...) takes them as keywords too."""

    def spawn(self, cancellable=None):
        """Start a worker, and wait until it is ready."""
        return _spawn(self, cancellable)

    def spawn_async(self, cancellable=None, callback=None, *user_data):
        """Start a worker; with a callback as GIO does it, else an awaitable."""
        _native.check_process()
        if callback is not None:
            with launching.prepared(self):
                return _Malt.Launcher.spawn_async(self, cancellable, callback, *user_data)
        return _spawn_awaitable(self, cancellable)

    def spawn_finish(self, result):
        """The worker of spawn_async(), in its callback."""
        worker = _spawn_finish(self, result)
        _native.note_worker(worker)
        return worker


Launcher = override(Launcher)
__all__.append('Launcher')

_spawn_finish = _translate(_Malt.Launcher.spawn_finish)


def _spawn(launcher, cancellable):
    with launching.prepared(launcher):
        worker = _native.spawn(launcher, cancellable)
    _native.note_worker(worker)
    return worker


async def _spawn_awaitable(launcher, cancellable, level=False):
    def begin(cancellable, callback):
        with launching.prepared(launcher):
            _Malt.Launcher.spawn_async(launcher, cancellable, callback)

    worker = await aio.call_gio(begin, launcher.spawn_finish, cancellable or Gio.Cancellable())
    if level is not False:
        worker.forward_logging(level)
    return worker


class Worker(_Malt.Worker):
    """Where code runs: usually a process of its own.

    Malt.Worker(runtime='python') starts one and waits until it is ready. The keywords are
    the properties of Malt.Launcher (backend, runtime, program, environment, search_path,
    stdout, call_timeout, ...; timeouts there are in milliseconds), and cancellable. As a
    context manager it is stopped at the end. Nothing needs a main loop.

        call, eval                  wait for the value
        submit, submit_eval         give a concurrent.futures.Future
        call_async, eval_async      are awaited under asyncio
        do                          does not care for the result
        channel, channel_async      open a queue of values, a Malt.Channel
        export                      lets the worker's code call a function of the program
        forward_logging             makes its log records those of the program
        options(timeout=5)          the same functions with a deadline

    A subclass of Malt.Worker is a backend; see Malt.Worker.register().
    """

    def __new__(cls, *args, **kwargs):
        if cls is not Worker:
            return super().__new__(cls, *args, **kwargs)
        if args:
            raise TypeError('Malt.Worker() takes keywords only')
        cancellable = kwargs.pop('cancellable', None)
        level = kwargs.pop('logging', False)
        worker = _spawn(launching.make_launcher(kwargs), cancellable)
        if level is not False:
            worker.forward_logging(level)
        return worker

    def __init_subclass__(cls, **kwargs):
        # Before PyGObject looks for virtual functions.
        super().__init_subclass__(**kwargs)
        backends.guard(cls)

    def __init__(self, *args, **kwargs):
        if not _native.has_object(self):
            super().__init__(*args, **kwargs)

    @classmethod
    def spawn_async(cls, *, cancellable=None, logging=False, **kwargs):
        """Start a worker; an awaitable that gives it."""
        return _spawn_awaitable(launching.make_launcher(kwargs), cancellable, logging)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        try:
            self.stop()
        except BaseException:
            # Ctrl-C, or one that cannot be stopped.
            self.kill()
            raise

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        await self.stop_async()

    def __repr__(self):
        try:
            return f'<Malt.Worker: {self.dup_name()}>'
        except TypeError:
            return super().__repr__()

    def submit_eval(self, source, *, module=None, timeout=None, cancellable=None):
        """Run source in the worker; a concurrent.futures.Future. Needs no loop."""
        return futures.submit(self, None, None, None, module, source, timeout, cancellable, False)

    def call_async(self, function, /, *args, **kwargs):
        """Call a function in the worker; an awaitable."""
        return aio.start(self, function, args, kwargs, None, None, None, None, False)

    def eval_async(self, source, *, module=None, timeout=None, cancellable=None):
        """Run source in the worker; an awaitable."""
        return aio.start(self, None, None, None, module, source, timeout, cancellable, False)

    def do(self, function, /, *args, **kwargs):
        """Have a function called, and do not care what comes of it."""
        _native.do(self, function, args, kwargs, None, None, None, None, False)

    def channel(self, expression, *, module=None, timeout=None, cancellable=None):
        """Open the channel that an expression gives there, such as 'malt.Channel(20)'; a Malt.Channel."""
        return channels.open_channel(self, module, expression, timeout, cancellable)

    def channel_async(self, expression, *, module=None, timeout=None, cancellable=None):
        """The same; an awaitable."""
        return channels.open_channel_async(self, module, expression, timeout, cancellable)

    def options(self, *, timeout=None, cancellable=None, module=None, progress=None):
        """The calling functions with a deadline in seconds, a Gio.Cancellable, a module.

        progress(fraction, text) is told how far the call is, where fraction may be None.
        """
        return CallOptions(self, timeout, cancellable, module, progress=progress)

    def export(self, function=None, *, arguments_type=None):
        """Let the worker's code call a function of this program, as malt.host.NAME(...).

        A decorator: @worker.export, or @worker.export('name'). An async function, or one that
        is given where an asyncio loop runs, is called in that loop; any other one on a thread
        that waits for the worker, in the GLib main loop if one runs, or on a thread of its own.
        arguments_type is a type such as '(sx)' that the arguments must have.
        """
        return hosts.decorator(self, function, arguments_type)

    def export_function(self, name, function, arguments_type=None):
        """The same under a name; what was not given in this way cannot be called."""
        hosts.export(self, name, function, arguments_type)

    def unexport_function(self, name):
        """Take a function back; whether there was one of that name."""
        _native.check_process()
        return hosts.unexport(self, name, _Malt.Worker.unexport_function)

    def forward_logging(self, level=None):
        """Have what the worker's code logs be records of this program's logging.

        From that level on, by default that of the root logger here. Warnings of the worker are
        records of the logger 'py.warnings'.
        """
        forwarding.begin(self, level)

    def connect(self, signal, callback, *user_data):
        """Connect to a signal, with values of Python.

        'progress': (worker, request id, fraction or None, text); 'output': (worker, request id,
        stream, bytes). If no main loop runs, these are told on a thread of the library's.
        """
        if signal in _SIGNALS:
            _native.events_begin(self)
            callback = _SIGNALS[signal](callback)
        return _Malt.Worker.connect(self, signal, callback, *user_data)

    def stop(self, exit_timeout_msec=-1, term_timeout_msec=-1, cancellable=None):
        """Ask the worker to end, and see to it that it does; a Malt.StopResult."""
        result = _Malt.StopResult(_native.stop(self, exit_timeout_msec, term_timeout_msec, cancellable))
        hosts.unexport_all(self, _Malt.Worker.unexport_function)
        return result

    def stop_async(self, exit_timeout_msec=-1, term_timeout_msec=-1, cancellable=None, callback=None, *user_data):
        """The same without waiting; with a callback as GIO does it, else an awaitable."""
        _native.check_process()
        begin = functools.partial(_Malt.Worker.stop_async, self, exit_timeout_msec, term_timeout_msec)
        if callback is not None:
            return begin(cancellable, callback, *user_data)
        return aio.call_gio(begin, self.stop_finish, cancellable or Gio.Cancellable())

    def stop_finish(self, result):
        """The Malt.StopResult of stop_async(), in its callback."""
        value = _stop_finish(self, result)
        hosts.unexport_all(self, _Malt.Worker.unexport_function)
        return value

    def kill(self, signum=9):
        """End the worker as the signal would."""
        _native.check_process()
        _Malt.Worker.kill(self, signum)

    def interrupt(self):
        """Interrupt what runs in the worker now, as Ctrl-C would."""
        _native.check_process()
        _Malt.Worker.interrupt(self)

    # The names of the library, with Python's values. Arguments may also be a GLib.Variant.

    def remote_call_fetch(self, function, arguments=None, keywords=None, timeout_msec=-1, cancellable=None):
        """Call a function in the worker, wait for it and return its value."""
        return _native.run(self, function, arguments, keywords, None, None, _seconds(timeout_msec), cancellable, False)

    def remote_call_wait(self, function, arguments=None, keywords=None, timeout_msec=-1, cancellable=None):
        """Call a function in the worker and wait for it."""
        return _native.run(self, function, arguments, keywords, None, None, _seconds(timeout_msec), cancellable, _NO_VALUE)

    def remote_call_async(self, function, arguments=None, keywords=None, timeout_msec=-1, cancellable=None,
                          callback=None, *user_data):
        """Call a function in the worker; with a callback as GIO does it, else an awaitable."""
        return _begin(self, callback, user_data, function, arguments, keywords, None, None, timeout_msec, cancellable)

    def remote_call_finish(self, result):
        """The value of remote_call_async(), in its callback."""
        return result.get()

    def remote_do(self, function, arguments=None, keywords=None):
        """Have a function called, and do not care what comes of it."""
        return _native.do(self, function, arguments, keywords, None, None, None, None, False)

    def remote_eval_fetch(self, module, source, timeout_msec=-1, cancellable=None):
        """Run source in the worker, wait for it and return its value."""
        return _native.run(self, None, None, None, module, source, _seconds(timeout_msec), cancellable, False)

    def remote_eval_wait(self, module, source, timeout_msec=-1, cancellable=None):
        """Run source in the worker and wait for it."""
        return _native.run(self, None, None, None, module, source, _seconds(timeout_msec), cancellable, _NO_VALUE)

    def remote_eval_async(self, module, source, timeout_msec=-1, cancellable=None, callback=None, *user_data):
        """Run source in the worker; with a callback as GIO does it, else an awaitable."""
        return _begin(self, callback, user_data, None, None, None, module, source, timeout_msec, cancellable)

    def remote_eval_finish(self, result):
        """The value of remote_eval_async(), in its callback."""
        return result.get()


    def open_channel(self, module, expression, timeout_msec=-1, cancellable=None):
        """Open the channel that an expression gives in the worker."""
        return channels.open_channel(self, module, expression, _seconds(timeout_msec), cancellable)

    def open_channel_async(self, module, expression, timeout_msec=-1, cancellable=None, callback=None, *user_data):
        """The same without waiting; with a callback as GIO does it, else an awaitable."""
        job = (self, module, expression, _seconds(timeout_msec), cancellable)
        if callback is None:
            return channels.open_channel_async(*job)
        aio.call_back(_native.channel_open_start, callback, user_data, *job)

    def open_channel_finish(self, result):
        """The channel of open_channel_async(), in its callback."""
        return result.get()


Worker = override(Worker)
__all__.append('Worker')

_stop_finish = _translate(_Malt.Worker.stop_finish)

#: What makes of a handler of a signal one for the library's values.
_SIGNALS = {
    'progress': lambda callback: lambda worker, id, fraction, *rest:
        callback(worker, id, fraction if fraction >= 0 else None, *rest),
    'output': lambda callback: lambda worker, id, stream, data, *rest:
        callback(worker, id, stream, data.get_data(), *rest),
}


class Channel(channels.ChannelMethods, _Malt.Channel):
    """A queue of values between this program and a worker, or between threads.

    worker.channel('malt.Channel(20)') opens one that is in the worker; Malt.Channel(20) makes
    one here. Whoever puts waits while it is full. Any number of threads and tasks may use it.

        put(value), take(), wait()         wait, at most timeout seconds
        put_async(value), take_async()     are awaited
        for, async for                     take until it is closed and empty
        close()                            ends it; so does the end of a with
    """

    def __init__(self, capacity):
        if not isinstance(capacity, int):
            raise TypeError(f'the capacity of a channel is a whole number, not {capacity!r}')
        if not 1 <= capacity <= GLib.MAXINT:
            raise ValueError(f'the capacity of a channel is 1 to {GLib.MAXINT}, not {capacity}')
        super().__init__(capacity=capacity)


Channel = override(Channel)
__all__.append('Channel')


def _seconds(milliseconds):
    return None if milliseconds < 0 else milliseconds / 1000


def _begin(worker, callback, user_data, function, arguments, keywords, module, source, timeout_msec, cancellable):
    job = (worker, function, arguments, keywords, module, source, _seconds(timeout_msec), cancellable, False)
    if callback is None:
        return aio.start(*job)

    aio.call_back(_native.start, callback, user_data, *job)


class CallOptions:
    """The calling functions of a worker or a pool with a deadline, a cancellable, a module."""

    def __init__(self, worker, timeout, cancellable, module, flags=0, progress=None):
        if progress is not None and not callable(progress):
            raise TypeError(f"progress has to be callable, not '{type(progress).__name__}'")
        self._worker = worker
        self._limits = (timeout, cancellable, flags, progress)
        self._module = module

    def call(self, function, /, *args, **kwargs):
        """As Worker.call()."""
        return _native.run(self._worker, function, args, kwargs, None, None, *self._limits)

    def eval(self, source):
        """As Worker.eval()."""
        return _native.run(self._worker, None, None, None, self._module, source, *self._limits)

    def submit(self, function, /, *args, **kwargs):
        """As Worker.submit()."""
        return futures.submit(self._worker, function, args, kwargs, None, None, *self._limits)

    def submit_eval(self, source):
        """As Worker.submit_eval()."""
        return futures.submit(self._worker, None, None, None, self._module, source, *self._limits)

    def call_async(self, function, /, *args, **kwargs):
        """As Worker.call_async()."""
        return aio.start(self._worker, function, args, kwargs, None, None, *self._limits)

    def eval_async(self, source):
        """As Worker.eval_async()."""
        return aio.start(self._worker, None, None, None, self._module, source, *self._limits)


__all__ += ['AsyncResult', 'CallOptions']

# What needs the classes above.
from ._malt import pools, taskerrors  # noqa: E402

Pool = override(pools.Pool)
for _class in taskerrors.CLASSES:
    globals()[_class.__name__] = _class
    __all__.append(_class.__name__)

_native.init(worker_type=Worker, pool_type=Pool, variant_type=GLib.Variant, make_error=errors.make,
             find_function=functions.find, future_type=futures.Future,
             get_values=launching.get_values, channel_type=Channel, channel_closed=ChannelClosed,
             channel_next=functools.partial(channels.take_next, ChannelClosed))

from ._malt import executors  # noqa: E402

Executor, ExecutorOptions = executors.Executor, executors.ExecutorOptions
Pool.shutdown_finish = _translate(_Malt.Pool.shutdown_finish)
Pool.wait_room_finish = _translate(_Malt.Pool.wait_room_finish)
__all__ += ['Executor', 'ExecutorOptions', 'Pool']

os.register_at_fork(before=_native.before_fork,
                    after_in_parent=functools.partial(_native.after_fork, False),
                    after_in_child=functools.partial(_native.after_fork, True))
