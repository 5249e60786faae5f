# SPDX-License-Identifier: LGPL-2.1-or-later

"""Malt.Pool with values of Python."""

import asyncio
import concurrent.futures
import datetime
import gc
import itertools
import os
import queue
import sys
import tempfile
import threading
import unittest

from gi.repository import Gio, GLib

import task_functions
from binding import PATIENCE, Malt, interrupts_python, n_descriptors, run_in_thread, run_python

FOLDER = os.path.dirname(os.path.abspath(__file__))
FACTOR = 3


def make_pool(max_workers=2, **keywords):
    return Malt.Pool(max_workers=max_workers, runtime='python', search_path=[FOLDER], stderr='discard', **keywords)


class Calls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.pool = make_pool()

    @classmethod
    def tearDownClass(cls):
        cls.pool.shutdown()
        del cls.pool

    def test_values(self):
        self.assertEqual(self.pool.call('math.factorial', 30), 265252859812191058636308480000000)
        for value in None, True, 2**70, 'ä', b'x', (1, 'a'), {'a': (1, {2})}, datetime.date(2020, 1, 2), [1, 'b']:
            self.assertEqual(self.pool.call('copy.copy', value), value)
        self.assertEqual(self.pool.call('builtins.dict', a=1, b='x'), {'a': 1, 'b': 'x'})
        self.assertEqual(self.pool.eval('x = 20; x + 22'), 42)
        self.assertEqual(self.pool.eval('__name__', module='some'), 'some')

    def test_ways(self):
        self.assertEqual(self.pool.submit('abs', -2).result(PATIENCE), 2)
        self.assertEqual(self.pool.submit_eval('1 + 1').result(PATIENCE), 2)
        self.pool.do('abs', -1)
        self.assertEqual(self.pool.options(timeout=60).call('abs', -3), 3)
        self.assertEqual(self.pool.options(timeout=60, retry=True).submit('abs', -3).result(PATIENCE), 3)
        self.assertEqual(self.pool.options(module='some').eval('__name__'), 'some')

        async def main():
            self.assertEqual(await self.pool.call_async('abs', -4), 4)
            self.assertEqual(await self.pool.eval_async('2 + 2'), 4)
            self.assertEqual(await self.pool.options(timeout=60).call_async('abs', -5), 5)
            return await asyncio.gather(*[self.pool.call_async('abs', -i) for i in range(50)])

        self.assertEqual(asyncio.run(main()), list(range(50)))

    def test_names_of_the_library(self):
        pool = self.pool
        self.assertEqual(pool.remote_call_fetch('abs', (-1,)), 1)
        self.assertEqual(pool.remote_call_fetch('abs', GLib.Variant('(x)', (-1,))), 1)
        self.assertEqual(pool.remote_call_fetch('dict', None, {'a': 1}, Malt.PoolCallFlags.RETRY, 60000), {'a': 1})
        self.assertIs(pool.remote_call_fetch('object', flags=Malt.PoolCallFlags.NO_VALUE), True)
        self.assertEqual(pool.remote_eval_fetch(None, '1 + 1'), 2)
        self.assertIs(pool.remote_do('abs', (-1,)), True)
        loop, results = GLib.MainLoop(), []

        def ready(pool, result, word):
            results.append((pool.remote_call_finish(result), word))
            pool.remote_eval_async(None, '3', callback=lambda pool, result: (
                results.append(pool.remote_eval_finish(result)), loop.quit()))

        pool.remote_call_async('abs', (-2,), None, 0, -1, None, ready, 'word')
        loop.run()
        self.assertEqual(results, [(2, 'word'), 3])

    def test_functions(self):
        def inner(x):
            return x * FACTOR

        scale = 2
        self.assertEqual(self.pool.call(inner, 2), 6)
        future = self.pool.submit(lambda x, y=4: x * scale + y, 5)
        self.assertEqual(future.result(PATIENCE), 14)
        self.assertEqual(self.pool.call(task_functions.recall, 'nothing'), None)
        self.assertEqual(self.pool.call(os.path.basename, '/a/b'), 'b')
        # In whichever worker, again and again, with the values of the moment.
        futures = []
        for i in range(20):
            futures.append(self.pool.submit(lambda x: (x, i, scale), i))
        self.assertEqual([future.result(PATIENCE) for future in futures], [(i, i, 2) for i in range(20)])
        with self.assertRaisesRegex(TypeError, 'cannot send the function .*it is bound to an object'):
            self.pool.call(self.test_values)

    def test_functions_that_only_the_program_finds(self):
        with Malt.Pool(max_workers=1, runtime='python') as pool:
            # By its source.
            self.assertEqual(pool.call(task_functions.fail_if, 2), 2)

    def test_errors(self):
        with self.assertRaises(Malt.RemoteException) as caught:
            self.pool.call(task_functions.fail)
        self.assertEqual(caught.exception.type, 'ValueError')
        self.assertIn('in fail', caught.exception.traceback)
        self.assertIsNone(caught.exception.worker)
        self.assertRegex(caught.exception.worker_name, r'PID \d+')
        with self.assertRaises(Malt.NotFoundError):
            self.pool.call('none_such')
        with self.assertRaisesRegex(Malt.SerializationError, '^argument 1: '):
            self.pool.call('abs', threading.Lock())
        with self.assertRaises(TypeError):
            self.pool.call(5)
        with self.assertRaises(TypeError):
            self.pool.call()
        with self.assertRaises(ValueError):
            self.pool.options(timeout=-1).call('abs', 1)
        self.assertEqual(self.pool.call('abs', -1), 1)

    def test_map(self):
        self.assertEqual(list(self.pool.map('abs', range(-20, 0))), list(range(20, 0, -1)))
        self.assertEqual(list(self.pool.map(pow, range(5), range(5))), [i ** i for i in range(5)])
        self.assertEqual(sorted(self.pool.map('abs', range(-20, 0), ordered=False)), list(range(1, 21)))
        self.assertEqual(list(self.pool.map('abs', [])), [])
        for ordered in True, False:
            with self.subTest(ordered=ordered):
                values = self.pool.map(task_functions.fail_if, [1, 2, -1, 3], ordered=ordered)
                with self.assertRaises(Malt.RemoteException):
                    for value in values:
                        self.assertIn(value, (1, 2, 3))

    def test_map_takes_as_far_as_it_gets(self):
        taken = []

        def numbers():
            for i in range(1_000_000):
                taken.append(i)
                yield i

        for ordered in True, False:
            taken.clear()
            values = self.pool.map('abs', numbers(), ordered=ordered)
            for _ in range(10):
                next(values)
            values.close()
            self.assertLess(len(taken), 30)

    def test_map_under_asyncio(self):
        async def main():
            self.assertEqual([value async for value in self.pool.map_async('abs', range(-20, 0))],
                             list(range(20, 0, -1)))
            values = [value async for value in self.pool.map_async('abs', range(-20, 0), ordered=False)]
            self.assertEqual(sorted(values), list(range(1, 21)))
            with self.assertRaises(Malt.RemoteException):
                async for value in self.pool.map_async(task_functions.fail_if, [1, 2, -1, 3]):
                    pass

        asyncio.run(main())

    def test_from_threads(self):
        def work():
            return [self.pool.call('abs', -i) for i in range(50)]

        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            for values in threads.map(lambda _: work(), range(8)):
                self.assertEqual(values, list(range(50)))

    @interrupts_python
    def test_cancelling(self):
        future = self.pool.submit('time.sleep', 600)
        self.assertTrue(future.cancel())
        with self.assertRaises(Malt.TimeoutError) as caught:
            self.pool.options(timeout=0.1).call('time.sleep', 600)
        self.assertIsInstance(caught.exception, TimeoutError)
        cancellable = Gio.Cancellable()
        threading.Timer(0.1, cancellable.cancel).start()
        with self.assertRaises(GLib.Error) as caught:
            self.pool.options(cancellable=cancellable).call('time.sleep', 600)
        self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))

        async def main():
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(self.pool.call_async('time.sleep', 600), 0.1)

        asyncio.run(main())
        self.assertEqual(self.pool.call('abs', -1), 1)


