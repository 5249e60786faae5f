# SPDX-License-Identifier: LGPL-2.1-or-later

"""Log records of a worker, as records of this program's logging.

The worker's code calls a function of this program for each of them and waits until it has
been handled. So they keep their order, and one who logs too fast waits. What comes is texts
and numbers, of which none is believed: it is checked, cut, and made visible.
"""

import logging
import sys
import traceback
import weakref

from . import _native, hosts

NAME = 'malt.logging'

_MAX_TEXT = 64 * 1024
_MAX_NAME = 200
_MAX_EXTRA = 64
#: A logger stays as long as the program; a worker may think of any number of names.
_MAX_LOGGERS = 1000

# What runs in the worker.
_HELPER = '''
import logging, malt, sys, threading

def text(value, limit=65536):
    value = value if isinstance(value, str) else repr(value)
    if len(value) > limit:
        value = f"{value[:limit]}... ({len(value) - limit} more characters)"
    return value.encode("utf-8", "backslashreplace").decode("utf-8")

def plain(value, depth=3):
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int) and -2 ** 63 <= value < 2 ** 63:
        return int(value)
    if depth > 0 and type(value) in (list, tuple):
        return [plain(item, depth - 1) for item in value[:100]]
    if depth > 0 and type(value) is dict:
        return {text(key, 200): plain(item, depth - 1) for key, item in list(value.items())[:100]}
    try:
        return text(value)
    except Exception as error:
        return f"<{type(value).__name__} whose repr() raised {type(error).__name__}>"

class NoLock:
    def acquire(self):
        return True

    def release(self):
        pass

    def __enter__(self):
        return True

    def __exit__(self, *exception):
        pass

class Forwarder(logging.Handler):
    known = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
    fields = ("name", "levelno", "levelname", "pathname", "lineno", "funcName", "created", "msecs", "relativeCreated",
              "threadName", "thread", "stack_info", "taskName")

    def createLock(self):
        self.lock = NoLock()  # each thread sends for itself

    def __init__(self):
        super().__init__()
        self.busy = threading.local()
        self.formatter = logging.Formatter()

    def emit(self, record):
        if getattr(self.busy, "on", False):
            return  # what sending logs itself
        self.busy.on = True
        try:
            malt.host["malt.logging"](self.pack(record))
        except Exception:
            pass  # the program has taken the function back, or ends
        finally:
            self.busy.on = False

    def pack(self, record):
        try:
            message = record.getMessage()
        except Exception as error:
            message = f"{plain(record.msg)} % {plain(record.args)} ({type(error).__name__})"
        sent = {name: plain(getattr(record, name, None)) for name in self.fields}
        sent["message"] = text(message)
        exception = record.exc_text
        if exception is None and record.exc_info and record.exc_info[0] is not None:
            try:
                exception = self.formatter.formatException(record.exc_info)
            except Exception as error:
                exception = f"{record.exc_info[0].__name__} ({type(error).__name__} in its traceback)"
        sent["exception"] = plain(exception)
        sent["extra"] = {text(name, 200): plain(value)
                         for name, value in list(vars(record).items())[:100] if name not in self.known}
        return sent

forwarder = sys.modules.setdefault("malt_logging", type(sys)("malt_logging"))
if not hasattr(forwarder, "handler"):
    forwarder.handler = Forwarder()
    logging.getLogger().addHandler(forwarder.handler)
    logging.captureWarnings(True)
forwarder.handler.setLevel(LEVEL)
logging.getLogger().setLevel(LEVEL)
'''

_RESERVED = frozenset(vars(logging.makeLogRecord({}))) | set(dir(logging.LogRecord)) | {'message', 'asctime'}


def _text(value, limit=_MAX_TEXT):
    """A text that can be shown on a terminal."""
    value = value if isinstance(value, str) else repr(value)
    if len(value) > limit:
        value = value[:limit] + '…'
    if value.isprintable():
        return value
    return ''.join(c if c.isprintable() or c in '\n\t' else c.encode('unicode_escape').decode() for c in value)


