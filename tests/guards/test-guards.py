# SPDX-License-Identifier: LGPL-2.1-or-later

"""What a call costs that can be counted: system calls, sleeps, page faults, bytes that go
through the kernel, instructions.

Each count is that of many calls less that of few, divided by how many they were more, so
that start and end cancel out.  baseline.txt says how much each may be.
"""

import functools
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

# How to wait, which decides most of it.  With 'spins' nobody sleeps while it waits for the
# other side, however long that takes here.
ENVIRONMENTS = {
    'spins': {'MALT_SPIN': '1000000'},
    'sleeps': {'MALT_SPIN': '0'},
    'socket': {'MALT_SPIN': '0', 'MALT_RING': '0'},
}

# How many calls: few, and many.
NUMBERS = {
    'strace': (300, 1300),
    'strace-large': (5, 25),
    'callgrind': (1000, 3000),
    'callgrind-large': (5, 25),
    'callgrind-asleep': (200, 600),
    'plain': (1000, 6000),
    'plain-huge': (1, 4),
}

# Whether one side is asleep already when it is its turn would be chance.
ASLEEP = ('blocking', 'single', 'among-others')

# What guard-calls takes for large.
SIZES = {'fetch': 1_000_000, 'send': 1_000_000, 'fetch-huge': 40_000_000, 'send-huge': 40_000_000}

# So that a copy is the same instructions on every processor.
PLAIN_PROCESSOR = 'glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM'

ATTEMPTS = 5

# What may be added in any case, for each call: a clock tick, a page of the heap.  How many
# calls fit into one system call is also a matter of who comes first.
SLACK = 0.02
SLACK_OF_MANY = 0.1
OF_MANY = ('pipelined', 'forgotten')

TRANSFERS = re.compile(r'(?:read|write|recv|send|pread|pwrite|splice)\w*\(.* = (\d+)')


def run_calls(kind, n, waiting, before=(), options=(), **environment):
    """What guard-calls prints about itself."""
    command = [*before, os.environ['MALT_GUARD_CALLS'], *options, kind, str(n)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120,
                             env={**os.environ, **ENVIRONMENTS[waiting], **environment})
    lines = [line for line in process.stdout.splitlines() if line.startswith('{')]
    if process.returncode != 0 or not lines:
        raise AssertionError(f'{" ".join(command)}: exit status {process.returncode}\n{process.stderr[-2000:]}')
    return json.loads(lines[-1])


def per_call(count, kind, numbers):
    """The difference of two counts, which are dictionaries, for each call."""
    few, many = numbers
    least, most = count(few), count(many)
    return {name: (most[name] - least[name]) / (many - few) for name in most}


def numbers_for(how, kind):
    if kind.endswith('-huge'):
        return NUMBERS[how + '-huge']
    if kind in ASLEEP and how == 'callgrind':
        return NUMBERS[how + '-asleep']
    return NUMBERS[how + '-large' if kind in SIZES else how]


# Each way to count gives {'manager': …, 'worker': …} for each call.

@functools.cache
def count_plain(kind, waiting):
    return per_call(lambda n: run_calls(kind, n, waiting), kind, numbers_for('plain', kind))


def count_sleeps(kind, waiting):
    counts = count_plain(kind, waiting)
    return {'manager': counts['manager-sleeps'], 'worker': counts['worker-sleeps']}


def count_faults(kind, waiting):
    """For each page of the value."""
    counts = count_plain(kind, waiting)
    pages = SIZES[kind] / os.sysconf('SC_PAGESIZE')
    return {'manager': counts['manager-faults'] / pages, 'worker': counts['worker-faults'] / pages}


@functools.cache
def trace(kind, waiting):
    """The system calls of both sides, and the bytes that these carried."""
    def count(n):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'trace')
            command = ['strace', '-f', '-qq', '-s', '0', '-e', 'signal=none', '-o', path]
            try:
                run_calls(kind, n, waiting, before=command)
            except AssertionError as error:
                # strace itself fails now and then where a process ends while it looks.
                if 'strace: ptrace(' not in str(error):
                    raise
                run_calls(kind, n, waiting, before=command)
            return read_trace(path)
    return per_call(count, kind, numbers_for('strace', kind))