class Workers(unittest.TestCase):
    def test_counts(self):
        with make_pool() as pool:
            self.assertEqual((pool.max_workers, pool.n_workers, pool.n_queued, pool.n_running), (2, 0, 0, 0))
            pool.call('abs', 1)
            with self.assertRaises(Malt.RemoteException):
                pool.call(task_functions.fail)
            self.assertEqual((pool.n_done, pool.n_failed, pool.n_restarts), (1, 1, 0))
            self.assertRegex(repr(pool), r'<Malt.Pool: \d of 2 workers>')

    def test_crash(self):
        with make_pool() as pool:
            others = [pool.submit(task_functions.nap, 0.2, i) for i in range(1)]
            with self.assertRaises(Malt.TerminatedWorkerException) as caught:
                pool.call(task_functions.crash)
            self.assertEqual(caught.exception.exit_info.get_kind(), Malt.ExitKind.SIGNALLED)
            self.assertEqual([other.result(PATIENCE) for other in others], [0])
            for future in [pool.submit('abs', -1) for _ in range(10)]:
                self.assertEqual(future.result(PATIENCE), 1)

    def test_retry(self):
        with tempfile.TemporaryDirectory() as folder, make_pool() as pool:
            path = os.path.join(folder, 'once')
            self.assertIsInstance(pool.options(retry=True).call(task_functions.crash_once, path), int)
            paths = [os.path.join(folder, f'map{i}') for i in range(3)]
            self.assertEqual(len(list(pool.map(task_functions.crash_once, paths, retry=True))), 3)
            self.assertGreaterEqual(pool.n_restarts, 1)

    def test_waiting_for_futures(self):
        with make_pool(1) as pool:
            # The worker is not there yet; then the second waits for the first.
            first, second = pool.submit(task_functions.nap, 0.05, 1), pool.submit('abs', -2)
            with self.assertRaises(concurrent.futures.TimeoutError):
                second.result(0.001)
            self.assertEqual((second.result(PATIENCE), first.result(PATIENCE)), (2, 1))
            for i in range(100):
                self.assertEqual(pool.submit('abs', -i).result(PATIENCE), i)
            self.assertEqual(pool.n_done, 102)
            runs, waits = pool.submit('time.sleep', 600), pool.submit('abs', 1)
            self.assertTrue(waits.cancel())
            self.assertTrue(runs.cancel())
            self.assertEqual(pool.submit('abs', -5).result(PATIENCE), 5)

    def test_waiting_in_callbacks(self):
        # On the thread that brings the results, for calls that wait for the only worker.
        with make_pool(1) as pool:
            values = queue.SimpleQueue()
            first = pool.submit(task_functions.nap, 0.05, 0)
            later = [pool.submit('abs', -i) for i in range(1, 5)]
            first.add_done_callback(lambda future: values.put([each.result(PATIENCE) for each in later]))
            first.add_done_callback(lambda future: values.put(pool.submit('abs', -5).result(PATIENCE)))
            self.assertEqual(values.get(timeout=PATIENCE), [1, 2, 3, 4])
            self.assertEqual(values.get(timeout=PATIENCE), 5)

            def time_out(future):
                long = pool.submit('time.sleep', 600)
                try:
                    pool.submit('abs', 1).result(0.05)
                except concurrent.futures.TimeoutError:
                    values.put('late')
                long.cancel()

            pool.submit('abs', 1).add_done_callback(time_out)
            self.assertEqual(values.get(timeout=PATIENCE), 'late')
            self.assertEqual(pool.submit('abs', -6).result(PATIENCE), 6)

    def test_waiting_for_a_future_that_is_made_again(self):
        with tempfile.TemporaryDirectory() as folder, make_pool(1) as pool:
            pool.call('abs', 1)
            future = pool.options(retry=True).submit(task_functions.crash_once, os.path.join(folder, 'once'))
            self.assertIsInstance(future.result(PATIENCE), int)
            self.assertEqual(pool.n_restarts, 1)
            self.assertIsInstance(pool.submit(task_functions.crash).exception(PATIENCE),
                                  Malt.TerminatedWorkerException)
            self.assertEqual(pool.submit('abs', -1).result(PATIENCE), 1)

    def test_initializer(self):
        with make_pool(initializer=task_functions.remember, initargs=('a', {1, 2})) as pool:
            self.assertEqual(pool.call(task_functions.recall, 'a'), {1, 2})
        with make_pool(initializer='task_functions.remember', initargs=('a', 5)) as pool:
            self.assertEqual(pool.call(task_functions.recall, 'a'), 5)

        def local(value):
            import builtins
            builtins.given = value

        with make_pool(initializer=local, initargs=(FACTOR,)) as pool:
            self.assertEqual(pool.eval('given'), FACTOR)

    def test_failing_initializers(self):
        for initializer, pattern in ((task_functions.fail, 'ValueError'), ('none.such', 'none.such'),
                                     (task_functions.crash, 'signal 6')):
            with self.subTest(initializer=initializer), make_pool(1, initializer=initializer) as pool:
                with self.assertRaisesRegex(Malt.StartError, pattern):
                    pool.call('abs', 1)
        with self.assertRaises(TypeError):
            make_pool(initializer=5)
        with self.assertRaises(Malt.SerializationError):
            make_pool(initializer=task_functions.remember, initargs=('a', threading.Lock()))

    def test_recycling(self):
        with make_pool(1, max_calls_per_worker=2) as pool:
            pids = [pool.call(task_functions.pid) for _ in range(6)]
            self.assertEqual(len(set(pids)), 3)

    def test_bounded_queue(self):
        with make_pool(1, queue_length=1) as pool:
            pool.call('abs', 1)
            first = pool.submit(task_functions.nap, 600)
            futures = [pool.submit('abs', 1) for _ in range(3)]
            for future in itertools.islice(concurrent.futures.as_completed(futures, PATIENCE), 2):
                self.assertTrue(future.exception().matches(Gio.io_error_quark(), Gio.IOErrorEnum.BUSY))
            first.cancel()
            self.assertTrue(pool.wait_room())

    def test_over_a_launcher(self):
        launcher = Malt.Launcher(backend='process', runtime='python', search_path=[FOLDER])
        with Malt.Pool(launcher, 1) as pool:
            self.assertEqual(pool.call(task_functions.recall, 'a'), None)
            # And what is sent is pickled, as with a worker.
            self.assertEqual(pool.call(task_functions.Point.flip, task_functions.Point(1, 2)), task_functions.Point(2, 1))
        self.assertIsNone(launcher.props.runtime_options)
        with Malt.Pool.new(launcher, 1) as pool:
            self.assertEqual(pool.call('abs', -1), 1)

    def test_bad_options(self):
        for keywords in {'colour': 'red'}, {'launcher': Malt.Launcher(), 'runtime': 'python'}, {'max_workers': 'many'}:
            with self.subTest(keywords=keywords), self.assertRaises(TypeError):
                Malt.Pool(**keywords)
        for keywords, error, pattern in (({'launcher': 4}, TypeError, 'has to be a Malt.Launcher, not 4; how many'),
                                         ({'max_workers': -1}, ValueError, "'max_workers': -1 is not between 0 and"),
                                         ({'max_workers': 1.5}, TypeError, "'max_workers': 1.5 is no whole number"),
                                         ({'idle_timeout': 'x'}, TypeError, "'idle_timeout': 'x' is no whole number")):
            with self.subTest(keywords=keywords), self.assertRaisesRegex(error, pattern):
                Malt.Pool(**keywords)
        with Malt.Pool(runtime='none-such', max_workers=1) as pool:
            with self.assertRaises(Malt.NotFoundError):
                pool.call('abs', 1)

    def test_without_pickle(self):
        with Malt.Pool(max_workers=1, runtime='python', pickle=False, search_path=[FOLDER]) as pool:
            self.assertEqual(pool.call(lambda x: x + FACTOR, 1), 4)
            with self.assertRaises(Malt.SerializationError):
                pool.call('id', task_functions.Point(1, 2))

    def test_in_process(self):
        with Malt.Pool(max_workers=1, runtime='native', backend='inprocess') as pool:
            with self.assertRaises(Malt.NotFoundError):
                pool.call('none_such')


