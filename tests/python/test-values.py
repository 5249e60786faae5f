# SPDX-License-Identifier: LGPL-2.1-or-later

"""Values of Python there and back."""

import array
import collections
import ctypes
import datetime
import decimal
import enum
import fractions
import math
import mmap
import pickle
import signal
import string
import sys
import tracemalloc
import unittest
import zoneinfo

from gi.repository import GLib

from binding import Malt, WorkerTest
from checks import is_same

try:
    import numpy
except ImportError:
    numpy = None
try:
    import hypothesis
    from hypothesis import strategies as st
except ImportError:
    hypothesis = None

with_numpy = unittest.skipIf(numpy is None, 'there is no numpy')

UTC = datetime.timezone.utc

# What comes back as it went, in every mode.
SAME = [
    None, True, False, 0, -1, 255, 2**63 - 1, -2**63, 2**64 - 1, 2**64, -2**63 - 1, 2**1000, -2**1000, 1.5, -0.0,
    math.inf, 5e-324, '', 'text', 'Grüße 🙂', 'a\0b', '\udc80', b'', b'\0\xff', 1j, complex(1, -2),
    [], [[]], [1, 2], [1, 2**63], [1, 2**64], [1, 2.0], [1.5], ['a'], ['a', 'b\0'], [True], [None], [None, 1],
    [b'a', b'b'], [[1], [2]], [[1], ['a']], (), (1,), ((),), (1, 'a', None, [(2.0,)]), tuple(range(400)),
    {}, {'a': 1}, {1: 'a', -2: None}, {'a': 1, 1: 'a'}, {None: 1}, {True: 1, 2: 2}, {(1, 2): {3}}, {2**64: 1},
    {'a\0b': 1}, {1.5: 2}, {b'a': b'b'}, {frozenset({1}): 2},
    set(), {1, 2}, {'a', 1, None}, frozenset(), frozenset({(1, 2)}), [{1}, {2}], {'a': {'b'}},
    decimal.Decimal('1.50'), decimal.Decimal('-Infinity'), decimal.Decimal('1E+1000'),
    datetime.datetime(2024, 2, 29, 23, 59, 59, 999999), datetime.datetime(2024, 10, 27, 2, 30, fold=1),
    datetime.datetime(2024, 1, 1, tzinfo=UTC),
    datetime.datetime(1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=-5, microseconds=7))),
    datetime.datetime(2024, 10, 27, 2, 30, tzinfo=zoneinfo.ZoneInfo('UTC'), fold=1),
    datetime.date(9999, 12, 31), datetime.time(1, 2, 3, 4), datetime.time(1, tzinfo=UTC),
    datetime.timedelta(-5, 3, 2), datetime.timedelta.max, UTC, datetime.timezone(datetime.timedelta(hours=1)),
    signal.SIGINT, [signal.SIGINT, signal.SIGTERM], {signal.SIGINT: signal.SIGTERM}, [1, signal.SIGINT],
    signal.Handlers.SIG_IGN, bytearray(b'abc'), bytearray(), array.array('d', [1.5, 2]), array.array('B'),
    array.array('h', [-1, 2]), [array.array('f', [1])],
]


class There(enum.Enum):
    """Only here, in the program."""

    ONE = 1


