# SPDX-License-Identifier: LGPL-2.1-or-later

"""Awaiting what the library does, in whatever loop runs.

Where the running asyncio loop is itself a GLib main loop, results arrive in its context.
Elsewhere each loop has a main context, whose descriptor the loop watches.
"""

import asyncio
import functools
import weakref

from gi.repository import GLib

from . import _native


class _Runner:
    """Has an asyncio loop run a main context.

    The loop keeps it by the descriptor that it watches, and drops it when it is closed. What
    the library calls back must not keep it, nor the loop: the calls of a loop that was closed
    are brought to their ends without it.
    """

    def __init__(self, loop):
        self.loop = weakref.ref(loop)
        self.context = _native.Context()
        self.pending = set()
        self.timer = None
        self.is_due = False
        loop.add_reader(self.context.fileno(), self.step)

    def wake(self):
        """Has a step made soon: something was begun."""
        if not self.is_due:
            self.is_due = True
            self.loop().call_soon(self.step)

    def step(self):
        self.is_due = False
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        milliseconds = self.context.step()
        if milliseconds == 0:
            self.wake()
        elif milliseconds > 0:
            self.timer = self.loop().call_later(milliseconds / 1000, self.step)


_runners = weakref.WeakKeyDictionary()  # loop → weak reference to _Runner


def _runner():
    """That of the running loop, or None if that runs the thread's main context anyway."""
    loop = asyncio.get_running_loop()
    reference = _runners.get(loop)
    runner = reference() if reference is not None else None
    if runner is None:
        if GLib.MainContext.ref_thread_default().is_owner():
            return None
        runner = _Runner(loop)
        _runners[loop] = weakref.ref(runner)
    return runner


def _resolve(future, value, exception):
    if future is None or future.done() or future.get_loop().is_closed():
        pass
    elif exception is None:
        future.set_result(value)
    else:
        future.set_exception(exception)


def begin(native, *what):
    """Begins what a function of _native's kind is told; an asyncio future."""
    future = asyncio.get_running_loop().create_future()
    runner = _runner()
    if runner is None:
        capsule = native(functools.partial(_resolve, future), None, *what)
    else:
        reference = weakref.ref(future)
        capsule = native(lambda value, exception: _resolve(reference(), value, exception), runner.context, *what)
        runner.pending.add(future)
        future.add_done_callback(runner.pending.discard)
        runner.wake()
    future.add_done_callback(lambda future: future.cancelled() and _native.cancel(capsule))
    return future


def start(*job):
    """Begins what _native.start() is told; an asyncio future."""
    return begin(_native.start, *job)


class AsyncResult:
    """What the callback of an asynchronous function is given: for the function that ends it."""

    def __init__(self, source, value, exception):
        self._source = source
        self._value = value
        self._exception = exception

    def get_source_object(self):
        """Whose function it was: a worker, or a channel."""
        return self._source

    def get(self):
        """The value; raises what went wrong."""
        if self._exception is not None:
            raise self._exception
        return self._value


def call_back(native, callback, user_data, source, *what):
    """Begins the same for a callback as GIO has it."""
    def done(value, exception):
        callback(source, AsyncResult(source, value, exception), *user_data)

    native(done, None, source, *what)


async def call_gio(begin, finish, cancellable):
    """Awaits a function of GIO's kind: begin(cancellable, callback), finish(result)."""
    future = asyncio.get_running_loop().create_future()

    def ready(source, result, *unused):
        try:
            value = finish(result)
        except Exception as error:
            if not future.done():
                future.set_exception(error)
        else:
            if not future.done():
                future.set_result(value)

    runner = _runner()
    if runner is None:
        begin(cancellable, ready)
    else:
        runner.context.run(begin, cancellable, ready)
        runner.wake()
    try:
        return await future
    except asyncio.CancelledError:
        cancellable.cancel()
        raise
