# SPDX-License-Identifier: LGPL-2.1-or-later

"""docs/examples/dpkg-report.c does what it is there to show."""

import os
import re
import subprocess
import unittest

STEP = r'\n{}\. [^\n]+\n'
TIMED = r' +[0-9]+\.[0-9] ms  '
NAME = r'process worker \(python\) with PID [0-9]+'


@unittest.skipIf(os.environ['MALT_EXAMPLE_SANITIZER'] == 'thread',
                 'the thread sanitizer keeps signals back while code runs that it does not know')
@unittest.skipUnless(os.path.exists('/var/lib/dpkg/status'), 'this is not a Debian system')
class DpkgReport(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.done = subprocess.run([os.environ['MALT_EXAMPLE']], capture_output=True, text=True,
                                  timeout=100)

    def test_succeeds(self):
        self.assertEqual(self.done.returncode, 0, self.done.stderr)
        self.assertEqual(self.done.stderr, '')

    def test_table(self):
        with open('/var/lib/dpkg/status', encoding='utf-8') as status:
            installed = sum(line == 'Status: install ok installed\n' for line in status)
        found = re.search(TIMED + r'([0-9]+) packages', self.done.stdout)
        self.assertAlmostEqual(int(found[1]), installed, delta=installed // 10)

        rows = re.findall(r'^ +(\S+) +([0-9.]+) MiB$', self.done.stdout, re.MULTILINE)
        self.assertEqual(len(rows), 10)
        sizes = [float(size) for _, size in rows]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertGreater(sizes[0], 0)

    def test_steps(self):
        pattern = (
            STEP.format(1) + TIMED + r'started, with PID [0-9]+\n.*' +
            TIMED + r"the main loop's longest pause was [0-9.]+ ms\n" +
            STEP.format(2) + TIMED + r'after the interrupt it ended: KeyboardInterrupt\n' +
            TIMED + r'the worker goes on: 6 \* 7 = 42\n' +
            STEP.format(3) + '(?:' + TIMED + r'[^\n]+\n +' + NAME +
            r' was killed by signal 11[^\n]*\n){3}' +
            STEP.format(4) + TIMED + r'started, with PID [0-9]+\n' +
            TIMED + r'it says: all is well\n')
        self.assertRegex(self.done.stdout, re.compile(r'\A' + pattern + r'\Z', re.DOTALL))


if __name__ == '__main__':
    unittest.main()
