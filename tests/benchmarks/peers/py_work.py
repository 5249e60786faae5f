# SPDX-License-Identifier: LGPL-2.1-or-later

"""The functions that the Python workers run, importable on both sides."""
import os
from multiprocessing import shared_memory

_arrays = {}


def array(size):
    """The worker's own bytes of that size."""
    if size not in _arrays:
        _arrays[size] = bytes(os.urandom(4096)) * (size // 4096 + 1)
        _arrays[size] = _arrays[size][:size]
    return _arrays[size]


def numbers(size):
    """An array of NumPy of that many bytes, or None if there is no NumPy."""
    try:
        import numpy
    except ImportError:
        return None
    return numpy.frombuffer(array(size), 'f8').copy()


def inc(x):
    return x + 1


def echo(data):
    return data


def length(data):
    return len(data)


def pid(_=None):
    return os.getpid()


def fetch_new_shm(size):
    """Copies the worker's own bytes into a new shared block; its name."""
    block = shared_memory.SharedMemory(create=True, size=size)
    block.buf[:size] = array(size)
    name = block.name
    block.close()
    return name


_own = {}


def fetch_own_shm(size):
    """The name of a block that already holds the bytes."""
    if size not in _own:
        _own[size] = shared_memory.SharedMemory(create=True, size=size)
        _own[size].buf[:size] = array(size)
    return _own[size].name


def drop_own_shm(_=None):
    for block in _own.values():
        block.close()
        block.unlink()
    _own.clear()


def length_shm(name_and_size):
    name, size = name_and_size
    block = shared_memory.SharedMemory(name=name)
    n = len(block.buf[:size])
    block.close()
    return n


def serve(conn):
    """(function, argument, wants an answer) until None."""
    while True:
        request = conn.recv()
        if request is None:
            return
        func, arg, answer = request
        result = func(arg)
        if answer:
            conn.send(result)
