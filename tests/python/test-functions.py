# SPDX-License-Identifier: LGPL-2.1-or-later

"""Sending functions of the program."""

import asyncio
import functools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import unittest

from binding import PATIENCE, Malt, WorkerTest, run_python

FACTOR = 3
SETTINGS = {'offset': 10}
LOCK = threading.Lock()


def triple(x):
    return x * FACTOR


def triple_and_shift(x, *, shift=SETTINGS['offset']):
    """With a text that
is not indented."""
    text = """
a
  b"""
    return triple(x) + shift, text


def use_modules(values):
    return json.dumps([statistics.mean(values), math.pi > 3, os.sep])


def is_even(n):
    return n == 0 or is_odd(n - 1)


def is_odd(n):
    return n != 0 and is_even(n - 1)


def use_settings():
    return SETTINGS['offset']


def annotated(x: 'NotThere', y: FACTOR = 5) -> LOCK:
    return x + y


def fail(x):
    return 1 / x


def use_lock():
    return LOCK


class Thing:
    def method(self):
        return 1

    def overridden(self):
        return super().__repr__()


def use_class():
    return Thing()


def mark(function):
    function.is_marked = True
    return function


@mark
@functools.wraps(triple)
def marked(x):
    return x + 1


def wrap(function):
    @functools.wraps(function)
    def wrapper(*args):
        return 'wrapped', args
    return wrapper


wrapped = wrap(triple)


async def sleep_and_return(x):
    await asyncio.sleep(0.01)
    return x


