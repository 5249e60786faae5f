# SPDX-License-Identifier: LGPL-2.1-or-later

"""Pickling what a worker is to do, as malt.tasks there takes it.

Most tasks are pickled as pickle does it. Only if that fails, or names what belongs to the program
itself, another pickler is asked, which sends functions as source.
"""

import io
import operator
import os
import pickle
import types

from . import functions, taskerrors

# From how many bytes on they are sent beside the pickle, which would copy them.
_LARGE = 1 << 16


class _Large:
    """Stands for bytes, which a worker makes of the buffer before it unpickles."""

    __slots__ = ('value',)

    def __init__(self, value):
        self.value = value

    def __reduce_ex__(self, protocol):
        return operator.getitem, ((pickle.PickleBuffer(self.value),), 0)


# What a worker does with a buffer: see malt.tasks.
_WRITABLE, _FIXED, _BYTES = range(3)


def _kind_of(buffer):
    if not buffer.readonly:
        return _WRITABLE
    return _BYTES if type(buffer.obj) is bytes else _FIXED


def _is_large(value):
    return type(value) is bytes and len(value) >= _LARGE


def _set_apart(values, made):
    """The same values, with others in the place of large ones; each is still one."""
    return [made.setdefault(id(value), _Large(value)) if _is_large(value) else value for value in values]


def set_apart_task(function, args, kwargs):
    made = {}
    if any(map(_is_large, args)):
        args = tuple(_set_apart(args, made))
    if kwargs and any(map(_is_large, kwargs.values())):
        kwargs = dict(zip(kwargs, _set_apart(kwargs.values(), made)))
    return function, args, kwargs


def set_apart_chunk(function, columns):
    """One look at each column, whose items are mostly of one kind."""
    made = {}
    return function, [_set_apart(column, made) if column and _is_large(column[0]) else column for column in columns]


class _Pickler(pickle.Pickler):
    """Sends functions as source that no worker can import."""

    def persistent_id(self, value):
        if isinstance(value, types.FunctionType):
            return None if functions.name_of(value) is not None else (None, *functions.pack(value))
        if isinstance(value, type) and functions.is_of_program(value.__module__) and value.__module__:
            raise pickle.PicklingError(f'the class {value.__qualname__!r} is of the program itself, which workers have '
                                       'not; put it into a module')
        return None


def _dump(value):
    """(bytes, buffers); those with functions as source begin with a mark, and before that those
    with buffers of different kinds with another one and the kinds."""
    buffers = []
    try:
        data = pickle.dumps(value, 5, buffer_callback=buffers.append)
    except Exception:
        data = None
    if data is None or b'_main__' in data:
        buffers.clear()
        file = io.BytesIO()
        file.write(b'-')
        _Pickler(file, 5, buffer_callback=buffers.append).dump(value)
        data = file.getvalue()
    if buffers:
        buffers = [buffer.raw() for buffer in buffers]
        kinds = bytes(map(_kind_of, buffers))
        if any(kinds):
            data = b'=' + kinds + data
    return data, buffers


def pack(what, names):
    """Pickles a task; names(what) gives each part of it with what it is called in errors."""
    try:
        return _dump(what)
    except Exception as error:
        problem = error
    # Not in the handler, as what it has handled would be shown as well.
    raise _find_culprit(what, names, problem)


def _find_culprit(what, names, problem):
    for name, part in names(what):
        try:
            _dump(part)
        except Exception as error:
            problem = error
            break
    else:
        name = 'a task'
    return taskerrors.make_pickling_error(f'{name} cannot be pickled: {_describe(problem)}', _without_own_frames(problem))


def _without_own_frames(error):
    """With the way to what has raised it, if that is not in here, and without what came before."""
    trace = error.__traceback__
    while trace is not None and os.path.dirname(trace.tb_frame.f_code.co_filename) == os.path.dirname(__file__):
        trace = trace.tb_next
    error.__suppress_context__ = error.__cause__ is None
    return error.with_traceback(trace)


def _describe(error):
    return f'{type(error).__name__}: {error}'


def _name_function(function):
    return getattr(function, '__qualname__', None) or repr(function)


def names_of_task(task):
    function, args, kwargs = task
    yield f'the function {_name_function(function)!r}', function
    for number, value in enumerate(args, 1):
        yield f'argument {number} of {_name_function(function)!r}', value
    for name, value in kwargs.items():
        yield f'argument {name!r} of {_name_function(function)!r}', value


def names_of_chunk(chunk):
    function, columns = chunk
    yield f'the function {_name_function(function)!r}', function
    for number, column in enumerate(columns, 1):
        for index, value in enumerate(column):
            yield f'argument {number} of {_name_function(function)!r}, item {index} of a chunk,', value


def names_of_initializer(what):
    initializer, initargs = what
    return names_of_task((initializer, initargs, {}))
