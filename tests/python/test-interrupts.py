# SPDX-License-Identifier: LGPL-2.1-or-later

"""Ctrl-C while a program waits for its worker."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import unittest

from binding import PATIENCE, interrupts_python, run_python

HANGS = os.path.join(os.environ['MALT_BUILD_ROOT'], 'tests', 'programs', 'hangs')

PRELUDE = '''
import asyncio, os, signal, subprocess, sys, threading, time
import gi
gi.require_version('Malt', '1')
from gi.repository import GLib, Malt

worker = Malt.Worker(runtime='python')
# Says when it runs, and goes on until it is interrupted.
SLEEP = 'import os, time; os.write(1, b"ready\\\\n"); time.sleep(600)'
# The same when whoever has submitted it has begun to wait: Ctrl-C before that does not interrupt it.
LATER = 'import time; time.sleep(1); ' + SLEEP
'''

# Goes on, whatever happens, until the end of the worker.
STUBBORN = """
SLEEP = '''
import os, time
while True:
    try:
        os.write(1, b"ready\\\\n")
        time.sleep(600)
    except KeyboardInterrupt:
        pass
'''
"""

# Presses Ctrl-C after so many microseconds.
PRESSER = '''
import os, signal, sys, time
for line in sys.stdin:
    end = time.perf_counter() + int(line) / 1e6
    while time.perf_counter() < end:
        pass
    os.kill(int(sys.argv[1]), signal.SIGINT)
'''

CHECK = '''
print('goes on', worker.call('abs', -1))
'''


class Program:
    """A program in Python, which sees Ctrl-C when its worker says that it is ready."""

    def __init__(self, source):
        self.process = subprocess.Popen([sys.executable, '-u', '-c', PRELUDE + source], stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.output = b''

    def wait_for(self, text, n=1):
        while self.output.count(text) < n:
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
            data = os.read(self.process.stdout.fileno(), 4096) if ready else b''
            if not data:
                raise AssertionError(f'{text} did not come: {self.output.decode()}')
            self.output += data

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def end(self):
        output, _ = self.process.communicate(timeout=PATIENCE)
        return re.sub(r'\[Worker \d+\]: ready\n', '', (self.output + output).decode())


@interrupts_python
class Interrupts(unittest.TestCase):
    def run_program(self, source, presses=1):
        program = Program(source)
        self.addCleanup(program.process.stdout.close)
        self.addCleanup(program.process.kill)
        for n in range(presses):
            program.wait_for(b'ready', n + 1)
            program.interrupt()
        return program.end()

    def test_script(self):
        for call in ('worker.eval(SLEEP)', 'worker.remote_eval_wait(None, SLEEP)',
                     'worker.options(timeout=600).eval(SLEEP)', 'worker.submit_eval(LATER).result()',
                     'worker.submit_eval(LATER).exception()'):
            with self.subTest(call=call):
                self.assertEqual(self.run_program(f'''
try:
    {call}
except KeyboardInterrupt as error:
    print(repr(error))
''' + CHECK), 'KeyboardInterrupt()\ngoes on 1\n')

    def test_uncaught(self):
        output = self.run_program('worker.eval(SLEEP)')
        self.assertRegex(output, r'Traceback .*\n(.*\n)+KeyboardInterrupt\n$')

    def test_again_and_again(self):
        self.assertEqual(self.run_program('''
for i in range(3):
    try:
        worker.eval(SLEEP)
    except KeyboardInterrupt:
        print(i)
''' + CHECK, 3), '0\n1\n2\ngoes on 1\n')

    def test_second_one_ends_the_worker(self):
        self.assertEqual(self.run_program(STUBBORN + '''
try:
    worker.eval(SLEEP)
except KeyboardInterrupt:
    print(worker.get_exit_info().to_string())
''', 2), 'was killed by signal 9 (Killed)\n')

    def test_code_that_catches_it(self):
        self.assertEqual(self.run_program("""
