# SPDX-License-Identifier: LGPL-2.1-or-later

"""A function over many values, by a pool."""

import asyncio
import collections
import concurrent.futures
import queue

from . import aio, futures


def _window_of(pool):
    """How many calls are under way: so many that no worker waits for the next."""
    return pool.max_workers * (2 * pool.props.calls_per_worker + pool.props.calls_ahead)


class _Calls:
    """The calls of a map, of which some are under way. begin() gives what stands for one."""

    def __init__(self, pool, calls, begin):
        self.calls = calls
        self.begin = begin
        self.pending = set()
        self.size = _window_of(pool)

    def begin_next(self):
        """One more, or None after the last."""
        for arguments in self.calls:
            future = self.begin(arguments)
            self.pending.add(future)
            return future
        return None

    def begin_first(self):
        first = []
        while len(first) < self.size:
            future = self.begin_next()
            if future is None:
                break
            first.append(future)
        return first

    def take(self, future):
        self.pending.discard(future)
        return future.result()

    def cancel(self):
        for future in self.pending:
            future.cancel()


def run(pool, function, arguments, limits, ordered):
    """An iterator over what the calls give. They begin now."""
    calls = _Calls(pool, arguments,
                   lambda arguments: futures.submit(pool, function, arguments, None, None, None, *limits))
    first = calls.begin_first()
    return _run_in_order(calls, first) if ordered else _run_as_they_come(calls, first)


def _run_in_order(calls, first):
    waiting = collections.deque(first)
    del first
    try:
        while waiting:
            concurrent.futures.wait([waiting[0]])
            future = calls.begin_next()
            if future is not None:
                waiting.append(future)
            del future
            yield calls.take(waiting.popleft())
    finally:
        calls.cancel()


def _run_as_they_come(calls, first):
    done = queue.SimpleQueue()
    for future in first:
        future.add_done_callback(done.put)
    n = len(first)
    first = future = None
    try:
        while n > 0:
            ready = done.get()
            future = calls.begin_next()
            if future is not None:
                future.add_done_callback(done.put)
            else:
                n -= 1
            future = None
            yield calls.take(ready)
    finally:
        calls.cancel()


async def run_async(pool, function, arguments, limits, ordered):
    """The same for async for, by the loop that runs."""
    calls = _Calls(pool, arguments, lambda arguments: aio.start(pool, function, arguments, None, None, None, *limits))
    waiting = collections.deque(calls.begin_first())
    try:
        while waiting:
            await asyncio.wait([waiting[0]] if ordered else waiting, return_when=asyncio.FIRST_COMPLETED)
            for ready in [waiting[0]] if ordered else [future for future in waiting if future.done()]:
                waiting.remove(ready)
                future = calls.begin_next()
                if future is not None:
                    waiting.append(future)
                yield calls.take(ready)
    finally:
        calls.cancel()
