# SPDX-License-Identifier: LGPL-2.1-or-later

"""Sending functions: by name where the worker can import them, else as source.

A worker is told once what a function is, and then only what is different from call to call. For
a pool, of which nobody knows which worker will be asked, all of it comes along each time; a
worker that has it already goes by its identity.
"""

import ast
import dis
import functools
import hashlib
import linecache
import sys
import threading
import types
import weakref

from gi.repository import Malt

from . import _native

_lock = threading.RLock()


class _Sent:
    """What a worker has been sent."""

    def __init__(self):
        self.identities = {}  # (code, id of the globals) → (identity, what keeps them)
        self.importable = {}  # module name → bool


# Not an attribute of the worker: PyGObject would have to watch all references to it.
_by_worker = weakref.WeakKeyDictionary()


def _sent(worker):
    sent = _by_worker.get(worker)
    if sent is None:
        sent = _by_worker[worker] = _Sent()
    return sent


def _fail(function, reason):
    name = getattr(function, '__qualname__', None) or repr(function)
    raise TypeError(f'cannot send the function {name!r}: {reason}')


def is_of_program(module_name):
    """Whether it is the program itself, which no worker can import."""
    return module_name.partition('.')[0] in ('__main__', '__mp_main__', '')


def _is_standard(module_name):
    top = module_name.partition('.')[0]
    return top in sys.stdlib_module_names or top in sys.builtin_module_names


def _can_import(worker, name):
    """Whether the worker finds a module. It is asked once, and its standard library is ours."""
    if is_of_program(name):
        return False
    if _is_standard(name):
        return True
    known = _sent(worker).importable
    if name not in known:
        probe = f'import importlib.util\ntry: found = importlib.util.find_spec({name!r}) is not None\n' \
                'except (ImportError, ValueError): found = False\nfound'
        known[name] = worker.eval(probe, module='malt_probe')
    return known[name]


def name_of(function):
    """(module, path) by which somebody else can import what is here under that name, or None."""
    module_name = getattr(function, '__module__', None)
    if module_name is None:
        # A method of a built-in type names that instead.
        owner = getattr(function, '__objclass__', getattr(function, '__self__', None))
        module_name = owner.__module__ if isinstance(owner, type) else None
    path = getattr(function, '__qualname__', None)
    if not isinstance(module_name, str) or not isinstance(path, str) or '<' in path:
        return None
    found = sys.modules.get(module_name)
    for part in path.split('.'):
        found = getattr(found, part, None)
    if found is None or (found is not function and found != function):
        return None
    return None if is_of_program(module_name) else (module_name, path)


@functools.lru_cache(maxsize=32)
def _parse(text):
    return ast.parse(text)


def _find_node(function):
    """The part of its source that a function was made from."""
    code = function.__code__
    text = ''.join(linecache.getlines(code.co_filename, function.__globals__))
    if not text:
        if code.co_filename == '<stdin>':
            _fail(function, "its source was typed at Python's prompt, which does not keep it; write it into a file")
        _fail(function, f'its source, {code.co_filename}, is not available')
    try:
        tree = _parse(text)
    except SyntaxError:
        _fail(function, f'its source, {code.co_filename}, has changed or is not Python')

    wanted = ast.Lambda if code.co_name == '<lambda>' else (ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(tree) if isinstance(node, wanted) and _is_of(node, code)]
    if len(nodes) != 1:
        _fail(function, f'its source is not to be found in {code.co_filename}, which may have changed'
              if not nodes else 'there are several like it in one line')
    return nodes[0]


def _is_of(node, code):
    arguments = node.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    names = [argument.arg for argument in named]
    if tuple(names) != code.co_varnames[:len(names)] or len(names) != code.co_argcount + code.co_kwonlyargcount:
        return False
    if not isinstance(node, ast.Lambda):
        first = min([node.lineno, *[decorator.lineno for decorator in node.decorator_list]])
        return node.name == code.co_name and first == code.co_firstlineno
    if node.lineno != code.co_firstlineno:
        return False
    # Several may begin in this line; each has its own columns.
    body = node.body
    begin, end = (body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)
    places = [place for place in code.co_positions() if None not in place and place[3] > place[2]]
    return any((line, column) == begin and (end_line, end_column) == end
               for line, end_line, column, end_column in places)