class Values(WorkerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker.eval('def echo(x=None, **more): return x if not more else more')

    def assert_back(self, value):
        back = self.worker.call('echo', value)
        self.assertTrue(is_same(back, value), f'{value!r} came back as {back!r}')

    def assert_made_back(self, value):
        """The same of a value that was made at random."""
        self.assert_back(value)

    def test_same(self):
        for value in SAME:
            with self.subTest(value=repr(value)[:60]):
                self.assert_back(value)
                self.assert_back([value, value])
                self.assert_back({'key': (value, [value])})

    def test_every_way_of_calling(self):
        value = [1, {2, 3}, {4: (5, None)}]
        self.assertEqual(self.worker.submit('echo', value).result(), value)
        self.assertEqual(self.worker.call('echo', a=value, b=2**70), {'a': value, 'b': 2**70})
        self.assertEqual(self.worker.remote_call_fetch('echo', (value,)), value)
        self.assertEqual(self.worker.remote_call_fetch('echo', GLib.Variant('(as)', (['a'],))), ['a'])
        self.assertEqual(self.worker.eval('{1, 2}'), {1, 2})

    def test_other(self):
        for value, expected in ((collections.OrderedDict(a=1), {'a': 1}), (memoryview(b'abc'), b'abc'),
                                (collections.namedtuple('Point', 'x y')(1, 2), (1, 2)), (type('T', (str,), {})('a'), 'a'),
                                (There.ONE, 1), ([There.ONE], [1])):
            back = self.worker.call('echo', value)
            self.assertTrue(is_same(back, expected), f'{value!r} came back as {back!r}')

    def test_buffers(self):
        numbers = (ctypes.c_double * 3)(1, 2, 3)
        for value in memoryview(array.array('i', range(12))), memoryview(numbers)[::2], numbers, \
                memoryview(bytes(24)).cast('h', (3, 4)):
            back = self.worker.call('echo', value)
            self.assertIsInstance(back, memoryview)
            self.assertEqual(back, memoryview(value))
        with mmap.mmap(-1, 4096) as pages:
            pages[:5] = b'hello'
            self.assertEqual(bytes(self.worker.call('echo', pages)[:6]), b'hello\0')
        self.assertEqual(self.worker.call('echo', ctypes.c_int(5)), 5)

    @with_numpy
    def test_numpy(self):
        for value in (
                numpy.arange(6.0), numpy.arange(24).reshape(2, 3, 4), numpy.arange(6)[::2], numpy.arange(6)[::-1],
                numpy.asfortranarray(numpy.arange(12, dtype='f4').reshape(3, 4)), numpy.arange(12).reshape(3, 4).T,
                numpy.zeros((0, 3)), numpy.zeros(0), numpy.array(5.0), numpy.array([1 + 2j]), numpy.complex64([1j]),
                numpy.array([True, False]), numpy.float16([1.5]), numpy.ones([2] * 8, 'u1'),
                *[numpy.array([0, 1], type_) for type_ in 'bBhHiIlLqQ'], numpy.arange(100_000.0).reshape(10, -1)):
            with self.subTest(type=value.dtype, shape=value.shape):
                for given, back in ((value, self.worker.call('echo', value)),
                                    ([value], self.worker.call('echo', [value])[0])):
                    self.assertIs(type(back), numpy.ndarray)
                    self.assertEqual((back.dtype, back.shape), (value.dtype, value.shape))
                    self.assertTrue(numpy.array_equal(back, value))
                    self.assertTrue(back.flags.writeable)
                    self.assertEqual(back.flags.f_contiguous, numpy.array(value, order='A').flags.f_contiguous)
        for number, expected in ((numpy.float64(2), 2.0), (numpy.int32(3), 3), (numpy.float32(1.5), 1.5),
                                 (numpy.bool_(True), True)):
            self.assertTrue(is_same(self.worker.call('echo', number), expected), number)
        self.assertEqual(self.worker.eval('import numpy; numpy.arange(5).sum()'), 10)

    def test_bad_values(self):
        for value, pattern in (([1, threading_lock()], "^argument 1, item 1: cannot convert a value of type '_thread.lock'"),
                               ({1: {2: 2, 3: sys._getframe()}}, "^argument 1, key 1, key 3: cannot convert a value "
                                "of type 'frame'")):
            with self.assertRaisesRegex(Malt.SerializationError, pattern):
                self.worker.call('echo', value)
            with self.assertRaisesRegex(Malt.SerializationError, pattern.replace('argument 1', "argument 'x'")):
                self.worker.call('echo', x=value)
        self.assertEqual(self.worker.call('echo', 1), 1)

    def test_values_that_contain_themselves_or_are_deep(self):
        # Pickle can do that.
        loop = [1]
        loop.append(loop)
        back = self.worker.call('echo', loop)
        self.assertIs(back[1], back)
        deep = 1
        for _ in range(100):
            deep = [deep]
        self.assertEqual(self.worker.call('echo', deep), deep)

    def test_all_depths(self):
        """What is too deep for a message is pickled, from the first that is."""
        self.worker.eval('def ask(value): return malt.host.echo(value)\nthere = malt.Channel(1)')
        channel = self.worker.channel('there')
        self.worker.export_function('echo', lambda value: value)
        for grow in (lambda value: (value,), lambda value: [value], lambda value: [value, 'text'], lambda value: {'key': value},
                     lambda value: {5: value}, lambda value: {None: value}, lambda value: frozenset([value, 1])):
            deep = 1
            for _ in range(36):
                try:
                    deep = grow(deep)
                except TypeError:
                    break
                with self.subTest(deep):
                    self.assert_back(deep)
                    self.assertEqual(self.worker.call('echo', y=deep), {'y': deep})
                    self.assertEqual(self.worker.call('ask', deep), deep)
                    channel.put(deep)
                    self.assertEqual(channel.take(), deep)

    def test_code_of_the_value_that_raises(self):
        class Bad:
            def __index__(self):
                raise LookupError('no number')

        with self.assertRaisesRegex(LookupError, 'no number'):
            self.worker.call('echo', Bad())

    @unittest.skipIf(hypothesis is None, 'there is no hypothesis')
    def test_there_and_back(self):
        zones = st.none() | st.just(UTC) | st.builds(
            datetime.timezone, st.timedeltas(datetime.timedelta(hours=-23), datetime.timedelta(hours=23)))
        keys = (st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters()) |
                st.binary() | st.dates() | st.timedeltas())
        leaves = (keys | st.floats() | st.complex_numbers(allow_nan=False) | st.decimals(allow_nan=False) |
                  st.datetimes(timezones=zones) | st.times(timezones=zones) | st.sampled_from(signal.Signals) |
                  st.builds(bytearray, st.binary()) |
                  st.builds(array.array, st.just('d'), st.lists(st.floats(allow_nan=False))))
        hashable = st.recursive(keys, lambda inner: st.tuples(inner) | st.tuples(inner, inner) |
                                st.frozensets(inner, max_size=4), max_leaves=5)
        values = st.recursive(leaves, lambda inner: st.lists(inner) | st.lists(inner).map(tuple) |
                              st.dictionaries(hashable, inner) | st.sets(hashable) |
                              st.dictionaries(st.text(string.printable), inner), max_leaves=20)

        @hypothesis.settings(deadline=None, max_examples=300, database=None,
                             suppress_health_check=list(hypothesis.HealthCheck))
        @hypothesis.given(values)
        def check(value):
            self.assert_made_back(value)

        check()

    @with_numpy
    @unittest.skipIf(hypothesis is None, 'there is no hypothesis')
    def test_arrays_there_and_back(self):
        from hypothesis.extra import numpy as hn

        @hypothesis.settings(deadline=None, max_examples=150, database=None,
                             suppress_health_check=list(hypothesis.HealthCheck))
        @hypothesis.given(hn.arrays(self.dtypes(hn), hn.array_shapes(min_dims=0, max_dims=5, min_side=0)),
                          st.booleans())
        def check(value, turned):
            value = value.T if turned else value
            back = self.worker.call('echo', value)
            self.assertEqual((back.dtype, back.shape), (value.dtype, value.shape))
            self.assertEqual(back.tobytes(), value.tobytes())

        check()

    def dtypes(self, hn):
        # Of no elements, NumPy's own pickle does not keep the byte order of dates.
        dates = hn.datetime64_dtypes(endianness='=') | hn.timedelta64_dtypes(endianness='=')
        plain = (hn.boolean_dtypes() | hn.integer_dtypes() | hn.unsigned_integer_dtypes() | hn.floating_dtypes() |
                 hn.complex_number_dtypes() | hn.unicode_string_dtypes() | hn.byte_string_dtypes() | dates)
        return plain | hn.array_dtypes(plain)

    def test_large_values_cost_no_step_per_element(self):
        data = bytes(8_000_000)
        for value in data, array.array('d', data), memoryview(data).cast('q', (1000, 1000)):
            tracemalloc.start()
            back = self.worker.call('echo', value)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertEqual(bytes(memoryview(back).cast('B') if not isinstance(back, bytes) else back), data)
            # Python has one copy of it, which is what came back; an array is made from another.
            self.assertLess(peak, 2.5 * len(data))

    # Only with pickle.

    def test_pickle(self):
        for value in fractions.Fraction(1, 3), range(5), slice(1, 2), ValueError, len, [fractions.Fraction(1, 2)]:
            self.assertEqual(self.worker.call('echo', value), value)
        error = self.worker.call('echo', KeyError('x'))
        self.assertIsInstance(error, KeyError)
        shared = fractions.Fraction(1, 3)
        one, two = self.worker.call('echo', [shared, shared])
        self.assertIs(one, two)

    @with_numpy
    def test_pickled_arrays(self):
        for value in (numpy.array(['a', 'b']), numpy.arange(5, dtype='>i4'), numpy.array(['2020-01-01'], 'M8[D]'),
                      numpy.array([(1, 2.0)], [('a', 'i4'), ('b', 'f8')]), numpy.array([1, 'a'], object)):
            back = self.worker.call('echo', value)
            self.assertEqual(back.dtype, value.dtype)
            self.assertTrue((back == value).all())
        masked = self.worker.call('echo', numpy.ma.array([1, 2], mask=[False, True]))
        self.assertEqual(masked.mask.tolist(), [False, True])
        back = self.worker.call('echo', [fractions.Fraction(1), numpy.arange(100_000)])[1]
        self.assertTrue(back.flags.writeable)
        self.assertEqual(back.sum(), 4999950000)

    def test_what_the_other_end_does_not_have(self):
        with self.assertRaisesRegex(Malt.SerializationError, "/malt/pickle: (Attribute|ModuleNotFound)Error: ") as caught:
            self.worker.call('echo', Only())
        self.assertIs(caught.exception.worker, self.worker)
        with self.assertRaisesRegex(Malt.SerializationError, "/malt/pickle: .*'Elsewhere'.*in a module that both ends"):
            self.worker.eval('class Elsewhere: pass\nElsewhere()')
        self.assertEqual(self.worker.call('echo', 1), 1)


