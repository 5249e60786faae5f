# SPDX-License-Identifier: LGPL-2.1-or-later

"""malt repl, on a terminal and without one."""

import os
import signal
import stat
import subprocess
import tempfile
import unittest

from command import FUNCTIONS, MALT, PATIENCE, WORKER, CommandTest, interrupts_python, make_env
from terminal import Terminal

CTRL_C = '\x03'
CTRL_D = '\x04'
UP = '\x1b[A'

PROMPT = '>>> '
MORE = '... '


class OnTerminal(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        # pylint: disable=consider-using-with
        self.state = tempfile.TemporaryDirectory()
        self.addCleanup(self.state.cleanup)
        self.repl = None

    def start(self, *options):
        self.repl = Terminal([MALT, 'repl', *options], make_env(XDG_STATE_HOME=self.state.name))
        self.addCleanup(self.repl.__exit__)
        self.assertRegex(self.repl.expect(PROMPT), r'\Aprocess worker .* with PID [0-9]+; Ctrl-D leaves\r\n\Z')

    def enter(self, line, prompt=PROMPT):
        """What comes after a line, up to the next prompt."""
        self.repl.type(line + '\n')
        return self.answer(line, prompt)

    def answer(self, line, prompt=PROMPT):
        self.assertEqual(self.repl.expect(line + '\r\n'), '')
        return self.repl.expect(prompt).replace('\r\n', '\n')

    def leave(self):
        self.repl.type(CTRL_D)
        self.assertEqual(self.repl.finish(), (0, '\n'))

    def history(self):
        with open(f'{self.state.name}/malt/history', encoding='utf-8') as file:
            return file.read()

    def test_lines(self):
        self.start()
        self.assertEqual(self.enter('x = 20'), '')
        self.assertEqual(self.enter('x + 1'), '21\n')
        self.assertEqual(self.enter('"é"'), '"é"\n')
        self.assertEqual(self.enter(''), '')
        self.assertEqual(self.enter('   '), '')
        self.assertEqual(self.enter('print("out")'), 'out\n')
        self.assertRegex(self.enter('1 / 0'), r'\ATraceback (.*\n)+ZeroDivisionError: division by zero\n\Z')
        self.assertRegex(self.enter('1 +'), r'\A(.*\n)+SyntaxError: invalid syntax\n\Z')
        self.assertEqual(self.enter('x'), '20\n')
        self.leave()

    def test_several_lines(self):
        self.start()
        self.assertEqual(self.enter('def f(x):', MORE), '')
        self.assertEqual(self.enter('  return x + 1', MORE), '')
        self.assertEqual(self.enter('', PROMPT), '')
        self.assertEqual(self.enter('f(1)'), '2\n')
        self.assertEqual(self.enter('[1,', MORE), '')
        self.assertEqual(self.enter('', MORE), '')
        self.assertEqual(self.enter('2]'), '[1,2]\n')
        self.assertEqual(self.enter('"""a', MORE), '')
        self.assertEqual(self.enter('b"""'), '"a\\nb"\n')
        self.assertEqual(self.enter('1 + \\', MORE), '')
        self.assertEqual(self.enter('2'), '3\n')
        self.assertEqual(self.enter('async def g():', MORE), '')
        self.assertEqual(self.enter('  return 5', MORE), '')
        self.assertEqual(self.enter(''), '')
        self.assertEqual(self.enter('await g()'), '5\n')
        self.leave()

    def test_users_names_are_untouched(self):
        self.start()
        self.assertEqual(self.enter('if True:', MORE), '')
        self.assertEqual(self.enter('  pass', MORE), '')
        self.assertEqual(self.enter(''), '')
        self.assertEqual(self.enter('[n for n in dir() if n[:2] != "__"]'), '[]\n')
        self.leave()

    def test_module(self):
        self.start('-m', 'mine')
        self.assertEqual(self.enter('__name__'), '"mine"\n')
        self.leave()

    def test_tab_is_a_tab(self):
        self.start()
        self.repl.type('if True:\n')
        self.repl.expect(MORE)
        self.repl.type('\tx = 1\n')
        self.repl.expect(MORE)
        self.repl.type('\n')
        self.repl.expect(PROMPT)
        self.repl.type('x\n')
        self.assertEqual(self.answer('x'), '1\n')
        self.leave()

    def test_ctrl_c_clears_the_line(self):
        self.start()
        self.repl.type('x = 1; half a')
        self.assertEqual(self.repl.expect('half a'), 'x = 1; ')
        self.repl.type(CTRL_C)
        self.assertEqual(self.repl.expect(PROMPT), '^C\r\n')
        self.assertEqual(self.enter('def f():', MORE), '')
        self.repl.type(CTRL_C)
        self.assertEqual(self.repl.expect(PROMPT), '^C\r\n')
        self.assertEqual(self.enter('"x" in dir(), "f" in dir()'), '[false,false]\n')
        self.leave()

    @interrupts_python
    def test_ctrl_c_interrupts(self):
        self.start()
        self.assertEqual(self.enter('x = 1; import time'), '')
        for code in ('time.sleep(600)', 'exec("while True: pass")'):
            line = f'print("goes", flush=True); {code}'
            self.repl.type(line + '\n')
            self.repl.expect(line + '\r\ngoes\r\n')
            self.repl.type(CTRL_C)
            self.assertRegex(self.repl.expect(PROMPT).replace('\r\n', '\n'),
                             r'\A\^CTraceback (.*\n)+KeyboardInterrupt\n\Z')
        self.assertEqual(self.enter('x'), '1\n')
        self.leave()

    @interrupts_python
    def test_third_ctrl_c_kills(self):
        self.start()
        for line in ('import time', 'def deaf():', '  while True:', '    try:',
                     '      print("goes", flush=True)', '      time.sleep(600)',
                     '    except KeyboardInterrupt:', '      pass'):
            self.repl.type(line + '\n')
        self.repl.type('\ndeaf()\n')
        self.repl.expect('deaf()\r\ngoes\r\n')
        self.repl.type(CTRL_C)
        self.assertEqual(self.repl.expect('goes\r\n'), '^C')
        self.repl.type(CTRL_C)
        self.assertEqual(self.repl.expect('goes\r\n'), '^C')
        self.repl.type(CTRL_C)
        self.assertRegex(self.repl.expect(PROMPT).replace('\r\n', '\n'),
                         rf'\A\^Cmalt repl: {WORKER} was killed by signal 9 \(Killed\) while the call '
                         rf'was under way\nmalt repl: {WORKER} takes its place\n\Z')
        self.assertEqual(self.enter('1'), '1\n')
        self.leave()

    def test_worker_that_dies(self):
        self.start()
        self.assertEqual(self.enter('x = 1; import os'), '')
        self.assertRegex(self.enter('os._exit(3)'),
                         rf'\Amalt repl: {WORKER} exited with code 3 while the call was under way\n'
                         rf'malt repl: {WORKER} takes its place\n\Z')
        self.assertEqual(self.enter('"x" in dir()'), 'false\n')
        self.leave()

    def test_worker_that_dies_while_nobody_types(self):
        self.start()
        pid = int(self.enter('import os; os.getpid()'))
        self.repl.type('1 +')
        self.repl.expect('1 +')
        os.kill(pid, signal.SIGKILL)
        self.repl.expect(f'malt repl: process worker (python) with PID {pid} was killed by signal 9 (Killed)\r\n')
        self.repl.expect(PROMPT + '1 +')
        self.repl.type(' 1\n')
        self.assertRegex(self.repl.expect(PROMPT).replace('\r\n', '\n'),
                         rf'\A 1\nmalt repl: {WORKER} takes its place\n2\n\Z')
        self.leave()

    def test_backslash_in_other_languages(self):
        self.start('-r', 'native', '-p', FUNCTIONS)
        self.assertEqual(self.enter('one \\', MORE), '')
        self.assertRegex(self.enter('two'), r'\Amalt repl: process worker \(native\) with PID [0-9]+: .*\n\Z')
        self.leave()

    def test_history(self):
        self.start()
        for line in ('first = 1', 'first', 'first', '', 'second = "é"'):
            self.enter(line)
        self.leave()
        self.assertEqual(self.history(), 'first = 1\nfirst\nsecond = "é"\n')
        path = f'{self.state.name}/malt'
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(f'{path}/history').st_mode), 0o600)

        self.start()
        self.repl.type(UP + UP + UP + '\n')
        # How readline turns one line into the other is its business.
        self.repl.expect('\n')
        self.repl.expect(PROMPT)
        self.assertEqual(self.enter('first'), '1\n')
        # It is written at once.
        self.assertEqual(self.history(), 'first = 1\nfirst\nsecond = "é"\nfirst = 1\nfirst\n')
        self.leave()

    def test_history_is_bounded(self):
        os.mkdir(f'{self.state.name}/malt', 0o700)
        with open(f'{self.state.name}/malt/history', 'w', encoding='utf-8') as file:
            file.write(''.join(f'{i}\n' for i in range(2000)))
        self.start()
        self.assertEqual(self.enter('-1'), '-1\n')
        self.leave()
        self.assertEqual(self.history(), ''.join(f'{i}\n' for i in range(1001, 2000)) + '-1\n')

    def test_no_place_for_history(self):
        with open(f'{self.state.name}/malt', 'w', encoding='utf-8'):
            pass
        self.repl = Terminal([MALT, 'repl'], make_env(XDG_STATE_HOME=self.state.name))
        self.addCleanup(self.repl.__exit__)
        self.assertRegex(self.repl.expect(PROMPT),
                         rf'\Amalt repl: no history is kept: {self.state.name}/malt/history: .*\r\n'
                         rf'{WORKER}; Ctrl-D leaves\r\n\Z')
        self.assertEqual(self.enter('1'), '1\n')
        self.leave()

    def test_signal_leaves_terminal_as_it_was(self):
        for signum in (signal.SIGTERM, signal.SIGHUP):
            self.start()
            self.assertFalse(self.repl.is_canonical())
            self.repl.process.send_signal(signum)
            self.assertEqual(self.repl.process.wait(PATIENCE), -signum)
            self.assertTrue(self.repl.is_canonical())

    def test_worker_that_does_not_start(self):
        with Terminal([MALT, 'repl', '-r', 'cobol'],
                      make_env(XDG_STATE_HOME=self.state.name)) as terminal:
            status, text = terminal.finish()
        self.assertEqual(status, 4)
        self.assertRegex(text, r'\Amalt repl: .*there is no runtime "cobol" .*\n\Z')


