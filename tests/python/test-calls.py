# SPDX-License-Identifier: LGPL-2.1-or-later

"""Workers, calls and evaluations as Python has them."""

import gc
import math
import pathlib
import pickle
import subprocess
import sys
import threading
import unittest

from gi.repository import Gio, GLib

from binding import Malt, WorkerTest, has_no_more_descriptors_than, interrupts_python, n_descriptors, run_in_thread
from binding import run_python


class Workers(unittest.TestCase):
    def test_context_manager(self):
        with Malt.Worker(runtime='python') as worker:
            self.assertIsInstance(worker, Malt.Worker)
            self.assertTrue(worker.is_running())
            self.assertEqual(worker.eval('6 * 7'), 42)
            self.assertIn(f'PID {worker.get_pid()}', repr(worker))
        self.assertFalse(worker.is_running())
        self.assertEqual(worker.get_exit_info().get_kind(), Malt.ExitKind.STOPPED)

    def test_context_manager_lets_exceptions_out(self):
        with self.assertRaises(KeyError):
            with Malt.Worker(runtime='python') as worker:
                raise KeyError
        self.assertFalse(worker.is_running())

    def test_it_is_python_without_more(self):
        with Malt.Worker() as worker:
            self.assertEqual(worker.get_launcher().props.runtime, 'python')

    def test_keywords(self):
        with Malt.Worker(backend='process', runtime='python', environment={'GREETING': 'hello'},
                         search_path=[pathlib.Path('/nowhere')], stdout='discard', stderr=Malt.Output.DISCARD,
                         call_timeout=60000, runtime_options={'buffers': 'view'},
                         backend_options={'share-process-group': True}) as worker:
            launcher = worker.get_launcher()
            self.assertEqual(launcher.props.stdout, Malt.Output.DISCARD)
            self.assertEqual(launcher.props.call_timeout, 60000)
            self.assertEqual(launcher.props.backend_options.unpack(), {'share-process-group': True})
            self.assertEqual(worker.eval('import os, sys; os.environ["GREETING"], sys.path[0]'), ('hello', '/nowhere'))

    def test_bad_keywords(self):
        for keywords, error, pattern in (
                ({'colour': 'red'}, TypeError, "no option 'colour'"),
                ({'stdout': 'nowhere'}, ValueError, "the option 'stdout': 'nowhere' is none of"),
                ({'stderr': 9}, ValueError, "the option 'stderr': 9 is none of forward, pipe,"),
                ({'stdout': subprocess.PIPE}, ValueError, "the option 'stdout': -1 is none of"),
                ({'runtime': 5}, TypeError, "the option 'runtime': 5 is no text"),
                ({'environment': 5}, TypeError, "the option 'environment': 5 is no list of texts"),
                ({'environment': {'B=C': 'x'}}, ValueError, "the option 'environment': 'B=C' is no name for a variable"),
                ({'environment': {'': 'x'}}, ValueError, "the option 'environment': '' is no name for a variable"),
                ({'environment': {1: 'x'}}, TypeError, "the option 'environment': the name 1 of a variable is no text"),
                ({'environment': {'A': 'x\0y'}}, ValueError, r"the item 'A=x\\x00y' has a NUL character"),
                ({'search_path': '/tmp'}, TypeError, "the option 'search_path': '/tmp' is no list of texts"),
                ({'search_path': [5]}, TypeError, "the option 'search_path': the item 5 is no text"),
                ({'call_timeout': 'long'}, TypeError, "'call_timeout': 'long' is no whole number, of milliseconds"),
                ({'start_timeout': 0.5}, TypeError, "'start_timeout': 0.5 is no whole number, of milliseconds"),
                ({'start_timeout': -7}, ValueError, "'start_timeout': -7 is not between"),
                ({'runtime_options': {'buffers': []}}, TypeError, "the option 'buffers' is a list"),
                ({'runtime_options': {'objects': 'all'}}, GLib.Error, "'objects' .* is 'all', none of 'refuse'"),
                ({'buffers': 'none'}, GLib.Error, "'buffers' .* is 'none', neither"),
                ({'backend': 'none such'}, Malt.NotFoundError, 'none such'),
                ({'runtime': 'none such'}, Malt.NotFoundError, 'none such'),
                ({'runtime': 'python', 'program': '/nonexistent'}, Malt.NotFoundError, '/nonexistent'),
                ({'runtime': 'python', 'program': '/bin/false'}, Malt.StartError, 'code 1')):
            with self.subTest(keywords=keywords), self.assertRaisesRegex(error, pattern):
                Malt.Worker(**keywords)
        with self.assertRaisesRegex(TypeError, 'keywords only'):
            Malt.Worker('python')

    def test_cancelled_start(self):
        cancellable = Gio.Cancellable()
        cancellable.cancel()
        with self.assertRaises(GLib.Error) as caught:
            Malt.Worker(runtime='python', cancellable=cancellable)
        self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))

    def test_launcher(self):
        launcher = Malt.Launcher.new('process', 'python')
        worker = launcher.spawn(None)
        self.assertEqual(worker.eval('1 + 1'), 2)
        self.assertEqual(worker.stop(), Malt.StopResult.WAS_RUNNING)
        self.assertEqual(worker.stop(-1, -1, None), Malt.StopResult.WAS_DEAD)

    def test_launcher_with_a_loop(self):
        loop = GLib.MainLoop()
        values = []

        def evaluated_cb(worker, result, name):
            values.append((name, worker.remote_eval_finish(result)))
            worker.stop_async(-1, -1, None, stopped_cb)

        def stopped_cb(worker, result):
            values.append(worker.stop_finish(result))
            loop.quit()

        def spawned_cb(launcher, result):
            launcher.spawn_finish(result).remote_eval_async(None, '[1, 2]', -1, None, evaluated_cb, 'data')

        Malt.Launcher.new('process', 'python').spawn_async(None, spawned_cb)
        loop.run()
        self.assertEqual(values, [('data', [1, 2]), Malt.StopResult.WAS_RUNNING])

    def test_native_worker(self):
        with Malt.Worker(runtime='native') as worker:
            with self.assertRaises(Malt.NotSupportedError):
                worker.eval('1')

    def test_inprocess(self):
        with Malt.Worker(backend='inprocess', runtime='python') as worker:
            self.assertEqual(worker.call('math.factorial', 5), 120)
            self.assertEqual(worker.submit('os.getpid').result(), worker.eval('import os; os.getpid()'))
            with self.assertRaises(Malt.RemoteException):
                worker.eval('1 / 0')


