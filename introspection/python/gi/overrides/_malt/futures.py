# SPDX-License-Identifier: LGPL-2.1-or-later

"""What submit() gives."""

import atexit
import concurrent.futures

from . import _native


class Future(concurrent.futures.Future):
    """A call that goes on in a worker.

    Unlike those of executors it can be cancelled at any time before it is done: what has
    not begun is withdrawn, and what runs is asked to give up and then interrupted.
    """

    _cancel_capsule = None

    def cancel(self):
        with self._condition:
            if not super().cancel():
                return False
            if self._state == concurrent.futures._base.CANCELLED:
                # So that wait() and as_completed() know.
                self.set_running_or_notify_cancel()
            capsule, self._cancel_capsule = self._cancel_capsule, None
        if capsule is not None:
            _native.cancel(capsule)
        return True

    def running(self):
        """Whether it was handed to its worker and is not done."""
        capsule = self._cancel_capsule
        return capsule is not None and not self.done()

    def result(self, timeout=None):
        try:
            return super().result(timeout)
        except KeyboardInterrupt:
            # Ctrl-C while waiting; one that the worker raised is a Malt.InterruptedError.
            self.cancel()
            raise

    def exception(self, timeout=None):
        try:
            return super().exception(timeout)
        except KeyboardInterrupt:
            self.cancel()
            raise

    def _malt_set_result(self, value):
        try:
            self.set_result(value)
        except concurrent.futures.InvalidStateError:
            pass
        self._cancel_capsule = None

    def _malt_set_exception(self, exception):
        try:
            self.set_exception(exception)
        except concurrent.futures.InvalidStateError:
            pass
        self._cancel_capsule = None


def submit(*job):
    """Begins what _native.submit() is told."""
    future = Future()
    try:
        capsule = _native.submit(future, *job)
    except Exception as error:
        future.set_exception(error)
        return future
    if not future.done():
        future._cancel_capsule = capsule
    return future


# Before the interpreter ends, and after all threads that might wait.
atexit.register(_native.submit_end)