def read_trace(path):
    """Counts by process.  Threads are told from processes by the flags of clone()."""
    process_of = {}
    counts = {}
    unfinished = {}
    first = None
    with open(path, encoding='utf-8', errors='replace') as lines:
        for line in lines:
            thread, _, text = line.partition(' ')
            text = text.strip()
            if first is None:
                first = thread
                process_of[thread] = thread
            if text.endswith('<unfinished ...>'):
                unfinished[thread] = text
                continue
            if text.startswith('<...'):
                text = unfinished.pop(thread, '') + text
            made = re.match(r'(?:clone3?|v?fork)\(.*= (\d+)$', text)
            if made:
                owner = process_of.get(thread, first)
                process_of[made.group(1)] = owner if 'CLONE_THREAD' in text else made.group(1)
            counts.setdefault(thread, [0, 0])[0] += 1
            carried = TRANSFERS.match(text)
            if carried:
                counts[thread][1] += int(carried.group(1))

    result = {'manager': 0, 'worker': 0, 'manager-bytes': 0, 'worker-bytes': 0}
    for thread, (calls, carried) in counts.items():
        # The line of a thread may come before that of its making.
        side = 'manager' if process_of.get(thread, thread) == first else 'worker'
        result[side] += calls
        result[side + '-bytes'] += carried
    return result


def count_system_calls(kind, waiting):
    counts = trace(kind, waiting)
    return {'manager': counts['manager'], 'worker': counts['worker']}


def count_bytes(kind, waiting):
    """For each byte of the value."""
    counts = trace(kind, waiting)
    return {'manager': counts['manager-bytes'] / SIZES[kind],
            'worker': counts['worker-bytes'] / SIZES[kind]}


def read_instructions(path):
    with open(path, encoding='utf-8', errors='replace') as lines:
        for line in lines:
            if line.startswith(('summary:', 'totals:')):
                return int(line.split()[1])
    raise AssertionError(f'callgrind has counted nothing in {path}')


def count_instructions(kind, waiting):
    """One side after the other."""
    valgrind = ['valgrind', '--quiet', '--tool=callgrind']

    def of_manager(n):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'manager')
            run_calls(kind, n, waiting, before=[*valgrind, '--callgrind-out-file=' + path],
                      options=['--late'] if kind in ASLEEP else [],
                      LD_PRELOAD=os.environ['MALT_GUARD_SHIM'], GLIBC_TUNABLES=PLAIN_PROCESSOR)
            return {'manager': read_instructions(path)}

    def of_worker(n):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'worker')
            program = os.path.join(folder, 'program')
            with open(program, 'w', encoding='utf-8') as script:
                script.write('#!/bin/sh\nGLIBC_TUNABLES={} exec {} --callgrind-out-file={} {} "$@"\n'.format(
                    PLAIN_PROCESSOR, ' '.join(valgrind), path, os.environ['MALT_GUARD_WORKER']))
            os.chmod(program, 0o755)
            run_calls(kind, n, waiting, options=['--stop', '--program', program,
                                                 *(['--pause'] if kind in ASLEEP else [])])
            return {'worker': read_instructions(path)}

    numbers = numbers_for('callgrind', kind)
    return {**per_call(of_manager, kind, numbers), **per_call(of_worker, kind, numbers)}


COUNTERS = {
    'system-calls': count_system_calls,
    'sleeps': count_sleeps,
    'page-faults': count_faults,
    'bytes': count_bytes,
    'instructions': count_instructions,
}


def forget():
    count_plain.cache_clear()
    trace.cache_clear()


def count_some_times(count, kind, waiting):
    """The most of some times: how much is done at once depends on who comes first.  Of
    instructions the least: a wake-up that comes too late is one turn of a loop for nothing,
    which is chance, more often seen where everything is slow, and can only add to them."""
    choose = min if count == 'instructions' else max
    counts = []
    for _ in range(3):
        counts.append(COUNTERS[count](kind, waiting))
        forget()
    return {side: choose(value[side] for value in counts) for side in ('manager', 'worker')}


# The baseline: what is in the way of a count, and what it may be.

def build():
    """What the number of instructions depends on."""
    glib = subprocess.run(['pkg-config', '--modversion', 'glib-2.0'], capture_output=True, text=True).stdout.strip()
    return f'{platform.machine()} {os.environ["MALT_GUARD_BUILD"]} glib-{glib}'


