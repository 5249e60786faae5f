# SPDX-License-Identifier: LGPL-2.1-or-later

"""malt eval and malt call on a terminal: Ctrl-C, and text that would act on it."""

import os
import subprocess
import tempfile
import time
import unittest

from command import FUNCTIONS, MALT, interrupts_python, make_env
from terminal import PATIENCE, Terminal

CTRL_C = '\x03'


def is_alive(pid):
    """Whether there is such a process, other than as a zombie that its parent left."""
    try:
        with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
            return file.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


class CtrlC(unittest.TestCase):
    def eval(self, source):
        """Evaluates it; it tells the worker's PID with say()."""
        source = f'import os, time\nsay = lambda: print("PID", os.getpid(), ".", flush=True)\n{source}'
        terminal = Terminal([MALT, 'eval', source], make_env())
        self.addCleanup(terminal.__exit__)
        terminal.expect('PID ')
        return terminal, int(terminal.expect(' .\r\n'))

    def assert_dead(self, pid):
        deadline = time.monotonic() + PATIENCE
        while is_alive(pid):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    @interrupts_python
    def test_once(self):
        for code in ('say()\ntime.sleep(600)', 'say()\nwhile True: pass'):
            terminal, pid = self.eval(code)
            terminal.type(CTRL_C)
            status, text = terminal.finish()
            self.assertEqual(status, 130)
            self.assertRegex(text, r'\A\^CTraceback (.*\n)+KeyboardInterrupt\n\Z')
            self.assert_dead(pid)

    @interrupts_python
    def test_twice(self):
        terminal, pid = self.eval('while True:\n  try:\n    say()\n    time.sleep(600)\n'
                                  '  except KeyboardInterrupt:\n    print("no", flush=True)')
        terminal.type(CTRL_C)
        terminal.expect('^Cno\r\n')
        terminal.expect(' .\r\n')
        self.assertIsNone(terminal.process.poll())
        terminal.type(CTRL_C)
        self.assertEqual(terminal.finish(),
                         (130, f'^Cmalt eval: process worker (python) with PID {pid} was killed by '
                               'signal 9 (Killed) while the call was under way\n'))
        self.assert_dead(pid)

    def test_killed_command_leaves_no_worker(self):
        terminal, pid = self.eval('while True:\n  try:\n    say()\n    time.sleep(600)\n'
                                  '  except KeyboardInterrupt:\n    pass')
        terminal.process.kill()
        self.assert_dead(pid)


class Bar(unittest.TestCase):
    SOURCE = 'malt.progress(0.5, "half\\nway \x1b[31m"); 42'

    def test_drawn_and_erased(self):
        with Terminal([MALT, 'eval', self.SOURCE], make_env()) as terminal:
            status, text = terminal.finish()
        self.assertEqual(status, 0)
        self.assertEqual(text, '\r\x1b[K[###############...............]  50 % half way \\x1b[31m'
                               '\r\x1b[K42\n')

    def test_unknown(self):
        with Terminal([MALT, 'eval', 'malt.progress(None, "busy"); 1'],
                      make_env()) as terminal:
            self.assertEqual(terminal.finish(), (0, '\r\x1b[Kbusy\r\x1b[K1\n'))

    def test_call(self):
        source = 'def f():\n  malt.progress(1)\n'
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, 'slow.py'), 'w', encoding='utf-8') as file:
                file.write(source)
            with Terminal([MALT, 'call', '-p', folder, 'slow.f'], make_env()) as terminal:
                status, text = terminal.finish()
        self.assertEqual(status, 0)
        self.assertIn('100 %', text)
        self.assertTrue(text.endswith('\r\x1b[K'), text)

    def test_no_terminal(self):
        with Terminal([MALT, 'eval', self.SOURCE], make_env(), stderr=subprocess.PIPE) as terminal:
            self.assertEqual(terminal.process.stderr.read(), b'')
            self.assertEqual(terminal.finish(), (0, '42\n'))
            terminal.process.stderr.close()


class Escapes(unittest.TestCase):
    def test_traceback(self):
        with Terminal([MALT, 'eval', 'raise ValueError("red \\x1b[31m \\x9b\\r\\ttab é")'],
                      make_env()) as terminal:
            status, text = terminal.finish()
        self.assertEqual(status, 1)
        self.assertTrue(text.endswith('\nValueError: red \\x1b[31m \\u009b\\x0d\ttab é\n'), text)

    def test_message(self):
        with Terminal([MALT, 'call', '-r', 'native', '-p', FUNCTIONS, 'cli-functions:paint'],
                      make_env()) as terminal:
            status, text = terminal.finish()
        self.assertEqual(status, 1)
        self.assertTrue(text.endswith('red \\x1b[31m and \\u009b 2J\ttab\n'), text)

    def test_value(self):
        with Terminal([MALT, 'eval', '"\\x1b\\x9b\\x7f"'], make_env()) as terminal:
            self.assertEqual(terminal.finish(), (0, '"\\u001b\\u009b\\u007f"\n'))

    def test_command_line(self):
        with Terminal([MALT, 'a\x1bb'], make_env()) as terminal:
            self.assertEqual(terminal.finish(),
                             (2, "malt: no such command: 'a\\x1bb'\nTry 'malt --help'.\n"))

    def test_only_standard_error_is_a_terminal(self):
        with Terminal([MALT, 'eval', 'raise ValueError("\\x1b[31m")'], make_env(),
                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as terminal:
            status, text = terminal.finish()
        self.assertEqual(status, 1)
        self.assertTrue(text.endswith('\nValueError: \\x1b[31m\n'), text)


if __name__ == '__main__':
    unittest.main(verbosity=2)
