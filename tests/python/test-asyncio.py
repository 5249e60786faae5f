# SPDX-License-Identifier: LGPL-2.1-or-later

"""Awaiting calls, with asyncio's own loop and with one that is a GLib main loop."""

import asyncio
import gc
import os
import selectors
import sys
import threading
import unittest
import weakref

from gi.repository import Gio, GLib

from binding import PATIENCE, Malt, WorkerTest, interrupts_python, n_descriptors


class GLibSelector(selectors.SelectSelector):
    """Has asyncio wait in the default main context, as its integrations with GLib do."""

    def select(self, timeout=None):
        ready = []

        def ready_cb(descriptor, condition, key):
            events = (selectors.EVENT_READ if condition & ~GLib.IOCondition.OUT else 0) | \
                (selectors.EVENT_WRITE if condition & GLib.IOCondition.OUT else 0)
            ready.append((key, events & key.events))
            return GLib.SOURCE_CONTINUE

        sources = []
        for key in self.get_map().values():
            condition = GLib.IOCondition.HUP | GLib.IOCondition.ERR
            if key.events & selectors.EVENT_READ:
                condition |= GLib.IOCondition.IN
            if key.events & selectors.EVENT_WRITE:
                condition |= GLib.IOCondition.OUT
            sources.append(GLib.unix_fd_add_full(GLib.PRIORITY_DEFAULT, key.fd, condition, ready_cb, key))
        if timeout is not None:
            sources.append(GLib.timeout_add(max(0, int(timeout * 1000)), lambda: GLib.SOURCE_CONTINUE))
        # Once: what it has called may have given the loop something to do.
        GLib.MainContext.default().iteration(True)
        for source in sources:
            GLib.source_remove(source)
        return ready


