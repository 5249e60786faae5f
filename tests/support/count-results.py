# SPDX-License-Identifier: LGPL-2.1-or-later

"""Counts the results of test runs: every test of every program, not only programs.

count-results.py BROKEN BUILD...: BROKEN builds could not be tested; each is a failure.
"""

import json
import os
import re
import sys
import xml.etree.ElementTree

# What a test printed may have characters that XML has no way to write.
NOT_XML = re.compile('[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]')

GOOD = ('OK', 'SKIP', 'EXPECTEDFAIL')


def count(build):
    """How many passed, failed and were skipped, with a line for each failure."""
    logs = os.path.join(build, 'meson-logs')
    passed, failed, skipped = 0, [], 0
    suites = {}

    try:
        with open(os.path.join(logs, 'testlog.junit.xml'), encoding='utf-8', errors='replace') as text:
            results = xml.etree.ElementTree.fromstring(NOT_XML.sub('?', text.read()).encode())
        for suite in results.iter('testsuite'):
            suites[suite.get('name').split('.', 1)[-1]] = suite
        with open(os.path.join(logs, 'testlog.json'), encoding='utf-8') as lines:
            programs = [json.loads(line) for line in lines]
    except (OSError, ValueError, xml.etree.ElementTree.ParseError) as error:
        return 0, [f'{build}: there is no result: {error}'], 0

    cases = {}
    for name, suite in suites.items():
        for case in suite.iter('testcase'):
            if case.find('skipped') is not None:
                skipped += 1
            elif case.find('failure') is not None or case.find('error') is not None:
                cases.setdefault(case.get('classname', name).split('.', 1)[-1], []).append(case.get('name'))
            else:
                passed += 1

    for failures in cases.values():
        failed += [f'{build}: {name}' for name in failures]

    # A program that crashes or hangs in the middle has failed, whatever it had passed.
    for program in programs:
        name = program['name'].split(' / ')[-1].split(':')[-1]
        if program['result'] not in GOOD and name not in cases:
            failed.append(f'{build}: {name}: {program["result"]}')

    if passed + len(failed) + skipped == 0:
        failed.append(f'{build}: no test was run')
    return passed, failed, skipped


def main(broken, builds):
    passed, failures, skipped = 0, [], 0
    for build in builds:
        some_passed, some_failed, some_skipped = count(build)
        print(f'{build}: {some_passed} passed, {len(some_failed)} failed, {some_skipped} skipped')
        passed += some_passed
        failures += some_failed
        skipped += some_skipped

    for failure in failures:
        print('failed:', failure)
    failed = len(failures) + broken
    print(f'{passed} passed, {failed} failed, {skipped} skipped')
    return 0 if failed == 0 and passed > 0 else 1


if __name__ == '__main__':
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