class Only:
    """Known here only."""


def threading_lock():
    import threading
    return threading.Lock()


class WithoutPickle(Values):
    keywords = {'runtime': 'python', 'pickle': False}

    test_pickle = test_pickled_arrays = test_what_the_other_end_does_not_have = None
    test_values_that_contain_themselves_or_are_deep = test_all_depths = None

    def dtypes(self, hn):
        return hn.boolean_dtypes() | hn.integer_dtypes(endianness='=') | hn.floating_dtypes(endianness='=') | \
            hn.complex_number_dtypes(endianness='=', sizes=(64, 128))

    def assert_made_back(self, value):
        try:
            super().assert_made_back(value)
        except Malt.SerializationError as error:
            self.assertRegex(str(error), 'cannot convert a value that is .* deep')

    def test_no_pickle(self):
        for value in fractions.Fraction(1, 3), Only(), len, There:
            with self.assertRaisesRegex(Malt.SerializationError, "^argument 1: cannot convert a value of type '[^']*'$"):
                self.worker.call('echo', value)
        for source in 'object()', 'len', 'import fractions; fractions.Fraction(1, 3)':
            with self.assertRaises(Malt.SerializationError):
                self.worker.eval(source)
        loop = []
        loop.append(loop)
        with self.assertRaisesRegex(Malt.SerializationError, 'contains itself'):
            self.worker.call('echo', loop)

    def test_too_deep(self):
        deep, depth = 1, 0
        while depth < 29:
            deep, depth = (deep,), depth + 1
            self.assertEqual(self.worker.call('echo', deep), deep)
            if depth < 29:
                self.assertEqual(self.worker.call('echo', y=deep), {'y': deep})
        for value, pattern in (((deep,), '^argument 1: cannot convert a value that is 30 containers deep .limit 29'),
                               ([[0], {'a': deep}], '^argument 1, item 1: cannot convert .* 32 containers deep .limit 29')):
            with self.assertRaisesRegex(Malt.SerializationError, pattern):
                self.worker.call('echo', value)
        with self.assertRaisesRegex(Malt.SerializationError, "^argument 'y': cannot convert .* 29 containers deep .limit 28"):
            self.worker.call('echo', y=deep)

    @with_numpy
    def test_no_pickled_arrays(self):
        for value in numpy.array(['a']), numpy.arange(5, dtype='>i4'), numpy.ma.array([1]):
            with self.assertRaises(Malt.SerializationError):
                self.worker.call('echo', value)

    def test_a_worker_that_pickles_all_the_same(self):
        # A native program could send this, whatever it was told; here the worker says that it
        # is a plain value.
        forged = GLib.Variant('(ov)', ('/malt/pickle', GLib.Variant('(ayaay)', (pickle.dumps(1), []))))
        with self.assertRaisesRegex(Malt.SerializationError, 'a pickled object is not taken'):
            self.worker.remote_call_fetch('echo', GLib.Variant.new_tuple(forged))


