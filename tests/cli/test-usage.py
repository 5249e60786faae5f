# SPDX-License-Identifier: LGPL-2.1-or-later

"""What can be read without a worker: help, version, and what is wrong with a command line."""

import unittest

from command import CommandTest


class Help(CommandTest):
    def test_version(self):
        status, out, err = self.run_malt('--version')
        self.assertEqual((status, err), (0, ''))
        self.assertRegex(out, r'\Amalt [0-9]+\.[0-9]+\.[0-9]+\n\Z')

    def test_help(self):
        texts = {
            (): ('malt [OPTION…] COMMAND …', 'Commands:', '--version'),
            ('eval',): ('malt eval [OPTION…] CODE | -f FILE | -', 'Exit status:', '--timeout=SECONDS'),
            ('call',): ('malt call [OPTION…] FUNCTION [JSON…]', 'Exit status:', '--kw=NAME=JSON'),
            ('map',): ('malt map [OPTION…] FUNCTION', 'Exit status:', '--jobs=N'),
            ('repl',): ('malt repl [OPTION…]', 'Exit status:', '--runtime=RUNTIME'),
            ('list',): ('malt list [OPTION…]', 'Exit status:', '--json'),
        }
        for words, (usage, *more) in texts.items():
            status, out, err = self.run_malt(*words, '--help')
            self.assertEqual((status, err), (0, ''))
            self.assertTrue(out.startswith(f'Usage:\n  {usage}\n'), out)
            for text in more:
                self.assertIn(text, out)
            self.assertLessEqual(max(map(len, out.splitlines())), 80, out)


class Usage(CommandTest):
    def assert_usage(self, words, message, command=None, **more):
        name = f'malt {command}' if command else 'malt'
        self.assert_run(words, 2, '', f"{name}: {message}\nTry '{name} --help'.\n", **more)

    def test_command(self):
        self.assert_usage([], 'no command')
        self.assert_usage(['--'], 'no command')
        self.assert_usage([''], "no such command: ''")
        self.assert_usage(['evaluate'], "no such command: 'evaluate'")
        self.assert_usage(['--bogus'], 'Unknown option --bogus')
        self.assert_usage(['eval', b'\xff'], 'word 3 of the command line is not UTF-8: \\xff')

    def test_eval(self):
        for words, message in (
                ([], 'no source to evaluate'),
                (['1', '2'], 'more than one source to evaluate'),
                (['-f', 'x', '1'], 'more than one source to evaluate'),
                (['--bogus', '1'], 'Unknown option --bogus'),
                (['-5'], 'Unknown option -5'),
                (['1', '-r'], 'Missing argument for -r'),
                (['--env', 'A', '1'], "--env wants NAME=VALUE, not 'A'"),
                (['--env', '=A', '1'], "--env wants NAME=VALUE, not '=A'"),
                (['-f', '/nonexistent/x'],
                 'Failed to open file “/nonexistent/x”: No such file or directory')):
            self.assert_usage(['eval', *words], message, 'eval')
        self.assert_fails(['eval', '-f', '/'], 2,
                          "malt eval: .*“/”: Is a directory\nTry 'malt eval --help'\\.")

    def test_timeout(self):
        for seconds in ('0', '0.0', '-1', '', '.', '1.2.3', '1e3', '0x10', 'inf', 'nan', 'soon', '1 ',
                        ' 1', '+1', '2147484', '9' * 400):
            self.assert_usage(['eval', f'--timeout={seconds}', '1'],
                              '--timeout wants a number of seconds above 0 and below 2147483, '
                              f"not '{seconds}'", 'eval')

    def test_source_is_text(self):
        for source in (b'\xff', b'1\0002'):
            self.assert_usage(['eval', '-'], 'standard input is not UTF-8 text', 'eval', input=source)
            self.assert_usage(['eval', '-f', '/dev/stdin'], '/dev/stdin is not UTF-8 text', 'eval',
                              input=source)

    def test_call(self):
        for words, message in (
                ([], 'no function to call'),
                (['f', '1', '{a: 1}'],
                 'argument 2 is not valid JSON, expected a string at byte 2: {a: 1}'),
                (['f', 'text'], 'argument 1 is not valid JSON, expected a value at byte 1: text'),
                (['f', '9223372036854775808'],
                 'argument 1 has an integer that does not fit 64 bits at byte 1: 9223372036854775808'),
                (['f', '-9223372036854775809'],
                 'argument 1 has an integer that does not fit 64 bits at byte 1: -9223372036854775809'),
                (['f', '--kw', 'a'], "--kw wants NAME=JSON, not 'a'"),
                (['f', '--kw', '=1'], "--kw wants NAME=JSON, not '=1'"),
                (['f', '--kw', 'a=b'],
                 "keyword argument 'a' is not valid JSON, expected a value at byte 1: b"),
                (['f', '--kw', 'a=1', '--kw', 'a=2'], "keyword argument 'a' is given twice"),
                (['f', '--kw=é=[1', '2'],
                 "keyword argument 'é' is not valid JSON, expected ',' or ']' at byte 3: [1"),
                (['f', '--timeout', '0'],
                 "--timeout wants a number of seconds above 0 and below 2147483, not '0'")):
            self.assert_usage(['call', *words], message, 'call')

    def test_map(self):
        for words, message in (
                ([], 'no function to call'),
                ([''], 'the name of the function is empty'),
                (['f', 'x'], "unexpected argument 'x'"),
                (['f', '--bogus'], 'Unknown option --bogus'),
                (['f', '--timeout', '0'],
                 "--timeout wants a number of seconds above 0 and below 2147483, not '0'"),
                *((['f', '-j', jobs], f"--jobs wants a number from 1 to 4096, not '{jobs}'")
                  for jobs in ('0', '-1', '4097', 'x', '', '1.5', '9' * 30))):
            self.assert_usage(['map', *words], message, 'map')

    def test_others(self):
        self.assert_usage(['list', 'x'], "unexpected argument 'x'", 'list')
        self.assert_usage(['list', '--bogus'], 'Unknown option --bogus', 'list')
        self.assert_usage(['repl', 'x'], "unexpected argument 'x'", 'repl')
        self.assert_usage(['repl', '--timeout', '1'], 'Unknown option --timeout', 'repl')
        self.assert_usage(['repl', '--env', 'x'], "--env wants NAME=VALUE, not 'x'", 'repl')


if __name__ == '__main__':
    unittest.main(verbosity=2)
