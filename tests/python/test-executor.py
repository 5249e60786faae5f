# SPDX-License-Identifier: LGPL-2.1-or-later

"""Malt.Executor: tasks as concurrent.futures has them."""

import asyncio
import collections
import concurrent.futures
import concurrent.futures.process
import copy
import functools
import gc
import math
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import traceback
import unittest
import weakref

from gi.repository import GLib

import task_functions
from binding import PATIENCE, Malt, interrupts_python, n_descriptors, run_in_thread, run_python

FACTOR = 3


def make_executor(max_workers=2, **keywords):
    return Malt.Executor(max_workers, stderr='discard', **keywords)


class Tasks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.executor = make_executor()

    @classmethod
    def tearDownClass(cls):
        cls.executor.shutdown()
        del cls.executor

    def run_task(self, *args, **kwargs):
        return self.executor.submit(*args, **kwargs).result(PATIENCE)

    def error_of(self, *args, **kwargs):
        return self.executor.submit(*args, **kwargs).exception(PATIENCE)

    def test_is_an_executor(self):
        self.assertIsInstance(self.executor, concurrent.futures.Executor)
        self.assertIsInstance(self.executor.options(timeout=5), concurrent.futures.Executor)
        self.assertIsInstance(self.executor.submit(abs, 1), concurrent.futures.Future)
        self.assertEqual(self.executor.max_workers, 2)
        self.assertEqual(self.executor.pool.max_workers, 2)
        self.assertRegex(repr(self.executor), r'<Malt.Executor: <Malt.Pool: \d of 2 workers>>')

    def test_values_are_what_they_were(self):
        shared = []
        for value in (None, True, 1, 2**100, 1.5, 'ä', '\ud800', b'x', (), (1, 'a'), [1], {1: 2}, task_functions.Pair(1, 2),
                      collections.OrderedDict(a=1), task_functions.Point(1, 2), [shared, shared], object, len,
                      ValueError('x'), (b'', b'', 'a', 'b', 'c', 'd', b'')):
            got = self.run_task(copy.copy, value)
            self.assertIs(type(got), type(value))
            if not isinstance(value, Exception):
                self.assertEqual(got, value)
        one, other = self.run_task(copy.copy, [shared, shared])
        self.assertIs(one, other)

    def test_buffers(self):
        data = bytearray(os.urandom(1_000_000))
        got = self.run_task(copy.copy, data)
        self.assertEqual(got, data)
        self.assertIsInstance(got, bytearray)
        self.assertEqual(self.run_task(list, [pickle.PickleBuffer(data)]), [data])
        try:
            import numpy
        except ImportError:
            return
        numbers = numpy.arange(100_000.)
        got = self.run_task(numpy.negative, numbers)
        self.assertTrue((got == -numbers).all())
        got[0] = 5  # it can be written

    def test_large_bytes(self):
        for size in 100, 70_000, 5_000_000:
            data = b'ab' + bytes(size)
            array = bytearray(data)
            what = 'bytes', size + 2, b'ab', b'\0\0'
            self.assertEqual(self.run_task(task_functions.describe, data), ([what], False))
            self.assertEqual(self.run_task(task_functions.describe, data, data, key=data), ([what] * 3, True))
            self.assertEqual(self.run_task(lambda *values: task_functions.describe(*values), data), ([what], False))
            self.assertEqual(self.run_task(task_functions.describe, array), ([('bytearray', *what[1:])], False))
            got = self.run_task(task_functions.describe, pickle.PickleBuffer(memoryview(data)[1:]))
            self.assertEqual(got[0][0][1:], (size + 1, b'b\0', b'\0\0'))
            self.assertEqual(list(self.executor.map(task_functions.describe, [data] * 5, [data] * 5, chunksize=2)),
                             [([what] * 2, True)] * 5)
            self.assertEqual(list(self.executor.map(task_functions.describe, [b'x', data], chunksize=2)),
                             [([('bytes', 1, b'x', b'x')], False), ([what], False)])
            self.assertEqual(self.run_task(bytes, data), data)
            # What is changed afterwards is not what is sent.
            future = self.executor.submit(task_functions.describe, pickle.PickleBuffer(array))
            array[:2] = b'zz'
            self.assertEqual(future.result(PATIENCE)[0][0][2], b'ab')

    def test_large_bytes_are_let_go(self):
        data = bytes(1_000_000)
        self.run_task(len, data)
        before = sys.getrefcount(data)
        for _ in range(20):
            self.run_task(len, data)
        self.executor.submit(time.sleep, 0.01)
        self.executor.submit(len, data).cancel()
        self.run_task(len, data)
        deadline = time.monotonic() + PATIENCE
        while sys.getrefcount(data) > before and time.monotonic() < deadline:
            time.sleep(0.001)
        self.assertLessEqual(sys.getrefcount(data), before)

    def test_functions(self):
        def inner(x, y=2):
            return x * FACTOR + y

        self.assertEqual(self.run_task(inner, 1), 5)
        self.assertEqual(self.run_task(lambda x: x + FACTOR, 1), 4)
        self.assertEqual(self.run_task(functools.partial(inner, 1), y=3), 6)
        self.assertEqual(self.run_task(task_functions.Point(1, 2).flip), task_functions.Point(2, 1))
        self.assertEqual(self.run_task(sorted, [3, 1, 2], key=lambda x: -x), [3, 2, 1])
        self.assertEqual(list(self.executor.map(lambda x, y: x - y, range(5), range(5), chunksize=2)), [0] * 5)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'program.py')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(PROGRAM)
            self.assertEqual(run_python('import runpy, sys\nrunpy.run_path(sys.argv[1], run_name="__main__")', path).stdout,
                             '14\n[7, 14]\nan argument of the program\n')

    def test_exceptions(self):
        error = self.error_of(task_functions.fail, 'text')
        self.assertIs(type(error), ValueError)
        self.assertEqual(error.args, ('text', 7))
        self.assertIs(type(error.__cause__), concurrent.futures.process._RemoteTraceback)
        shown = ''.join(traceback.format_exception(error))
        self.assertRegex(shown, r'File ".*task_functions.py", line \d+, in fail\n    raise ValueError\(text, 7\)')
        self.assertNotIn('malt tasks', shown)

        error = self.error_of(task_functions.fail_stubbornly)
        self.assertIs(type(error), task_functions.Stubborn)
        self.assertEqual((str(error), error.first), ('1 and 2', 1))

        error = self.error_of(task_functions.fail_holding)
        self.assertIs(type(error), task_functions.Holding)
        self.assertEqual(error.args, ('held',))
        self.assertFalse(hasattr(error, 'frame'))

        error = self.error_of(task_functions.fail_locally)
        self.assertIs(type(error), Malt.RemoteException)
        self.assertEqual(error.message, 'only here')
        self.assertRegex(error.type, 'Local$')

        for raised in SystemExit(3), KeyboardInterrupt(), GeneratorExit():
            error = self.error_of(task_functions.raise_it, raised)
            self.assertIs(type(error), type(raised))
        self.assertEqual(self.run_task(abs, -1), 1)

    def test_what_cannot_be_pickled(self):
        lock = threading.Lock()
        for args, kwargs, where in (((len, lock), {}, "argument 1 of 'len' "), ((pow, 1, [lock]), {}, "argument 2 of 'pow' "),
                                    ((dict,), {'a': lock}, "argument 'a' of 'dict' "), ((lock.acquire,), {}, 'the function ')):
            error = self.error_of(*args, **kwargs)
            self.assertRegex(str(error), f'^{where}.*cannot be pickled: ')
            self.assertIsInstance(error, Malt.TaskPicklingError)
            self.assertIsInstance(error, Malt.SerializationError)
            self.assertIsInstance(error, pickle.PicklingError)
            self.assertIsInstance(error.__cause__, TypeError)
        error = self.executor.map(len, [[1], [lock]], chunksize=2)
        with self.assertRaisesRegex(Malt.TaskPicklingError, "argument 1 of 'len', item 1 of a chunk, cannot be pickled"):
            next(error)
        for function in threading.Lock, task_functions.give_generator:
            error = self.error_of(function)
            self.assertIs(type(error), pickle.PicklingError)
            self.assertRegex(str(error), "^the result, of type '(lock|generator)', cannot be pickled: TypeError: ")
        self.assertRegex(str(self.error_of(task_functions.coroutine)), 'runs no coroutine functions')
        self.assertEqual(self.run_task(abs, -1), 1)

    def test_what_is_shown_of_what_cannot_be_pickled(self):
        class Stuck:
            def __reduce__(self):
                raise ValueError('stuck')

        error = self.error_of(len, threading.Lock())
        shown = ''.join(traceback.format_exception(error))
        self.assertNotIn('_dump', shown)
        self.assertNotIn('another exception', shown)
        self.assertEqual(shown.count('Traceback'), 1, shown)
        shown = ''.join(traceback.format_exception(self.error_of(len, [Stuck()])))
        self.assertIn(', in __reduce__', shown)
        self.assertNotIn('_dump', shown)

    def test_what_cannot_be_unpickled(self):
        for reason in ModuleNotFoundError('gone'), SystemExit(2):
            self.assertIs(type(self.error_of(copy.copy, task_functions.FailsThere(reason))), type(reason))
        self.assertEqual(self.run_task(abs, -1), 1)

    def test_crash(self):
        for function, kind in (task_functions.crash, Malt.ExitKind.SIGNALLED), (task_functions.leave, Malt.ExitKind.EXITED):
            others = [self.executor.submit(task_functions.nap, 0.01, i) for i in range(10)]
            error = self.error_of(function)
            for class_ in (Malt.TaskCrashError, Malt.TerminatedWorkerException, concurrent.futures.BrokenExecutor,
                           concurrent.futures.process.BrokenProcessPool, RuntimeError):
                self.assertIsInstance(error, class_)
            self.assertEqual(error.exit_info.get_kind(), kind)
            self.assertRegex(str(error), r'PID \d+ (was killed by signal 6|exited with code 3)')
            self.assertEqual([other.result(PATIENCE) for other in others], list(range(10)))
        self.assertEqual(self.run_task(abs, -1), 1)
        self.assertFalse(self.executor._broken)

    def test_only_those_that_crash_fail(self):
        futures = [self.executor.submit(task_functions.crash_if, -1 if i % 20 == 7 else i) for i in range(200)]
        for i, future in enumerate(futures):
            if i % 20 == 7:
                self.assertIsInstance(future.exception(PATIENCE), Malt.TaskCrashError)
            else:
                self.assertEqual(future.result(PATIENCE), i)

    @interrupts_python
    def test_timeout(self):
        quick = self.executor.options(timeout=0.2)
        error = quick.submit(time.sleep, 600).exception(PATIENCE)
        self.assertIsInstance(error, TimeoutError)
        self.assertIsInstance(error, concurrent.futures.TimeoutError)
        self.assertEqual(error.rung, Malt.Rung.INTERRUPTED)
        self.assertEqual(quick.submit(abs, -1).result(PATIENCE), 1)
        values = quick.map(task_functions.nap, [0, 600], [1, 2])
        self.assertEqual(next(values), 1)
        with self.assertRaises(TimeoutError):
            next(values)
        with self.assertRaises(ValueError):
            raise self.executor.options(timeout=-1).submit(abs, 1).exception(PATIENCE)
        # It does not count while a task waits for its turn.
        with make_executor(1, timeout=0.5) as executor:
            futures = [executor.submit(task_functions.nap, 0.2, i) for i in range(5)]
            self.assertEqual([future.result(PATIENCE) for future in futures], list(range(5)))
        with make_executor(1, timeout=0.2) as executor:
            self.assertIsInstance(executor.submit(time.sleep, 600).exception(PATIENCE), TimeoutError)
            self.assertEqual(executor.options(timeout=math.inf).submit(task_functions.nap, 0.3, 5).result(PATIENCE), 5)

    @interrupts_python
    def test_timeout_of_what_cannot_be_interrupted(self):
        with make_executor(1, interrupt_timeout=100) as executor:
            executor.submit(abs, 1).result(PATIENCE)
            first = executor.options(timeout=0.1).submit(task_functions.spin_for_ever)
            others = [executor.submit(abs, -i) for i in range(20)]
            self.assertIsInstance(first.exception(PATIENCE), TimeoutError)
            self.assertEqual(first.exception().rung, Malt.Rung.KILLED)
            self.assertEqual([other.result(PATIENCE) for other in others], list(range(20)))

    @interrupts_python
    def test_cancelling(self):
        running = [self.executor.submit(time.sleep, 600) for _ in range(4)]
        for future in running:
            self.assertTrue(future.cancel())
            self.assertTrue(future.cancelled())
        self.assertEqual(concurrent.futures.wait(running, PATIENCE).not_done, set())
        self.assertEqual(self.run_task(abs, -1), 1)

    def test_map(self):
        for size in 1, 2, 7, 100:
            self.assertEqual(list(self.executor.map(pow, range(20), range(20), chunksize=size)),
                             [i ** i for i in range(20)])
            self.assertEqual(list(self.executor.map(abs, [], chunksize=size)), [])
            # What came before it is not lost.
            values = self.executor.map(task_functions.fail_if, [1, 2, 3, -1, 4], chunksize=size)
            self.assertEqual([next(values), next(values), next(values)], [1, 2, 3])
            with self.assertRaises(ValueError) as caught:
                next(values)
            self.assertEqual(caught.exception.args, (-1,))
            with self.assertRaises(StopIteration):
                next(values)
            values = self.executor.map(task_functions.crash_if, [1] * size + [-1], chunksize=size)
            self.assertEqual([next(values) for _ in range(size)], [1] * size)
            with self.assertRaises(Malt.TaskCrashError):
                next(values)
        with self.assertRaises(ValueError):
            self.executor.map(abs, [1], chunksize=0)

    def test_tasks_run_at_once(self):
        for _ in range(5):
            list(self.executor.map(abs, range(200)))
            with tempfile.TemporaryDirectory() as folder:
                pids = [self.executor.submit(task_functions.meet, folder, 2) for _ in range(2)]
                self.assertEqual(len({future.result(PATIENCE) for future in pids}), 2)

    def test_short_ones_do_not_wait_for_long_ones(self):
        list(self.executor.map(abs, range(200)))
        long = self.executor.submit(time.sleep, 600)
        for i in range(100):
            self.assertEqual(self.executor.submit(abs, -i).result(PATIENCE), i)
        futures = [self.executor.submit(abs, -i) for i in range(100)]
        self.assertEqual([future.result(PATIENCE) for future in futures], list(range(100)))
        self.assertFalse(long.done())
        long.cancel()

    def test_in_order_of_submission(self):
        with make_executor(1) as executor:
            append = append_name()
            for n in range(0, 6000, 300):
                state = [executor.submit(append, i) for i in range(300)]
                self.assertEqual([future.result(PATIENCE) for future in state], list(range(n + 1, n + 301)))

    def test_under_asyncio(self):
        async def main():
            loop = asyncio.get_running_loop()
            self.assertEqual(await loop.run_in_executor(self.executor, abs, -1), 1)
            self.assertEqual(await loop.run_in_executor(self.executor.options(timeout=60), abs, -1), 1)
            values = await asyncio.gather(*[loop.run_in_executor(self.executor, abs, -i) for i in range(50)])
            self.assertEqual(values, list(range(50)))
            with self.assertRaises(ValueError):
                await loop.run_in_executor(self.executor, task_functions.fail)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(loop.run_in_executor(self.executor, time.sleep, 600), 0.1)

        asyncio.run(main())

    def test_from_threads(self):
        def work():
            return [self.executor.submit(abs, -i).result(PATIENCE) for i in range(50)]

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            for values in threads.map(lambda _: work(), range(8)):
                self.assertEqual(values, list(range(50)))

    def test_where_it_runs(self):
        self.assertEqual(self.run_task(os.getcwd), os.getcwd())
        self.assertNotEqual(self.run_task(os.getpid), os.getpid())


