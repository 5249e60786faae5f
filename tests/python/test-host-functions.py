# SPDX-License-Identifier: LGPL-2.1-or-later

"""Functions of the program that the worker's code calls."""

import asyncio
import gc
import threading
import time
import unittest
import weakref

from gi.repository import GLib

from binding import PATIENCE, Malt, WorkerTest, comes_true, has_no_more_descriptors_than, interrupts_python
from binding import n_descriptors, run_in_thread, run_python

# What a call of a function of the program fails with, as the worker's code sees it.
HELPERS = '''
def failure(name, *args, **kwargs):
    try:
        malt.host[name](*args, **kwargs)
    except malt.HostError as error:
        return error.domain, error.code, error.type, error.message, error.traceback

async def ask(name, *args):
    return await malt.host_async[name](*args)

def ask_in_thread(name):
    import threading
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(malt.host[name]())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers
'''


class HostFunctions(WorkerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker.eval(HELPERS)

    def test_decorator(self):
        @self.worker.export
        def add(a, b=1, *, c=0):
            return a + b + c

        @self.worker.export('other name')
        def subtract(a, b):
            return a - b

        self.assertEqual(self.worker.eval('malt.host.add(1)'), 2)
        self.assertEqual(self.worker.eval('malt.host.add(1, 2, c=3)'), 6)
        self.assertEqual(self.worker.eval('malt.host["other name"](5, 3)'), 2)
        self.assertEqual((add(1), subtract(3, 2)), (2, 1))

    def test_values(self):
        self.worker.export_function('same', lambda value: value)
        for value in (None, True, 2**80, 'ä', b'x', [1, 'a', None], (1, (2,)), {'a': {1: 2}}, {3}):
            self.assertEqual(self.worker.call(lambda value: malt.host.same(value), value), value)  # noqa: F821

    def test_in_the_thread_that_waits(self):
        self.worker.export_function('where', threading.get_ident)
        self.assertEqual(self.worker.eval('malt.host.where()'), threading.get_ident())
        thread = run_in_thread(lambda: (threading.get_ident(), self.worker.eval('malt.host.where()')))
        self.assertEqual(thread[0], thread[1])

    def test_when_nobody_waits(self):
        # No main loop runs, and no thread blocks in a call.
        self.worker.export_function('where', threading.get_ident)
        self.assertNotEqual(self.worker.submit_eval('malt.host.where()').result(PATIENCE), threading.get_ident())

        called = threading.Event()
        self.worker.export_function('tell', called.set)
        self.worker.do('builtins.exec', 'import threading, time, malt\n'
                       'threading.Thread(target=lambda: (time.sleep(0.05), malt.host.tell())).start()', {})
        self.assertTrue(called.wait(PATIENCE))

    def test_in_a_main_loop(self):
        loop = GLib.MainLoop()
        self.worker.export_function('where', threading.get_ident)
        seen = []

        def done(worker, result):
            seen.append(worker.remote_eval_finish(result))
            loop.quit()

        # Before the loop runs nobody knows that it will.
        GLib.idle_add(lambda: self.worker.remote_eval_async(None, 'malt.host.where()', -1, None, done))
        loop.run()
        self.assertEqual(seen, [threading.get_ident()])

    def test_many_at_once(self):
        self.worker.export_function('slow', lambda: (time.sleep(0.01), 5)[1])
        self.assertEqual(self.worker.call('ask_in_thread', 'slow'), [5] * 20)
        self.assertEqual(self.worker.submit('ask_in_thread', 'slow').result(PATIENCE), [5] * 20)

    def test_calls_other_workers(self):
        with Malt.Worker(runtime='python') as other:
            self.worker.export_function('other', lambda source: other.eval(source))
            self.assertEqual(self.worker.eval('malt.host.other("6 * 7")'), 42)

    def test_calls_its_worker(self):
        self.worker.export_function('again', lambda: self.worker.eval('1'))
        self.assertIn('would wait for the worker', self.worker.call('failure', 'again')[3])
        self.assertEqual(self.worker.eval('1'), 1)

    def test_exceptions(self):
        class OwnError(Exception):
            pass

        def fail(error):
            raise error

        for error, type_, text in ((ValueError('no'), 'ValueError', 'no'),
                                   (OwnError('ä\ud800'), __name__ + '.' + OwnError.__qualname__, 'ä\\ud800'),
                                   (ValueError('a\0b'), 'ValueError', 'a\\x00b'),
                                   (SystemExit(3), 'SystemExit', '3')):
            self.worker.export_function('fail', lambda: fail(error))
            domain, code, name, message, traceback = self.worker.call('failure', 'fail')
            self.assertEqual((domain, code, name, message), ('MaltError', int(Malt.Error.REMOTE), type_, text))
            # Nothing of this program's source.
            self.assertIsNone(traceback)
        with self.assertRaisesRegex(Malt.RemoteException, 'HostError'):
            self.worker.eval('malt.host.fail()')

    def test_an_exception_without_a_text(self):
        class Awkward(Exception):
            def __str__(self):
                raise ValueError

        def fail():
            raise Awkward

        self.worker.export_function('awkward', fail)
        self.assertEqual(self.worker.call('failure', 'awkward')[3], '')

    def test_bad_arguments(self):
        self.worker.export_function('one', lambda a: a)
        self.assertRegex(self.worker.call('failure', 'one')[3], 'missing 1 required')
        self.assertRegex(self.worker.call('failure', 'one', 1, 2)[3], 'takes 1 positional')
        self.assertRegex(self.worker.call('failure', 'one', b=1)[3], 'unexpected keyword')
        self.assertRegex(self.worker.call('failure', 'nothing')[3], "no function 'nothing'")

    def test_a_value_that_cannot_cross(self):
        self.worker.export_function('lock', lambda: [1, threading.Lock()])
        domain, code, _, message, _ = self.worker.call('failure', 'lock')
        self.assertEqual((domain, code), ('MaltError', int(Malt.Error.SERIALIZATION)))
        self.assertRegex(message, r'the value of lock\(\): item 1: cannot convert')

    def test_type_of_arguments(self):
        self.worker.export_function('typed', lambda a, b: a * b, '(sx)')
        self.assertEqual(self.worker.eval('malt.host.typed("a", 3)'), 'aaa')
        self.assertRegex(self.worker.call('failure', 'typed', 1, 2)[3], r'takes \(sx\), not \(xx\)')
        for bad in 'x', '(', '':
            self.assertRaises(ValueError, self.worker.export_function, 'typed', print, bad)

    def test_bad_exports(self):
        self.assertRaises(TypeError, self.worker.export_function, 'x', 5)
        self.assertRaises(TypeError, self.worker.export_function, 5, print)
        self.assertRaises(ValueError, self.worker.export_function, '', print)
        self.assertRaises(TypeError, self.worker.export, 5)

        async def alone():
            pass

        with self.assertRaisesRegex(RuntimeError, 'where its loop runs'):
            self.worker.export(alone)

    def test_taken_back(self):
        self.worker.export_function('short', lambda: 1)
        self.worker.export_function('short', lambda: 2)
        self.assertEqual(self.worker.eval('malt.host.short()'), 2)
        self.assertTrue(self.worker.unexport_function('short'))
        self.assertFalse(self.worker.unexport_function('short'))
        self.assertRegex(self.worker.call('failure', 'short')[3], "no function 'short'")

    def test_one_that_hangs(self):
        release = threading.Event()
        self.worker.export_function('hangs', lambda: release.wait(PATIENCE))
        self.worker.export_function('works', lambda: 'works')
        self.worker.submit_eval('import threading; threading.Thread(target=malt.host.hangs).start()').result(PATIENCE)
        try:
            self.assertEqual(self.worker.submit_eval('malt.host.works()').result(PATIENCE), 'works')
            with Malt.Worker(runtime='python') as other:
                other.export_function('works', lambda: 'works too')
                self.assertEqual(other.submit_eval('malt.host.works()').result(PATIENCE), 'works too')
        finally:
            release.set()


class Loops(WorkerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker.eval(HELPERS)

    def test_async_functions(self):
        async def main():
            @self.worker.export
            async def double(x):
                await asyncio.sleep(0.001)
                return x * 2, threading.get_ident()

            @self.worker.export
            def plain():
                return threading.get_ident()

            @self.worker.export
            async def fails():
                await asyncio.sleep(0)
                raise KeyError('no')

            here = threading.get_ident()
            self.assertEqual(await self.worker.eval_async('malt.host.double(4)'), (8, here))
            self.assertEqual(await self.worker.call_async('ask', 'double', 5), (10, here))
            self.assertEqual(await self.worker.eval_async('malt.host.plain()'), here)
            self.assertEqual(await asyncio.to_thread(self.worker.eval, 'malt.host.double(4)'), (8, here))
            self.assertEqual((await self.worker.call_async('failure', 'fails'))[2], 'KeyError')
            # A blocking call would wait for a loop that waits for it.
            self.assertEqual(self.worker.eval('malt.host.plain()'), here)
            self.assertRegex(self.worker.call('failure', 'double', 4)[3], 'await the call')

        asyncio.run(main())
        self.assertRegex(self.worker.call('failure', 'plain')[3], 'loop of the function is closed')

    def test_a_worker_of_the_loop(self):
        async def main():
            async with await Malt.Worker.spawn_async(runtime='python') as worker:
                worker.export_function('where', threading.get_ident)
                self.assertEqual(await worker.eval_async('malt.host.where()'), threading.get_ident())

        asyncio.run(main())


class Ends(unittest.TestCase):
    def test_stopped_while_it_runs(self):
        begun, release = threading.Event(), threading.Event()
        worker = Malt.Worker(runtime='python')

        @worker.export
        def hangs():
            begun.set()
            release.wait(PATIENCE)

        future = worker.submit_eval('malt.host.hangs()')
        self.assertTrue(begun.wait(PATIENCE))
        worker.kill()
        self.assertRaises(Malt.TerminatedWorkerException, future.result, PATIENCE)
        release.set()

    def test_nobody_has_the_worker(self):
        called = []
        worker = Malt.Worker(runtime='python')
        worker.export_function('late', lambda: called.append(1))
        worker.do('builtins.exec', 'import threading, time, malt\n'
                  'def run():\n    while True: malt.host.late(); time.sleep(0.001)\n'
                  'threading.Thread(target=run, daemon=True).start()', {})
        reference = weakref.ref(worker)
        del worker
        self.assertTrue(comes_true(lambda: reference() is None))
        n = len(called)
        time.sleep(0.05)
        # One may have been under way.
        self.assertLessEqual(len(called), n + 1)

    def test_nothing_leaks(self):
        def use():
            with Malt.Worker(runtime='python') as worker:
                @worker.export
                def own():
                    return worker.get_pid()  # keeps the worker, until that has ended

                worker.submit_eval('malt.host.own()').result(PATIENCE)
                return weakref.ref(worker), weakref.ref(own)

        use()
        gc.collect()
        descriptors = n_descriptors()
        for _ in range(3):
            references = use()
            self.assertTrue(comes_true(lambda: not any(reference() for reference in references)))
        self.assertTrue(has_no_more_descriptors_than(descriptors))

    def test_exit_with_one_that_hangs(self):
        self.assertEqual(run_python('''
import threading
worker = Malt.Worker(runtime='python')
begun = threading.Event()
worker.export_function('hangs', lambda: (begun.set(), threading.Event().wait()))
worker.submit_eval('malt.host.hangs()')
begun.wait()
print('ends')
''').stdout, 'ends\n')

    @interrupts_python
    def test_interrupted(self):
        self.assertEqual(run_python('''
import os, signal, time
worker = Malt.Worker(runtime='python')

@worker.export
def slow():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)

try:
    worker.eval('malt.host.slow()')
except KeyboardInterrupt:
    print('interrupted')
print(worker.call('abs', -1))
''').stdout, 'interrupted\n1\n')


if __name__ == '__main__':
    unittest.main()