class End(unittest.TestCase):
    def test_shutdown(self):
        pool = make_pool()
        futures = [pool.submit(task_functions.nap, 0.05, i) for i in range(6)]
        self.assertTrue(pool.shutdown())
        self.assertEqual([future.result(PATIENCE) for future in futures], list(range(6)))
        self.assertEqual(pool.n_workers, 0)
        for use in (lambda: pool.call('abs', 1), lambda: pool.eval('1'), lambda: pool.submit('abs', 1).result(PATIENCE)):
            with self.assertRaises(GLib.Error) as caught:
                use()
            self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CLOSED))
        self.assertTrue(pool.shutdown())

    def test_shutdown_flags(self):
        pool = make_pool(1)
        pool.call('abs', 1)
        first = pool.submit(task_functions.nap, 0.2, 'slept')
        second = pool.submit('abs', 1)
        pool.shutdown(cancel_queued=True)
        self.assertEqual(first.result(PATIENCE), 'slept')
        self.assertTrue(second.exception(PATIENCE).matches(Gio.io_error_quark(), Gio.IOErrorEnum.CLOSED))

        pool = make_pool(1)
        pool.call('abs', 1)
        first = pool.submit(task_functions.nap, 600)
        pool.shutdown(stop=True)
        self.assertIsInstance(first.exception(PATIENCE), Malt.TerminatedWorkerException)

        pool = make_pool(1)
        pool.call('abs', 1)
        first = pool.submit(task_functions.nap, 0.2, 'slept')
        self.assertFalse(pool.shutdown(wait=False))
        self.assertEqual(first.result(PATIENCE), 'slept')
        self.assertTrue(pool.shutdown())

    def test_under_asyncio(self):
        async def main():
            async with make_pool() as pool:
                return await pool.call_async('abs', -1)

        self.assertEqual(asyncio.run(main()), 1)

    def test_dropped(self):
        pool = make_pool(1)
        future = pool.submit(task_functions.nap, 0.1, 'slept')
        del pool
        gc.collect()
        self.assertEqual(future.result(PATIENCE), 'slept')

    def test_broken_off(self):
        with self.assertRaises(ZeroDivisionError):
            with make_pool(1) as pool:
                pool.call('abs', 1)
                1 / 0
        self.assertEqual(pool.n_workers, 0)

    def test_exit(self):
        done = run_python('''
pool = Malt.Pool(max_workers=2, runtime='python')
pool.call('abs', 1)
futures = [pool.submit('time.sleep', 600) for _ in range(5)]
print('end')
''')
        self.assertEqual(done.stdout, 'end\n')

    def test_fork(self):
        done = run_python('''
import os, sys
pool = Malt.Pool(max_workers=1, runtime='python')
pool.call('abs', 1)
for use in (lambda: pool.call('abs', 1), lambda: pool.submit('abs', 1).result(), lambda: pool.shutdown(),
            lambda: Malt.Pool(), lambda: pool.do('abs', 1), lambda: pool.shutdown_async()):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            use()
        except RuntimeError as error:
            print(str(error).partition('forked')[1])
        sys.stdout.flush()
        del pool, use
        os._exit(0)
    os.waitpid(pid, 0)
print(pool.call('abs', -2))
''')
        self.assertEqual(done.stdout, 'forked\n' * 6 + '2\n')

    def test_nothing_is_kept(self):
        argument = list(range(1000))

        def use():
            with make_pool(1) as pool:
                for future in [pool.submit('len', argument) for _ in range(50)]:
                    future.result(PATIENCE)
                list(pool.map(len, [argument] * 10))
                for _ in range(10):
                    pool.submit('int', 'x').exception(PATIENCE)
                pool.call(lambda x: x, 1)

        use()
        gc.collect()
        before = sys.getrefcount(argument), n_descriptors(), threading.active_count(), len(gc.get_objects())
        use()
        gc.collect()
        after = sys.getrefcount(argument), n_descriptors(), threading.active_count(), len(gc.get_objects())
        for was, is_ in zip(before, after):
            self.assertAlmostEqual(was, is_, delta=20)

    @interrupts_python
    def test_interrupts(self):
        done = run_python('''
import os, signal, threading, time
pool = Malt.Pool(max_workers=1, runtime='python')
pool.call('abs', 1)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    pool.call('time.sleep', 600)
except KeyboardInterrupt:
    print('interrupted')
print(pool.call('abs', -2))
pool.shutdown()
''')
        self.assertEqual(done.stdout, 'interrupted\n2\n')

    def test_in_a_thread(self):
        def use():
            with make_pool(1) as pool:
                return pool.call('abs', -1)

        self.assertEqual(run_in_thread(use), 1)


if __name__ == '__main__':
    unittest.main()
