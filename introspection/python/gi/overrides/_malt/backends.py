# SPDX-License-Identifier: LGPL-2.1-or-later

"""What becomes of exceptions in the functions of a backend that is written in Python.

PyGObject prints an exception of a virtual function and goes on as if there had been none:
a request would then wait for an answer that nobody gives."""

import functools
import signal
import sys
import traceback

from gi.repository import GLib, Malt


def _print():
    sys.excepthook(*sys.exc_info())


def _fail_start(self, request, error):
    if request.is_done():
        return _print()
    text = ''.join(traceback.format_exception(error)).rstrip()
    request.return_error(GLib.Error.new_literal(
        Malt.error_quark(), f'do_start() of {type(self).__name__} raised {type(error).__name__}\n{text}',
        Malt.Error.START))


def _fail_request(self, request, error):
    if request.is_done():
        return _print()
    request.return_exception(type(error).__name__, str(error), ''.join(traceback.format_exception(error)))


def _print_only(self, *arguments):
    _print()


def _kill_instead(self, error):
    _print()
    self.do_kill(signal.SIGTERM)


_FUNCTIONS = {
    'do_start': _fail_start,
    'do_submit': _fail_request,
    'do_cancel': _print_only,
    'do_interrupt': _print_only,
    'do_stop': _kill_instead,
    'do_kill': _print_only,
}


def _guard(function, handle):
    @functools.wraps(function)
    def guarded(self, *arguments):
        try:
            function(self, *arguments)
        except BaseException as error:
            handle(self, *arguments, error)

    return guarded


def guard(cls):
    """Has those of the class itself end what they were called for also if they raise."""
    for name, handle in _FUNCTIONS.items():
        if callable(function := cls.__dict__.get(name)):
            setattr(cls, name, _guard(function, handle))
