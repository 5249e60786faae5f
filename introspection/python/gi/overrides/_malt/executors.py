# SPDX-License-Identifier: LGPL-2.1-or-later

"""Malt.Executor: the executors of concurrent.futures, by a pool of workers."""

import concurrent.futures
import itertools
import logging
import math
import os
import pickle
import sys
import threading
import time
import weakref

from . import _native, futures, launching, packing, pools, taskerrors

_LOGGER = logging.getLogger('concurrent.futures')

# How many short tasks a worker is given at once, so that it does not wait for the next.
_AHEAD = 64

# How many tasks may wait: any number.
_NO_LIMIT = (1 << 32) - 1

# Guarded by _exit_lock.
_exit_lock = threading.Lock()
_is_exiting = False
_all_tasks = weakref.WeakSet()


class Future(futures.Future):
    """A task of an executor.

    Unlike those of other executors it can be cancelled while it runs: then it is asked to give
    up, and interrupted.
    """

    def _malt_set_exception(self, exception):
        """None says that it was dropped from the queue."""
        if exception is None:
            self.cancel()
        else:
            super()._malt_set_exception(exception)


class _Tasks(set):
    """The futures of an executor that are not done, and what is behind them.

    It lives until they are done, also if the executor goes. _native takes futures out of it,
    and asks it for exceptions.
    """

    __hash__ = object.__hash__

    def __init__(self, pool, is_pickling, initializer, exit_timeout):
        super().__init__()
        self.pool = pool
        self.is_pickling = is_pickling
        self.initializer = initializer
        self.exit_timeout = exit_timeout
        self.lock = threading.Lock()
        # Guarded by lock.
        self.is_closed = False
        self.broken = None
        with _exit_lock:
            _all_tasks.add(self)

    def check(self):
        """With the lock."""
        if self.broken is not None:
            raise taskerrors.make_broken_error(self.broken)
        if _is_exiting:
            raise RuntimeError('cannot schedule new futures after interpreter shutdown')
        if self.is_closed:
            raise RuntimeError('cannot schedule new futures after shutdown')
        _native.check_process()

    def submit(self, function, args, kwargs, timeout):
        if not self.is_pickling:
            return self._begin(lambda future: _native.submit(
                future, self, self.pool, function, args, kwargs, None, None, timeout, None, pools.TIME_RUN))
        return self._submit_packed('malt.tasks.run', packing.set_apart_task(function, args, kwargs),
                                   packing.names_of_task, timeout)

    def submit_chunk(self, function, columns, timeout):
        return self._submit_packed('malt.tasks.run_chunk', packing.set_apart_chunk(function, columns),
                                   packing.names_of_chunk, timeout)

    def _submit_packed(self, name, what, names, timeout):
        try:
            data, buffers = packing.pack(what, names)
        except Exception as error:
            problem = error
        else:
            return self._begin(lambda future: _native.submit_task(
                future, self, self.pool, name, data, buffers, timeout))
        with self.lock:
            self.check()
        future = Future()
        future.set_exception(problem)
        return future

    def _begin(self, begin):
        future = Future()
        with self.lock:
            self.check()
            try:
                begin(future)
            except Exception as error:
                future.set_exception(error)
        return future

    # Called by _native.

    def translate(self, error):
        """The exception of a task for what the library says, or None for one that was dropped."""
        from gi.repository import Malt
        if taskerrors.is_closed(error):
            return None
        if isinstance(error, (Malt.TerminatedWorkerException, Malt.ProtocolError)):
            return taskerrors.make_crash_error(error)
        if isinstance(error, Malt.RemoteException) and error.type == 'KeyboardInterrupt':
            return KeyboardInterrupt(*([error.message] if error.message else []))
        if isinstance(error, Malt.StartError) or (
                self.is_pickling and isinstance(error, (Malt.NotFoundError, Malt.NotSupportedError))):
            return self._break(error)
        return error

    def make_exception(self, failure):
        """The exception of a task that has raised one."""
        *parts, before = failure
        exception = taskerrors.remake(*parts)
        if before:
            exception._malt_before = pickle.loads(before)
        return exception

    def _break(self, error):
        text = str(error)
        marker = "the initializer 'malt.tasks.initialize' failed"
        if self.initializer is not None and marker in text:
            text = text.replace(marker, f'the initializer {self.initializer!r} failed')
        with self.lock:
            is_first = self.broken is None
            self.broken = self.broken or taskerrors.make_broken_error(error, text)
        if is_first:
            _LOGGER.critical('%s', text)
        return taskerrors.make_broken_error(error, text)

    # The end.

    def close(self, wait, cancel_queued):
        with self.lock:
            self.is_closed = True
        _native.shut_down(self.pool, pools._shutdown_flags(cancel_queued, False), wait, None)
        if wait:
            concurrent.futures.wait(self.copy())

    def finish(self, deadline):
        """At the interpreter's exit: what is not done by then is dropped."""
        done, late = concurrent.futures.wait(self.copy(), max(0, deadline - time.monotonic()))
        if late:
            print(f'libmalt: {len(late)} tasks of an executor had not ended {self.exit_timeout:g} s after the program, '
                  'and are dropped', file=sys.stderr)
        with self.lock:
            self.is_closed = True
        _native.shut_down(self.pool, pools._shutdown_flags(bool(late), bool(late)), not late, None)


