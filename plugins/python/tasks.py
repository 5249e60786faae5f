# SPDX-License-Identifier: LGPL-2.1-or-later

# The module malt.tasks, which is made when it is first asked for: what programs in Python call
# in workers when they send functions, and the tasks of executors. Both ends are of one version.

import importlib
import io
import linecache
import pickle
import sys
import traceback
import types

# Functions that were sent as source. Each has a name there, and shares its names with those of
# the module that it comes from.
spaces, makers = {}, {}


def define(identity, space, title, source, imports, links):
    names = spaces.setdefault(space, {'__name__': space, '__builtins__': __builtins__})
    try:
        for name, target in imports.items():
            names[name] = importlib.import_module(target)
        for name, (target, path) in links.items():
            names[name] = find(target, path)
        file = f'<{title}, sent>'
        linecache.cache[file] = len(source), None, source.splitlines(True), file
        made = {}
        exec(compile(source, file, 'exec', dont_inherit=True), names, made)
        makers[identity] = made['make'], names
    except BaseException as error:
        def fail(*args, problem=error, **kwargs):
            raise problem
        makers[identity] = lambda *args: fail, names


def bind(identity, cells, defaults, keyword_defaults, name):
    make, names = makers[identity]
    function = make(*cells)
    if isinstance(function, types.FunctionType) and function.__name__ != 'fail':
        function.__defaults__ = defaults
        function.__kwdefaults__ = keyword_defaults
    if name:
        names[name] = function
    return function


def call(identity, cells, defaults, keyword_defaults, values, /, *args, **kwargs):
    makers[identity][1].update(values)
    return bind(identity, cells, defaults, keyword_defaults, None)(*args, **kwargs)


def find(module_name, path):
    found = importlib.import_module(module_name)
    for part in path.split('.'):
        found = getattr(found, part)
    return found


def make(name, steps, last):
    """A function that may be sent to any worker: what it takes to make it comes along. With a
    name it is the one of that name, if there is one here."""
    if name:
        try:
            return find(*name)
        except (ImportError, AttributeError):
            if not steps:
                raise
    for identity, arguments in steps:
        if identity is None:
            bind(*arguments)
        elif identity not in makers:
            define(identity, *arguments)
    identity, cells, defaults, keyword_defaults, values = last
    makers[identity][1].update(values)
    return bind(identity, cells, defaults, keyword_defaults, None)


def apply(name, steps, last, /, *args, **kwargs):
    return make(name, steps, last)(*args, **kwargs)


# Tasks of executors: bytes of pickle and buffers, both ways.

# What crosses as it is, faster than by pickle.
PLAIN = frozenset((bool, bytes, float, int, str, types.NoneType))

MAX_TEXT = 1 << 16


class Pickled:
    """A value that goes back pickled as a whole."""

    def __init__(self, value):
        self.buffers = []
        self.data = pickle.dumps(value, 5, buffer_callback=self.buffers.append)

    def __malt_pickled__(self):
        return self.data, [buffer.raw() for buffer in self.buffers]


class Unpickler(pickle.Unpickler):
    """Knows functions that come as source."""

    def persistent_load(self, identity):
        return make(*identity)


def to_bytearray(buffer):
    return buffer.obj.tobytearray() if type(buffer) is memoryview else bytearray(buffer)


def to_bytes(buffer):
    return buffer.obj.tobytes() if type(buffer) is memoryview else buffer


# What is done to a buffer that can be written, one that cannot, and one that is to be bytes.
COPY = to_bytearray, lambda buffer: buffer, to_bytes


def load(data, buffers):
    """Of the program, which is to be trusted."""
    if data[:1] == b'=':
        n = len(buffers) + 1
        buffers = [COPY[kind](buffer) for kind, buffer in zip(data[1:n], buffers)]
        data = data[n:]
    else:
        buffers = map(to_bytearray, buffers)
    if data[:1] == b'-':
        return Unpickler(io.BytesIO(data[1:]), buffers=buffers).load()
    return pickle.loads(data, buffers=buffers)


class ResultError(pickle.PicklingError):
    __module__ = 'pickle'
    __qualname__ = 'PicklingError'

    def __reduce__(self):
        return pickle.PicklingError, self.args


def pack(value):
    if type(value) in PLAIN:
        return value
    try:
        return Pickled(value)
    except Exception as error:
        problem = f'the result, of type {type(value).__qualname__!r}, cannot be pickled: {type(error).__name__}: {error}'
        raise ResultError(problem) from error


def clean(text):
    """Without what cannot cross, and not too long."""
    text = text.encode('utf-8', 'backslashreplace').decode().replace('\0', '\\x00')
    return text if len(text) <= MAX_TEXT else '...' + text[-MAX_TEXT:]


def try_pickle(value):
    """Also that it can be unpickled, as exceptions often cannot."""
    try:
        data = pickle.dumps(value, 5)
        pickle.loads(data)
        return data
    except Exception:
        return None


def parts_of(error):
    """From which another one can be made that is like it."""
    args = tuple(arg if try_pickle(arg) else repr(arg) for arg in error.args)
    state = {name: value for name, value in vars(error).items() if try_pickle(value)}
    return try_pickle((type(error), args, state)) or b''


def fail(error, before):
    """What goes back instead of a value: the only tuple that is not pickled."""
    trace = error.__traceback__
    own = run.__code__, run_chunk.__code__, pack.__code__
    while trace is not None and trace.tb_frame.f_code in own:
        trace = trace.tb_next
    try:
        text = ''.join(traceback.format_exception(type(error), error, trace))
        message = str(error)
    except Exception:
        text = message = '<exception str() failed>'
    data = try_pickle(error)
    return (data or b'', b'' if data else parts_of(error), type(error).__module__, type(error).__qualname__,
            clean(message), clean(text), before)


def run(data, buffers):
    try:
        function, args, kwargs = load(data, buffers)
        data = buffers = None
        value = function(*args, **kwargs)
        function = args = kwargs = None
        if isinstance(value, types.CoroutineType):
            value.close()
            raise TypeError('an executor runs no coroutine functions; Malt.Pool does')
        return pack(value)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return fail(error, b'')


def run_chunk(data, buffers):
    """A function over columns of arguments, up to the first that fails."""
    values = []
    try:
        function, columns = load(data, buffers)
        data = buffers = None
        values.extend(map(function, *columns))
        function = columns = None
        return pack(values)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return fail(error, try_pickle(values) or b'')


def initialize(data, buffers):
    function, args = load(data, buffers)
    function(*args)
