# SPDX-License-Identifier: LGPL-2.1-or-later

"""Malt.Pool with Python's values."""

import functools

from gi.module import get_introspection_module
from gi.repository import Gio, GLib, GObject

from . import _native, aio, futures, launching, maps, packing

_Malt = get_introspection_module('Malt')

RETRY = int(_Malt.PoolCallFlags.RETRY)
TIME_RUN = int(_Malt.PoolCallFlags.TIME_RUN)

# What a pool is made with beside its launcher.
_OPTIONS = ('min_workers', 'queue_length', 'idle_timeout', 'max_calls_per_worker', 'calls_per_worker', 'calls_ahead',
            'retries', 'crash_limit', 'crash_window')


_SPECIFICATIONS = {each.name.replace('-', '_'): each for each in GObject.list_properties(_Malt.Pool)}


def _to_option(name, value):
    return launching.to_property(_SPECIFICATIONS[name], name, value)


def _take_options(keywords):
    return {name: _to_option(name, keywords.pop(name)) for name in _OPTIONS if name in keywords}


def _to_initializer(launcher, initializer, initargs):
    """The properties of a pool for a function, or one with a name, that runs first in each worker."""
    if initializer is None:
        return {}
    if isinstance(initializer, str):
        arguments = _native.pack(tuple(initargs), launching.values_of(launcher))
        return {'initializer': initializer, 'initializer_arguments': arguments}
    if not callable(initializer):
        raise TypeError('the initializer has to be a name or a callable')
    if not launching.may_pickle(launcher):
        raise TypeError('an initializer that is not a name needs workers that run Python and take pickled objects')
    data, buffers = packing.pack((initializer, tuple(initargs)), packing.names_of_initializer)
    return {'initializer': 'malt.tasks.initialize', 'initializer_arguments': GLib.Variant('(ayaay)', (data, buffers))}