try:
    worker.eval('''
import os, time
try:
    os.write(1, b"ready\\\\n")
    time.sleep(600)
except KeyboardInterrupt:
    caught = True
''')
except KeyboardInterrupt:
    print(worker.eval('caught'))
""" + CHECK), 'True\ngoes on 1\n')

    def test_thread(self):
        # A join() that an exception has ended takes the thread for one that has ended.
        self.assertEqual(self.run_program('''
def run():
    try:
        worker.eval(SLEEP)
    except Malt.InterruptedError:
        os.write(1, b'interrupted\\n')  # sys.stdout may lose what two threads write at once
    done.set()

done = threading.Event()
try:
    threading.Thread(target=run).start()
    done.wait()
except KeyboardInterrupt:
    os.write(1, b'main\\n')
    worker.interrupt()
done.wait()
''' + CHECK), 'main\ninterrupted\ngoes on 1\n')

    def test_main_loop(self):
        for call in 'worker.eval(SLEEP)', 'worker.submit_eval(LATER).result()':
            with self.subTest(call=call):
                self.assertEqual(self.run_program(f'''
loop = GLib.MainLoop()

def call():
    try:
        {call}
    except KeyboardInterrupt:
        print('call')

GLib.idle_add(call)
try:
    loop.run()
except KeyboardInterrupt:
    print('loop')
''' + CHECK), 'call\nloop\ngoes on 1\n')

    def test_main_loop_that_waits(self):
        self.assertEqual(self.run_program('''
loop = GLib.MainLoop()
# When the loop runs: PyGObject loses a signal that comes while it is about to.
GLib.idle_add(lambda: worker.remote_eval_async(None, SLEEP, -1, None, lambda *arguments: None))
try:
    loop.run()
except KeyboardInterrupt:
    print('loop')
    worker.interrupt()
''' + CHECK), 'loop\ngoes on 1\n')

    def test_asyncio(self):
        # The first signal that asyncio sees only cancels the task, which hears of it where it awaits;
        # so one that waits for a future has to do so by then.
        for call in 'await worker.eval_async(SLEEP)', 'worker.eval(SLEEP)', 'worker.submit_eval(LATER).result()':
            with self.subTest(call=call):
                self.assertEqual(self.run_program(f'''
async def main():
    {call}

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print('main')
''' + CHECK), 'main\ngoes on 1\n')

    def test_asyncio_with_a_handler(self):
        self.assertEqual(self.run_program('''
async def main():
    task = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
    try:
        await worker.eval_async(SLEEP)
    except asyncio.CancelledError:
        print('cancelled')
    time.sleep(0.01)

asyncio.run(main())
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    pass
try:
    worker.eval(SLEEP)
except KeyboardInterrupt:
    print('and again')
''' + CHECK, 2), 'cancelled\nand again\ngoes on 1\n')

    def test_a_handler_of_the_program(self):
        self.assertEqual(self.run_program('''
signal.signal(signal.SIGINT, lambda *arguments: print('noted'))
print(worker.eval('import os, time; os.write(1, b"ready\\\\n"); time.sleep(1); 5'))
''' + CHECK), 'noted\n5\ngoes on 1\n')

    def test_before_it_begins(self):
        # A signal that is there already is no reason to interrupt anything in the worker.
        self.assertEqual(self.run_program('''
try:
    os.write(1, b'ready\\n')
    time.sleep(600)
except KeyboardInterrupt:
    print([worker.call('abs', i) for i in range(3)])
''' + CHECK), 'ready\n[0, 1, 2]\ngoes on 1\n')

    def test_start(self):
        self.assertEqual(self.run_program(f'''
try:
    os.write(1, b'ready\\n')
    Malt.Worker(runtime='example', program={HANGS!r}, stderr='discard')
except KeyboardInterrupt:
    print('started')
''' + CHECK), 'ready\nstarted\ngoes on 1\n')

    def test_at_any_moment(self):
        # Before, when and after the call or start begins; the calls that follow are not met.
        for call in (f"Malt.Worker(runtime='example', program={HANGS!r}, stderr='discard')",
                     'while True: worker.call("abs", -1)', 'while True: worker.submit("abs", -1).result()',
                     'worker.eval("import time; time.sleep(600)")'):
            with self.subTest(call=call):
                self.assertEqual(self.run_program(f'''
presser = subprocess.Popen([sys.executable, '-c', {PRESSER!r}, str(os.getpid())], stdin=subprocess.PIPE)
presses = 0
for i in range(40):
    try:
        presser.stdin.write(b'%d\\n' % (i * 37 % 1500))
        presser.stdin.flush()
        {call}
    except KeyboardInterrupt:
        presses += 1
        for i in range(3):
            worker.call('abs', -1)
presser.stdin.close()
presser.wait()
print(presses, 'presses')
''' + CHECK, 0), '40 presses\ngoes on 1\n')

    def test_stop(self):
        # Nothing but SIGKILL ends this one, after the two times 15 s of stop().
        self.assertEqual(self.run_program("""
