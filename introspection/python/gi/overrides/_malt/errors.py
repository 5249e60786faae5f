# SPDX-License-Identifier: LGPL-2.1-or-later

"""The exceptions of the library: one class for each code of MaltError."""

import builtins

from gi.repository import Gio, GLib

#: The domain of the library's errors.
DOMAIN = 'MaltError'


class _RemoteTraceback(Exception):
    """What an uncaught RemoteException is shown to be caused by."""

    def __init__(self, text):
        super().__init__(text)
        self.text = text

    def __str__(self):
        return f'\n"""\n{self.text}\n"""'


def define(codes):
    """The classes, by name. The codes are the enumeration of MaltError."""

    class Error(GLib.Error):
        """An error of libmalt.

        It is a GLib.Error too: domain and code say which one it is. The codes are
        attributes of this class (Malt.Error.TERMINATED), and Malt.Error(code) is the
        member of the enumeration.
        """

        #: The worker, where one is known.
        worker = None
        #: What the worker is called in messages.
        worker_name = None
        #: How far a deadline had to go to end a call, a Malt.Rung.
        rung = 0

        def __new__(cls, *args, **kwargs):
            if cls is Error and len(args) == 1 and not kwargs and isinstance(args[0], int):
                return codes(args[0])
            return super().__new__(cls)

        def __init__(self, message='unknown error', domain=DOMAIN, code=None):
            super().__init__(message, domain, self._code if code is None else code)
            self.args = (message,)
            self._text = message

        def __str__(self):
            return self._text

        def __repr__(self):
            return f'Malt.{type(self).__name__}({self._text!r})'

        def __reduce__(self):
            state = {name: value for name, value in self.__dict__.items() if name != 'worker'}
            return _restore, (type(self).__name__, self._text, state)

    Error._code = int(codes.REMOTE)
    for code in codes.__enum_values__.values():
        setattr(Error, code.value_nick.upper().replace('-', '_'), code)

    class RemoteException(Error):
        """An exception in the worker.

        Its type is the name of the exception's type as the worker's language spells it,
        message the exception's own text, and traceback the worker's, or None.
        """

        _code = int(codes.REMOTE)
        type = None
        traceback = None

    class TerminatedWorkerException(Error):
        """The worker is gone, or went while the call was under way.

        exit_info is a Malt.ExitInfo that tells how; of a call that a stop has ended it says no more
        than that.
        """

        _code = int(codes.TERMINATED)
        exit_info = None

    class StartError(Error):
        """The worker did not start. The message ends with what it printed."""

        _code = int(codes.START)

    class SerializationError(Error):
        """A value cannot cross. The message says which, and where it is."""

        _code = int(codes.SERIALIZATION)

    class InterruptedError(Error):
        """The call was interrupted."""

        _code = int(codes.INTERRUPTED)
        type = None
        traceback = None

    class TimeoutError(Error, builtins.TimeoutError):
        """The call did not end in time. rung says what was done about it."""

        def __new__(cls, *args, **kwargs):
            return builtins.TimeoutError.__new__(cls)

        _code = int(codes.TIMEOUT)

    class ProtocolError(Error):
        """The worker broke the protocol, and was ended."""

        _code = int(codes.PROTOCOL)
        exit_info = None

    class NotSupportedError(Error):
        """The backend, or the worker's language, has no such thing."""

        _code = int(codes.NOT_SUPPORTED)

    class NotFoundError(Error):
        """There is no backend, runtime, module or function of that name."""

        _code = int(codes.NOT_FOUND)

    class ChannelClosed(Error):
        """The channel is closed; who takes hears that when it is empty as well.

        Its domain and code are those of Gio.IOErrorEnum.CLOSED.
        """

        def __init__(self, message='the channel is closed', domain='g-io-error-quark',
                     code=int(Gio.IOErrorEnum.CLOSED)):
            super().__init__(message, domain, code)

    classes = [Error, RemoteException, TerminatedWorkerException, StartError, SerializationError, InterruptedError,
               TimeoutError, ProtocolError, NotSupportedError, NotFoundError, ChannelClosed]
    for class_ in classes:
        class_.__module__ = 'gi.repository.Malt'
        class_.__qualname__ = class_.__name__
        _classes[class_.__name__] = class_
        if '_code' in vars(class_) and class_ is not Error:
            _by_code[class_._code] = class_
    return classes


_classes = {}
_by_code = {}


def _restore(name, text, state):
    error = _classes[name](text)
    error.__dict__.update(state)
    return error


def make(domain, code, message, worker, details):
    """The exception for an error. The details are what a GError of ours has more."""
    if domain != DOMAIN:
        return GLib.Error(message, domain, code)

    error = _by_code.get(code, _classes['Error'])(message, domain, code)
    error.worker = worker
    if details is None:
        return error

    type_name, own_message, traceback, error.worker_name, exit_info, error.rung = details
    if hasattr(error, 'exit_info'):
        error.exit_info = exit_info
    if hasattr(error, 'traceback'):
        error.type = type_name
        error.traceback = traceback
        if own_message is not None:
            error.message = own_message
        if traceback is not None:
            error._text = message.removesuffix('\n\nTraceback in the worker:\n' + traceback)
            error.__cause__ = _RemoteTraceback(traceback)
    return error


def from_glib(error, worker, read):
    """The same for what PyGObject has made of an error; read() reads the details of it."""
    if error.domain != DOMAIN or isinstance(error, _classes['Error']):
        return error
    return make(error.domain, error.code, error.message, worker, read(error))