class Hostile(unittest.TestCase):
    """What a worker may send by itself: its values are made of GVariants here."""

    @classmethod
    def setUpClass(cls):
        cls.native = Malt.Worker(runtime='native')
        cls.python = Malt.Worker(runtime='python', pickle=False)

    @classmethod
    def tearDownClass(cls):
        cls.native.stop()
        cls.python.stop()

    def decode(self, variant, worker=None):
        from gi.overrides._malt import _native
        return _native.unpack(variant, worker or self.python)

    def tagged(self, name, variant):
        return GLib.Variant('(ov)', ('/malt/' + name, variant))

    def array(self, kind='f', size=8, n=1, flags=0, container=0, shape=(2,), data=bytes(16)):
        shape = (*shape, *[0] * (8 - len(shape)))
        return GLib.Variant(f'(yyyyu{"t" * 8}ay)', (ord(kind), size, n, flags, container, *shape, data))

    def test_bad_tags(self):
        V = GLib.Variant
        for name, variant in (
                ('none', V('x', 1)), ('int', V('x', 1)), ('int', V('s', 'a')), ('int', V('ay', bytes(2**20 + 1))), ('set', V('aax', [[1]])), ('set', V('x', 1)),
                ('dict', V('(axax)', ([1], []))), ('dict', V('(aaxax)', ([[1]], [1]))), ('dict', V('x', 1)),
                ('decimal', V('s', 'abc')), ('date', V('s', 'x')), ('datetime', V('(ssb)', ('x', '', False))),
                ('datetime', V('(ssb)', ('2024-01-01', '99999999999999999999', False))),
                ('datetime', V('(ssb)', ('2024-01-01', '../../etc/passwd', False))), ('datetime', V('x', 1)),
                ('timedelta', V('(xxx)', (2**62, 0, 0))), ('complex', V('(ss)', ('a', 'b'))), ('tuple', V('x', 1)),
                ('str', V('ay', b'\xff')), ('enum', V('(ssx)', ('signal', 'Signals', 9999))), ('enum', V('x', 1)),
                ('pickle', V('(ayaay)', (b'', [])))):
            with self.subTest(name=name, variant=str(variant)), self.assertRaises(Malt.SerializationError):
                self.decode(self.tagged(name, variant))
        with self.assertRaises(Malt.SerializationError):
            self.decode(V('(ov)', ('/', V('x', 1))))

    def test_enumerations_call_and_import_nothing(self):
        V = GLib.Variant
        for module, name in (('os', 'system'), ('subprocess', 'run'), ('builtins', 'exec'), ('antigravity', 'x'),
                             ('signal', 'Signals.mro'), ('signal', ''), ('', 'x'), ('signal', '__builtins__.exec')):
            self.assertEqual(self.decode(self.tagged('enum', V('(sss)', (module, name, 'true')))), 'true')
        self.assertNotIn('antigravity', sys.modules)

    def test_bad_arrays(self):
        for keywords in ({'kind': 'O'}, {'kind': 'V'}, {'size': 0}, {'size': 3}, {'n': 9}, {'n': 255}, {'n': 0}, {'flags': 2},
                         {'container': 4}, {'container': 2**32 - 1}, {'shape': (3,)}, {'shape': (2**61,)},
                         {'shape': (2**64 - 1,)}, {'n': 2, 'shape': (2**32, 2**32)}, {'n': 2, 'shape': (0, 2**63), 'data': b''},
                         {'n': 2, 'shape': (2, 1), 'container': 1}, {'data': bytes(17)}):
            with self.subTest(keywords=keywords), self.assertRaises(Malt.SerializationError):
                self.decode(self.array(**keywords))

    @with_numpy
    def test_good_arrays(self):
        self.assertEqual(self.decode(self.array()).tolist(), [0.0, 0.0])
        self.assertEqual(self.decode(self.array(container=1)), array.array('d', [0, 0]))
        self.assertEqual(self.decode(self.array(n=2, shape=(2, 1), container=2)).shape, (2, 1))

    def test_other_languages_get_plain_values(self):
        self.assertEqual(self.decode(self.tagged('int', GLib.Variant('ay', b'\1')), self.native), ('/malt/int', b'\1'))
        for value in 2**64, {1}, datetime.date(2024, 1, 1), {1.5: 2}, [fractions.Fraction(1)]:
            with self.assertRaisesRegex(Malt.SerializationError, '^argument 1.*: cannot convert'):
                self.native.call('none', value)


@with_numpy
class Views(unittest.TestCase):
    def test_views(self):
        with Malt.Worker(runtime='python', buffers='view') as worker:
            worker.eval('def echo(x): return x\ndef kind(x): return type(x).__name__, x.flags.writeable')
            value = numpy.arange(1_000_000.0).reshape(1000, -1)
            back = worker.call('echo', value)
            self.assertTrue(numpy.array_equal(back, value))
            self.assertFalse(back.flags.writeable)
            self.assertEqual(worker.call('kind', value), ('ndarray', False))
            self.assertEqual(worker.call('echo', [1.5, 2]), [1.5, 2.0])
            self.assertEqual(worker.call('echo', b'abc'), b'abc')
            self.assertIsInstance(worker.call('echo', b'abc'), memoryview)
            # It stays when its worker has gone.
            worker.kill()
        self.assertEqual(back[999, 999], 999999)


if __name__ == '__main__':
    unittest.main()