class Functions(WorkerTest):
    def test_by_name(self):
        self.assertEqual(self.worker.call(math.factorial, 5), 120)
        self.assertEqual(self.worker.call(len, [1, 2]), 2)
        self.assertEqual(self.worker.call(statistics.mean, [1, 2]), 1.5)
        self.assertEqual(self.worker.call(str.upper, 'a'), 'A')
        self.assertEqual(self.worker.call(dict, a=1), {'a': 1})
        self.assertEqual(self.worker.call(dict.fromkeys, [1]), {1: None})

    def test_partial(self):
        with Malt.Pool(max_workers=1, runtime='python') as pool:
            for target in self.worker, pool:
                self.assertEqual(target.call(functools.partial(math.pow, 2), 5), 32)
                self.assertEqual(target.call(functools.partial(lambda x, y, z=0: (x, y, z), 2), 3, z=1), (2, 3, 1))
                self.assertEqual(target.submit(functools.partial(functools.partial(triple), 3)).result(PATIENCE), 9)

    def test_with_what_it_refers_to(self):
        global FACTOR
        self.assertEqual(self.worker.call(triple, 2), 6)
        self.assertEqual(self.worker.call(triple_and_shift, 2), (16, '\na\n  b'))
        self.assertEqual(self.worker.call(triple_and_shift, 2, shift=1)[0], 7)
        self.assertEqual(json.loads(self.worker.call(use_modules, [1, 2, 3])), [2, True, '/'])
        self.assertIs(self.worker.call(is_even, 10), True)
        self.assertIs(self.worker.call(is_even, 7), False)
        # As they are when it is called.
        FACTOR = 4
        try:
            self.assertEqual(self.worker.call(triple, 2), 8)
            self.assertEqual(self.worker.call(triple_and_shift, 2)[0], 18)
        finally:
            FACTOR = 3
        SETTINGS['offset'] = 11
        self.assertEqual(self.worker.call(use_settings), 11)
        SETTINGS['offset'] = 10
        self.assertEqual(self.worker.call(annotated, 1), 6)
        self.assertEqual(self.worker.call(marked, 1), 2)
        self.assertEqual(self.worker.call(wrapped, 1), ('wrapped', (1,)))

    def test_closures(self):
        def add(y):
            def inner(x):
                return x + y + FACTOR
            return inner

        self.assertEqual([self.worker.call(add(i), 1) for i in range(3)], [4, 5, 6])

        total = 0

        def count():
            nonlocal total
            total += 1
            return total

        self.assertEqual([self.worker.call(count), self.worker.call(count), total], [1, 1, 0])

        if total == 0:
            def nested(first, /, second, *rest, named, **more):
                return first, second, rest, named, more

        self.assertEqual(self.worker.call(nested, 1, 2, 3, named=4, other=5), (1, 2, (3,), 4, {'other': 5}))

    def test_lambdas(self):
        self.assertEqual(self.worker.call(lambda x, y=2: x + y, 1), 3)
        self.assertEqual(self.worker.call(lambda: (lambda x: x + 1)(1)), 2)
        one, two = (lambda x: x + 1), (lambda x: x * 2)
        self.assertEqual((self.worker.call(one, 5), self.worker.call(two, 5)), (6, 10))
        self.assertEqual([self.worker.call(lambda x: x + i, 1) for i in range(3)], [1, 2, 3])
        self.assertEqual(self.worker.call(
            lambda x:
            x - 1,
            3), 2)

    def test_every_way_of_calling(self):
        async def main():
            return await asyncio.gather(*[self.worker.call_async(triple, i) for i in range(3)])

        self.assertEqual(self.worker.submit(triple, 2).result(PATIENCE), 6)
        self.assertEqual([f.result(PATIENCE) for f in [self.worker.submit(lambda x: x + i, 0) for i in range(50)]],
                         list(range(50)))
        self.assertEqual(asyncio.run(main()), [0, 3, 6])
        self.assertEqual(self.worker.options(timeout=PATIENCE).call(triple, 1), 3)
        self.assertEqual(self.worker.remote_call_fetch(triple, (1,)), 3)
        self.assertEqual(self.worker.call(sleep_and_return, 5), 5)
        self.worker.do(lambda: setattr(sys, 'malt_done', 5))
        self.assertEqual(self.worker.eval('import sys; sys.malt_done'), 5)

    def test_errors_in_it(self):
        with self.assertRaises(Malt.RemoteException) as caught:
            self.worker.call(fail, 0)
        self.assertEqual(caught.exception.type, 'ZeroDivisionError')
        self.assertIn('return 1 / x', caught.exception.traceback)
        self.assertIn('<fail, sent>', caught.exception.traceback)
        with self.assertRaisesRegex(Malt.SerializationError, '^argument 1: cannot convert'):
            self.worker.call(triple, threading.Lock())
        with self.assertRaisesRegex(Malt.RemoteException, 'NameError'):
            self.worker.call(lambda: not_there)  # noqa: F821

    def test_what_cannot_be_sent(self):
        lock = threading.Lock()
        namespace = {}
        exec('def from_nowhere(): pass', namespace)

        def around():
            def inner():
                return later
            self.worker.call(inner)
            later = 1  # noqa: F841

        def helper():
            return 1

        for function, pattern in (
                (namespace['from_nowhere'], r"'from_nowhere': its source, <string>, is not available"),
                (Thing().method, r"'Thing.method': it is bound to an object"),
                (Thing().overridden.__func__, r"uses super\(\)"), (Thing, "'Thing': it is a class"),
                (use_class, "it uses the class 'Thing'"), ('abc'.upper, 'a builtin_function_or_method has no source'),
                (functools.partial(triple, x=1), 'partial with keyword arguments; give these with the call'),
                (lambda: helper(), "its variable 'helper' is a function of the function around it"),
                (lambda: sys.modules[__name__] and binding_module, "the module 'binding'")):
            with self.subTest(pattern=pattern), self.assertRaisesRegex(TypeError, pattern):
                self.worker.call(function)
            self.assertIsInstance(self.worker.submit(function).exception(), TypeError)
        with self.assertRaisesRegex(TypeError, "its variable 'later' has no value yet"):
            around()
        with self.assertRaisesRegex(Malt.SerializationError, "^what the function refers to, key 'LOCK': cannot convert"):
            self.worker.call(use_lock)
        with self.assertRaisesRegex(Malt.SerializationError, '^what the function refers to, item 0: cannot convert'):
            self.worker.call(lambda: lock)
        self.assertEqual(self.worker.call(triple, 1), 3)

    def test_two_in_a_line_are_told_apart(self):
        functions = [lambda x: x, lambda x: -x]
        self.assertEqual([self.worker.call(function, 1) for function in functions], [1, -1])

    def test_not_to_other_languages(self):
        with Malt.Worker(runtime='native') as worker:
            with self.assertRaisesRegex(TypeError, 'does not run Python'):
                worker.call(triple, 1)

    def test_in_process(self):
        with Malt.Worker(backend='inprocess', runtime='python') as worker:
            self.assertEqual(worker.call(triple, 2), 6)

    def test_modules_of_the_program(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, 'beside.py'), 'w') as file:
                file.write('BASE = 100\ndef add(x): return x + BASE\n')
            with open(os.path.join(folder, 'main.py'), 'w') as file:
                file.write(MAIN)
            done = subprocess.run([sys.executable, os.path.join(folder, 'main.py'), folder], capture_output=True,
                                  text=True, timeout=PATIENCE)
            self.assertEqual((done.stdout, done.stderr), ('101 False\n101 True\n42 42\n', ''))

    def test_prompt(self):
        done = run_python('''
def typed(x):
    return x

worker = Malt.Worker(runtime='python')
try:
    worker.call(typed, 1)
except TypeError as error:
    print(error)
# What it was sent before has ended then, and is not broken off by the program's end.
worker.call('abs', 1)
''')
        self.assertEqual(done.stdout, "cannot send the function 'typed': its source, <string>, is not available\n")
        done = subprocess.run([sys.executable, '-'], text=True, capture_output=True, timeout=PATIENCE, input='''
import gi
gi.require_version('Malt', '1')
from gi.repository import Malt
with Malt.Worker() as worker:
    try:
        worker.call(lambda: 1)
    except TypeError as error:
        print(error)
''')
        self.assertEqual(done.stdout, "cannot send the function '<lambda>': its source was typed at Python's prompt, "
                         'which does not keep it; write it into a file\n', done.stderr)

    def test_functions_made_again_and_again(self):
        def count():
            return self.worker.eval('len(malt.tasks.makers)')

        for i in range(50):
            self.assertEqual(self.worker.call(lambda x: x + i, 1), i + 1)
            before = count() if i == 0 else before
        self.assertEqual(count(), before)


MAIN = '''
import sys
import gi
gi.require_version('Malt', '1')
from gi.repository import Malt
import beside

if __name__ == '__main__':
    for search_path in [], [sys.argv[1]]:
        with Malt.Worker(runtime='python', search_path=search_path) as worker:
            # As source where the worker does not find the module, else by name.
            print(worker.call(beside.add, 1), worker.eval('import sys; "beside" in sys.modules'))

    def answer():
        return 42

    with Malt.Worker(runtime='python') as worker:
        print(worker.call(answer), worker.call(lambda: answer()))
'''

import binding as binding_module  # noqa: E402

if __name__ == '__main__':
    unittest.main()
