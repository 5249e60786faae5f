# SPDX-License-Identifier: LGPL-2.1-or-later

"""Channels: queues of values between this program and a worker."""

import asyncio

from . import _native, aio


class ChannelMethods:
    """What Malt.Channel has beside what is in C: put(), take(), wait(), is_ready(), close()."""

    @property
    def capacity(self):
        """How many values there is room for."""
        return self.get_capacity()

    @property
    def closed(self):
        """Whether no more can be put, as far as this end has heard."""
        return self.is_closed()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *exception):
        self.close()

    def put_async(self, value, cancellable=None, callback=None, *user_data):
        """Put a value; with a callback as GIO does it, else an awaitable.

        Values are put in the order in which this was called. Cancelling the task ends the
        wait for room; what was put by then stays put.
        """
        return _begin(self, callback, user_data, 'put', value, cancellable)

    def put_finish(self, result):
        """What became of put_async(), in its callback."""
        return result.get()

    def take_async(self, cancellable=None, callback=None, *user_data):
        """Take the next value; with a callback as GIO does it, else an awaitable.

        Cancelling the task loses nothing.
        """
        if callback is None:
            return take(self, cancellable)
        return _begin(self, callback, user_data, 'take', None, cancellable)

    def take_finish(self, result):
        """The value of take_async(), in its callback."""
        return result.get()

    def wait_async(self, cancellable=None, callback=None, *user_data):
        """Wait until there is something to take; with a callback as GIO does it, else an awaitable."""
        return _begin(self, callback, user_data, 'wait', None, cancellable)

    def wait_finish(self, result):
        """What became of wait_async(), in its callback."""
        return result.get()


def _begin(channel, callback, user_data, what, value, cancellable):
    if callback is None:
        return aio.begin(_native.channel_start, channel, what, value, cancellable)
    aio.call_back(_native.channel_start, callback, user_data, channel, what, value, cancellable)


async def take(channel, cancellable=None):
    """The next value. A task that is cancelled while it waits has not taken anything."""
    while True:
        item = _native.channel_try_take(channel)
        if item is not None:
            return item[0]
        await _begin(channel, None, (), 'wait', None, cancellable)


async def take_next(closed, channel, gives_way):
    """The same for async for. Others in the loop may have their turn before."""
    if gives_way:
        await asyncio.sleep(0)
    try:
        return await take(channel)
    except closed:
        raise StopAsyncIteration from None


def open_channel(worker, module, expression, timeout, cancellable):
    """The channel that an expression in the worker gives."""
    return _native.channel_open(worker, module, expression, timeout, cancellable)


def open_channel_async(worker, module, expression, timeout, cancellable):
    """An awaitable of it."""
    return aio.begin(_native.channel_open_start, worker, module, expression, timeout, cancellable)