worker.eval('import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(signal.SIGTERM, signal.SIG_IGN)')
begun = threading.Event()
worker.export_function('begun', begun.set)
worker.submit_eval('''
import time
try:
    malt.host.begun()
except BaseException:  # the worker is to stop, and waits for nothing
    pass
time.sleep(600)
''')
begun.wait()

def tell():
    while sys._current_frames()[threading.main_thread().ident].f_code.co_name != 'stop':
        time.sleep(0.001)
    os.write(1, b'ready\\n')

threading.Thread(target=tell, daemon=True).start()
begin = time.monotonic()
try:
    with worker:
        pass
except KeyboardInterrupt:
    print(time.monotonic() - begin < 14)
"""), 'ready\nTrue\n')

    def test_repl(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(sys.executable, [sys.executable, '-q', '-i', '-c', PRELUDE])
        self.addCleanup(os.close, terminal)
        output = b''

        def wait_for(text):
            nonlocal output
            while text not in output:
                ready, _, _ = select.select([terminal], [], [], PATIENCE)
                self.assertTrue(ready, output)
                output += os.read(terminal, 4096)
            output = output.partition(text)[2]

        wait_for(b'>>> ')
        os.write(terminal, b'worker.eval(SLEEP)\n')
        wait_for(b'ready\r\n')
        os.write(terminal, b'\x03')
        wait_for(b'KeyboardInterrupt')
        wait_for(b'>>> ')
        os.write(terminal, b'worker.eval("6 * 7")\n')
        wait_for(b'42')
        os.write(terminal, b'exit()\n')
        self.assertEqual(os.waitpid(pid, 0)[1], 0)


class InProcess(unittest.TestCase):
    def test_imports(self):
        """What is broken off while it imports keeps no lock that others want."""
        done = run_python('''
workers = [Malt.Worker(backend='inprocess', runtime='python') for _ in range(3)]
source = """
import sys
for i in range(2000):
    sys.modules.pop('colorsys', None)
    import colorsys
"""
for i in range(15):
    futures = [worker.submit_eval(source) for worker in workers]
    for worker, future in zip(workers, futures):
        while not future.done():
            worker.interrupt()
            try:
                future.exception(0.01)
            except TimeoutError:
                pass
print([worker.eval(source + 'colorsys.__name__') for worker in workers])
''')
        self.assertEqual(done.stdout, "['colorsys', 'colorsys', 'colorsys']\n")

    def test_loops(self):
        """An event loop is made whole or not at all, and nothing complains of what has not begun."""
        run_python('''
import time
source = """
import asyncio
await asyncio.sleep(0)
5
"""
for i in range(200):
    with Malt.Worker(backend='inprocess', runtime='python') as worker:
        future = worker.submit_eval(source)
        time.sleep(i % 20 * 0.0002)
        while not future.done():
            worker.interrupt()
            time.sleep(0.0002)
        assert worker.eval(source) == 5
''')


if __name__ == '__main__':
    unittest.main()
