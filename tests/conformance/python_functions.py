# SPDX-License-Identifier: LGPL-2.1-or-later
"""The functions of the conformance suite, for Python workers."""

import asyncio
import builtins
import collections
import itertools
import operator
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

_stored = None


def add(a, b):
    return a + b


def subtract(*, a, b):
    return a - b


def echo(value):
    return value


def nothing():
    pass


def bytes(size):
    return bytearray(i & 0xff for i in range(size))


def length(data):
    return len(data)


def put(value):
    global _stored
    _stored = value


def get():
    return _stored


def fail(text):
    raise RuntimeError(text)


def sleep(msec):
    time.sleep(msec / 1000)


async def later(msec, value):
    await asyncio.sleep(msec / 1000)
    return value


async def later_never():
    await asyncio.Event().wait()


def spin(mark):
    pathlib.Path(mark).touch()
    while True:
        pass


def sleep_on(mark):
    pathlib.Path(mark).touch()
    time.sleep(1_000_000)


def sleep_late(mark):
    """Sleeps after something else for which it leaves no time between to raise an exception."""
    pathlib.Path(mark).touch()
    late = itertools.islice(itertools.repeat(1_000_000), 20_000_000, None)
    collections.deque(map(time.sleep, late), maxlen=0)


def sleep_much_later(mark, end_mark):
    """The same, but what comes before it takes until there is a file."""
    pathlib.Path(mark).touch()
    ends = map(os.access, itertools.repeat(end_mark), itertools.repeat(os.F_OK))
    late = map(operator.mul, filter(None, ends), itertools.repeat(1_000_000))
    collections.deque(map(time.sleep, late), maxlen=0)


def catch(mark):
    try:
        spin(mark)
    except KeyboardInterrupt:
        return "caught"


# any() of what is no Python code: an interrupt finds nothing to break off but what is around it.
def be_deaf(mark, end_mark):
    ends = map(os.access, itertools.repeat(end_mark), itertools.repeat(os.F_OK))
    while True:
        try:
            pathlib.Path(mark).touch()
            any(ends)
            return
        except KeyboardInterrupt:
            pass


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def crash_once(mark):
    if not os.path.exists(mark):
        pathlib.Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


def exit(code):
    os._exit(code)


def print(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def print_text(text):
    builtins.print(text, flush=True)


def print_error(text):
    sys.stderr.write(text)
    sys.stderr.flush()


def print_many(count, text):
    sys.stdout.write(text * count)
    sys.stdout.flush()


def print_bytes(data):
    sys.stdout.buffer.write(data)
    sys.stdout.flush()


def print_both(count, pause, text):
    for i in range(count):
        print(f"{text} {i}\n")
        print_error(f"{text} {i}\n")
        time.sleep(pause / 1_000_000)


def allocate(size):
    memory = bytearray(size)
    for place in range(0, size, 4096):
        memory[place] = 1


def ignore_term():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def fork_child():
    return subprocess.Popen(["/bin/sleep", "1000"]).pid


def environment():
    return [name + "=" + value for name, value in os.environ.items()]


def descriptors():
    """The open descriptors, without that of the folder that is read."""
    result = []
    for name in os.listdir("/proc/self/fd"):
        try:
            result.append((int(name), os.readlink("/proc/self/fd/" + name)))
        except OSError:
            pass
    return result


def working_directory():
    return os.getcwd()


def process_group():
    return os.getpgrp()


def nested(depth):
    """A worker of this worker does the same with one less."""
    import gi
    gi.require_version("Malt", "1")
    from gi.repository import GLib, Malt

    if depth == 0:
        return 0

    launcher = Malt.Launcher.new("process", "python")
    launcher.set_search_path([os.path.dirname(__file__)])
    for name in ("GI_TYPELIB_PATH", "LD_LIBRARY_PATH", "MALT_MODULE_PATH"):
        if name in os.environ:
            launcher.setenv(name, os.environ[name])
    worker = launcher.spawn(None)
    value = worker.remote_call_fetch("python_functions.nested",
                                     GLib.Variant("(x)", (depth - 1,)), None,
                                     Malt.TIMEOUT_DEFAULT, None)
    worker.stop(-1, -1, None)
    # It is Python's own already where the override is found.
    return 1 + (value.unpack() if isinstance(value, GLib.Variant) else value)


def host(name, arguments, **keywords):
    return malt.host[name](*arguments, **keywords)


def host_error(name, arguments):
    try:
        malt.host[name](*arguments)
    except malt.HostError as error:
        domain = {"MaltError": "malt", "g-io-error-quark": "io"}.get(error.domain, "?")
        return [domain, str(error.code), error.type or "", error.message]


async def host_later(name, arguments):
    return await malt.host_async[name](*arguments)


def host_in_threads(name, n_threads, count):
    results = []

    def run(first):
        results.append(sum(malt.host[name](first + i) for i in range(count)))

    threads = [threading.Thread(target=run, args=(i * count,)) for i in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(results)


def host_large_in_threads(name, size):
    results = []
    threads = [threading.Thread(target=lambda: results.append(malt.host[name](bytearray(size)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(results)


_begun = []


async def host_begin(name, count):
    _begun.extend(malt.host_async[name]() for _ in range(count))


def progress(fraction, text):
    malt.progress(fraction if fraction >= 0 else None, text)
    return fraction, text


def progress_steps(count):
    for i in range(1, count + 1):
        malt.progress(i / count, f"step {i}")