class Calls(WorkerTest):
    def test_call(self):
        self.assertEqual(self.worker.call('math.factorial', 20), math.factorial(20))
        self.assertEqual(self.worker.call('sorted', [3, 1, 2], reverse=True), [3, 2, 1])
        self.assertIsNone(self.worker.call('time.sleep', 0))

    def test_keywords_are_the_functions(self):
        self.worker.eval('def keywords(*args, **kwargs): return args, kwargs')
        self.assertEqual(self.worker.call('keywords', 1, function='f', timeout=2, cancellable=3, module='m', self=4),
                         ((1,), {'function': 'f', 'timeout': 2, 'cancellable': 3, 'module': 'm', 'self': 4}))
        self.assertEqual(self.worker.submit('keywords', function='f', worker=1, self=2).result(),
                         ((), {'function': 'f', 'worker': 1, 'self': 2}))
        self.assertEqual(self.worker.options(timeout=60).call('keywords', function='f', timeout=1),
                         ((), {'function': 'f', 'timeout': 1}))

    def test_eval(self):
        self.assertIsNone(self.worker.eval('x = 20'))
        self.assertEqual(self.worker.eval('x + 22'), 42)
        self.assertEqual(self.worker.eval('y = 5; y', module='elsewhere'), 5)
        self.assertEqual(self.worker.options(module='elsewhere', timeout=60).eval('y'), 5)
        with self.assertRaises(Malt.RemoteException):
            self.worker.eval('y')

    def test_do(self):
        self.worker.eval('done = []')
        self.assertIsNone(self.worker.do('done.append', 1))
        self.assertTrue(self.worker.remote_do('done.append', (2,)))
        self.assertEqual(self.worker.eval('done'), [1, 2])

    def test_plain_names(self):
        self.assertEqual(self.worker.remote_call_fetch('divmod', (7, 2)), (3, 1))
        self.assertEqual(self.worker.remote_call_fetch('divmod', [7, 2], None, -1, None), (3, 1))
        self.assertEqual(self.worker.remote_call_fetch('divmod', GLib.Variant('(xx)', (7, 2))), (3, 1))
        self.assertEqual(self.worker.remote_call_fetch('sorted', ([1, 2],), {'reverse': True}), [2, 1])
        keywords = GLib.Variant('a{sv}', {'reverse': GLib.Variant('b', True)})
        self.assertEqual(self.worker.remote_call_fetch('sorted', ([1, 2],), keywords), [2, 1])
        self.assertIs(self.worker.remote_call_wait('object'), True)
        self.assertEqual(self.worker.remote_eval_fetch(None, '1 + 1'), 2)
        self.assertIs(self.worker.remote_eval_wait(None, 'object()', -1, None), True)

    def test_errors(self):
        with self.assertRaises(Malt.RemoteException) as caught:
            self.worker.eval('int("x")')
        error = caught.exception
        self.assertIsInstance(error, Malt.Error)
        self.assertIsInstance(error, GLib.Error)
        self.assertIs(error.worker, self.worker)
        self.assertEqual(error.worker_name, self.worker.dup_name())
        self.assertEqual(error.type, 'ValueError')
        self.assertEqual(error.message, "invalid literal for int() with base 10: 'x'")
        self.assertIn('int("x")', error.traceback)
        self.assertEqual(str(error), f'Remote exception from {error.worker_name}: ValueError: {error.message}')
        self.assertTrue(error.matches(Malt.error_quark(), Malt.Error.REMOTE))
        self.assertEqual(Malt.remote_error_dup_type(error), 'ValueError')
        self.assertEqual(Malt.remote_error_dup_message(error), error.message)
        self.assertEqual(Malt.remote_error_dup_traceback(error), error.traceback)
        self.assertEqual(Malt.remote_error_dup_worker(error), error.worker_name)
        self.assertIsNone(Malt.remote_error_get_exit_info(error))

        for function, arguments, kind in (('none.such', (), Malt.NotFoundError),
                                          ('threading.Lock', (), Malt.SerializationError),
                                          ('len', (threading.Lock(),), Malt.SerializationError)):
            with self.subTest(function=function), self.assertRaises(kind):
                self.worker.call(function, *arguments)
        self.assertEqual(self.worker.eval('1'), 1)

    def test_errors_are_pickled_and_copied(self):
        for source in 'int("x")', '__import__("threading").Lock()':
            with self.assertRaises(Malt.Error) as caught:
                self.worker.eval(source)
            error = caught.exception
            other = pickle.loads(pickle.dumps(error))
            self.assertIs(type(other), type(error))
            self.assertEqual((str(other), other.message, other.code, other.worker_name),
                             (str(error), error.message, error.code, error.worker_name))
            self.assertIsNone(other.worker)

    def test_the_enumeration_is_still_there(self):
        self.assertEqual(Malt.Error.TERMINATED, 1)
        self.assertEqual(Malt.Error(2).value_nick, 'start')
        self.assertEqual(Malt.Error('text').message, 'text')
        self.assertEqual(GLib.Error.new_literal(Malt.error_quark(), 'text', Malt.Error.START).code, 2)

    def test_an_uncaught_exception_shows_the_remote_traceback(self):
        done = run_python("Malt.Worker(runtime='python').eval('def f(): return 1 / 0\\nf()')", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r'(?s)_RemoteTraceback: \n"""\nTraceback \(most recent call last\):.*in f\n.*'
                         r'ZeroDivisionError: division by zero\n"""\n\nThe above exception was the direct cause.*'
                         r'gi.repository.Malt.RemoteException: Remote exception from process worker.*division by zero')

    def test_bad_arguments(self):
        for function, error, pattern in (
                (lambda: self.worker.call(), TypeError, 'first argument'),
                (lambda: self.worker.call(5), TypeError, "not 'int'"),
                (lambda: self.worker.call('a\0b'), ValueError, 'NUL'),
                (lambda: self.worker.call('a\udc80'), UnicodeEncodeError, 'surrogates'),
                (lambda: self.worker.call(''), GLib.Error, 'empty'),
                (lambda: self.worker.eval(b'1'), TypeError, "not 'bytes'"),
                (lambda: self.worker.eval('1', module=1), TypeError, 'module'),
                (lambda: self.worker.eval('1', timeout=-1), ValueError, 'not negative, not -1'),
                (lambda: self.worker.eval('1', timeout=math.nan), ValueError, 'not negative, not nan'),
                (lambda: self.worker.eval('1', timeout='1'), TypeError, "a number of seconds, not 'str'"),
                (lambda: self.worker.options(timeout=[]).call('abs', 1), TypeError, "a number of seconds, not 'list'"),
                (lambda: self.worker.eval('1', cancellable=1), TypeError, 'Gio.Cancellable'),
                (lambda: self.worker.remote_call_fetch('f', 5), TypeError, "not 'int'"),
                (lambda: self.worker.remote_call_fetch('f', (), 5), TypeError, "not 'int'"),
                (lambda: self.worker.remote_call_fetch('f', (), {1: 2}), TypeError, "not 'int'"),
                (lambda: self.worker.remote_call_fetch('f', GLib.Variant('x', 1)), GLib.Error, 'tuple')):
            with self.subTest(pattern=pattern), self.assertRaisesRegex(error, pattern):
                function()
        self.assertEqual(self.worker.eval('1'), 1)

    def test_conversion_errors_say_where(self):
        with self.assertRaises(Malt.SerializationError) as caught:
            self.worker.call('len', 1, {'a': [1] * 17 + [threading.Lock()]})
        self.assertEqual(str(caught.exception), "argument 2, key 'a', item 17: cannot convert a value of type "
                         "'_thread.lock'; it cannot be pickled either: TypeError: cannot pickle '_thread.lock' object")
        self.assertIs(caught.exception.worker, self.worker)
        with self.assertRaisesRegex(Malt.SerializationError, "^argument 'key', item 0: cannot convert a value of"):
            self.worker.call('sorted', [], key=[threading.Lock()])
        with self.assertRaisesRegex(Malt.SerializationError, '^cannot convert 300 arguments, the type of which'):
            self.worker.call('print', *range(300))

    @interrupts_python
    def test_timeout(self):
        with self.assertRaises(Malt.TimeoutError) as caught:
            self.worker.eval('import time; time.sleep(60)', timeout=0.1)
        self.assertIsInstance(caught.exception, TimeoutError)
        self.assertEqual(caught.exception.rung, Malt.Rung.INTERRUPTED)
        with self.assertRaises(TimeoutError):
            self.worker.options(timeout=0.1).call('time.sleep', 60)
        self.assertEqual(self.worker.eval('1', timeout=math.inf), 1)

    @interrupts_python
    def test_cancellable(self):
        cancellable = Gio.Cancellable()
        timer = threading.Timer(0.1, cancellable.cancel)
        timer.start()
        with self.assertRaises(GLib.Error) as caught:
            self.worker.eval('import time; time.sleep(60)', cancellable=cancellable)
        timer.join()
        self.assertTrue(caught.exception.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED))
        self.assertEqual(self.worker.eval('1'), 1)

    @interrupts_python
    def test_interrupt(self):
        timer = threading.Timer(0.2, self.worker.interrupt)
        timer.start()
        with self.assertRaises(Malt.InterruptedError) as caught:
            self.worker.eval('import time; time.sleep(60)')
        timer.join()
        self.assertEqual(caught.exception.type, 'KeyboardInterrupt')

    def test_from_other_threads(self):
        def call():
            return sum(self.worker.call('abs', -i) for i in range(100))

        threads = [threading.Thread(target=lambda: results.append(call())) for _ in range(4)]
        results = []
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, [4950] * 4)
        with self.assertRaises(Malt.RemoteException):
            run_in_thread(lambda: self.worker.eval('1 / 0'))

    def test_called_back_where_another_thread_runs_the_loop(self):
        loop, values = GLib.MainLoop(), []

        def called_back(worker, result, i):
            values.append(worker.remote_call_finish(result) == i)
            if len(values) == 4 * 500:
                loop.quit()

        def call():
            for i in range(500):
                self.worker.remote_call_async('abs', (-i,), None, -1, None, called_back, i)

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        loop.run()
        for thread in threads:
            thread.join()
        self.assertEqual(values, [True] * 4 * 500)

    def test_nothing_is_kept(self):
        argument, text = list(range(100)), 'x' * 1000

        def use():
            for _ in range(50):
                self.worker.call('len', argument)
                self.worker.call('builtins.str.upper', text)
                self.worker.eval('list(range(100))')
                for function in lambda: self.worker.eval('1 / 0'), lambda: self.worker.call('f', threading.Lock()):
                    with self.assertRaises(Malt.Error):
                        function()

        use()
        gc.collect()
        before = (sys.getrefcount(self.worker), sys.getrefcount(argument), sys.getrefcount(text),
                  sys.getrefcount(None), len(gc.get_objects()), n_descriptors())
        use()
        gc.collect()
        after = (sys.getrefcount(self.worker), sys.getrefcount(argument), sys.getrefcount(text),
                 sys.getrefcount(None), len(gc.get_objects()), n_descriptors())
        for was, is_ in zip(before, after):
            self.assertAlmostEqual(was, is_, delta=40)


