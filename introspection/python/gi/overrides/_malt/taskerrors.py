# SPDX-License-Identifier: LGPL-2.1-or-later

"""The exceptions of executors, as code that was written for those of the standard library has
them: what is the end of a worker is also a BrokenProcessPool."""

import concurrent.futures
import functools
import importlib
import pickle
import sys

from gi.repository import GLib, Gio

from . import errors

_classes = errors._classes


class TaskCrashError(_classes['TerminatedWorkerException'], concurrent.futures.BrokenExecutor):
    """The worker of a task ended while the task ran, and only that task failed.

    exit_info is a Malt.ExitInfo that tells how. It is a BrokenExecutor and a BrokenProcessPool
    too, although the executor goes on.
    """

    __module__ = 'gi.repository.Malt'


class BrokenExecutorError(_classes['StartError'], concurrent.futures.BrokenExecutor):
    """The executor is broken: its initializer has failed, workers do not start, or die one after
    the other. It takes no more tasks.

    It is a BrokenExecutor and a BrokenProcessPool too.
    """

    __module__ = 'gi.repository.Malt'


class TaskPicklingError(_classes['SerializationError'], pickle.PicklingError):
    """A task cannot be pickled. The message says which part of it; the cause is the exception.

    It is a pickle.PicklingError too.
    """

    __module__ = 'gi.repository.Malt'


CLASSES = [TaskCrashError, BrokenExecutorError, TaskPicklingError]
for _class in CLASSES:
    _classes[_class.__name__] = _class


@functools.cache
def _as_broken_pool(class_):
    """The class that is raised: that of multiprocessing's executor takes long to import."""
    from concurrent.futures.process import BrokenProcessPool
    return type(class_.__name__, (class_, BrokenProcessPool), {'__module__': class_.__module__, '__doc__': class_.__doc__})


def _like(class_, error, text):
    made = class_(text, code=error.code) if isinstance(error, GLib.Error) else class_(text)
    for name in 'worker_name', 'rung', 'exit_info':
        if hasattr(made, name) and hasattr(error, name):
            setattr(made, name, getattr(error, name))
    made.__cause__ = error
    return made


def make_crash_error(error):
    return _like(_as_broken_pool(TaskCrashError), error, str(error))


def make_broken_error(error, text=None):
    return _like(_as_broken_pool(BrokenExecutorError), error, text or str(error))


def make_pickling_error(text, problem):
    made = TaskPicklingError(text)
    made.__cause__ = problem
    return made


def is_closed(error):
    return isinstance(error, GLib.Error) and error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CLOSED)


def _find_class(module_name, path):
    found = sys.modules.get(module_name)
    if found is None:
        found = importlib.import_module(module_name)
    for part in path.split('.'):
        found = getattr(found, part)
    return found if isinstance(found, type) and issubclass(found, BaseException) else None


def _remake(data, parts, module_name, path, message):
    """The exception of the task, or one that is as much like it as can be."""
    if data:
        exception = pickle.loads(data)
        if isinstance(exception, BaseException):
            return exception
    if parts:
        class_, args, state = pickle.loads(parts)
    else:
        class_, args, state = _find_class(module_name, path), (message,), {}
    exception = class_.__new__(class_, *args)
    exception.args = args
    exception.__dict__.update(state)
    return exception


def remake(data, parts, module_name, path, message, text):
    """The exception of a task, with the traceback of the worker as its cause."""
    from concurrent.futures.process import _RemoteTraceback
    try:
        exception = _remake(data, parts, module_name, path, message)
    except Exception:
        name = path if module_name in ('builtins', '__main__') else f'{module_name}.{path}'
        exception = _classes['RemoteException'](f'{name}: {message}')
        exception.type, exception.message, exception.traceback = name, message, text
    exception.__cause__ = _RemoteTraceback(f'\n"""\n{text}"""')
    return exception
