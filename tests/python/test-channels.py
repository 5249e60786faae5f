# SPDX-License-Identifier: LGPL-2.1-or-later

"""Channels between a program and its worker."""

import asyncio
import gc
import sys
import threading
import unittest
import weakref

from gi.repository import Gio, GLib

from binding import Malt, WorkerTest, comes_true, has_no_more_descriptors_than, interrupts_python, n_descriptors
from binding import run_in_thread, run_python

HELPERS = '''
import threading

def produce(channel, values, close=True):
    def run():
        for value in values:
            channel.put(value)
        if close:
            channel.close()
    threading.Thread(target=run).start()

def copy(source, target):
    def run():
        for value in source:
            target.put(value)
        target.close()
    threading.Thread(target=run).start()
'''

VALUES = [None, True, 5, 2**80, 1.5, 'text', 'ä\n', b'bytes', [1, 'two', None], (1, (2,)), {'a': [1]}, {1: 2}, {3, 4},
          1 + 2j, [], {}]


class Channels(WorkerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker.eval(HELPERS)

    def open_copy(self, capacity=20):
        """Two channels: what is put into the one comes out of the other."""
        self.worker.eval(f'a, b = malt.Channel({capacity}), malt.Channel({capacity}); copy(a, b)')
        return self.worker.channel('a'), self.worker.channel('b')

    def test_values(self):
        there, back = self.open_copy()
        for value in VALUES:
            there.put(value)
        there.close()
        self.assertEqual(list(back), VALUES)
        self.assertEqual(list(back), [])

    def test_properties(self):
        channel = self.worker.channel('malt.Channel(20)')
        self.assertIsInstance(channel, Malt.Channel)
        self.assertEqual((channel.capacity, channel.closed), (20, False))
        self.assertFalse(channel.is_ready())
        channel.close()
        channel.close()
        self.assertTrue(channel.closed)

    def test_same_queue(self):
        self.worker.eval('same = malt.Channel(5)')
        one, other = self.worker.channel('same'), self.worker.channel('same')
        one.put(1)
        self.assertEqual(other.take(), 1)

    def test_order(self):
        self.worker.eval('numbers = malt.Channel(50); produce(numbers, range(5000))')
        self.assertEqual(list(self.worker.channel('numbers')), list(range(5000)))

    def test_many(self):
        self.worker.eval('many = [malt.Channel(3) for _ in range(40)]\n'
                         'for i, channel in enumerate(many): produce(channel, range(i, i + 20))')
        channels = [self.worker.channel(f'many[{i}]') for i in range(40)]
        taken = [[] for _ in channels]
        for _ in range(20):
            for i, channel in enumerate(channels):
                taken[i].append(channel.take(60))
        self.assertEqual(taken, [list(range(i, i + 20)) for i in range(40)])

    def test_threads(self):
        there, back = self.open_copy()
        taken = []

        def put(first):
            for i in range(200):
                there.put(first + i)

        def take():
            for value in back:
                taken.append(value)

        putters = [threading.Thread(target=put, args=(1000 * i,)) for i in range(3)]
        takers = [threading.Thread(target=take) for _ in range(3)]
        for thread in putters + takers:
            thread.start()
        for thread in putters:
            thread.join()
        there.close()
        for thread in takers:
            thread.join()
        self.assertEqual(sorted(taken), [1000 * i + j for i in range(3) for j in range(200)])

    def test_waiting(self):
        there, back = self.open_copy()
        self.assertRaises(Malt.TimeoutError, back.wait, 0.01)
        there.put(1)
        self.assertIsNone(back.wait())
        self.assertTrue(back.is_ready())
        self.assertEqual(back.take(timeout=60), 1)

    def test_timeout(self):
        channel = self.worker.channel('malt.Channel(1)')
        for timeout in 0, 0.01:
            with self.assertRaises(TimeoutError) as caught:
                channel.take(timeout)
            self.assertIsInstance(caught.exception, Malt.TimeoutError)
        channel.put(1)
        with self.assertRaises(Malt.TimeoutError):
            for _ in range(10):  # some may be under way
                channel.put(2, timeout=0.01)
        self.assertEqual(channel.take(), 1)

    def test_with(self):
        with self.worker.channel('malt.Channel(2)') as channel:
            channel.put(1)
        self.assertTrue(channel.closed)
        self.assertRaises(Malt.ChannelClosed, channel.put, 2)

    def test_closed(self):
        self.worker.eval('closed = malt.Channel(2); closed.put(1); closed.close()')
        channel = self.worker.channel('closed')
        self.assertEqual(channel.take(), 1)
        for function in channel.take, channel.wait, lambda: channel.put(1):
            with self.assertRaises(Malt.ChannelClosed) as caught:
                function()
            self.assertIsInstance(caught.exception, Malt.Error)
            self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CLOSED))
        self.assertEqual(list(channel), [])

    def test_closed_while_waiting(self):
        channel = self.worker.channel('malt.Channel(1)')
        threading.Timer(0.05, channel.close).start()
        self.assertRaises(Malt.ChannelClosed, channel.take)

    def test_no_conversion(self):
        channel = self.worker.channel('malt.Channel(5)')
        for value, message in ((threading.Lock(), "cannot convert a value of type '_thread.lock'"),
                               ([1, {'a': threading.Lock()}], "item 1, key 'a': cannot convert a value")):
            with self.assertRaises(Malt.SerializationError) as caught:
                channel.put(value)
            self.assertIn(message, str(caught.exception))
        channel.put('fine')
        self.assertEqual(channel.take(), 'fine')

    def test_bad_expressions(self):
        for expression, error, message in (('5', Malt.SerializationError, "gave a 'int' instead of a channel"),
                                           ('1 / 0', Malt.RemoteException, 'division by zero'),
                                           ('no_such', Malt.RemoteException, 'no_such'),
                                           ('malt.Channel(0)', Malt.RemoteException, 'capacity'),
                                           ('', GLib.Error, 'empty'),
                                           ('a\0b', ValueError, 'NUL'),
                                           (5, TypeError, "the expression has to be a str, not 'int'")):
            with self.subTest(expression=expression), self.assertRaises(error) as caught:
                self.worker.channel(expression)
            self.assertIn(message, str(caught.exception))

    def test_bad_capacities(self):
        for capacity, error in (0, ValueError), (-1, ValueError), (1 << 40, ValueError), ('a', TypeError), (1.5, TypeError):
            with self.subTest(capacity=capacity), self.assertRaisesRegex(error, 'the capacity of a channel is'):
                Malt.Channel(capacity)

    def test_bad_arguments(self):
        channel = self.worker.channel('malt.Channel(5)')
        self.assertRaises(TypeError, channel.put)
        self.assertRaises(TypeError, channel.put, 1, 2, 3)
        self.assertRaises(TypeError, channel.take, nothing=1)
        self.assertRaises(TypeError, channel.take, 1, timeout=1)
        self.assertRaises(TypeError, channel.take, 'soon')
        self.assertRaises(ValueError, channel.take, -1)
        self.assertRaises(ValueError, channel.take, float('nan'))
        self.assertRaises(TypeError, channel.take, cancellable=5)
        self.assertRaises(TypeError, Malt.Channel)
        self.assertRaises(TypeError, Malt.Channel.take, 5)

    def test_cancellable(self):
        channel = self.worker.channel('malt.Channel(1)')
        cancellable = Gio.Cancellable()
        threading.Timer(0.05, cancellable.cancel).start()
        for _ in range(2):
            with self.assertRaises(GLib.Error) as caught:
                channel.take(cancellable=cancellable)
            self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))

    def test_other_thread(self):
        there, back = self.open_copy()
        run_in_thread(lambda: there.put(5))
        self.assertEqual(run_in_thread(back.take), 5)
        self.assertEqual(run_in_thread(lambda: self.worker.channel('malt.Channel(7)').capacity), 7)

    def test_within_the_program(self):
        channel = Malt.Channel(2)
        thread = threading.Thread(target=lambda: ([channel.put((i, {i})) for i in range(100)], channel.close()))
        thread.start()
        self.assertEqual(list(channel), [(i, {i}) for i in range(100)])
        thread.join()

    def test_names_of_the_library(self):
        channel = self.worker.open_channel(None, 'malt.Channel(5)')
        loop = GLib.MainLoop()
        seen = []

        def taken(source, result, word):
            seen.append((source.take_finish(result), word))
            loop.quit()

        def put(source, result):
            source.put_finish(result)
            source.take_async(None, taken, 'word')

        channel.put_async((1, 'a'), None, put)
        loop.run()
        self.assertEqual(seen, [((1, 'a'), 'word')])

        def opened(worker, result):
            seen.append(worker.open_channel_finish(result).capacity)
            loop.quit()

        self.worker.open_channel_async(None, 'malt.Channel(9)', -1, None, opened)
        loop.run()
        self.assertEqual(seen[1:], [9])

    def test_options(self):
        self.worker.eval('x = malt.Channel(4)', module='elsewhere')
        self.assertEqual(self.worker.channel('x', module='elsewhere').capacity, 4)
        with self.assertRaises(Malt.TimeoutError):
            self.worker.channel('__import__("time").sleep(60)', timeout=0.05)


