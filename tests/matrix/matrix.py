# SPDX-License-Identifier: LGPL-2.1-or-later

"""A manager in Python: every case of cases.json with workers of each runtime."""

import json
import os
import sys
import tempfile
import threading
import unittest

sys.path.append(os.path.join(os.environ['G_TEST_SRCDIR'], 'python'))

from binding import CANNOT_INTERRUPT, CONFORMANCE, PATIENCE, Malt, comes_true  # noqa: E402
from checks import digest, is_same, make  # noqa: E402

with open(os.path.join(os.path.dirname(__file__), 'cases.json'), encoding='utf-8') as file:
    CASES = json.load(file)


def part(value, name):
    """The source of what a language sends or sees; None if it does not."""
    return value if isinstance(value, str) or value is None else value.get(name)


class MatrixTest(unittest.TestCase):
    """One case, which is a method, with a worker of one runtime."""

    def __init__(self, runtime, case, array_name=None):
        super().__init__(case)
        self.runtime = runtime
        self.names = CASES['runtimes'][runtime]
        self.path = f'/python/{runtime}/{case}'
        if array_name is not None:
            self.path += f'-{array_name}'
            self.array = CASES['large'][array_name]

    def id(self):
        return self.path

    def setUp(self):
        modules = os.environ['MALT_MODULE_PATH'].split(':')
        if not any(os.path.exists(os.path.join(folder, f'libmalt-runtime-{self.runtime}.so')) for folder in modules):
            self.skipTest(f'there is no runtime {self.runtime}')
        # What runs is to be interrupted soon; nothing else is to be ended, however slow it is.
        self.worker = Malt.Worker(runtime=self.runtime, search_path=[os.environ['G_TEST_BUILDDIR'], CONFORMANCE],
                                  cancel_timeout=20, interrupt_timeout=5 * PATIENCE * 1000)
        self.addCleanup(self.worker.stop)

    def call(self, group, name, *arguments):
        return self.worker.call(self.names[group] + name, *arguments)

    def assert_usable(self):
        self.assertEqual(self.call('functions', 'add', 40, 2), 42)

    def values(self):
        failures = []
        for row in CASES['values']:
            try:
                self.value(row)
            except Exception as error:
                failures.append(f'{row["name"]}: {error!r}')
        if failures:
            self.fail('\n'.join(failures))
        self.assert_usable()

    def value(self, row):
        sent = part(row.get('python'), 'sent')
        if sent is None or self.runtime not in row.get('runtimes', CASES['runtimes']):
            return
        if self.runtime in row.get('refused by', ()):
            with self.assertRaises(Malt.SerializationError):
                self.call('functions', 'echo', make(sent))
            return

        expected = part(row['variant' if self.runtime == 'native' else self.runtime], 'seen')
        back = self.call('checks', 'expect', make(sent), expected)
        seen = row.get('back', {}).get(self.runtime, {}).get('python') or part(row['python'], 'seen')
        if not is_same(back, make(seen)):
            self.fail(f'{back!r} came back instead of {seen}')

    def exception(self):
        case = CASES['exception']
        expected = case[self.runtime]
        with self.assertRaises(Malt.RemoteException) as caught:
            self.call('functions', case['function'], case['text'])
        error = caught.exception
        self.assertEqual((error.type, error.message), (expected['type'], case['text']))
        self.assertRegex(error.traceback or '', '(?s)' + '.*'.join(expected['traceback']))
        self.assertIs(error.worker, self.worker)
        self.assert_usable()

    def interrupt(self):
        if self.runtime == 'python' and CANNOT_INTERRUPT:
            self.skipTest(CANNOT_INTERRUPT)
        for _ in range(2):
            with tempfile.TemporaryDirectory() as folder:
                mark = os.path.join(folder, 'mark')
                future = self.worker.submit(self.names['functions'] + CASES['interrupt'][self.runtime], mark)
                self.assertTrue(comes_true(lambda: os.path.exists(mark)))
                self.worker.interrupt()
                with self.assertRaises(Malt.InterruptedError):
                    future.result(PATIENCE)
            self.assert_usable()

    def make_channel(self, name, capacity):
        names = self.names['channel']
        self.call('channels', 'make', name, capacity)
        return self.worker.channel(names[name], module=names.get('module'))

    def channel(self):
        case = CASES['channel']
        there, back = (self.make_channel(name, case['capacity']) for name in 'ab')
        self.call('channels', 'echo', 'a', 'b')

        def put():
            for number in range(case['count']):
                there.put(number)
            there.close()

        thread = threading.Thread(target=put)
        thread.start()
        self.assertEqual(list(back), list(range(case['count'])))
        thread.join(PATIENCE)
        self.assertTrue(there.closed and back.closed)
        with self.assertRaises(Malt.ChannelClosed):
            there.put(1)
        with self.assertRaises(Malt.ChannelClosed):
            back.take()
        self.assert_usable()

    def large(self):
        expected = self.array['sha256']
        value = make(part(self.array['python'], 'sent'))
        self.assertEqual(digest(value), expected)
        self.assertEqual(self.call('checks', 'digest', value), expected)
        back = self.call('functions', 'echo', value)
        self.assertEqual((type(back), digest(back)), (type(value), expected))
        self.assert_usable()


def load_tests(loader, tests, pattern):
    suite = unittest.TestSuite()
    for runtime in CASES['runtimes']:
        for case in 'values', 'exception', 'interrupt', 'channel':
            suite.addTest(MatrixTest(runtime, case))
        for array_name in CASES['large']:
            suite.addTest(MatrixTest(runtime, 'large', array_name))
    return suite
