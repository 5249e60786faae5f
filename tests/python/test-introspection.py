# SPDX-License-Identifier: LGPL-2.1-or-later

"""Introspected functions in a worker, called from Python with Python's values."""

import asyncio
import os
import unittest

from gi.repository import GLib

from binding import Malt, WorkerTest


class Introspection(WorkerTest):
    keywords = {'runtime': 'native', 'search_path': [os.environ['TEST_INTROSPECTED']]}

    def call(self, function, *arguments, **keywords):
        return self.worker.call(function, *arguments, **keywords)

    def test_numbers_and_text(self):
        self.assertEqual(self.call('GLib.compute_checksum_for_string', 'md5', 'hello', -1),
                         '5d41402abc4b2a76b9719d911017c592')
        self.assertEqual(self.call('GLib.ascii_string_to_unsigned', 'ff', 16, 0, 255), (True, 255))
        self.assertEqual(self.call('GLib.get_environ') is not None, True)
        self.assertEqual(self.call('Specimens.join', 'a', None, '-'), 'a')
        self.assertEqual(self.call('Specimens.join', first='ä', second='♥'), 'ä,♥')
        self.assertIsNone(self.call('Specimens.table', None))

    def test_containers(self):
        self.assertEqual(self.call('Specimens.dot', [1, 2], [3.5, 4]), 11.5)
        self.assertEqual(self.call('Specimens.dot', [1, 2.5], (2, 2)), 7.0)
        self.assertEqual(self.call('Specimens.dot', [], []), 0.0)
        self.assertEqual(self.call('Specimens.words', b'a b'), ['a', 'b'])
        self.assertEqual(self.call('Specimens.sum_points', [{'x': 1.0, 'y': 2}, {'x': 3}]), 6.0)
        self.assertEqual(self.call('Specimens.mirror', {'x': 1.0, 'is_fixed': True}),
                         {'x': -1.0, 'y': 0.0, 'is_fixed': False})
        self.assertEqual(self.call('Specimens.give_everything'),
                         ('text', ['a', 'b'], ['c'], ['d'], {'e': 'f'}, b'gh', (1, 'i'), '2024-01-31T12:30:15.500000Z'))
        self.assertEqual(self.call('Specimens.take_everything', 't', ['a'], [], ['b', 'c'], {'k': 'v'}, b'xy',
                                   {'any': [1, None]}, 9), 't 1 0 2 1 2 a{sv} 9')
        self.assertEqual(self.call('Specimens.fill_some', 6), (3, b'\0\1\2'))

    def test_enums(self):
        self.assertEqual(self.call('Specimens.colour', 3), 'dark-red')
        self.assertEqual(self.call('Specimens.colour', 7), 7)
        self.assertEqual(self.call('Specimens.colour_number', 'DARK_RED'), 3)
        self.assertEqual(self.call('Specimens.parts_bits', ['head', 'tail']), 3)
        self.assertEqual(self.call('Specimens.parts_bits', 'head|tail'), 3)
        self.assertEqual(self.call('Specimens.parts', 1), ['head'])
        self.assertEqual(self.call('GLib.Date.get_days_in_month', GLib.DateMonth.FEBRUARY, 2023), 28)

    def test_errors(self):
        with self.assertRaises(Malt.RemoteException) as caught:
            self.call('GLib.file_get_contents', '/no/such/file')
        self.assertEqual(caught.exception.type, f'g-file-error-quark({int(GLib.FileError.NOENT)})')

        for arguments, message in (
                ((0, 5_000_000_000), 'argument 2 (end): 5000000000 does not fit in gint32'),
                ((0, 'a'), "argument 2 (end): 'a' of the type s is not gint32"),
                ((0,), 'argument 2 (end) of GLib.random_int_range (begin, end) is missing'),
                ((0, 1, 2), '3 arguments are too many for GLib.random_int_range (begin, end)')):
            with self.assertRaises(GLib.Error) as caught:
                self.call('GLib.random_int_range', *arguments)
            self.assertIn(message, str(caught.exception))
        with self.assertRaisesRegex(GLib.Error, r'argument 1 \(object\) is an object \(GObject.Object\)'):
            self.call('Specimens.object', None)
        with self.assertRaisesRegex(GLib.Error, 'text that is not UTF-8'):
            self.call('Specimens.latin1')
        with self.assertRaisesRegex(GLib.Error, 'there is no namespace Nowhere'):
            self.call('Nowhere.function')
        self.assertEqual(self.call('Specimens.get_version'), 1)

    def test_await(self):
        async def call_many():
            return await asyncio.gather(*(self.worker.call_async('GLib.bit_storage', 1 << i) for i in range(50)))

        self.assertEqual(asyncio.run(call_many()), list(range(1, 51)))


if __name__ == '__main__':
    unittest.main()
