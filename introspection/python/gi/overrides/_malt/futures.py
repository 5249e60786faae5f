# SPDX-License-Identifier: LGPL-2.1-or-later

"""What submit() gives."""

import atexit
import concurrent.futures
import threading
from concurrent.futures._base import CANCELLED, FINISHED, PENDING, RUNNING

from . import _native


class Future(concurrent.futures.Future):
    """A call that goes on in a worker.

    Unlike those of executors it can be cancelled at any time before it is done: what has
    not begun is withdrawn, and what runs is asked to give up and then interrupted.
    """

    # A future is mostly made, put aside and asked when it is done. What it takes to wait for
    # one that is not done, and costs more than all else, is made when it is first needed.
    _state = PENDING
    _result = None
    _exception = None
    _malt_call = None  # what _native has of it, to wait for it and to cancel it

    def __init__(self):
        pass

    def __getattr__(self, name):
        if name == '_condition':
            return self.__dict__.setdefault(name, threading.Condition())
        if name in ('_waiters', '_done_callbacks'):
            return self.__dict__.setdefault(name, [])
        raise AttributeError(f'{type(self).__name__!r} object has no attribute {name!r}')

    def cancel(self):
        with self._condition:
            if self._state in (RUNNING, FINISHED):
                return False
            is_first = self._state == PENDING
            if is_first:
                self._state = CANCELLED
                # So that wait() and as_completed() know.
                self.set_running_or_notify_cancel()
                self._condition.notify_all()
            call, self._malt_call = self._malt_call, None
        if call is not None:
            call.cancel()
        # They may wait for something.
        if is_first:
            self._invoke_callbacks()
        return True

    def running(self):
        """Whether it was handed to its worker and is not done."""
        return self._malt_call is not None and not self.done()

    def done(self):
        return self._state != PENDING

    # A thread that waits reads the answer itself, if nobody else does. What is left then is to
    # wait for somebody else, or for the call to begin.

    def result(self, timeout=None):
        call = self._malt_call
        try:
            if self._state == PENDING and call is not None:
                timeout = call.wait(timeout)
            if self._state == FINISHED and self._exception is None:
                return self._result
            return super().result(timeout)
        except KeyboardInterrupt:
            # Ctrl-C while waiting; one that the worker raised is a Malt.InterruptedError.
            self.cancel()
            raise

    def exception(self, timeout=None):
        call = self._malt_call
        try:
            if self._state == PENDING and call is not None:
                timeout = call.wait(timeout)
            return super().exception(timeout)
        except KeyboardInterrupt:
            self.cancel()
            raise

    # Called by _native, if somebody waits, was waiting or has callbacks.

    def _malt_set_result(self, value):
        try:
            self.set_result(value)
        except concurrent.futures.InvalidStateError:
            pass

    def _malt_set_exception(self, exception):
        try:
            self.set_exception(exception)
        except concurrent.futures.InvalidStateError:
            pass


def submit(*job):
    """Begins what _native.submit() is told."""
    future = Future()
    try:
        _native.submit(future, None, *job)
    except Exception as error:
        future.set_exception(error)
    return future


# Before the interpreter ends, and after all threads that might wait.
atexit.register(_native.submit_end)