def append_name():
    def append(value):
        import builtins
        if not hasattr(builtins, 'appended'):
            builtins.appended = []
        builtins.appended.append(value)
        return len(builtins.appended)
    return append


PROGRAM = '''
import gi
gi.require_version('Malt', '1')
from gi.repository import Malt

SEVEN = 7

class Mine:
    pass

def times(x):
    return helper(x) * SEVEN

def helper(x):
    return x

if __name__ == '__main__':
    with Malt.Executor(1) as executor:
        print(executor.submit(times, 2).result())
        print(list(executor.map(times, [1, 2], chunksize=2)))
        error = executor.submit(repr, Mine()).exception()
        assert "argument 1 of 'repr' cannot be pickled" in str(error), error
        assert "'Mine' is of the program itself" in str(error), error
        print('an argument of the program')
'''


class Options(unittest.TestCase):
    def test_initializer(self):
        with make_executor(initializer=task_functions.remember, initargs=('a', task_functions.Point(1, 2))) as executor:
            self.assertEqual(executor.submit(task_functions.recall, 'a').result(PATIENCE), task_functions.Point(1, 2))

        def initialize(value):
            import builtins
            builtins.given = value

        with make_executor(initializer=initialize, initargs=(FACTOR,)) as executor:
            self.assertEqual(executor.submit(lambda: given).result(PATIENCE), FACTOR)  # noqa: F821

    def check_broken(self, pattern, **keywords):
        executor = make_executor(**keywords)
        futures = []
        with self.assertLogs('concurrent.futures', 'CRITICAL') as logs:
            try:
                futures = [executor.submit(abs, 1) for _ in range(5)]
            except Malt.BrokenExecutorError:
                pass
            for future in futures:
                error = future.exception(PATIENCE)
                for class_ in (Malt.BrokenExecutorError, Malt.StartError, concurrent.futures.BrokenExecutor,
                               concurrent.futures.process.BrokenProcessPool):
                    self.assertIsInstance(error, class_)
                self.assertRegex(str(error), pattern)
            while not executor._broken:
                time.sleep(0.01)
        self.assertEqual(len(logs.output), 1)
        with self.assertRaises(concurrent.futures.BrokenExecutor):
            executor.submit(abs, 1)
        with self.assertRaises(Malt.BrokenExecutorError):
            executor.map(abs, [1])
        executor.shutdown()

    def test_failing_initializers(self):
        self.check_broken("the initializer 'fail' failed: .*ValueError", initializer=task_functions.fail)
        self.check_broken("the initializer 'crash' failed: .*signal 6", initializer=task_functions.crash)
        self.check_broken("the initializer 'leave' failed: .*exited with code 3", initializer=task_functions.leave)
        self.check_broken("the initializer 'nap' failed: ", initializer=task_functions.nap, initargs=(600,),
                          start_timeout=2000)
        self.check_broken('none-such', program='/none-such', runtime='python')
        with self.assertRaises(Malt.TaskPicklingError):
            make_executor(initializer=task_functions.remember, initargs=('a', threading.Lock()))

    def test_crash_loop(self):
        executor = make_executor(1, crash_limit=3)
        with self.assertLogs('concurrent.futures', 'CRITICAL'):
            futures = [executor.submit(task_functions.crash) for _ in range(10)]
            errors = [future.exception(PATIENCE) for future in futures]
        crashes = [error for error in errors if isinstance(error, Malt.TaskCrashError)]
        broken = [error for error in errors if isinstance(error, Malt.BrokenExecutorError)]
        self.assertEqual((len(crashes), len(broken)), (4, 6))
        self.assertRegex(str(broken[0]), 'more than 3 workers ended .*signal 6')
        with self.assertRaises(Malt.BrokenExecutorError):
            executor.submit(abs, 1)
        executor.shutdown()

    def test_crashes_between_others_are_no_loop(self):
        with make_executor(1, crash_limit=3) as executor:
            for _ in range(6):
                self.assertIsInstance(executor.submit(task_functions.crash).exception(PATIENCE), Malt.TaskCrashError)
                self.assertEqual(executor.submit(abs, -1).result(PATIENCE), 1)

    def test_max_tasks_per_child(self):
        for n in 1, 3:
            with make_executor(1, max_tasks_per_child=n) as executor:
                pids = [executor.submit(os.getpid) for _ in range(6)]
                self.assertEqual(len({future.result(PATIENCE) for future in pids}), 6 // n)

    def test_bad_options(self):
        for error, keywords in (ValueError, {'max_workers': 0}), (ValueError, {'max_workers': -1}), \
                (TypeError, {'initializer': 5}), (ValueError, {'max_tasks_per_child': 0}), \
                (TypeError, {'max_tasks_per_child': 1.5}), (TypeError, {'colour': 'red'}), \
                (ValueError, {'exit_timeout': -1}), (TypeError, {'exit_timeout': 'x'}), \
                (TypeError, {'launcher': 5}), (TypeError, {'mp_context': None}):
            with self.subTest(keywords=keywords), self.assertRaises(error):
                Malt.Executor(**keywords)
        with self.assertRaises(TypeError):
            Malt.Executor().submit()

    def test_launcher(self):
        launcher = Malt.Launcher(backend='process', runtime='python')
        with Malt.Executor(1, launcher=launcher) as executor:
            self.assertEqual(executor.submit(os.getcwd).result(PATIENCE), '/')
        with Malt.Executor(1, environment={'A': 'b'}, working_directory='/tmp') as executor:
            self.assertEqual(executor.submit(os.getenv, 'A').result(PATIENCE), 'b')
            self.assertEqual(executor.submit(os.getcwd).result(PATIENCE), '/tmp')

    def test_without_pickle(self):
        with Malt.Executor(1, pickle=False) as executor:
            self.assertEqual(executor.submit('math.sqrt', 4).result(PATIENCE), 2)
            self.assertEqual(list(executor.map('abs', [-1, -2, -3], chunksize=2)), [1, 2, 3])
            self.assertIsInstance(executor.submit('none_such').exception(PATIENCE), Malt.NotFoundError)
            self.assertIsInstance(executor.submit('len', threading.Lock()).exception(PATIENCE), Malt.SerializationError)
            self.assertIsInstance(executor.submit('os.abort').exception(PATIENCE), Malt.TaskCrashError)


class End(unittest.TestCase):
    def test_shutdown(self):
        executor = make_executor()
        futures = [executor.submit(task_functions.nap, 0.02, i) for i in range(10)]
        executor.shutdown()
        self.assertTrue(all(future.done() for future in futures))
        self.assertEqual([future.result() for future in futures], list(range(10)))
        self.assertEqual(executor.pool.n_workers, 0)
        for use in (lambda: executor.submit(abs, 1), lambda: executor.map(abs, [1]),
                    lambda: executor.options(timeout=1).submit(abs, 1), lambda: executor.submit(len, threading.Lock())):
            with self.assertRaisesRegex(RuntimeError, 'cannot schedule new futures after shutdown'):
                use()
        executor.shutdown()
        executor.shutdown(wait=False, cancel_futures=True)
        # One that was never used.
        make_executor().shutdown()

    def test_shutdown_without_waiting(self):
        executor = make_executor()
        futures = [executor.submit(task_functions.nap, 0.02, i) for i in range(10)]
        executor.shutdown(wait=False)
        with self.assertRaises(RuntimeError):
            executor.submit(abs, 1)
        self.assertEqual([future.result(PATIENCE) for future in futures], list(range(10)))

    def test_cancel_futures(self):
        for wait in True, False:
            executor = make_executor(1)
            executor.submit(abs, 1).result(PATIENCE)
            with tempfile.TemporaryDirectory() as folder:
                running = executor.submit(task_functions.meet, folder, 2)
                while not os.listdir(folder):
                    time.sleep(0.01)
                futures = [executor.submit(abs, 1) for _ in range(50)]
                threading.Timer(0.2, open, (os.path.join(folder, 'other'), 'w')).start()
                executor.shutdown(wait=wait, cancel_futures=True)
                self.assertIsInstance(running.result(PATIENCE), int)
                concurrent.futures.wait(futures, PATIENCE)
                self.assertEqual({future.cancelled() for future in futures}, {True})
                with self.assertRaises(concurrent.futures.CancelledError):
                    futures[0].result()

    def test_shutdown_from_several_threads(self):
        executor = make_executor()
        future = executor.submit(task_functions.nap, 0.1, 'slept')
        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda _: executor.shutdown(), range(4)))
        self.assertEqual(future.result(), 'slept')

    def test_context_manager(self):
        with self.assertRaises(ZeroDivisionError):
            with make_executor() as executor:
                future = executor.submit(task_functions.nap, 0.05, 'slept')
                1 / 0
        self.assertEqual(future.result(0), 'slept')

    def test_dropped(self):
        executor = make_executor()
        pool = weakref.ref(executor.pool)
        values = executor.map(task_functions.nap, [0.05] * 4, range(4))
        del executor
        gc.collect()
        self.assertEqual(list(values), [0, 1, 2, 3])
        del values
        gc.collect()
        self.assertIsNone(pool())

    def test_futures_keep_no_workers(self):
        executor = make_executor(1)
        pid = executor.submit(os.getpid)
        pid.result(PATIENCE)
        # The thread that has brought the result still has the task for a moment.
        executor.submit(abs, 1).result(PATIENCE)
        pool = weakref.ref(executor.pool)
        del executor
        for _ in range(1000):
            gc.collect()
            if pool() is None:
                break
            time.sleep(0.01)
        self.assertIsNone(pool())
        self.assertIsInstance(pid.result(), int)

    def test_exit(self):
        # Tasks that were submitted are finished.
        done = run_python('''
import time
executor = Malt.Executor(2)
for i in range(4):
    executor.submit(print, i, flush=True)
print('end', flush=True)
''')
        self.assertEqual(sorted(done.stdout.split()), ['0', '1', '2', '3', 'end'])

    def test_exit_with_tasks_that_do_not_end(self):
        for timeout in '0', '0.3':
            done = run_python(f'''
import time
executor = Malt.Executor(2, exit_timeout={timeout})
futures = [executor.submit(time.sleep, 600) for _ in range(5)]
other = Malt.Executor(1, exit_timeout={timeout})
other.submit(time.sleep, 600)
other.shutdown(wait=False)
del other
print('end')
''', check=False)
            self.assertEqual((done.returncode, done.stdout), (0, 'end\n'))
            self.assertEqual(done.stderr.count('are dropped'), 2, done.stderr)

    def test_submitting_at_exit(self):
        done = run_python('''
import atexit
@atexit.register
def late():
    try:
        executor.submit(abs, 1)
    except RuntimeError as error:
        print(error)
executor = Malt.Executor(1)
executor.submit(abs, 1).result()
''')
        self.assertEqual(done.stdout, 'cannot schedule new futures after interpreter shutdown\n')

    @interrupts_python
    def test_interrupts(self):
        done = run_python('''
import os, signal, threading, time
with Malt.Executor(1) as executor:
    executor.submit(abs, 1).result()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    future = executor.submit(time.sleep, 600)
    try:
        future.result()
    except KeyboardInterrupt:
        print('interrupted', future.cancelled())
    print(executor.submit(abs, -2).result())
''')
        self.assertEqual(done.stdout, 'interrupted True\n2\n')

    def test_fork(self):
        done = run_python('''
import os, sys
executor = Malt.Executor(1)
executor.submit(abs, 1).result()
for use in lambda: executor.submit(abs, 1), lambda: executor.map(abs, [1]), lambda: executor.shutdown(), lambda: Malt.Executor():
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            use()
        except RuntimeError as error:
            print(str(error).partition('forked')[1])
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
print(executor.submit(abs, -2).result())
''')
        self.assertEqual(done.stdout, 'forked\n' * 4 + '2\n')

    def test_in_a_thread(self):
        def use():
            with make_executor(1) as executor:
                return executor.submit(abs, -1).result(PATIENCE)

        self.assertEqual(run_in_thread(use), 1)

    def test_nothing_is_kept(self):
        argument = list(range(1000))

        def use():
            with make_executor(2) as executor:
                for future in [executor.submit(len, argument) for _ in range(50)]:
                    future.result(PATIENCE)
                list(executor.map(len, [argument] * 10, chunksize=3))
                for _ in range(10):
                    executor.submit(int, 'x').exception(PATIENCE)
                    executor.submit(len, threading.Lock()).exception(PATIENCE)
                executor.submit(task_functions.crash).exception(PATIENCE)
                executor.submit(abs, 1).cancel()
                executor.submit(lambda x: x, 1).result(PATIENCE)

        use()
        gc.collect()
        before = sys.getrefcount(argument), n_descriptors(), threading.active_count(), len(gc.get_objects())
        use()
        gc.collect()
        after = sys.getrefcount(argument), n_descriptors(), threading.active_count(), len(gc.get_objects())
        for was, is_ in zip(before, after):
            self.assertAlmostEqual(was, is_, delta=30)

    def test_killed_from_outside(self):
        with make_executor(1) as executor:
            pid = executor.submit(os.getpid).result(PATIENCE)
            os.kill(pid, signal.SIGKILL)
            outcomes = [executor.submit(abs, -i) for i in range(20)]
            for i, future in enumerate(outcomes):
                error = future.exception(PATIENCE)
                self.assertTrue(error is None or isinstance(error, Malt.TaskCrashError), error)
            self.assertLessEqual(sum(future.exception() is not None for future in outcomes), 1)
            self.assertIsInstance(GLib.Error(), Exception)


if __name__ == '__main__':
    unittest.main()
