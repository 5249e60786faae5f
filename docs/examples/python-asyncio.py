#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

# Four workers look for prime numbers while this program goes on; one of them is lost on the
# way, and its share is given to a new one.

import asyncio
import math
import os

import gi
gi.require_version('Malt', '1')
from gi.repository import Malt

STEP = 50_000


def count_primes(begin: int, end: int) -> int:
    """Runs in a worker; it is sent there as source."""
    if begin == 2 * STEP and os.environ.get('SHAKY'):
        os.abort()
    return sum(all(n % d for d in range(2, math.isqrt(n) + 1)) for n in range(max(begin, 2), end))


async def share(begin: int) -> int:
    """Counts in a worker of its own, and again in another one if that is lost."""
    for environment in {'SHAKY': '1'}, {}:
        async with await Malt.Worker.spawn_async(runtime='python', environment=environment, stderr='discard') as worker:
            try:
                return await worker.call_async(count_primes, begin, begin + STEP)
            except Malt.TerminatedWorkerException as error:
                if error.exit_info is not None:
                    print('a worker', error.exit_info.to_string())
    raise RuntimeError('lost twice')


async def main() -> None:
    shares = await asyncio.gather(*[share(begin) for begin in range(0, 4 * STEP, STEP)])
    print(sum(shares), 'primes below', 4 * STEP)


if __name__ == '__main__':
    asyncio.run(main())