class Awaited(WorkerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker.eval(HELPERS)

    def test_there_and_back(self):
        async def main():
            self.worker.eval('a, b = malt.Channel(5), malt.Channel(5); copy(a, b)')
            there, back = await self.worker.channel_async('a'), await self.worker.channel_async('b')

            async def put():
                async with there:
                    for value in VALUES * 20:
                        await there.put_async(value)

            task = asyncio.create_task(put())
            self.assertEqual([value async for value in back], VALUES * 20)
            await task
            with self.assertRaises(Malt.ChannelClosed):
                await back.take_async()
            with self.assertRaises(Malt.ChannelClosed):
                await there.put_async(1)
            with self.assertRaises(Malt.SerializationError):
                await (await self.worker.channel_async('malt.Channel(1)')).put_async(threading.Lock())

        asyncio.run(main())

    def test_cancelled(self):
        async def main():
            channel = await self.worker.channel_async('malt.Channel(5)')
            for _ in range(20):
                with self.assertRaises(asyncio.TimeoutError):
                    await asyncio.wait_for(channel.take_async(), 0.001)
            await channel.put_async('kept')
            self.assertEqual(await channel.take_async(), 'kept')

        asyncio.run(main())

    def test_several_at_once(self):
        async def main():
            channel = await self.worker.channel_async('malt.Channel(5)')
            takers = [asyncio.create_task(channel.take_async()) for _ in range(20)]
            await asyncio.gather(*[channel.put_async(i) for i in range(20)])
            self.assertEqual(sorted(await asyncio.gather(*takers)), list(range(20)))

        asyncio.run(main())

    def test_others_have_their_turn(self):
        async def main():
            self.worker.eval('fast = malt.Channel(1000); produce(fast, range(3000))')
            channel = await self.worker.channel_async('fast')
            turns = 0

            async def count():
                nonlocal turns
                while True:
                    turns += 1
                    await asyncio.sleep(0)

            task = asyncio.create_task(count())
            self.assertEqual([i async for i in channel], list(range(3000)))
            task.cancel()
            self.assertGreaterEqual(turns, 3000 // 64)

        asyncio.run(main())

    def test_wait(self):
        async def main():
            channel = await self.worker.channel_async('malt.Channel(5)')
            waiting = asyncio.create_task(asyncio.wait_for(channel.wait_async(), 60))
            await channel.put_async(1)
            await waiting
            self.assertEqual(channel.take(), 1)

        asyncio.run(main())


class Ends(unittest.TestCase):
    def test_stopped(self):
        with Malt.Worker(runtime='python') as worker:
            channel = worker.channel('malt.Channel(5)')
        for function in channel.take, lambda: channel.put(1), channel.wait, lambda: list(channel):
            with self.assertRaises(Malt.TerminatedWorkerException) as caught:
                function()
            self.assertIn('was stopped', str(caught.exception))
        self.assertRaises(Malt.TerminatedWorkerException, worker.channel, 'malt.Channel(5)')

    def test_channel_keeps_worker(self):
        def begin():
            worker = Malt.Worker(runtime='python')
            worker.eval('c = malt.Channel(1)')
            worker.do('builtins.exec', 'import threading\nfrom __main__ import c\n'
                      'def run():\n    for i in range(20): c.put(i)\n    c.close()\n'
                      'threading.Thread(target=run, daemon=True).start()', {})
            return worker

        def collect(values):
            for value in values:
                gc.collect()
                yield value

        async def use():
            worker = begin()
            channel = await worker.channel_async('c')
            channel.circle = worker, channel
            worker.circle = channel
            references.extend([weakref.ref(worker), weakref.ref(channel)])
            del worker
            values = []
            async for value in channel:
                gc.collect()
                values.append(value)
            return values

        references = []
        self.assertEqual(list(collect(begin().channel('c'))), list(range(20)))
        self.assertEqual(asyncio.run(use()), list(range(20)))
        self.assertTrue(comes_true(lambda: not any(reference() for reference in references)))

    def test_died_with_takers(self):
        worker = Malt.Worker(runtime='python')
        channel = worker.channel('malt.Channel(5)')
        outcomes = []

        def take():
            try:
                channel.take()
            except Malt.TerminatedWorkerException as error:
                outcomes.append(error.exit_info.get_kind())

        threads = [threading.Thread(target=take) for _ in range(3)]
        for thread in threads:
            thread.start()
        worker.kill()
        for thread in threads:
            thread.join()
        self.assertEqual(outcomes, [Malt.ExitKind.SIGNALLED] * 3)

        async def main():
            with self.assertRaises(Malt.TerminatedWorkerException):
                async for _ in channel:
                    pass

        asyncio.run(main())

    def test_what_had_come_is_there(self):
        worker = Malt.Worker(runtime='python')
        channel = worker.channel('malt.Channel(20)')
        for i in range(10):
            channel.put(i)
        self.assertEqual(channel.take(), 0)
        worker.call('abs', 1)
        worker.kill()
        taken = []
        with self.assertRaises(Malt.TerminatedWorkerException):
            for value in channel:
                taken.append(value)
        self.assertEqual(taken, list(range(1, 1 + len(taken))))

    def test_nothing_leaks(self):
        def use():
            with Malt.Worker(runtime='python') as worker:
                with worker.channel('malt.Channel(5)') as channel:
                    channel.put('x')
                    channel.take()
                    self.assertRaises(Malt.SerializationError, channel.put, threading.Lock())
                self.assertRaises(Malt.SerializationError, worker.channel, '5')
            return weakref.ref(worker), weakref.ref(channel)

        async def use_async():
            async with await Malt.Worker.spawn_async(runtime='python') as worker:
                channel = await worker.channel_async('malt.Channel(5)')
                waiting = asyncio.create_task(channel.take_async())
                await asyncio.sleep(0.01)
                waiting.cancel()
                await asyncio.gather(waiting, return_exceptions=True)
                return weakref.ref(worker), weakref.ref(channel)

        use()
        asyncio.run(use_async())
        gc.collect()
        descriptors, threads = n_descriptors(), threading.active_count()
        references = [*use(), *asyncio.run(use_async())]
        self.assertTrue(comes_true(lambda: not any(reference() for reference in references)))
        self.assertTrue(has_no_more_descriptors_than(descriptors))
        self.assertLessEqual(threading.active_count(), threads)

    def test_values_do_not_leak(self):
        class Value:
            pass

        channel = Malt.Channel(100)
        text = 'x' * 1000
        channel.put([text])
        channel.take()
        before = sys.getrefcount(text), sys.getrefcount(None)
        for _ in range(100):
            channel.put([text])
            channel.take()
            self.assertRaises(TimeoutError, channel.take, 0)
            self.assertRaises(Malt.SerializationError, channel.put, threading.Lock())
        after = sys.getrefcount(text), sys.getrefcount(None)
        self.assertEqual(before[0], after[0])
        self.assertLess(abs(after[1] - before[1]), 50)

    def test_fork(self):
        self.assertEqual(run_python('''
import os
worker = Malt.Worker(runtime='python')
channel = worker.channel('malt.Channel(5)')
channel.put(1)
if os.fork() == 0:
    for function in channel.take, lambda: channel.put(2), channel.close, lambda: list(channel):
        try:
            function()
        except RuntimeError as error:
            os.write(1, b'refused\\n')
    del channel, function
    import gc
    gc.collect()
    os._exit(0)
os.wait()
channel.put(2)
print(channel.take(), channel.take())
''').stdout, 'refused\n' * 4 + '1 2\n')

    @interrupts_python
    def test_interrupted(self):
        self.assertEqual(run_python('''
import os, signal, threading, time
worker = Malt.Worker(runtime='python')
channel = worker.channel('malt.Channel(1)')

def fill():
    while True:
        channel.put(1)

for wait in channel.take, channel.wait, lambda: list(channel), fill:
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        wait()
    except KeyboardInterrupt:
        print('interrupted')
channel.take()
print(worker.call('abs', -1))
''').stdout, 'interrupted\n' * 4 + '1\n')


if __name__ == '__main__':
    unittest.main()
