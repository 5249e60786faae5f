# SPDX-License-Identifier: LGPL-2.1-or-later

"""From keywords to a launcher, and what a worker is told of this program."""

import contextlib
import os

from gi.repository import GLib, GObject, Malt


_OUTPUTS = {name: getattr(Malt.Output, name.upper()) for name in ('forward', 'pipe', 'discard', 'inherit', 'signal')}


def _to_output(value):
    """A Malt.Output, also by its name."""
    if isinstance(value, str):
        value = _OUTPUTS.get(value.lower(), value)
    if value not in _OUTPUTS.values():
        raise ValueError(f'{value!r} is none of {", ".join(_OUTPUTS)}')
    return value


def _to_options(value):
    """An a{sv}, also from a dictionary of texts, numbers and booleans."""
    if not isinstance(value, dict):
        return value
    options = {}
    for name, item in value.items():
        for type_, form in ((GLib.Variant, None), (bool, 'b'), (int, 'x'), (float, 'd'), (str, 's')):
            if isinstance(item, type_):
                options[name] = GLib.Variant(form, item) if form else item
                break
        else:
            raise TypeError(f'the option {name!r} is a {type(item).__name__}, neither a text, number or boolean '
                            'nor a GLib.Variant')
    return GLib.Variant('a{sv}', options)


def _to_environment(value):
    """A list of NAME=VALUE, also from a dictionary."""
    if not isinstance(value, dict):
        return value
    for name in value:
        if not isinstance(name, str):
            raise TypeError(f'the name {name!r} of a variable is no text')
        if not name or '=' in name:
            raise ValueError(f'{name!r} is no name for a variable: it is empty or has a =')
    return [f'{name}={text}' for name, text in value.items()]


_INTEGERS = GObject.TYPE_INT, GObject.TYPE_UINT, GObject.TYPE_INT64, GObject.TYPE_UINT64


def _to_integer(specification, value):
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int):
        if 'timeout' in specification.name:
            raise TypeError(f'{value!r} is no whole number, of milliseconds')
        raise TypeError(f'{value!r} is no whole number')
    if not specification.minimum <= value <= specification.maximum:
        raise ValueError(f'{value} is not between {specification.minimum} and {specification.maximum}')
    return value


def _to_path(value):
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _to_texts(value):
    if isinstance(value, (str, bytes)) or not hasattr(value, '__iter__'):
        raise TypeError(f'{value!r} is no list of texts')
    texts = [_to_path(item) for item in value]
    for item in texts:
        if not isinstance(item, str):
            raise TypeError(f'the item {item!r} is no text')
        if '\0' in item:
            raise ValueError(f'the item {item!r} has a NUL character')
    return texts


def to_property(specification, name, value):
    """What the property is set to for what was given under this name."""
    try:
        if name in _CONVERT:
            value = _CONVERT[name](value)
        if value is None:
            return value
        if specification.value_type in _INTEGERS:
            return _to_integer(specification, value)
        if specification.value_type == GObject.TYPE_STRV:
            return _to_texts(value)
        if specification.value_type == GObject.TYPE_STRING:
            value = _to_path(value)
            if not isinstance(value, str):
                raise TypeError(f'{value!r} is no text')
        return value
    except (TypeError, ValueError) as error:
        raise type(error)(f'the option {name!r}: {error}') from None


_CONVERT = {
    'stdout': _to_output,
    'stderr': _to_output,
    'backend_options': _to_options,
    'runtime_options': _to_options,
    'environment': _to_environment,
}


def make_launcher(keywords):
    """A launcher with these properties, and options of the runtime under names of their own."""
    launcher = Malt.Launcher()
    if not keywords.keys() & {'backend', 'runtime', 'program'}:
        launcher.props.runtime = 'python'
    options = {}
    if 'pickle' in keywords:
        options['objects'] = 'pickle' if keywords.pop('pickle') else 'tag'
    if 'buffers' in keywords:
        options['buffers'] = keywords.pop('buffers')
    for name, value in keywords.items():
        specification = launcher.find_property(name)
        if specification is None:
            raise TypeError(f'a worker has no option {name!r}; the options are the properties of Malt.Launcher')
        value = to_property(specification, name, value)
        try:
            launcher.set_property(name, value)
        except TypeError as error:
            raise TypeError(f'the option {name!r}: {error}') from None
    if options:
        _add_options(launcher, options)
    return launcher


def _add_options(launcher, options):
    """Adds options of the runtime, whose values are texts; those that it has stay."""
    before = launcher.props.runtime_options
    known = {} if before is None else {name: before.lookup_value(name, None) for name in before.keys()}
    for name, text in options.items():
        known.setdefault(name, GLib.Variant('s', text))
    launcher.props.runtime_options = GLib.Variant('a{sv}', known)


def _speaks_python(launcher):
    """Whether the other end is the Python runtime of libmalt, in a worker of libmalt."""
    return launcher.props.runtime == 'python' and launcher.props.backend in ('process', 'inprocess')


def _may_unpickle(launcher):
    """Whether a worker is trusted as much as this program.

    One without a sandbox profile has all rights of this program's user anyway. There are no
    profiles yet; none that has one is to be unpickled from.
    """
    return _speaks_python(launcher)


@contextlib.contextmanager
def prepared(launcher):
    """While a worker is started: tells it that the other end is Python too."""
    if not _speaks_python(launcher):
        yield
        return
    before = launcher.props.runtime_options
    _add_options(launcher, {'objects': 'pickle' if _may_unpickle(launcher) else 'tag'})
    try:
        yield
    finally:
        launcher.props.runtime_options = before


# MaltPythonValues
_VIEWS, _OBJECTS, _PICKLE, _IMPORT = 1 << 1, 1 << 3, 1 << 4, 1 << 5


def get_values(worker):
    """How values cross to a worker, or a pool's, and back, as MaltPythonValues has it."""
    return values_of(worker.get_launcher())


def may_pickle(launcher):
    """Whether any object may be sent as a pickled one, and comes back so."""
    return bool(values_of(launcher) & _PICKLE)


def values_of(launcher):
    """The same for the workers of a launcher."""
    if not _speaks_python(launcher):
        return 0
    options = launcher.props.runtime_options
    options = options.unpack() if options is not None else {}
    values = {'tag': _OBJECTS, 'pickle': _OBJECTS | _PICKLE | _IMPORT}.get(options.get('objects'), 0)
    if values & _PICKLE and not _may_unpickle(launcher):
        values = _OBJECTS
    return values | (_VIEWS if options.get('buffers') == 'view' else 0)

