# SPDX-License-Identifier: LGPL-2.1-or-later

"""What the tests of the Python binding share."""

import gc
import os
import subprocess
import sys
import threading
import time
import unittest

import gi

gi.require_version('Malt', '1')

from gi.repository import Malt  # noqa: E402

# What workers of tests import, and some tests do as well.
CONFORMANCE = os.path.join(os.environ['G_TEST_SRCDIR'], 'conformance')
sys.path.append(CONFORMANCE)

PATIENCE = 120

# For tests that interrupt Python code in a process of its own.
CANNOT_INTERRUPT = os.environ.get('MALT_SANITIZER') == 'thread' and (
    'the thread sanitizer keeps signals back while code runs that it does not know')
interrupts_python = unittest.skipIf(CANNOT_INTERRUPT, CANNOT_INTERRUPT)


class WorkerTest(unittest.TestCase):
    """Has a worker in a process that runs Python, one for all tests of the class."""

    maxDiff = None
    keywords = {'runtime': 'python'}

    @classmethod
    def setUpClass(cls):
        cls.worker = Malt.Worker(**cls.keywords)

    @classmethod
    def tearDownClass(cls):
        cls.worker.stop()
        del cls.worker


def run_python(source, *words, check=True):
    """Runs a program in Python; its output and, if it is to succeed, nothing else."""
    prelude = "import gi\ngi.require_version('Malt', '1')\nfrom gi.repository import Malt\n"
    # Newer ones warn of fork() in a program with threads, which is what some of these try.
    done = subprocess.run([sys.executable, '-W', 'ignore:This process', '-c', prelude + source, *words],
                          capture_output=True, text=True, timeout=PATIENCE)
    if check and (done.returncode != 0 or done.stderr):
        raise AssertionError(f'{source} gave {done.returncode}: {done.stdout}{done.stderr}')
    return done


def n_descriptors():
    return len(os.listdir('/proc/self/fd'))


def comes_true(condition):
    """Whether it does; what has just ended may go a little later."""
    end = time.monotonic() + PATIENCE
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
        gc.collect()
    return condition()


def has_no_more_descriptors_than(n):
    return comes_true(lambda: n_descriptors() <= n)


def run_in_thread(function):
    """Runs a function in a thread, waits for it, and gives what it returns or raises."""
    outcome = []

    def run():
        try:
            outcome.append((function(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)
    value, error = outcome[0]
    if error is not None:
        raise error
    return value