def _exit():
    """Before the interpreter ends, and before it waits for threads."""
    global _is_exiting
    with _exit_lock:
        _is_exiting = True
        tasks = list(_all_tasks)
    try:
        _native.check_process()
    except RuntimeError:
        return
    begin = time.monotonic()
    for each in tasks:
        each.finish(begin + min(each.exit_timeout, threading.TIMEOUT_MAX / 2))


# As the other executors do.
threading._register_atexit(_exit)


class Executor(concurrent.futures.Executor):
    """A concurrent.futures.Executor whose tasks run in workers.

    Malt.Executor(4) does what concurrent.futures.ProcessPoolExecutor(4) does, faster, and a task
    that crashes its worker fails only itself, with a TaskCrashError. The keywords are those of
    Malt.Worker and Malt.Pool as well (runtime, environment, idle_timeout, ...). Functions and
    arguments are pickled; functions that no worker can import are sent as source. The timeout is
    that of each task, in seconds. Workers find modules where this program does, and have its
    working directory and standard output.

    When the interpreter ends, tasks get exit_timeout seconds to end, math.inf for as long as it
    takes.
    """

    def __init__(self, max_workers=None, *, initializer=None, initargs=(), max_tasks_per_child=None, timeout=None,
                 exit_timeout=15, launcher=None, **keywords):
        if max_workers is not None and max_workers <= 0:
            raise ValueError('max_workers must be greater than 0')
        if initializer is not None and not callable(initializer) and not isinstance(initializer, str):
            raise TypeError('initializer must be a callable or a name')
        if max_tasks_per_child is not None:
            if not isinstance(max_tasks_per_child, int):
                raise TypeError('max_tasks_per_child must be an integer')
            if max_tasks_per_child <= 0:
                raise ValueError('max_tasks_per_child must be >= 1')
        if not isinstance(exit_timeout, (int, float)):
            raise TypeError(f'exit_timeout must be a number of seconds, not {exit_timeout!r}')
        if math.isnan(exit_timeout) or exit_timeout < 0:
            raise ValueError('exit_timeout must be a number of seconds that is not negative')
        if launcher is None:
            keywords.setdefault('kill_on_timeout', True)
            keywords.setdefault('stdout', 'inherit')
            keywords.setdefault('working_directory', os.getcwd())
            keywords.setdefault('search_path', [os.path.abspath(path) for path in sys.path])
            keywords['buffers'] = 'view'
        keywords.setdefault('idle_timeout', -1)
        keywords.setdefault('calls_ahead', _AHEAD)
        keywords.setdefault('queue_length', _NO_LIMIT)
        pool = pools.Pool(launcher, max_workers or 0, initializer=initializer, initargs=initargs,
                          max_calls_per_worker=max_tasks_per_child or 0, **keywords)
        name = getattr(initializer, '__qualname__', None) or str(initializer) if initializer is not None else None
        self._tasks = _Tasks(pool, launching.may_pickle(pool.get_launcher()), name, exit_timeout)
        self._timeout = timeout

    def __repr__(self):
        return f'<Malt.Executor: {self._tasks.pool!r}>'

    @property
    def max_workers(self):
        """How many tasks run at once."""
        return self._tasks.pool.max_workers

    _max_workers = max_workers

    @property
    def pool(self):
        """The Malt.Pool, whose counts and signals tell of the workers."""
        return self._tasks.pool

    @property
    def _broken(self):
        return self._tasks.broken or False

    def submit(self, fn, /, *args, **kwargs):
        """Have a function called; a concurrent.futures.Future.

        What the function raises the future does, as it is, with the traceback of the worker as
        its cause. TaskCrashError if its worker ended, TaskPicklingError if the task cannot be
        pickled, TimeoutError if it took too long.
        """
        return self._tasks.submit(fn, args, kwargs, self._timeout)

    def map(self, fn, *iterables, timeout=None, chunksize=1):
        """Call a function for the values of iterables; an iterator over what it gives, in order.

        The timeout is that of the iteration, in seconds. With a chunksize so many are one task:
        the timeout of tasks is then that of a chunk. If one fails the exception is raised when
        its turn comes.
        """
        return _map(self._tasks, fn, iterables, timeout, chunksize, self._timeout)

    def options(self, *, timeout=None):
        """The same executor with another timeout for tasks, in seconds; math.inf for none."""
        return ExecutorOptions(self, timeout)

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Take no more tasks, finish those that there are, or with cancel_futures those that
        run, and stop the workers."""
        self._tasks.close(wait, cancel_futures)


class ExecutorOptions(concurrent.futures.Executor):
    """An executor with a timeout for tasks, as Executor.options() makes it."""

    def __init__(self, executor, timeout):
        self._executor = executor
        self._timeout = timeout

    def submit(self, fn, /, *args, **kwargs):
        """As Executor.submit()."""
        return self._executor._tasks.submit(fn, args, kwargs, self._timeout)

    def map(self, fn, *iterables, timeout=None, chunksize=1):
        """As Executor.map()."""
        return _map(self._executor._tasks, fn, iterables, timeout, chunksize, self._timeout)

    def shutdown(self, wait=True, *, cancel_futures=False):
        """Shut down the executor itself."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)