def _source_of(function):
    """Source of a function make() that gives the function, without what is bound later."""
    node = _find_node(function)
    code = function.__code__
    if '__class__' in code.co_freevars:
        _fail(function, 'it uses super() or __class__, which belong to its class')
    if isinstance(node, ast.Lambda):
        result = ast.Lambda(_strip(node.args), node.body)
        body = [ast.Return(result)]
    else:
        copy = type(node)(name=node.name, args=_strip(node.args), body=node.body, decorator_list=[], returns=None,
                          type_comment=None)
        if sys.version_info >= (3, 12):
            copy.type_params = []
        body = [copy, ast.Return(ast.Name(node.name, ast.Load()))]
    cells = ast.arguments(posonlyargs=[], args=[ast.arg(name) for name in code.co_freevars], kwonlyargs=[],
                          kw_defaults=[], defaults=[])
    make = ast.FunctionDef(name='make', args=cells, body=body, decorator_list=[], returns=None, type_comment=None)
    if sys.version_info >= (3, 12):
        make.type_params = []
    return ast.unparse(ast.fix_missing_locations(ast.Module([make], [])))


def _strip(arguments):
    """Without annotations, and with anything for defaults."""
    def bare(argument):
        return ast.arg(argument.arg) if argument is not None else None

    nothing = ast.Constant(None)
    return ast.arguments(
        posonlyargs=list(map(bare, arguments.posonlyargs)), args=list(map(bare, arguments.args)),
        vararg=bare(arguments.vararg), kwonlyargs=list(map(bare, arguments.kwonlyargs)), kwarg=bare(arguments.kwarg),
        defaults=[nothing for _ in arguments.defaults],
        kw_defaults=[None if default is None else nothing for default in arguments.kw_defaults])


def _global_names(code):
    """The global names that a function uses, those of functions inside of it included."""
    names = {instruction.argval for instruction in dis.get_instructions(code)
             if instruction.opname in ('LOAD_GLOBAL', 'LOAD_NAME', 'DELETE_GLOBAL')}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names


class _Sender:
    """Sends one function with all that it refers to."""

    def __init__(self, worker):
        self.worker = worker
        self.sent = _sent(worker)
        self.values = {}   # of global names, which are sent with each call
        self.seen = set()  # identities that were looked at for this call

    def send(self, function):
        """Its identity in the worker."""
        code, space = function.__code__, function.__globals__
        key = code, id(space)
        known = self.sent.identities.get(key)
        identity = known[0] if known is not None else f'f{len(self.sent.identities)}'
        if identity in self.seen:
            return identity
        self.seen.add(identity)

        imports, links, functions = {}, {}, {}
        for name in sorted(_global_names(code)):
            if name in space:
                self.sort(function, name, space[name], imports, links, functions)
        if known is None:
            source = _source_of(function)
            self.sent.identities[key] = identity, (code, space)
            self.do('define', identity, str(space.get('__name__')), function.__qualname__, source, imports, links)
        for name, other in functions.items():
            inner = self.send(other)
            if known is None:
                self.do('bind', inner, *self.bindings(other), name)
        return identity

    def sort(self, function, name, value, imports, links, functions):
        if isinstance(value, types.ModuleType):
            if not self.can_import(value.__name__):
                _fail(function, f'it uses the module {value.__name__!r}, which the worker cannot import')
            imports[name] = value.__name__
            return
        if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, type)):
            link = name_of(value)
            if link is not None and self.can_import(link[0]):
                links[name] = link
                return
        if isinstance(value, types.FunctionType):
            functions[name] = value
        elif isinstance(value, type):
            _fail(function, f'it uses the class {value.__qualname__!r}, which the worker cannot import')
        else:
            self.values[name] = value

    def bindings(self, function):
        """Its closure and defaults as they are now."""
        cells = []
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            try:
                value = cell.cell_contents
            except ValueError:
                _fail(function, f'its variable {name!r} has no value yet')
            if isinstance(value, (types.FunctionType, types.ModuleType, type)):
                _fail(function, f'its variable {name!r} is a {type(value).__name__} of the function around it')
            cells.append(value)
        return tuple(cells), function.__defaults__, function.__kwdefaults__

    def can_import(self, module_name):
        return _can_import(self.worker, module_name)

    def do(self, what, *arguments):
        _native.do(self.worker, 'malt.tasks.' + what, arguments, None, None, None, None, None, 0)