class Piped(CommandTest):
    def test_lines(self):
        self.assert_run(['repl'], 0, '21\n"last"\n', input=b'x = 20\n\nx + 1\r\n"last"')

    def test_several_lines(self):
        self.assert_run(['repl'], 0, '2\n4\n1\n',
                        input=b'def f(x):\n  return x + 1\n\nf(1)\nfor i in range(1):\n  pass\n'
                              b'\n(1 +\n3)\nif True:\n  y = 1\n\ny\n')

    def test_end_inside_a_block(self):
        self.assert_run(['repl'], 0, 'out\n', input=b'if True:\n  print("out")')

    def test_failure_goes_on(self):
        status, out, err = self.run_malt('repl', input=b'1 / 0\n2\n')
        self.assertEqual((status, out), (0, '2\n'))
        self.assertRegex(err, r'\ATraceback (.*\n)+ZeroDivisionError: division by zero\n\Z')

    def test_death_goes_on(self):
        status, out, err = self.run_malt('repl', input=b'import os; os._exit(3)\n2\n')
        self.assertEqual((status, out), (0, '2\n'))
        self.assertRegex(err, rf'\Amalt repl: {WORKER} exited with code 3 while the call was under way\n'
                              rf'malt repl: {WORKER} takes its place\n\Z')

    def test_not_text(self):
        for line in (b'"\xff"', b'1\0002'):
            self.assert_run(['repl'], 0, '1\n2\n', 'malt repl: not UTF-8 text\n',
                            input=b'1\n' + line + b'\n2\n')

    def test_ctrl_c_ends(self):
        for line in (b'', b'print("goes", flush=True); import time; time.sleep(600)\n'):
            with subprocess.Popen([MALT, 'repl'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env=make_env()) as malt:
                malt.stdin.write(b'"ready"\n' + line)
                malt.stdin.flush()
                self.assertEqual(malt.stdout.readline(), b'"ready"\n')
                if line:
                    self.assertEqual(malt.stdout.readline(), b'goes\n')
                malt.send_signal(signal.SIGINT)
                self.assertEqual(malt.wait(PATIENCE), 130)

    def test_full_output(self):
        with open('/dev/full', 'w', encoding='utf-8') as full:
            self.assert_run(['repl'], 1, '',
                            'malt repl: cannot write to standard output: No space left on device\n',
                            stdout=full, input=b'1\n2\n')


if __name__ == '__main__':
    unittest.main(verbosity=2)
