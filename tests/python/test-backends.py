# SPDX-License-Identifier: LGPL-2.1-or-later

"""Backends that are written in Python, most of them badly: what becomes of what they do."""

import os
import unittest

from binding import Malt, run_python
from gi.repository import GLib, GObject

PRELUDE = '''
import signal, threading
from gi.repository import GLib

class Base(Malt.Worker):
    def do_submit(self, request):
        request.return_value(GLib.Variant('s', 'answer'))

    def do_kill(self, signum):
        kind = Malt.ExitKind.STOPPED if signum == signal.SIGTERM else Malt.ExitKind.SIGNALLED
        self.report_terminated(Malt.ExitInfo.new(kind, signum))

def show(function, *arguments):
    try:
        print(function(*arguments))
    except Malt.Error as error:
        print(type(error).__name__, str(error).splitlines()[0])
'''


class Backends(unittest.TestCase):
    def run_backend(self, source, errors=()):
        """Runs a program that has printed no more errors than these."""
        os.environ.pop('G_DEBUG', None)  # a breach of the contract is critical
        done = run_python(PRELUDE + source, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        for error in errors:
            self.assertIn(error, done.stderr)
        if not errors:
            self.assertEqual(done.stderr, '')
        return done.stdout.splitlines()

    def test_by_name(self):
        printed = self.run_backend('''
class Good(Base): pass
Malt.Worker.register('good', Good)
with Malt.Worker(backend='good') as worker:
    print(type(worker).__name__, worker.call('f'), worker.remote_eval_fetch(None, 'x'))
print(worker.get_exit_info().to_string())
''')
        self.assertEqual(printed, ['Good answer answer', 'was stopped'])

    def test_register(self):
        class NoSubmit(Malt.Worker):
            def do_kill(self, signum):
                pass

        class NoKill(Malt.Worker):
            def do_submit(self, request):
                pass

        for type_, text in ((NoSubmit, 'has no function submit'), (NoKill, 'has no function kill'),
                            (GObject.Object, 'is derived from MaltWorker'), (Malt.Worker, 'can be made')):
            with self.assertRaisesRegex(GLib.Error, text):
                Malt.Worker.register('incomplete', type_)
        with self.assertRaises(TypeError):
            Malt.Worker.register('incomplete', 'text')
        with self.assertRaises(Malt.NotFoundError):
            Malt.Worker(backend='incomplete')

    def test_start_raises(self):
        printed = self.run_backend('''
class Bad(Base):
    def do_start(self, request): raise OSError('no room')
Malt.Worker.register('bad', Bad)
show(lambda: Malt.Worker(backend='bad'))
''')
        self.assertRegex(printed[0], r'^StartError .*do_start\(\) of Bad raised OSError')

    def test_submit_raises(self):
        printed = self.run_backend('''
class Bad(Base):
    def do_submit(self, request):
        if request.get_function() == 'good':
            return Base.do_submit(self, request)
        raise ValueError('what is this?')
Malt.Worker.register('bad', Bad)
with Malt.Worker(backend='bad') as worker:
    try:
        worker.call('f')
    except Malt.RemoteException as error:
        print(error.type, error.message, 'do_submit' in error.traceback)
    print(worker.call('good'))
''')
        self.assertEqual(printed, ['ValueError what is this? True', 'answer'])

    def test_submit_raises_afterwards(self):
        printed = self.run_backend('''
class Bad(Base):
    def do_submit(self, request):
        Base.do_submit(self, request)
        raise ValueError('too late')
Malt.Worker.register('bad', Bad)
with Malt.Worker(backend='bad') as worker:
    print(worker.call('f'))
''', ['ValueError: too late'])
        self.assertEqual(printed, ['answer'])

    def test_wrong_types(self):
        printed = self.run_backend('''
class Bad(Base):
    def do_submit(self, request):
        if request.get_function() == 'value':
            request.return_value('text')
        elif request.get_function() == 'error':
            request.return_error('text')
        else:
            Base.do_submit(self, request)
            return 'something'
Malt.Worker.register('bad', Bad)
with Malt.Worker(backend='bad') as worker:
    for function in 'value', 'error', 'more':
        show(worker.call, function)
''')
        self.assertRegex(printed[0], '^RemoteException .*TypeError')
        self.assertRegex(printed[1], '^RemoteException .*TypeError')
        self.assertEqual(printed[2], 'answer')

    def test_never(self):
        printed = self.run_backend('''
class Bad(Base):
    def do_start(self, request):
        self.kept = []
        request.return_value(None)

    def do_submit(self, request):
        if request.get_function() == 'keep':
            self.kept.append(request)
Malt.Worker.register('bad', Bad)
with Malt.Worker(backend='bad') as worker:
    worker.get_launcher()
    show(worker.call, 'drop')
    show(worker.options(timeout=0.05).call, 'keep')
    future = worker.submit('keep')
show(future.result)
''')
        self.assertRegex(printed[0], '^RemoteException .*dropped without an answer')
        self.assertRegex(printed[1], '^TimeoutError ')
        self.assertRegex(printed[2], '^TerminatedWorkerException ')

    def test_twice(self):
        printed = self.run_backend('''
class Bad(Base):
    def do_submit(self, request):
        Base.do_submit(self, request)
        request.return_value(GLib.Variant('s', 'another'))
Malt.Worker.register('bad', Bad)
with Malt.Worker(backend='bad') as worker:
    print(worker.call('f'), worker.call('f'))
''', ['f was finished twice'])
        self.assertEqual(printed, ['answer answer'])

    def test_stop_raises(self):
        printed = self.run_backend('''
class Bad(Base):
    def do_stop(self): raise RuntimeError('never')
Malt.Worker.register('bad', Bad)
worker = Malt.Worker(backend='bad')
print(worker.stop().value_nick, worker.get_exit_info().to_string())
show(worker.call, 'f')
''', ['RuntimeError: never'])
        self.assertEqual(printed[0], 'was-running was stopped')
        self.assertRegex(printed[1], '^TerminatedWorkerException ')

    def test_kill_raises(self):
        printed = self.run_backend('''
class Bad(Base):
    def do_kill(self, signum):
        if signum == signal.SIGTERM:
            raise RuntimeError('not so')
        Base.do_kill(self, signum)
Malt.Worker.register('bad', Bad)
worker = Malt.Worker(backend='bad')
print(worker.stop(10, 10).value_nick, worker.get_exit_info().to_string())
''', ['RuntimeError: not so'])
        self.assertRegex(printed[0], '^was-running was killed')

    def test_cancel_and_interrupt_raise(self):
        printed = self.run_backend('''
class Bad(Base):
    def do_submit(self, request): self.request = request
    def do_cancel(self, request): raise RuntimeError('no cancel')
    def do_interrupt(self, request): raise RuntimeError('no interrupt')
Malt.Worker.register('bad', Bad)
launcher = Malt.Launcher(backend='bad', cancel_timeout=10, interrupt_timeout=10)
with launcher.spawn() as worker:
    show(worker.options(timeout=0.05).call, 'f')
''', ['RuntimeError: no cancel', 'RuntimeError: no interrupt'])
        self.assertRegex(printed[0], '^TimeoutError ')

    def test_reported_twice(self):
        printed = self.run_backend('''
class Bad(Base):
    def do_kill(self, signum):
        Base.do_kill(self, signum)
        Base.do_kill(self, signum)
Malt.Worker.register('bad', Bad)
worker = Malt.Worker(backend='bad')
print(worker.stop().value_nick)
''', ['reported its end twice'])
        self.assertEqual(printed, ['was-running'])


if __name__ == '__main__':
    unittest.main()