class _Packer(_Sender):
    """Collects what it takes to make a function in any worker."""

    def __init__(self):
        self.values = {}
        self.seen = set()
        self.steps = []

    def send(self, function):
        identity = _identity_of(function)
        if identity in self.seen:
            return identity
        self.seen.add(identity)
        imports, links, functions = {}, {}, {}
        names, source = _source_with_names(function.__code__, function)
        for name in names:
            if name in function.__globals__:
                self.sort(function, name, function.__globals__[name], imports, links, functions)
        space = str(function.__globals__.get('__name__'))
        self.steps.append((identity, (space, function.__qualname__, source, imports, links)))
        for name, other in functions.items():
            inner = self.send(other)
            self.steps.append((None, (inner, *self.bindings(other), name)))
        return identity

    def can_import(self, module_name):
        return not is_of_program(module_name)


_sources = weakref.WeakKeyDictionary()  # code → (global names, source)


def _source_with_names(code, function):
    known = _sources.get(code)
    if known is None:
        known = _sources[code] = sorted(_global_names(code)), _source_of(function)
    return known


def _identity_of(function):
    """The same for what is the same in every worker."""
    _, source = _source_with_names(function.__code__, function)
    text = '\0'.join((str(function.__globals__.get('__name__')), function.__qualname__, source))
    return hashlib.blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()


def check(function):
    """Raises a TypeError for what has no source that could be sent."""
    if isinstance(function, types.MethodType):
        _fail(function, 'it is bound to an object; send a function, and the object as an argument')
    if isinstance(function, type):
        _fail(function, 'it is a class that the worker cannot import')
    if not isinstance(function, types.FunctionType):
        _fail(function, f'a {type(function).__name__} has no source, and the worker cannot import it')


def pack(function):
    """What malt.tasks.make() makes a function of, after its name."""
    check(function)
    with _lock:
        packer = _Packer()
        identity = packer.send(function)
        return packer.steps, (identity, *packer.bindings(function), packer.values)


def _find_for_pool(function):
    name = name_of(function)
    if name is not None and _is_standard(name[0]):
        return '.'.join(name), ()
    try:
        return 'malt.tasks.apply', (name, *pack(function))
    except TypeError:
        if name is None:
            raise
        return '.'.join(name), ()


def find(worker, function):
    """What to call in the worker, or the pool's, instead of a function, and with which arguments
    first."""
    if worker.get_launcher().props.runtime != 'python':
        _fail(function, 'the worker does not run Python')
    if type(function) is functools.partial:
        if function.keywords:
            _fail(function, 'it is a functools.partial with keyword arguments; give these with the call')
        name, first = find(worker, function.func)
        return name, (*first, *function.args)
    if isinstance(worker, Malt.Pool):
        return _find_for_pool(function)
    name = name_of(function)
    if name is not None and _can_import(worker, name[0]):
        return '.'.join(name), ()
    check(function)
    with _lock:
        sender = _Sender(worker)
        identity = sender.send(function)
        return 'malt.tasks.call', (identity, *sender.bindings(function), sender.values)
