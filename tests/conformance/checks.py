# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether a value of Python is what it should be; for workers and for those who test them."""

import array
import datetime
import decimal
import hashlib
import importlib
import math

# What the sources of values refer to.
_MODULES = 'array', 'collections', 'math', 'signal', 'threading'


def is_same(one, other):
    """The same value of the same type, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            is_same(a, b) and is_same(one[a], other[b]) for a, b in zip(one, other))
    if isinstance(one, (set, frozenset)):
        return one == other and {type(item) for item in one} == {type(item) for item in other}
    if isinstance(one, float):
        return one == other and math.copysign(1, one) == math.copysign(1, other) or one != one and other != other
    if isinstance(one, decimal.Decimal):
        return str(one) == str(other)
    if isinstance(one, (datetime.datetime, datetime.time)):
        return one == other and one.fold == other.fold and repr(one.tzinfo) == repr(other.tzinfo)
    return one == other


def make(source):
    """The value of an expression."""
    return eval(source, {name: importlib.import_module(name) for name in _MODULES})


def expect(value, source):
    """The value itself, if it is that of the source."""
    if not is_same(value, make(source)):
        raise ValueError(f'{value!r} is not {source}')
    return value


def digest(value):
    """SHA-256 of bytes, or of a list of floats as a processor has them."""
    if type(value) is list:
        if not all(type(item) is float for item in value):
            raise TypeError('not all of the list are floats')
        value = array.array('d', value).tobytes()
    elif type(value) is not bytes:
        raise TypeError(f'cannot make a digest of {type(value)}')
    return hashlib.sha256(value).hexdigest()
