# SPDX-License-Identifier: LGPL-2.1-or-later

"""Runs the unit tests in one file and reports them as TAP, one line for each."""

import contextlib
import importlib.util
import os
import sys
import unittest


class TapResult(unittest.TestResult):
    def __init__(self, stream):
        super().__init__()
        self.stream = stream
        self.failed = False
        self.reported = 0

    def report(self, ok, test, comment='', details=''):
        self.failed = self.failed or not ok
        self.reported += 1
        print('ok' if ok else 'not ok', self.reported, test.id() + comment, file=self.stream)
        for line in details.splitlines():
            print('#', line, file=self.stream)
        self.stream.flush()
        if details:
            # Of a program that has failed meson shows no more than this.
            print(f'{test.id()}:\n{details}', file=sys.stderr, flush=True)

    def addSuccess(self, test):
        self.report(True, test)

    def addSkip(self, test, reason):
        self.report(True, test, ' # SKIP ' + reason)

    def addFailure(self, test, err):
        self.report(False, test, details=self._exc_info_to_string(err, test))

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.report(False, subtest, details=self._exc_info_to_string(err, test))


def main(path):
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.dirname(path))
    name = os.path.splitext(os.path.basename(path))[0].replace('-', '_')
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)

    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    result = TapResult(sys.stdout)
    # What tests print is none of the results.
    with contextlib.redirect_stdout(sys.stderr):
        suite.run(result)
    # A class that is skipped as a whole is one result, and each subtest that fails is one more.
    print(f'1..{result.reported}', flush=True)
    return 1 if result.failed else 0


if __name__ == '__main__':
    sys.exit(main(os.path.abspath(sys.argv[1])))
