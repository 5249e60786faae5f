# SPDX-License-Identifier: LGPL-2.1-or-later
"""Channels of the conformance suite, for Python workers: see native-channels.c."""

import builtins
import os
import pathlib
import signal
import threading

import malt

channels = {}


def make(name, capacity):
    channels[name] = malt.Channel(capacity)


def put(name, value):
    channels[name].put(value)


def try_put(name, value):
    try:
        channels[name].put(value, 0)
    except TimeoutError:
        return False
    return True


def put_bytes(name, size):
    channels[name].put(bytes(size))


def take(name):
    return channels[name].take()


def take_and_mark(name, mark):
    channels[name].take()
    pathlib.Path(mark).touch()


def try_take(name):
    try:
        return channels[name].take(timeout=0)
    except TimeoutError:
        return None


def is_ready(name):
    return channels[name].is_ready()


def is_closed(name):
    return channels[name].closed


def close(name):
    channels[name].close()


def sum(name):
    return builtins.sum(channels[name])


async def sum_async(name):
    total = 0
    async for value in channels[name]:
        total += value
    return total


def produce(name, first, count):
    for number in range(first, first + count):
        channels[name].put(number)
    channels[name].close()


async def produce_async(name, first, count):
    for number in range(first, first + count):
        await channels[name].put_async(number)
    channels[name].close()


async def take_async(name):
    return await channels[name].take_async()


def echo(first, second):
    def run():
        for value in channels[first]:
            channels[second].put(value)
        channels[second].close()
    threading.Thread(target=run).start()


def put_and_die(name, count):
    for number in range(count):
        channels[name].put(number)
    os.kill(os.getpid(), signal.SIGKILL)


_threads = []
_taken = []


def share(name, count):
    """Numbers that threads of the worker take as well."""
    def put():
        for number in range(count):
            channels[name].put(number)
        channels[name].close()

    def take():
        _taken.extend(channels[name])
    _threads[:] = [threading.Thread(target=target) for target in (put, take, take)]
    for thread in _threads:
        thread.start()


def collect():
    for thread in _threads:
        thread.join()
    return len(_taken), builtins.sum(_taken)
