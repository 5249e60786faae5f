# SPDX-License-Identifier: LGPL-2.1-or-later

"""malt eval, without a terminal."""

import os
import signal
import subprocess
import tempfile
import unittest

from command import MALT, PATIENCE, WORKER, CommandTest, interrupts_python, make_env


class Value(CommandTest):
    def test_values(self):
        for source, out in (
                ('6 * 7', '42'),
                ('2 ** 62', '4611686018427387904'),
                ('1 / 8', '0.125'),
                ('0.1', '0.1'),
                ('1e22', '1e+22'),
                ('float("nan"), float("inf"), -float("inf")', '["NaN","Infinity","-Infinity"]'),
                ('True', 'true'),
                ('"é\\n\\x1b\\x9b"', '"é\\n\\u001b\\u009b"'),
                ('b"hello"', '{"$bytes":"aGVsbG8="}'),
                ('[1, 2, 3]', '[1,2,3]'),
                ('[1, "a", None, [0.5]]', '[1,"a",null,[0.5]]'),
                ('()', '[]'),
                ('{"a": 1, "b": [None]}', '{"a":1,"b":[null]}'),
                ('{1: "a", 2: "b"}', '{"$dict":[[1,"a"],[2,"b"]]}'),
                ('{"$bytes": 1}', '{"$dict":[["$bytes",1]]}'),
                ('x = 5\nx + 1', '6')):
            self.assert_run(['eval', source], 0, out + '\n')

    def test_nothing(self):
        for source in ('None', 'x = 1', '', 'def f():\n  return 1'):
            self.assert_run(['eval', source])

    def test_locale_does_not_matter(self):
        self.assert_run(['eval', '"é"'], 0, '"é"\n', env=make_env(LC_ALL='C'))

    def test_options_after_source(self):
        self.assert_run(['eval', '1', '-r', 'python', '-b', 'process'], 0, '1\n')
        self.assert_run(['eval', '--', '-5'], 0, '-5\n')

    def test_module(self):
        self.assert_run(['eval', '-m', 'mine', '__name__'], 0, '"mine"\n')
        self.assert_run(['eval', '__name__'], 0, '"__main__"\n')


class Source(CommandTest):
    def test_standard_input(self):
        self.assert_run(['eval', '-'], 0, '3\n', input=b'x = 1\nx + 2\n')
        self.assert_run(['eval', '-f', '-'], 0, '3\n', input=b'1 + 2')
        self.assert_run(['eval', '-'], 0, '"' + 'x' * 100000 + '"\n', input=b'"' + b'x' * 100000 + b'"')

    def test_file(self):
        with tempfile.NamedTemporaryFile(suffix='.py') as file:
            file.write('import math\nmath.tau # é\n'.encode())
            file.flush()
            self.assert_run(['eval', '-f', file.name], 0, '6.283185307179586\n')


class Worker(CommandTest):
    def test_output(self):
        self.assert_run(['eval', 'import sys\nprint("out")\nprint("err", file=sys.stderr)\n1'],
                        0, 'out\n1\n', 'err\n')
        self.assert_run(['eval', 'print("no end", end="")'], 0, 'no end')

    def test_environment(self):
        self.assert_run(['eval', '--env', 'A=1', '--env=B=x=y', '--env', 'C=',
                         'import os\n[os.environ[name] for name in "ABC"]'], 0, '["1","x=y",""]\n')
        self.assert_run(['eval', 'import os\nos.environ.get("MINE")'], env=make_env(MINE='1'))

    def test_directory(self):
        with tempfile.TemporaryDirectory() as directory:
            self.assert_run(['eval', 'import os\nos.getcwd()'], 0,
                            f'"{os.path.realpath(directory)}"\n', cwd=directory)

    def test_search_path(self):
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(f'{directory}/sub')
            with open(f'{directory}/sub/cli_found.py', 'w', encoding='utf-8') as file:
                file.write('answer = 42\n')
            self.assert_run(['eval', '-p', 'sub', 'import cli_found\ncli_found.answer'], 0, '42\n',
                            cwd=directory)

    def test_standard_input(self):
        self.assert_run(['eval', 'import sys\nsys.stdin.read()'], 0, '""\n', input=b'not for it')

    def test_in_process(self):
        self.assert_run(['eval', '-b', 'inprocess', 'import os\nos.getpid() == os.getpid()'], 0, 'true\n')
        self.assert_run(['eval', '-b', 'inprocess', 'print("out", flush=True)\n1'], 0, 'out\n1\n')


