#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

# Looks for the longest run of numbers, as Collatz's rule gives them, that begins below a bound.
# One share of the work crashes its worker, one takes too long; the others do not mind.

import ctypes
import time

import gi
gi.require_version('Malt', '1')
from gi.repository import Malt

STEP = 5_000


def steps(number: int) -> int:
    n = 0
    while number != 1:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        n += 1
    return n


def longest(begin: int) -> tuple[int, int]:
    """Runs in a worker, and is sent there as source, with steps()."""
    if begin == STEP:
        ctypes.string_at(0)
    if begin == 2 * STEP:
        time.sleep(600)
    return max((steps(number), number) for number in range(max(begin, 1), begin + STEP))


def main() -> None:
    with Malt.Executor(max_workers=2, timeout=5, stderr='discard') as executor:
        futures = [executor.submit(longest, begin) for begin in range(0, 6 * STEP, STEP)]
        found = []
        for future in futures:
            try:
                found.append(future.result())
            except Malt.TaskCrashError as error:
                print('a share', error.exit_info.to_string() if error.exit_info else 'was lost')
            except TimeoutError:
                print('a share took too long')
        print('{1} takes {0} steps'.format(*max(found)))
        print(sum(executor.map(steps, range(1, 1000), chunksize=100)), 'steps below 1000')


if __name__ == '__main__':
    main()