class Ends(unittest.TestCase):
    def test_use_after_stop(self):
        worker = Malt.Worker(runtime='python')
        worker.stop()
        for function in (lambda: worker.eval('1'), lambda: worker.call('abs', 1), lambda: worker.do('abs', 1),
                         lambda: worker.submit('abs', 1).result(), lambda: worker.submit_eval('1').result(),
                         lambda: run_in_thread(lambda: worker.eval('1'))):
            with self.assertRaisesRegex(Malt.TerminatedWorkerException, 'was stopped before the call') as caught:
                function()
            self.assertEqual(caught.exception.exit_info.get_kind(), Malt.ExitKind.STOPPED)
        worker.interrupt()
        worker.kill()

    def test_stopped_while_it_runs(self):
        begun = threading.Event()
        worker = Malt.Worker(runtime='python')
        worker.export_function('begun', begun.set)
        future = worker.submit_eval('malt.host.begun()\nwhile True: pass')
        self.assertTrue(begun.wait(60))
        worker.stop()
        with self.assertRaisesRegex(Malt.TerminatedWorkerException, 'was stopped while the call was under way') as caught:
            future.result(60)
        self.assertEqual(caught.exception.exit_info.get_kind(), Malt.ExitKind.STOPPED)

    def test_crash(self):
        worker = Malt.Worker(runtime='python')
        with self.assertRaises(Malt.TerminatedWorkerException) as caught:
            worker.eval('import os; os.kill(os.getpid(), 9)')
        self.assertEqual(caught.exception.exit_info.get_kind(), Malt.ExitKind.SIGNALLED)
        self.assertIs(caught.exception.worker, worker)

    def test_workers_leave_nothing(self):
        def use():
            with Malt.Worker(runtime='python') as worker:
                worker.call('abs', 1)
                worker.submit('abs', 1).result()
            pid = worker.get_pid()
            del worker
            return pid

        use()
        gc.collect()
        before = n_descriptors()
        for _ in range(5):
            use()
        gc.collect()
        self.assertTrue(has_no_more_descriptors_than(before))


if __name__ == '__main__':
    unittest.main()
