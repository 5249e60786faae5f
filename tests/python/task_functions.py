# SPDX-License-Identifier: LGPL-2.1-or-later

"""What the tests of pools and executors have workers do."""

import collections
import os
import sys
import time

state = {}


def remember(key, value):
    state[key] = value


def recall(key):
    return state.get(key)


def pid(*_):
    return os.getpid()


def crash(*_):
    os.abort()


def leave(*_):
    os._exit(3)


def crash_if(value):
    if value < 0:
        os.abort()
    return value


def nap(seconds, value=None):
    time.sleep(seconds)
    return value


def spin_for_ever():
    while True:
        try:
            while True:
                pass
        except KeyboardInterrupt:
            pass


def crash_once(path):
    """Crashes the first worker that is asked."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return os.getpid()
    os.abort()


def fail(text='failed'):
    raise ValueError(text, 7)


def fail_if(value):
    if value < 0:
        raise ValueError(value)
    return value


def meet(directory, n):
    """Waits for others: each of them has to run in a worker of its own."""
    open(os.path.join(directory, str(os.getpid())), 'w').close()
    while len(os.listdir(directory)) < n:
        time.sleep(0.01)
    return os.getpid()


class Point:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __eq__(self, other):
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)

    def flip(self):
        return Point(self.y, self.x)


Pair = collections.namedtuple('Pair', 'left right')


class FailsThere:
    """Raises where it is unpickled."""

    def __init__(self, reason):
        self.reason = reason

    def __reduce__(self):
        return raise_it, (self.reason,)


def raise_it(reason):
    raise reason


class Stubborn(Exception):
    """Pickled, but not to be made again."""

    def __init__(self, first, second):
        super().__init__(f'{first} and {second}')
        self.first = first


class Holding(Exception):
    """Has what cannot be pickled."""

    def __init__(self, text):
        super().__init__(text)
        self.frame = sys._getframe()


def fail_stubbornly():
    raise Stubborn(1, 2)


def fail_holding():
    raise Holding('held')


def fail_locally():
    class Local(Exception):
        pass
    raise Local('only here')


def give_generator():
    yield 1


def describe(*args, **kwargs):
    """What became of large values: type, size, ends, and whether the first two are one."""
    values = [*args, *kwargs.values()]
    return ([(type(value).__name__, len(value), bytes(value[:2]), bytes(value[-2:])) for value in values],
            len(values) > 1 and values[0] is values[1])


async def coroutine():
    return 1
