# SPDX-License-Identifier: LGPL-2.1-or-later

"""submit(): futures that need no loop."""

import asyncio
import concurrent.futures
import gc
import os
import queue
import signal
import sys
import threading
import time
import unittest
import weakref

from gi.repository import Gio, GLib

from binding import PATIENCE, Malt, WorkerTest, interrupts_python, run_in_thread, run_python


class Futures(WorkerTest):
    def test_result(self):
        future = self.worker.submit('math.factorial', 10)
        self.assertIsInstance(future, concurrent.futures.Future)
        self.assertEqual(future.result(PATIENCE), 3628800)
        self.assertTrue(future.done())
        self.assertFalse(future.running())
        self.assertFalse(future.cancel())
        self.assertEqual(self.worker.submit_eval('y = 3; y + 1', module='futures').result(PATIENCE), 4)

    def test_results_of_every_kind(self):
        for waits in False, True:
            for value in (1, 2), (), None, {'a': (1,)}:
                future = self.worker.submit('copy.copy', value)
                if not waits:
                    self.worker.submit('abs', 1).result(PATIENCE)
                self.assertEqual(future.result(PATIENCE), value)

    def test_exception(self):
        future = self.worker.submit('int', 'x')
        error = future.exception(PATIENCE)
        self.assertIsInstance(error, Malt.RemoteException)
        self.assertEqual(error.type, 'ValueError')
        with self.assertRaises(Malt.RemoteException):
            future.result()

    def test_what_cannot_be_sent(self):
        future = self.worker.submit('len', [threading.Lock()])
        self.assertTrue(future.done())
        with self.assertRaisesRegex(Malt.SerializationError, '^argument 1, item 0: '):
            future.result()
        self.assertIsInstance(self.worker.submit(5).exception(PATIENCE), TypeError)
        self.assertIsInstance(self.worker.submit('none_such').exception(PATIENCE), Malt.NotFoundError)
        self.assertIsInstance(self.worker.submit('threading.Lock').exception(PATIENCE), Malt.SerializationError)

    def test_arguments_are_as_they_were(self):
        data = bytearray(b'x' * 100_000)
        future = self.worker.submit('builtins.bytearray.count', data, b'x')
        data[:] = b'y' * len(data)
        self.assertEqual(future.result(PATIENCE), 100_000)

    def test_many(self):
        futures = [self.worker.submit('abs', -i) for i in range(5000)]
        self.assertEqual([future.result(PATIENCE) for future in futures], list(range(5000)))
        done, pending = concurrent.futures.wait([self.worker.submit('abs', i) for i in range(100)], PATIENCE)
        self.assertEqual((len(done), len(pending)), (100, 0))
        values = {future.result() for future in
                  concurrent.futures.as_completed([self.worker.submit('abs', i) for i in range(100)], PATIENCE)}
        self.assertEqual(values, set(range(100)))

    def test_callbacks(self):
        event = threading.Event()
        self.worker.submit('abs', 1).add_done_callback(lambda future: event.set())
        self.assertTrue(event.wait(PATIENCE))

    def test_callbacks_of_one_that_is_waited_for(self):
        for _ in range(50):
            calls = []
            ended = queue.SimpleQueue()
            future = self.worker.submit('abs', -1)
            future.add_done_callback(lambda future: calls.append(future.result()))
            future.add_done_callback(ended.put)
            self.assertEqual(future.result(PATIENCE), 1)
            self.assertEqual(ended.get(timeout=PATIENCE), future)
            self.assertEqual(calls, [1])

    def test_waiting_in_a_callback(self):
        values = queue.SimpleQueue()
        later = [self.worker.submit('abs', -i) for i in range(1, 20)]
        first = self.worker.submit('abs', 0)
        first.add_done_callback(lambda future: values.put([each.result(PATIENCE) for each in later]))
        first.add_done_callback(lambda future: values.put(self.worker.submit('abs', -20).result(PATIENCE)))
        self.assertEqual(first.result(PATIENCE), 0)
        self.assertEqual(values.get(timeout=PATIENCE), list(range(1, 20)))
        self.assertEqual(values.get(timeout=PATIENCE), 20)

    def test_waiting_in_a_callback_for_what_a_thread_waits_for(self):
        self.worker.eval('import asyncio, threading\ndef open_gate(i): gates[i].set()')
        for _ in range(20):
            self.worker.eval('gates = [threading.Event() for _ in range(2)]')
            first, second = (self.worker.submit_eval(f'await asyncio.to_thread(gates[{i}].wait)') for i in range(2))
            begun, values = threading.Event(), queue.SimpleQueue()

            def wait(future):
                begun.set()
                values.put(second.result(PATIENCE))

            first.add_done_callback(wait)
            thread = threading.Thread(target=second.result, args=(PATIENCE,))
            thread.start()
            time.sleep(0.01)
            self.worker.do('open_gate', 0)
            begun.wait(PATIENCE)
            time.sleep(0.01)
            self.worker.do('open_gate', 1)
            self.assertTrue(values.get(timeout=PATIENCE))
            thread.join()

    def test_cancelled_while_a_callback_waits(self):
        # One that does not end before this test does.
        gate = sys.gate_of_test = threading.Event()
        with Malt.Worker(backend='inprocess', runtime='python', cancel_timeout=10 * 1000 * PATIENCE) as worker:
            first = self.worker.submit('time.sleep', 0.05)
            second = worker.submit_eval('import sys; sys.gate_of_test.wait()')
            begun, raised = threading.Event(), queue.SimpleQueue()

            def wait(future):
                begun.set()
                try:
                    second.result()
                except concurrent.futures.CancelledError as error:
                    raised.put(error)

            first.add_done_callback(wait)
            begun.wait(PATIENCE)
            time.sleep(0.05)
            try:
                self.assertTrue(second.cancel())
                raised.get(timeout=PATIENCE)
            finally:
                gate.set()
                del sys.gate_of_test

    def test_many_threads_wait(self):
        for function, arguments in (('time.sleep', (0.1,)), ('int', ('x',))):
            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                for _ in range(5):
                    future = self.worker.submit(function, *arguments)
                    found = list(threads.map(lambda _: future.exception(PATIENCE), range(8)))
                    self.assertEqual({type(each) for each in found},
                                     {Malt.RemoteException if function == 'int' else type(None)})

    def test_each_thread_waits_for_its_own(self):
        def use(n):
            return [self.worker.submit('abs', -i).result(PATIENCE) for i in range(n, n + 200)]

        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            for n, values in zip(range(0, 800, 100), threads.map(use, range(0, 800, 100))):
                self.assertEqual(values, list(range(n, n + 200)))

    def test_a_wait_that_is_too_short(self):
        self.worker.eval('import asyncio, threading; gate = threading.Event()')
        future = self.worker.submit_eval('await asyncio.to_thread(gate.wait); 5')
        for timeout in 0, -1, 0.01, 1e-9, 0.05:
            with self.assertRaises(concurrent.futures.TimeoutError):
                future.result(timeout)
            with self.assertRaises(concurrent.futures.TimeoutError):
                future.exception(timeout)
        with self.assertRaises(TypeError):
            future.result('x')
        # What others wait for is read meanwhile.
        self.assertEqual(self.worker.submit('abs', -2).result(PATIENCE), 2)
        self.worker.submit('gate.set')
        self.assertEqual(future.result(PATIENCE), 5)

    @interrupts_python
    def test_cancelled_while_a_thread_waits(self):
        future = self.worker.submit('time.sleep', 600)
        raised = queue.SimpleQueue()

        def wait():
            try:
                future.result()
            except concurrent.futures.CancelledError as error:
                raised.put(error)

        threads = [threading.Thread(target=wait) for _ in range(3)]
        for thread in threads:
            thread.start()
        time.sleep(0.05)
        self.assertTrue(future.cancel())
        for _ in threads:
            raised.get(timeout=PATIENCE)
        for thread in threads:
            thread.join()
        self.assertEqual(self.worker.submit('abs', -1).result(PATIENCE), 1)

    def test_handlers_of_signals_run_meanwhile(self):
        times = []
        self.worker.eval('import asyncio, threading; bell = threading.Event()')

        def ring(*unused):
            times.append(time.monotonic())
            if len(times) == 3:
                self.worker.submit('bell.set')

        future = self.worker.submit_eval('await asyncio.to_thread(bell.wait)')
        before = signal.signal(signal.SIGALRM, ring)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
            self.assertTrue(future.result(PATIENCE))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        self.assertGreaterEqual(len(times), 3)

    def test_a_handler_that_raises(self):
        def fail(*unused):
            raise ZeroDivisionError

        self.worker.eval('import asyncio, threading; end = threading.Event()')
        future = self.worker.submit_eval('await asyncio.to_thread(end.wait)')
        before = signal.signal(signal.SIGALRM, fail)
        try:
            with self.assertRaises(ZeroDivisionError):
                signal.setitimer(signal.ITIMER_REAL, 0.05)
                future.result(PATIENCE)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        self.assertFalse(future.done())
        self.worker.call('end.set')
        self.assertTrue(future.result(PATIENCE))

    def test_order(self):
        self.worker.eval('order = []')
        for i in range(200):
            self.worker.submit('order.append', i)
            if i % 10 == 0:
                self.worker.call('order.append', -i)
                self.worker.do('order.append', -i)
        expected = [x for i in range(200) for x in ([i, -i, -i] if i % 10 == 0 else [i])]
        self.assertEqual(self.worker.eval('order'), expected)

    @interrupts_python
    def test_cancel_what_runs(self):
        future = self.worker.submit_eval('import time; time.sleep(600)')
        self.assertTrue(future.running())
        self.assertFalse(future.done())
        self.assertTrue(future.cancel())
        self.assertTrue(future.cancelled())
        self.assertTrue(future.cancel())
        self.assertFalse(future.running())
        with self.assertRaises(concurrent.futures.CancelledError):
            future.result()
        done, pending = concurrent.futures.wait([future], PATIENCE)
        self.assertEqual(done, {future})
        # The worker gets free.
        self.assertEqual(self.worker.call('abs', -1), 1)

    @interrupts_python
    @interrupts_python
    def test_callbacks_of_what_is_cancelled(self):
        future, values = self.worker.submit('time.sleep', 600), queue.SimpleQueue()

        def called_back(future):
            # Neither the worker nor other threads wait for this.
            values.put(self.worker.call('abs', -3))
            values.put(run_in_thread(future.cancelled))

        future.add_done_callback(called_back)
        thread = threading.Thread(target=future.cancel, daemon=True)
        thread.start()
        self.assertEqual(values.get(timeout=PATIENCE), 3)
        self.assertTrue(values.get(timeout=PATIENCE))
        thread.join()
        self.assertTrue(future.cancel())
        self.assertTrue(values.empty())

    def test_cancel_what_has_not_begun(self):
        self.worker.eval('begun = []')
        first = self.worker.submit_eval('import time; time.sleep(600)')
        second = self.worker.submit('begun.append', 2)
        third = self.worker.submit('begun.append', 3)
        self.assertTrue(second.cancel())
        self.assertTrue(first.cancel())
        third.result(PATIENCE)
        self.assertEqual(self.worker.eval('begun'), [3])

    @interrupts_python
    def test_limits(self):
        with self.assertRaises(Malt.TimeoutError):
            self.worker.options(timeout=0.1).submit('time.sleep', 600).result(PATIENCE)
        with self.assertRaises(concurrent.futures.TimeoutError):
            future = self.worker.submit('time.sleep', 600)
            future.result(0.1)
        future.cancel()
        cancellable = Gio.Cancellable()
        future = self.worker.submit_eval('import time; time.sleep(600)', cancellable=cancellable)
        cancellable.cancel()
        with self.assertRaises(GLib.Error) as caught:
            future.result(PATIENCE)
        self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))

    def test_under_asyncio(self):
        async def main():
            return await asyncio.wrap_future(self.worker.submit('abs', -5))

        self.assertEqual(asyncio.run(main()), 5)

    def test_the_worker_dies(self):
        worker = Malt.Worker(runtime='python')
        futures = [worker.submit('time.sleep', 600) for _ in range(10)]
        worker.submit('abs', 1)
        worker.kill()
        for future in futures:
            self.assertIsInstance(future.exception(PATIENCE), Malt.TerminatedWorkerException)
        self.assertIsInstance(worker.submit('abs', 1).exception(PATIENCE), Malt.TerminatedWorkerException)

    def test_several_workers(self):
        with Malt.Worker(runtime='python') as other:
            futures = [worker.submit('os.getpid') for worker in (self.worker, other) * 50]
            self.assertEqual({future.result(PATIENCE) for future in futures},
                             {self.worker.get_pid(), other.get_pid()})

    def test_nothing_is_kept(self):
        argument = list(range(1000))

        def use():
            for future in [self.worker.submit('len', argument) for _ in range(100)]:
                future.result(PATIENCE)
            cancelled = []
            for _ in range(20):
                self.worker.submit('int', 'x').exception(PATIENCE)
                future = self.worker.submit('abs', 1)
                future.cancel()
                cancelled.append(weakref.ref(future))
            del future
            # Until their calls have ended.
            deadline = time.monotonic() + PATIENCE
            while any(reference() is not None for reference in cancelled) and time.monotonic() < deadline:
                time.sleep(0.001)

        use()
        gc.collect()
        before = sys.getrefcount(self.worker), sys.getrefcount(argument), len(gc.get_objects())
        use()
        gc.collect()
        for was, is_ in zip(before, (sys.getrefcount(self.worker), sys.getrefcount(argument),
                                     len(gc.get_objects()))):
            self.assertAlmostEqual(was, is_, delta=20)

    def test_one_thread(self):
        names = []
        for thread in os.listdir('/proc/self/task'):
            with open(f'/proc/self/task/{thread}/comm') as file:
                names.append(file.read().strip())
        self.assertEqual(names.count('malt-python'), 1)


class Exit(unittest.TestCase):
    def test_with_calls_under_way(self):
        done = run_python('''
worker = Malt.Worker(runtime='python')
futures = [worker.submit('time.sleep', 600) for _ in range(10)]
more = [worker.submit('abs', 1) for _ in range(1000)]
print('end')
''')
        self.assertEqual(done.stdout, 'end\n')

    def test_with_results_coming(self):
        done = run_python('''
worker = Malt.Worker(runtime='python')
first = worker.submit('abs', 1)
more = [worker.submit('abs', 1) for _ in range(5000)]
print(first.result())
''')
        self.assertEqual(done.stdout, '1\n')


if __name__ == '__main__':
    unittest.main()
