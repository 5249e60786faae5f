# SPDX-License-Identifier: LGPL-2.1-or-later

"""How the tests run the malt command."""

import os
import re
import subprocess
import unittest

MALT = os.environ['MALT_COMMAND']
FUNCTIONS = os.environ['MALT_CLI_FUNCTIONS']
PATIENCE = 120

# For tests that interrupt Python code in a process of its own.
interrupts_python = unittest.skipIf(
    os.environ.get('MALT_CLI_SANITIZER') == 'thread',
    'the thread sanitizer keeps signals back while code runs that it does not know')

WORKER = r'process worker \(python\) with PID [0-9]+'


def make_env(**more):
    """Ours, but such that the output is the same everywhere."""
    unwanted = ('COLUMNS', 'G_MESSAGES_DEBUG', 'LANGUAGE', 'LINES', 'MALT_DEBUG')
    env = {name: value for name, value in os.environ.items() if name not in unwanted}
    return env | {'LC_ALL': 'C.UTF-8', 'TERM': 'dumb', 'INPUTRC': '/dev/null'} | more


class CommandTest(unittest.TestCase):
    """Runs the command without a terminal."""

    maxDiff = None

    def run_malt(self, *words, env=None, **more):
        """The exit status, standard output and standard error."""
        if 'input' not in more:
            more.setdefault('stdin', subprocess.DEVNULL)
        more.setdefault('stdout', subprocess.PIPE)
        done = subprocess.run([MALT, *words], stderr=subprocess.PIPE, timeout=PATIENCE,
                              env=env or make_env(), **more)
        out = done.stdout.decode() if done.stdout is not None else ''
        return done.returncode, out, done.stderr.decode(errors='backslashreplace')

    def assert_run(self, words, status=0, out='', err='', **more):
        """That the command gives precisely this."""
        self.assertEqual(self.run_malt(*words, **more), (status, out, err), words)

    def assert_fails(self, words, status, pattern, **more):
        """That the command says what is wrong, as the pattern has it, and nothing else."""
        got, out, err = self.run_malt(*words, **more)
        self.assertEqual((got, out), (status, ''), (words, err))
        self.assertRegex(err, re.compile(r'\A' + pattern + r'\n\Z', re.DOTALL), words)
