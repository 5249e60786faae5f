# SPDX-License-Identifier: LGPL-2.1-or-later

"""What a forked copy of the program may do."""

import unittest

from binding import run_python

# Runs its function in a forked copy, and prints what that prints or raises.
PRELUDE = '''
import gc, os, sys

def in_copy(function):
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            function()
            print('nothing')
        except Exception as error:
            print(type(error).__name__, error)
        gc.collect()
        sys.stdout.flush()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0

worker = Malt.Worker(runtime='python')
worker.submit('abs', 1).result()
'''


class Fork(unittest.TestCase):
    def test_every_use_is_refused(self):
        for use in ('worker.eval("1")', 'worker.call("abs", 1)', 'worker.do("abs", 1)', 'worker.stop()',
                    'worker.kill()', 'worker.interrupt()', 'worker.submit("abs", 1).result()',
                    'worker.options(timeout=1).eval("1")', 'Malt.Worker(runtime="python")',
                    'Malt.Launcher().spawn()', 'Malt.Launcher().spawn_async()', 'worker.stop_async()',
                    'worker.remote_call_fetch("abs", (1,))'):
            with self.subTest(use=use):
                done = run_python(PRELUDE + f'''
in_copy(lambda: {use})
print(worker.call('abs', -2))
''')
                self.assertRegex(done.stdout, r'^RuntimeError process \d+ was forked from the one that uses libmalt.*'
                                 r'\n2\n$')

    def test_futures_from_before(self):
        done = run_python(PRELUDE + '''
future = worker.submit('time.sleep', 600)
in_copy(lambda: future.result())
in_copy(lambda: future.exception(5))
in_copy(lambda: future.cancel())
print(future.cancel(), worker.call('abs', -2))
''')
        self.assertRegex(done.stdout, r'^(RuntimeError process \d+ was forked .*\n){2}nothing\nTrue 2\n$')

    def test_the_copy_ends_nothing(self):
        done = run_python(PRELUDE + '''
def drop():
    global worker
    del worker

in_copy(drop)
print(worker.call('abs', -2), worker.submit('abs', -3).result())

# The end of a copy that ends like a program, and writes what it has in its buffers.
sys.stdout.flush()
pid = os.fork()
if pid == 0:
    sys.exit(0)
assert os.waitpid(pid, 0)[1] == 0
print(worker.call('abs', -2), worker.submit('abs', -3).result())
''')
        self.assertEqual(done.stdout, 'nothing\n2 3\n2 3\n')

    def test_signals_of_the_copy_are_its_own(self):
        done = run_python(PRELUDE + '''
import signal
worker.call('abs', -1)
pid = os.fork()
if pid == 0:
    try:
        os.kill(os.getpid(), signal.SIGINT)
    except KeyboardInterrupt:
        os._exit(5)
print(worker.call('time.sleep', 0.5), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
''')
        self.assertEqual(done.stdout, 'None 5\n')

    def test_before_the_first_worker(self):
        done = run_python('''
import os
pid = os.fork()
with Malt.Worker(runtime='python') as worker:
    worker.call('abs', -1)
if pid == 0:
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
print('both')
''')
        self.assertEqual(done.stdout, 'both\n')

    def test_other_processes(self):
        done = run_python(PRELUDE + '''
import multiprocessing, subprocess
print(subprocess.check_output(['echo', 'hello'], text=True), end='')
if __name__ == '__main__':
    with multiprocessing.get_context('fork').Pool(2) as pool:
        print(pool.map(abs, [-1, -2]))
print(worker.call('abs', -2))
''')
        self.assertEqual(done.stdout, 'hello\n[1, 2]\n2\n')


if __name__ == '__main__':
    unittest.main()