def _map(tasks, function, iterables, timeout, chunksize, task_timeout):
    if chunksize < 1:
        raise ValueError('chunksize must be >= 1.')
    deadline = time.monotonic() + timeout if timeout is not None else None
    if chunksize == 1 or not tasks.is_pickling:
        begun = [tasks.submit(function, args, {}, task_timeout) for args in zip(*iterables)]
        return _results(begun, deadline)
    begun = [tasks.submit_chunk(function, columns, task_timeout) for columns in _chunks(iterables, chunksize)]
    return _results_of_chunks(begun, deadline)


def _chunks(iterables, size):
    """As many columns as there are iterables, of so many values each but the last."""
    if len(iterables) == 1:
        iterator = iter(iterables[0])
        while column := list(itertools.islice(iterator, size)):
            yield (column,)
        return
    rows = zip(*iterables)
    while chunk := list(itertools.islice(rows, size)):
        yield tuple(map(list, zip(*chunk)))


def _take(future, deadline):
    try:
        return future.result(None if deadline is None else max(0, deadline - time.monotonic()))
    finally:
        del future


def _results(begun, deadline):
    # Nothing of what was given is kept.
    begun.reverse()
    try:
        while begun:
            yield _take(begun.pop(), deadline)
    finally:
        for future in begun:
            future.cancel()


def _results_of_chunks(begun, deadline):
    begun.reverse()
    try:
        while begun:
            try:
                values = _take(begun.pop(), deadline)
                problem = None
            except Exception as error:
                values = error.__dict__.pop('_malt_before', [])
                problem = error
            values.reverse()
            while values:
                yield values.pop()
            if problem is not None:
                try:
                    raise problem
                finally:
                    problem = None
    finally:
        for future in begun:
            future.cancel()


for _class in Executor, ExecutorOptions, Future:
    _class.__module__ = 'gi.repository.Malt'