class Failure(CommandTest):
    def test_exception(self):
        self.assert_fails(['eval', 'def f():\n  raise ValueError("bad value")\nf()'], 1,
                          r'Traceback \(most recent call last\):\n.*, in f\n.*ValueError: bad value')
        self.assert_fails(['eval', '1 +'], 1, r'.*SyntaxError: invalid syntax')
        self.assert_fails(['eval', 'import sys\nsys.exit(7)'], 1, r'Traceback .*\nSystemExit: 7')

    def test_value_that_cannot_cross(self):
        self.assert_fails(['eval', 'object()'], 1, f'malt eval: {WORKER}: .*object.*')

    def test_not_supported(self):
        self.assert_fails(['eval', '-r', 'native', '1'], 1,
                          r'malt eval: process worker \(native\) with PID [0-9]+: .*')

    def test_death(self):
        for source, how in (
                ('os._exit(7)', 'exited with code 7'),
                ('os._exit(0)', 'exited with code 0'),
                ('os.kill(os.getpid(), 9)', r'was killed by signal 9 \(Killed\)'),
                ('ctypes.string_at(0)', r'was killed by signal 11 \(Segmentation fault\)')):
            self.assert_fails(['eval', f'import ctypes, os\n{source}'], 3,
                              f'malt eval: {WORKER} {how} while the call was under way')

    def test_start(self):
        self.assert_fails(['eval', '-r', 'cobol', '1'], 4, 'malt eval: .*there is no runtime "cobol" .*')
        self.assert_fails(['eval', '-b', 'moon', '1'], 4, 'malt eval: there is no backend "moon" .*')
        self.assert_fails(['eval', '-b', 'inprocess', '--env', 'A=1', '1'], 4,
                          'malt eval: .*environment.*')

    def test_deadline(self):
        for source in ('import time\ntime.sleep(600)', 'while True: pass',
                       'import asyncio\nawait asyncio.sleep(600)'):
            self.assert_fails(['eval', '--timeout', '0.2', source], 5, 'malt eval: .*')
        self.assert_run(['eval', '--timeout', '60', '1'], 0, '1\n')
        self.assert_run(['eval', '--timeout', '60.', '1'], 0, '1\n')

    def test_deadline_kills_what_will_not_listen(self):
        source = ('while True:\n  try:\n    import time\n    time.sleep(600)\n'
                  '  except KeyboardInterrupt:\n    pass\n')
        self.assert_fails(['eval', '--timeout', '0.2', source], 5, 'malt eval: .*')

    def test_full_output(self):
        with open('/dev/full', 'w', encoding='utf-8') as full:
            self.assert_run(['eval', '1'], 1, '',
                            'malt eval: cannot write to standard output: No space left on device\n',
                            stdout=full)

    def test_closed_output(self):
        for restore_signals, status, err in (
                (True, -signal.SIGPIPE, ''),
                (False, 1, 'malt eval: cannot write to standard output: Broken pipe\n')):
            reader, writer = os.pipe()
            os.close(reader)
            self.assert_run(['eval', '1'], status, '', err, stdout=writer,
                            restore_signals=restore_signals)
            os.close(writer)


class Interrupt(CommandTest):
    def interrupt(self, source, *options):
        """Interrupts the evaluation as soon as it has said that it goes."""
        with subprocess.Popen([MALT, 'eval', *options, source], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=make_env()) as malt:
            self.assertEqual(malt.stdout.readline(), b'goes\n')
            malt.send_signal(signal.SIGINT)
            out, err = malt.communicate(timeout=PATIENCE)
        return malt.returncode, out.decode(), err.decode()

    @interrupts_python
    def test_interrupt(self):
        for code in ('import time; time.sleep(600)', 'while True: pass'):
            status, out, err = self.interrupt(f'print("goes", flush=True)\n{code}')
            self.assertEqual((status, out), (130, ''))
            self.assertRegex(err, r'\ATraceback (.*\n)+KeyboardInterrupt\n\Z')

    @interrupts_python
    def test_interrupt_that_is_caught(self):
        status, out, err = self.interrupt('import time\ntry:\n  print("goes", flush=True)\n  time.sleep(600)\n'
                                          'except KeyboardInterrupt:\n  x = "caught"\nx')
        self.assertEqual((status, out, err), (130, '"caught"\n', ''))

    def test_in_process(self):
        status, out, err = self.interrupt('print("goes", flush=True)\nwhile True: pass',
                                          '-b', 'inprocess')
        self.assertEqual((status, out), (130, ''))
        self.assertRegex(err, r'\ATraceback (.*\n)+KeyboardInterrupt\n\Z')


if __name__ == '__main__':
    unittest.main(verbosity=2)
