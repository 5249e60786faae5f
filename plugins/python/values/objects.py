# SPDX-License-Identifier: LGPL-2.1-or-later

# Values of Python that GVariant has no type for, as docs/values.md has them: a tag and what
# stands for the value. This is in the runtime and in the Python binding, which run it as it
# is when the first such value comes along.

import datetime
import decimal
import enum
import importlib
import pickle
import sys

# Of a whole number, which takes longer than its size to be worked with.
MAX_INT_BYTES = 1 << 20


def zone_of(value):
    """'' without a time zone, its key if it has one, else its distance from UTC."""
    zone = value.tzinfo
    if zone is None:
        return ''
    if type(zone) is datetime.timezone:
        return str(zone.utcoffset(None) // datetime.timedelta(microseconds=1))
    key = getattr(zone, 'key', None)
    if type(zone).__module__ == 'zoneinfo' and isinstance(key, str):
        return key
    raise NotImplementedError


def zone_from(text):
    if text == '':
        return None
    if text.lstrip('-').isdigit():
        return datetime.timezone(datetime.timedelta(microseconds=int(text)))
    import zoneinfo
    return zoneinfo.ZoneInfo(text)


def encode_int(value):
    data = value.to_bytes(value.bit_length() // 8 + 1, 'little', signed=True)
    if len(data) > MAX_INT_BYTES:
        raise NotImplementedError
    return data


def decode_int(data):
    if len(data) > MAX_INT_BYTES:
        raise ValueError(f'a whole number of {len(data)} bytes (limit {MAX_INT_BYTES})')
    return int.from_bytes(data, 'little', signed=True)


def encode_moment(value):
    return value.replace(tzinfo=None).isoformat(), zone_of(value), value.fold == 1


def decode_moment(type_):
    def decode(content):
        text, zone, fold = content
        return type_.fromisoformat(text).replace(tzinfo=zone_from(zone), fold=int(fold))
    return decode


def encode_enum(value):
    return type(value).__module__, type(value).__qualname__, value.value


def decode_enum(content, may_import):
    """The member, or its value where the class is not found."""
    module_name, qualname, value = content
    module = sys.modules.get(module_name)
    if module is None and may_import:
        try:
            module = importlib.import_module(module_name)
        except ImportError:
            pass
    found = module
    for name in qualname.split('.'):
        found = vars(found).get(name) if isinstance(found, (type, type(sys))) else None
    return found(value) if isinstance(found, enum.EnumMeta) else value


def encode_pickle(value):
    buffers = []
    data = pickle.dumps(value, 5, buffer_callback=buffers.append)
    return '/malt/pickle', (data, [buffer.raw() for buffer in buffers])


def writable(buffer):
    """A copy, of a view of what was received in memory that is quick to get."""
    return buffer.obj.tobytearray() if isinstance(buffer, memoryview) else bytearray(buffer)


def decode_pickle(content):
    data, buffers = content
    try:
        return pickle.loads(data, buffers=[writable(buffer) for buffer in buffers])
    except (AttributeError, ImportError) as error:
        raise type(error)(f'{error}; what it is made of has to be in a module that both ends can import') from error


ENCODE = {
    int: ('int', encode_int),
    str: ('str', lambda value: value.encode('utf-8', 'surrogatepass')),
    tuple: ('tuple', list),
    set: ('set', list),
    frozenset: ('frozenset', list),
    dict: ('dict', lambda value: (list(value.keys()), list(value.values()))),
    complex: ('complex', lambda value: (value.real, value.imag)),
    decimal.Decimal: ('decimal', str),
    datetime.date: ('date', datetime.date.isoformat),
    datetime.time: ('time', encode_moment),
    datetime.datetime: ('datetime', encode_moment),
    datetime.timedelta: ('timedelta', lambda value: (value.days, value.seconds, value.microseconds)),
    datetime.timezone: ('timezone', lambda value: zone_of(datetime.time(tzinfo=value))),
}

DECODE = {
    'int': decode_int,
    'str': lambda data: str(data, 'utf-8', 'surrogatepass'),
    'tuple': tuple,
    'set': set,
    'frozenset': frozenset,
    'dict': lambda content: dict(zip(*content, strict=True)),
    'complex': lambda content: complex(*content),
    'decimal': decimal.Decimal,
    'date': datetime.date.fromisoformat,
    'time': decode_moment(datetime.time),
    'datetime': decode_moment(datetime.datetime),
    'timedelta': lambda content: datetime.timedelta(*content),
    'timezone': zone_from,
}


def encode(value, only_enum):
    """The tag, which is an object path, and what stands for the value; None if nothing does."""
    if isinstance(value, enum.Enum):
        return '/malt/enum', encode_enum(value)
    if only_enum:
        return None
    pickled = getattr(type(value), '__malt_pickled__', None)
    if pickled is not None:
        # It was pickled by whoever has it sent.
        return '/malt/pickle', pickled(value)
    for type_ in type(value).__mro__[:-1]:
        if type_ in ENCODE:
            name, function = ENCODE[type_]
            try:
                return '/malt/' + name, function(value)
            except NotImplementedError:
                return None
    return None


def decode(path, content, may_import, may_unpickle):
    name = path.removeprefix('/malt/')
    if name == 'enum':
        return decode_enum(content, may_import)
    if name == 'pickle':
        if not may_unpickle:
            raise ValueError('a pickled object is not taken from here')
        return decode_pickle(content)
    if name not in DECODE:
        raise ValueError(f'{path} is not known')
    return DECODE[name](content)
