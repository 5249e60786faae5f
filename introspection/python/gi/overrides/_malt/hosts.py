# SPDX-License-Identifier: LGPL-2.1-or-later

"""Functions of this program that a worker's code may call, as malt.host.NAME(...)."""

import asyncio
import atexit
import functools
import inspect
import weakref

from . import _native

_names = weakref.WeakKeyDictionary()  # worker → names of what it was given


def export(worker, name, function, arguments_type=None, is_plain=False):
    """Gives the worker a function, in the place of an earlier one of that name."""
    if not isinstance(name, str):
        raise TypeError(f"the name of the function has to be a str, not '{type(name).__name__}'")
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        loop = None
    if loop is None and _is_async(function):
        raise RuntimeError(f'the function {name!r} is async: give it to the worker where its loop runs')
    runner = functools.partial(_run_in_loop, weakref.ref(loop), function) if loop is not None else None
    _native.host_export(worker, name, arguments_type, function, runner, is_plain)
    _names.setdefault(worker, set()).add(name)


def unexport(worker, name, take_back):
    """Takes a function back; whether there was one."""
    _names.get(worker, set()).discard(name)
    return take_back(worker, name)


def unexport_all(worker, take_back):
    """The worker has ended: its functions, which may well refer to it, are needed no more."""
    for name in _names.pop(worker, ()):
        take_back(worker, name)


def decorator(worker, target, arguments_type):
    """What @worker.export does, with a name in parentheses or without."""
    if callable(target):
        export(worker, getattr(target, '__name__', None) or type(target).__name__, target, arguments_type)
        return target
    if target is not None and not isinstance(target, str):
        raise TypeError(f"export() takes a function or the name for one, not '{type(target).__name__}'")

    def give(function):
        name = target if target is not None else getattr(function, '__name__', None)
        export(worker, name, function, arguments_type)
        return function

    return give


def _is_async(function):
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, '__call__', None))


_tasks = set()  # a loop has weak references only


def _run_in_loop(reference, function, token, args, kwargs):
    """Calls the function in its loop, and finishes the request there."""
    loop = reference()
    if loop is None or loop.is_closed():
        raise RuntimeError('the asyncio loop of the function is closed')
    try:
        is_here = asyncio.get_running_loop() is loop
    except RuntimeError:
        is_here = False
    if not is_here:
        loop.call_soon_threadsafe(_begin, loop, function, token, args, kwargs)
    elif _is_async(function) and _native.is_waiting():
        raise RuntimeError('an async function cannot run while its loop is blocked by a call: await the call')
    else:
        _begin(loop, function, token, args, kwargs)


def _begin(loop, function, token, args, kwargs):
    try:
        value = function(*args, **(kwargs or {}))
        if not inspect.isawaitable(value):
            _native.host_finish(token, value, None)
            return
        task = asyncio.ensure_future(value, loop=loop)
    except Exception as error:
        _native.host_finish(token, None, error)
        return
    _tasks.add(task)
    task.add_done_callback(functools.partial(_finish, token))


def _finish(token, task):
    _tasks.discard(task)
    if task.cancelled():
        _native.host_finish(token, None, asyncio.CancelledError('the function was cancelled'))
    elif task.exception() is not None:
        _native.host_finish(token, None, task.exception())
    else:
        _native.host_finish(token, task.result(), None)


atexit.register(_native.events_end)