class Asyncio(WorkerTest):
    def run_main(self, main):
        return asyncio.run(main)

    def test_call(self):
        async def main():
            return (await self.worker.call_async('math.factorial', 10),
                    await self.worker.eval_async('x = 4; x + 1', module='aio'),
                    await self.worker.options(timeout=PATIENCE, module='aio').eval_async('x'),
                    await self.worker.options(timeout=PATIENCE).call_async('abs', -2),
                    await self.worker.remote_call_async('sorted', ([2, 1],), {'reverse': True}),
                    await self.worker.remote_eval_async(None, '7'))

        self.assertEqual(self.run_main(main()), (3628800, 5, 4, 2, [2, 1], 7))

    def test_at_the_same_time(self):
        async def main():
            sleeps = [self.worker.eval_async('import asyncio; await asyncio.sleep(0.1)') for _ in range(50)]
            return await asyncio.gather(*sleeps, *[self.worker.call_async('abs', -i) for i in range(500)])

        self.assertEqual(self.run_main(main()), [None] * 50 + list(range(500)))

    def test_the_loop_goes_on(self):
        async def tick():
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        async def main():
            ticking = asyncio.create_task(tick())
            await self.worker.eval_async('import time; time.sleep(0.3)')
            ticking.cancel()

        ticks = 0
        self.run_main(main())
        self.assertGreater(ticks, 2)

    def test_errors(self):
        async def main():
            with self.assertRaises(Malt.RemoteException) as caught:
                await self.worker.call_async('int', 'x')
            self.assertEqual(caught.exception.type, 'ValueError')
            with self.assertRaisesRegex(Malt.SerializationError, '^argument 1: '):
                await self.worker.call_async('len', threading.Lock())
            with self.assertRaises(Malt.SerializationError):
                await self.worker.call_async('threading.Lock')
            with self.assertRaises(TypeError):
                await self.worker.call_async(5)

        self.run_main(main())

    @interrupts_python
    def test_timeouts(self):
        async def main():
            with self.assertRaises(Malt.TimeoutError):
                await self.worker.eval_async('import time; time.sleep(600)', timeout=0.1)
            with self.assertRaises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await self.worker.eval_async('import time; time.sleep(600)')
            return await self.worker.call_async('abs', -1)

        self.assertEqual(self.run_main(main()), 1)

    @interrupts_python
    def test_cancel(self):
        async def main():
            task = asyncio.create_task(self.sleep())
            await asyncio.sleep(0.1)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            cancellable = Gio.Cancellable()
            asyncio.get_running_loop().call_later(0.1, cancellable.cancel)
            with self.assertRaises(GLib.Error) as caught:
                await self.worker.eval_async('import time; time.sleep(600)', cancellable=cancellable)
            self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))
            return await self.worker.call_async('abs', -1)

        self.assertEqual(self.run_main(main()), 1)

    async def sleep(self):
        await self.worker.eval_async('import time; time.sleep(600)')

    def test_lifecycle(self):
        async def main():
            async with await Malt.Worker.spawn_async(runtime='python') as worker:
                self.assertEqual(await worker.call_async('os.getpid'), worker.get_pid())
                ended = asyncio.get_running_loop().create_future()
                worker.connect('terminated', lambda worker, info: ended.set_result(info.get_kind()))
            self.assertFalse(worker.is_running())
            self.assertEqual(await ended, Malt.ExitKind.STOPPED)
            self.assertEqual(await worker.stop_async(), Malt.StopResult.WAS_DEAD)
            with self.assertRaises(Malt.TerminatedWorkerException):
                await worker.call_async('abs', 1)
            with self.assertRaises(Malt.NotFoundError):
                await Malt.Worker.spawn_async(runtime='none such')
            worker = await Malt.Launcher.new('process', 'python').spawn_async()
            dying = worker.call_async('time.sleep', 600)
            worker.kill()
            with self.assertRaises(Malt.TerminatedWorkerException):
                await dying

        self.run_main(main())

    @interrupts_python
    def test_a_loop_that_ends_first(self):
        async def main(worker):
            worker.call_async('time.sleep', 600)
            asyncio.create_task(self.forget(worker))
            await asyncio.sleep(0.1)

        worker = Malt.Worker(runtime='python')
        gone = threading.Event()
        weakref.finalize(worker, gone.set)
        problems = []
        self.addCleanup(setattr, sys, 'unraisablehook', sys.unraisablehook)
        sys.unraisablehook = lambda problem: problems.append(repr(problem.exc_value))
        self.run_main(main(worker))
        worker.kill()
        del worker
        gc.collect()
        self.assertTrue(self.wait(gone))
        self.assertEqual(problems, [])

    def wait(self, event):
        return event.wait(PATIENCE)

    async def forget(self, worker):
        await worker.call_async('time.sleep', 600)

    def test_loops_in_threads(self):
        async def main():
            return [await self.worker.call_async('abs', -i) for i in range(100)]

        values = []
        threads = [threading.Thread(target=lambda: values.append(asyncio.run(main()))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(values, [list(range(100))] * 4)

    def test_no_thread(self):
        async def main():
            return await self.worker.call_async('abs', -1), len(os.listdir('/proc/self/task'))

        self.assertEqual(self.run_main(main())[0], 1)
        before = len(os.listdir('/proc/self/task'))
        self.assertEqual(self.run_main(main()), (1, before))

    def test_nothing_is_kept(self):
        async def main():
            await asyncio.gather(*[self.worker.call_async('abs', i) for i in range(100)])
            with self.assertRaises(Malt.RemoteException):
                await self.worker.call_async('int', 'x')

        self.run_main(main())
        gc.collect()
        before = sys.getrefcount(self.worker), len(gc.get_objects()), n_descriptors()
        for _ in range(3):
            self.run_main(main())
        gc.collect()
        for was, is_ in zip(before, (sys.getrefcount(self.worker), len(gc.get_objects()), n_descriptors())):
            self.assertAlmostEqual(was, is_, delta=20)


class AsyncioInMainLoop(Asyncio):
    def run_main(self, main):
        # Whoever runs the context owns it, also while the loop does what is due.
        context = GLib.MainContext.default()
        context.acquire()
        try:
            with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(GLibSelector())) as runner:
                return runner.run(main)
        finally:
            context.release()

    def wait(self, event):
        while not event.is_set():
            GLib.MainContext.default().iteration(True)
        return True


if __name__ == '__main__':
    unittest.main()