class Pool(_Malt.Pool):
    """Several workers that share calls.

    Malt.Pool(max_workers=4, runtime='python') starts them as they are needed. The keywords are
    those of Malt.Worker and the properties of Malt.Pool (min_workers, idle_timeout, retries,
    calls_per_worker, ...; timeouts there are in milliseconds), launcher is a Malt.Launcher
    instead of the former. The initializer, a function or the name of one, runs with initargs in
    each worker before anything else. As a context manager the pool is shut down at the end.
    Nothing needs a main loop.

        call, eval                  wait for the value
        submit, submit_eval         give a concurrent.futures.Future
        call_async, eval_async      are awaited under asyncio
        do                          does not care for the result
        map, map_async              call a function for many values
        options(timeout=5)          the same functions with a deadline
    """

    __module__ = 'gi.overrides.Malt'

    def __init__(self, launcher=None, max_workers=0, *, initializer=None, initargs=(), **keywords):
        _native.check_process()
        options = _take_options(keywords)
        if launcher is None:
            launcher = launching.make_launcher(keywords)
        elif not isinstance(launcher, _Malt.Launcher):
            raise TypeError(f'the launcher has to be a Malt.Launcher, not {launcher!r}; how many workers there may be '
                            'is max_workers')
        elif keywords:
            raise TypeError(f'a pool with a launcher takes no {", ".join(sorted(keywords))}')
        with launching.prepared(launcher):
            options.update(_to_initializer(launcher, initializer, initargs))
            super().__init__(launcher=launcher, max_workers=_to_option('max_workers', max_workers or 0), **options)
        _native.note_pool(self)

    @classmethod
    def new(cls, launcher=None, max_workers=0):
        """A pool of workers with these options; 0 is for as many as there are processors."""
        return cls(launcher, max_workers)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        try:
            self.shutdown()
        except BaseException:
            # Ctrl-C, or one that cannot be stopped.
            self.shutdown(wait=False, stop=True)
            raise

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        await self.shutdown_async()

    def __repr__(self):
        try:
            return f'<Malt.Pool: {self.n_workers} of {self.max_workers} workers>'
        except TypeError:
            return super().__repr__()

    @property
    def max_workers(self):
        """How many workers take calls at once."""
        return self.get_max_workers()

    @property
    def n_workers(self):
        """How many workers there are."""
        return self.get_n_workers()

    @property
    def n_queued(self):
        """How many calls wait for a worker."""
        return self.get_n_queued()

    @property
    def n_running(self):
        """How many calls have a worker."""
        return self.get_n_running()

    @property
    def n_done(self):
        """How many calls have ended well."""
        return self.get_n_done()

    @property
    def n_failed(self):
        """How many calls have failed that were in the queue or had a worker."""
        return self.get_n_failed()

    @property
    def n_restarts(self):
        """How many workers were started in the place of one that had died or failed to start."""
        return self.get_n_restarts()

    def submit_eval(self, source, *, module=None, timeout=None, cancellable=None):
        """Run source in a worker; a concurrent.futures.Future. Needs no loop."""
        return futures.submit(self, None, None, None, module, source, timeout, cancellable, 0)

    def call_async(self, function, /, *args, **kwargs):
        """Call a function in a worker; an awaitable."""
        return aio.start(self, function, args, kwargs, None, None, None, None, 0)

    def eval_async(self, source, *, module=None, timeout=None, cancellable=None):
        """Run source in a worker; an awaitable."""
        return aio.start(self, None, None, None, module, source, timeout, cancellable, 0)

    def do(self, function, /, *args, **kwargs):
        """Have a function called, and do not care what comes of it."""
        _native.do(self, function, args, kwargs, None, None, None, None, 0)

    def map(self, function, *iterables, timeout=None, ordered=True, retry=False):
        """Call a function for the values of iterables, as many at once as the pool can.

        An iterator over what it gives, in order or as it comes. It takes from the iterables only
        as far as the workers get, and from now on. The timeout is that of each call, in seconds.
        If one fails, its exception is raised when its turn comes, and the others are cancelled,
        as they are when the iterator is dropped.
        """
        limits = timeout, None, RETRY if retry else 0
        return maps.run(self, function, zip(*iterables, strict=False), limits, ordered)

    def map_async(self, function, *iterables, timeout=None, ordered=True, retry=False):
        """The same for async for."""
        limits = timeout, None, RETRY if retry else 0
        return maps.run_async(self, function, zip(*iterables, strict=False), limits, ordered)

    def options(self, *, timeout=None, cancellable=None, module=None, retry=False):
        """The calling functions with a deadline in seconds, a Gio.Cancellable, a module.

        With retry a call is made again if its worker ends during it, Malt.Pool:retries times.
        """
        return _call_options()(self, timeout, cancellable, module, RETRY if retry else 0)

    def wait_room(self, cancellable=None):
        """Wait until another call may be submitted; see Malt.Pool:queue-length."""
        _native.check_process()
        return _Malt.Pool.wait_room(self, cancellable)

    def shutdown(self, wait=True, *, cancel_queued=False, stop=False, cancellable=None):
        """Take no more calls, finish those that there are, and stop the workers.

        With cancel_queued calls that wait for a worker are dropped, with stop those that run
        too. Without wait it returns at once; whether all was over by then is the result.
        """
        return _native.shut_down(self, _shutdown_flags(cancel_queued, stop), wait, cancellable)

    def shutdown_async(self, *, cancel_queued=False, stop=False, cancellable=None, callback=None, user_data=()):
        """The same without blocking; with a callback as GIO does it, else an awaitable."""
        _native.check_process()
        begin = functools.partial(_Malt.Pool.shutdown_async, self, _shutdown_flags(cancel_queued, stop))
        if callback is not None:
            return begin(cancellable, callback, *user_data)
        return aio.call_gio(begin, self.shutdown_finish, cancellable or Gio.Cancellable())

    # The names of the library, with Python's values. Arguments may also be a GLib.Variant.

    def remote_call_fetch(self, function, arguments=None, keywords=None, flags=0, timeout_msec=-1, cancellable=None):
        """Call a function in a worker, wait for it and return its value."""
        return _native.run(self, function, arguments, keywords, None, None, _seconds(timeout_msec), cancellable,
                           int(flags))

    def remote_call_async(self, function, arguments=None, keywords=None, flags=0, timeout_msec=-1, cancellable=None,
                          callback=None, *user_data):
        """Call a function in a worker; with a callback as GIO does it, else an awaitable."""
        return _begin(self, callback, user_data, function, arguments, keywords, None, None, timeout_msec, cancellable,
                      flags)

    def remote_call_finish(self, result):
        """The value of remote_call_async(), in its callback."""
        return result.get()

    def remote_do(self, function, arguments=None, keywords=None):
        """Have a function called, and do not care what comes of it."""
        return _native.do(self, function, arguments, keywords, None, None, None, None, 0)

    def remote_eval_fetch(self, module, source, flags=0, timeout_msec=-1, cancellable=None):
        """Run source in a worker, wait for it and return its value."""
        return _native.run(self, None, None, None, module, source, _seconds(timeout_msec), cancellable, int(flags))

    def remote_eval_async(self, module, source, flags=0, timeout_msec=-1, cancellable=None, callback=None, *user_data):
        """Run source in a worker; with a callback as GIO does it, else an awaitable."""
        return _begin(self, callback, user_data, None, None, None, module, source, timeout_msec, cancellable, flags)

    def remote_eval_finish(self, result):
        """The value of remote_eval_async(), in its callback."""
        return result.get()


def _seconds(milliseconds):
    return None if milliseconds < 0 else milliseconds / 1000


def _shutdown_flags(cancel_queued, stop):
    flags = _Malt.PoolShutdownFlags
    return int((flags.DROP_QUEUED if cancel_queued else 0) | (flags.STOP_RUNNING if stop else 0))


def _call_options():
    from gi.repository import Malt
    return Malt.CallOptions


def _begin(pool, callback, user_data, function, arguments, keywords, module, source, timeout_msec, cancellable, flags):
    from gi.repository import Malt
    job = (pool, function, arguments, keywords, module, source, _seconds(timeout_msec), cancellable, int(flags))
    if callback is None:
        return aio.start(*job)
    _native.start(lambda value, exception: callback(pool, Malt.AsyncResult(pool, value, exception), *user_data),
                  None, *job)