def _number(value, kind, default):
    return value if isinstance(value, kind) and not isinstance(value, bool) else default


def _clean(value, depth=3):
    """Something of extra: plain values only, texts made visible."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list) and depth > 0:
        return [_clean(item, depth - 1) for item in value]
    if isinstance(value, dict) and depth > 0:
        return {_text(key, _MAX_NAME): _clean(item, depth - 1) for key, item in value.items()}
    return value if value is None or isinstance(value, (bool, int, float)) else _text(repr(value))


class _Receiver:
    """Has the records of one worker handled."""

    def __init__(self, worker):
        self.worker = weakref.ref(worker)
        self.process = worker.get_pid()
        self.worker_name = worker.dup_name()
        self.loggers = set()

    def __call__(self, sent):
        try:
            self.handle(self.make_record(sent if isinstance(sent, dict) else {'message': sent}))
        except Exception:
            # Of a handler or filter of the program's; the worker is not to blame.
            if logging.raiseExceptions and sys.stderr is not None:
                traceback.print_exc()

    def make_record(self, sent):
        levelno = _number(sent.get('levelno'), int, logging.INFO)
        levelname = _text(sent.get('levelname'), _MAX_NAME) if sent.get('levelname') else logging.getLevelName(levelno)
        record = logging.makeLogRecord({
            'name': _text(sent.get('name') or 'root', _MAX_NAME),
            'msg': _text(sent.get('message') or ''),
            'args': None,
            'levelno': levelno,
            'levelname': levelname,
            'pathname': _text(sent.get('pathname') or '', 1024),
            'lineno': _number(sent.get('lineno'), int, 0),
            'funcName': _text(sent.get('funcName') or '', _MAX_NAME),
            'thread': _number(sent.get('thread'), int, None),
            'threadName': _text(sent.get('threadName') or '', _MAX_NAME),
            'process': self.process,
            'processName': self.worker_name,
        })
        record.filename = record.pathname.rpartition('/')[2]
        record.module = record.filename.rpartition('.')[0] or record.filename
        created = _number(sent.get('created'), float, None)
        if created is not None and 0 <= created < 1e11:
            record.created = created
            record.msecs = _number(sent.get('msecs'), float, record.msecs)
        if sent.get('exception'):
            record.exc_text = _text(sent['exception'])
        if sent.get('stack_info'):
            record.stack_info = _text(sent['stack_info'])
        if 'taskName' in vars(record) or sent.get('taskName'):
            record.taskName = _text(sent['taskName'], _MAX_NAME) if sent.get('taskName') else None
        extra = sent.get('extra')
        for name, value in list(extra.items())[:_MAX_EXTRA] if isinstance(extra, dict) else ():
            if isinstance(name, str) and name.isidentifier() and name not in _RESERVED and not name.startswith('__'):
                setattr(record, name, _clean(value))
        return record

    def handle(self, record):
        if record.name in self.loggers or len(self.loggers) < _MAX_LOGGERS:
            self.loggers.add(record.name)
            logger = logging.getLogger(None if record.name == 'root' else record.name)
        else:
            logger = logging.getLogger()
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)


def begin(worker, level=None):
    """Has the worker's records forwarded from now on."""
    if level is None or level is True:
        level = logging.getLogger().getEffectiveLevel()
    elif isinstance(level, str):
        number = logging.getLevelName(level.upper())
        if not isinstance(number, int):
            raise ValueError(f'{level!r} is no level of logging')
        level = number
    elif not isinstance(level, int):
        raise TypeError(f"the level has to be a number or a name of logging, not '{type(level).__name__}'")
    launcher = worker.get_launcher()
    if launcher.props.runtime != 'python':
        raise ValueError('only the records of a worker that runs Python are forwarded')
    if launcher.props.backend == 'inprocess':
        return  # it logs in this program anyway
    hosts.export(worker, NAME, _Receiver(worker), is_plain=True)
    _native.do(worker, 'builtins.exec', (f'LEVEL = {level}\n' + _HELPER, {}), None, None, None, None, None, False)