def find_obstacle(count, kind, recorded_build):
    """Why this cannot be counted here, or None."""
    if kind == 'introspected' and os.environ['MALT_GUARD_INTROSPECTED'] != '1':
        return 'introspected functions cannot be called'
    if os.environ['MALT_GUARD_BUILD'].split()[-1] != 'none':
        return 'a sanitizer does things of its own'
    if count in ('system-calls', 'bytes'):
        if not shutil.which('strace'):
            return 'no strace'
        if subprocess.run(['strace', '-qq', '-o', os.devnull, 'true'], capture_output=True).returncode:
            return 'strace may not trace here'
    if count == 'instructions':
        if not shutil.which('valgrind'):
            return 'no valgrind'
        if recorded_build != build():
            return f'recorded with {recorded_build}, and this is {build()}'
    return None


def read_baseline():
    """The build, and [count, kind, waiting, side, expected, tolerance in %]."""
    recorded_build, rows = '', []
    with open(os.environ['MALT_GUARD_BASELINE'], encoding='utf-8') as lines:
        for line in lines:
            if line.startswith('# build:'):
                recorded_build = line.partition(':')[2].strip()
            elif line.strip() and not line.startswith('#'):
                *names, expected, tolerance = line.split()
                rows.append([*names, float(expected), float(tolerance.rstrip('%'))])
    return recorded_build, rows


class Guards(unittest.TestCase):
    pass


def slack_of(kind):
    return SLACK_OF_MANY if kind in OF_MANY else SLACK


def limit_of(kind, expected, tolerance):
    return expected * (1 + tolerance / 100) + slack_of(kind)


def make_test(count, kind, waiting, rows, recorded_build):
    def test(self):
        obstacle = find_obstacle(count, kind, recorded_build)
        if obstacle:
            self.skipTest(obstacle)

        # What another program does here at the same time, and who comes first, may add to a
        # count; what a call really costs is there each time.
        for left in reversed(range(ATTEMPTS)):
            counts = COUNTERS[count](kind, waiting)
            too_many = [
                f'{count} of the {side}, {kind}, {waiting}: {counts[side]:.3f} for each, '
                f'and {limit_of(kind, expected, tolerance):.3f} are allowed'
                for *_, side, expected, tolerance in rows
                if counts[side] > limit_of(kind, expected, tolerance)]
            if not too_many or left == 0:
                break
            forget()
        self.assertEqual(too_many, [])

        for *_, side, expected, tolerance in rows:
            steady = kind not in OF_MANY and count != 'sleeps'
            if steady and counts[side] < expected * (1 - tolerance / 100) - slack_of(kind):
                print(f'# {side}: {counts[side]:.3f} are less than the {expected:g} expected; tighten the table')
    return test


def add_tests():
    recorded_build, rows = read_baseline()
    for count, kind, waiting in dict.fromkeys(tuple(row[:3]) for row in rows):
        name = f'test_{count}_{kind}_{waiting}'.replace('-', '_')
        own = [row for row in rows if tuple(row[:3]) == (count, kind, waiting)]
        setattr(Guards, name, make_test(count, kind, waiting, own, recorded_build))


def record():
    """Writes the table again, with what is counted now.  Its comments, order and tolerances
    stay as they are."""
    path = os.environ['MALT_GUARD_BASELINE']
    with open(path, encoding='utf-8') as lines:
        text = lines.read().splitlines()
    counted = {}
    for i, line in enumerate(text):
        if line.startswith('# build:'):
            text[i] = f'# build: {build()}'
        if not line.strip() or line.startswith('#'):
            continue
        count, kind, waiting, side, _, tolerance = line.split()
        obstacle = find_obstacle(count, kind, build())
        if obstacle:
            print(f'{count}: {obstacle}; it stays as it was', file=sys.stderr)
            continue
        if (count, kind, waiting) not in counted:
            counted[count, kind, waiting] = count_some_times(count, kind, waiting)
        value = counted[count, kind, waiting][side]
        shown = f'{value:.0f}' if value >= 1000 else f'{max(value, 0):.2f}'
        text[i] = f'{count:<13} {kind:<10} {waiting:<8} {side:<8} {shown:>8} {tolerance:>6}'
        print(text[i], flush=True)
    with open(path, 'w', encoding='utf-8') as file:
        file.write('\n'.join(text) + '\n')


if __name__ == '__main__':
    if sys.argv[1:] != ['--record']:
        sys.exit('usage: test-guards.py --record')
    record()
else:
    add_tests()
