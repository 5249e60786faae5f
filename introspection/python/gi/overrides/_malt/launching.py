# SPDX-License-Identifier: LGPL-2.1-or-later

"""From keywords to a launcher, and what a worker is told of this program."""

import contextlib

from gi.repository import GLib, Malt


def _to_output(value):
    """A Malt.Output, also by its name."""
    if isinstance(value, str):
        try:
            return getattr(Malt.Output, value.upper())
        except AttributeError:
            raise ValueError(f'{value!r} is none of forward, pipe, discard, inherit') from None
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
    return [f'{name}={text}' for name, text in value.items()] if isinstance(value, dict) else value


_CONVERT = {
    'stdout': _to_output,
    'stderr': _to_output,
    'backend_options': _to_options,
    'runtime_options': _to_options,
    'environment': _to_environment,
}


def make_launcher(keywords):
    """A launcher with these properties."""
    launcher = Malt.Launcher()
    if not keywords.keys() & {'backend', 'runtime', 'program'}:
        launcher.props.runtime = 'python'
    for name, value in keywords.items():
        if launcher.find_property(name) is None:
            raise TypeError(f'a worker has no option {name!r}; the options are the properties of Malt.Launcher')
        if name in _CONVERT:
            value = _CONVERT[name](value)
        launcher.set_property(name, value)
    return launcher


@contextlib.contextmanager
def prepared(launcher):
    """While a worker is started: what the launcher has to say for Python's sake."""
    yield


def get_values(worker):
    """How values cross to a worker and back, as MaltPythonValues has it."""
    return 0


def find_function(worker, function):
    """The name by which a worker can call a Python function."""
    raise TypeError('functions are called by their names')
