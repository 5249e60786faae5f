# SPDX-License-Identifier: LGPL-2.1-or-later

"""malt map, with and without a terminal."""

import os
import re
import signal
import subprocess
import tempfile
import unittest

from command import FUNCTIONS, MALT, PATIENCE, WORKER, CommandTest, interrupts_python, make_env
from terminal import Terminal

# Functions for the lines.
MODULE = '''
import os, signal, time

def slowly(n):
    time.sleep(n / 1000)
    return n

def crash_at(n):
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n

def crash_once(path):
    if not os.path.exists(path):
        open(path, 'w').close()
        os.kill(os.getpid(), signal.SIGKILL)
    return path

def crash(line):
    os.kill(os.getpid(), signal.SIGKILL)

def raise_at(n):
    if n % 2:
        raise ValueError(f'{n} is odd\\nand more')
    return n

def paint(line):
    raise ValueError('red \\x1b[31m')

def endless(line):
    if line == 'go':
        print('goes', flush=True)
        time.sleep(600)
    return line
'''


class MapTest(CommandTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        with open(self.path('lines.py'), 'w', encoding='utf-8') as file:
            file.write(MODULE)

    def path(self, name):
        return os.path.join(self.folder, name)

    def words(self, *words):
        return ['map', '-p', self.folder, *words]


class Lines(MapTest):
    def test_text(self):
        self.assert_run(self.words('os.path.basename'), 0, '"b"\n"é"\n""\n"x"\n', input='a/b\né\n\nx'.encode())
        self.assert_run(self.words('os.path.basename'), 0, '', input=b'')
        self.assert_run(self.words('builtins.len'), 0, '100000\n1\n', input=b'x' * 100000 + b'\n\r\n')

    def test_json(self):
        for lines, out in (
                ('[3, -1, 2]\n"ba"\n', '[-1,2,3]\n["a","b"]\n'),
                (' {"b": 1, "a": 2} \n', '["a","b"]\n')):
            self.assert_run(self.words('--json', 'builtins.sorted'), 0, out, input=lines.encode())

    def test_nothing_is_null(self):
        self.assert_run(self.words('--json', 'random.seed'), 0, 'null\nnull\n', input=b'1\n2\n')

    def test_order(self):
        lines = b''.join(b'%d\n' % n for n in (300, 0, 100, 1))
        self.assert_run(self.words('--json', '-j4', 'lines.slowly'), 0, '300\n0\n100\n1\n', input=lines)
        status, out, err = self.run_malt(*self.words('--json', '--jobs=4', '-u', 'lines.slowly'), input=lines)
        self.assertEqual((status, sorted(out.split()), err), (0, ['0', '1', '100', '300'], ''))
        self.assertEqual(out.split()[-1], '300')

    def test_many(self):
        numbers = range(20000)
        status, out, err = self.run_malt(*self.words('--json', '-j2', 'builtins.abs'),
                                         input=b''.join(b'%d\n' % -n for n in numbers))
        self.assertEqual((status, err), (0, ''))
        self.assertEqual([int(line) for line in out.split()], list(numbers))

    def test_native(self):
        self.assert_run(['map', '-r', 'native', '-p', FUNCTIONS, 'cli-functions:types'], 0,
                        '["(s)",""]\n' * 2, input=b'1\n2\n')
        self.assert_run(['map', '-b', 'inprocess', '-j2', 'os.path.basename'], 0, '"b"\n' * 3, input=b'a/b\n' * 3)

    def test_input_is_read_as_it_is_needed(self):
        with subprocess.Popen([MALT, *self.words('-j1', 'builtins.len')], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, env=make_env()) as malt:
            for line, out in ((b'one\n', b'3\n'), (b'seven\n', b'5\n')):
                malt.stdin.write(line)
                malt.stdin.flush()
                self.assertEqual(malt.stdout.readline(), out)
            malt.stdin.close()
            self.assertEqual(malt.wait(PATIENCE), 0)


class Failure(MapTest):
    def assert_failures(self, words, lines, out, *failures):
        status, got, err = self.run_malt(*self.words(*words), input=lines)
        self.assertEqual((status, got), (1, out), err)
        first, *rest = err.splitlines()
        self.assertRegex(first, rf'\Amalt map: {len(failures)} of [0-9]+ lines failed:\Z')
        self.assertEqual(len(rest), len(failures), err)
        for line, pattern in zip(rest, failures):
            self.assertRegex(line, rf'\A  {pattern}\Z')

    def test_exceptions(self):
        self.assert_failures(['--json', '-j3', 'lines.raise_at'], b'1\n2\n3\n4\n', '2\n4\n',
                             'line 1: ValueError: 1 is odd', 'line 3: ValueError: 3 is odd')

    def test_lines(self):
        self.assert_failures(['os.path.basename'], b'a\n\xff\nb\0c\nd\n', '"a"\n"d"\n',
                             'line 2: it is not UTF-8', 'line 3: it has a null byte')
        self.assert_failures(['--json', 'builtins.abs'], b'1\nx\n\n9223372036854775808\n', '1\n',
                             'line 2: it is not valid JSON, expected a value at byte 1',
                             'line 3: it is not valid JSON, .*',
                             'line 4: it has an integer that does not fit 64 bits at byte 1')

    def test_many(self):
        status, out, err = self.run_malt(*self.words('--json', 'lines.raise_at'), input=b'1\n' * 150)
        self.assertEqual((status, out), (1, ''))
        self.assertEqual(err.count('\n'), 102)
        self.assertTrue(err.endswith('\n  and 50 more\n'))

    def test_no_function(self):
        self.assert_failures(['no_such_module.f'], b'1\n', '', 'line 1: .*no_such_module.*')

    def test_death(self):
        self.assert_failures(['--json', '-j1', 'lines.crash_at'], b'1\n2\n3\n4\n', '1\n2\n4\n',
                             rf'line 3: {WORKER} was killed by signal 9 \(Killed\) while the call was under way')

    def test_retry(self):
        paths = [self.path(str(i)) for i in range(3)]
        self.assert_run(self.words('--retry', '-j2', 'lines.crash_once'), 0,
                        ''.join(f'"{path}"\n' for path in paths), input='\n'.join(paths).encode())

    def test_crash_loop(self):
        status, out, err = self.run_malt(*self.words('-j1', 'lines.crash'), input=b'x\n' * 1000)
        self.assertEqual((status, out), (4, ''))
        self.assertRegex(err, r'\Amalt map: pool of process workers \(python\): more than 20 workers ended .*\n')

    def test_start(self):
        status, out, err = self.run_malt(*self.words('-r', 'cobol', 'f'), input=b'1\n' * 1000)
        self.assertEqual((status, out), (4, ''))
        self.assertRegex(err, r'\Amalt map: .*there is no runtime "cobol" .*\n\Z')

    def test_deadline(self):
        self.assert_failures(['--json', '--timeout=1.5', '-j3', 'lines.slowly'], b'1\n600000\n2\n', '1\n2\n',
                             'line 2: .*did not end within 1.5 s.*')

    def test_input(self):
        folder = os.open('/', os.O_RDONLY)
        self.assert_run(self.words('f'), 2, '',
                        'malt map: cannot read standard input: Error reading from file descriptor: '
                        'Is a directory\n', stdin=folder)
        os.close(folder)

    def test_output(self):
        with open('/dev/full', 'w', encoding='utf-8') as full:
            self.assert_run(self.words('builtins.len'), 1, '',
                            'malt map: cannot write to standard output: No space left on device\n',
                            stdout=full, input=b'1\n')
        reader, writer = os.pipe()
        os.close(reader)
        self.assert_run(self.words('builtins.len'), -signal.SIGPIPE, stdout=writer, input=b'1\n',
                        restore_signals=True)
        os.close(writer)


class Interrupt(MapTest):
    @interrupts_python
    def test_interrupt(self):
        with subprocess.Popen([MALT, *self.words('-j1', 'lines.endless')], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=make_env()) as malt:
            malt.stdin.write(b'first\ngo\nlater\n')
            malt.stdin.flush()
            # The result, and what the next line's code prints, which nothing puts in order.
            self.assertEqual({malt.stdout.readline(), malt.stdout.readline()}, {b'"first"\n', b'goes\n'})
            malt.send_signal(signal.SIGINT)
            out, err = malt.communicate(timeout=PATIENCE)
        self.assertEqual((malt.returncode, out), (130, b''))
        self.assertEqual(err, b'malt map: interrupted: 1 lines done, 0 failed, 2 broken off\n')

    def test_interrupt_while_it_reads(self):
        with subprocess.Popen([MALT, *self.words('builtins.len')], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=make_env()) as malt:
            malt.stdin.write(b'first\n')
            malt.stdin.flush()
            self.assertEqual(malt.stdout.readline(), b'5\n')
            malt.send_signal(signal.SIGINT)
            # Not by communicate(), which would close its standard input.
            self.assertEqual(malt.wait(PATIENCE), 130)
            self.assertEqual(malt.stderr.read(), b'malt map: interrupted: 1 lines done, 0 failed, 0 broken off\n')


class OnTerminal(MapTest):
    def test_bar(self):
        with open(self.path('input'), 'w', encoding='utf-8') as file:
            file.write('600\n' * 4)
        with open(self.path('input'), encoding='utf-8') as file:
            with Terminal([MALT, *self.words('--json', '-j1', 'lines.slowly')], make_env(), stdin=file,
                          stdout=subprocess.PIPE) as terminal:
                terminal.expect('[########......................]  25 % 1 done, ')
                self.assertRegex(terminal.expect(' left'), r'[0-9.]+/s, 0:[0-9]{2}\Z')
                terminal.expect('[###############...............]  50 % 2 done, ')
                status, text = terminal.finish()
                out = terminal.process.stdout.read()
        self.assertEqual((status, out), (0, b'600\n' * 4))
        # Nothing is left of it.
        self.assertTrue(text.endswith('\r\x1b[K'), text)

    def test_bar_without_size(self):
        with Terminal([MALT, *self.words('-j1', 'builtins.len')], make_env(), stdin=subprocess.PIPE,
                      stdout=subprocess.PIPE) as terminal:
            terminal.process.stdin.write(b'x\n')
            terminal.process.stdin.flush()
            terminal.expect('\r\x1b[K1 done, ')
            terminal.process.stdin.close()
            self.assertEqual(terminal.finish()[0], 0)
            terminal.process.stdout.close()

    def test_bar_and_results(self):
        with open(self.path('input'), 'w', encoding='utf-8') as file:
            file.write('1\n600\n2\n')
        with open(self.path('input'), encoding='utf-8') as file:
            with Terminal([MALT, *self.words('--json', '-j1', 'lines.slowly')], make_env(), stdin=file) as terminal:
                status, text = terminal.finish()
        self.assertEqual(status, 0)
        self.assertIn(' done, ', text)
        # What stays on the screen, as a terminal would have it.
        lines = [re.split(r'\r\x1b\[K|\r', line)[-1] for line in text.split('\n')]
        self.assertEqual([line for line in lines if line], ['1', '600', '2'])

    def test_failures_are_harmless(self):
        with open(self.path('input'), 'w', encoding='utf-8') as file:
            file.write('x\n')
        with open(self.path('input'), encoding='utf-8') as file:
            with Terminal([MALT, *self.words('lines.paint')], make_env(), stdin=file) as terminal:
                status, text = terminal.finish()
        self.assertEqual(status, 1)
        self.assertIn('  line 1: ValueError: red \\x1b[31m\n', text)

    @interrupts_python
    def test_interrupt(self):
        with open(self.path('input'), 'w', encoding='utf-8') as file:
            file.write('go\n')
        with open(self.path('input'), encoding='utf-8') as file:
            with Terminal([MALT, *self.words('lines.endless')], make_env(), stdin=file) as terminal:
                terminal.expect('goes')
                terminal.type('\x03')
                status, text = terminal.finish()
        self.assertEqual(status, 130)
        self.assertIn('malt map: interrupted: 0 lines done, 0 failed, 1 broken off\n', text)


if __name__ == '__main__':
    unittest.main(verbosity=2)
