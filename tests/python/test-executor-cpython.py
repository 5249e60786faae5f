# SPDX-License-Identifier: LGPL-2.1-or-later

"""CPython's own tests of executors, with Malt.Executor.

They are in Debian's package libpython3.11-testsuite, or that of another version. What does not apply is in the lists below,
with the reason.
"""

import functools
import importlib
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import types
import unittest

from binding import Malt

# Where they are since Python 3.12.
PARTS = ('util', 'executor', 'test_init', 'test_shutdown', 'test_wait', 'test_as_completed', 'test_process_pool',
         'test_deadlock')

try:
    from test import test_concurrent_futures as cpython
    modules = [cpython]
    if not hasattr(cpython, 'ExecutorMixin'):
        modules = [importlib.import_module(f'{cpython.__name__}.{part}') for part in PARTS]
        cpython = types.SimpleNamespace(**{name: value for module in modules for name, value in vars(module).items()})
except ImportError as error:
    cpython = None
    why_not = str(error)

# The tests that are not run, and why. What they test is in test-executor.py, where there is
# something of the kind.
NOT_APPLICABLE = {
    'ProcessPoolShutdownTest': {
        'test_processes_terminate': 'hands a semaphore of multiprocessing to children that inherit it',
        'test_del_shutdown': 'looks at threads and queues of ProcessPoolExecutor',
        'test_shutdown_no_wait': 'looks at threads and queues of ProcessPoolExecutor',
        'test_context_manager_shutdown': 'is about ProcessPoolExecutor by name',
    },
    'ProcessPoolExecutorTest': {
        'test_max_workers_too_large': 'is about Windows',
        'test_killed_child': 'expects the executor to be broken when a worker has died; it replaces the worker',
        'test_ressources_gced_in_workers': 'needs the secret that multiprocessing gives its own children',
        'test_saturation': 'hands a semaphore of multiprocessing to children that inherit it',
        'test_max_tasks_per_child': 'counts processes without those that end',
        'test_max_tasks_per_child_defaults_to_spawn_context': 'is about contexts of multiprocessing',
    },
    'ExecutorDeadlockTest': {
        'test_exit_at_task_unpickle': 'expects the executor to be broken; only the task fails, with what was raised',
        'test_error_at_task_unpickle': 'expects the executor to be broken; only the task fails, with what was raised',
        'test_error_during_result_unpickle_in_result_handler':
            'expects the executor to be broken; only the task fails, with a SerializationError',
        'test_exit_during_result_unpickle_in_result_handler':
            'expects the executor to be broken; only the task fails, with what was raised',
        'test_shutdown_deadlock_pickle': 'looks at threads of ProcessPoolExecutor',
    },
    'FutureTests': {None: 'is about concurrent.futures.Future without an executor'},
    'ThreadPoolExecutorTest': {None: 'is about threads'},
    'ThreadPoolShutdownTest': {None: 'is about threads'},
    'ThreadPoolWaitTests': {None: 'is about threads'},
}

# The same of tests that some versions do not have.
NEWER_NOT_APPLICABLE = {
    'ProcessPoolExecutorTest': {
        'test_python_finalization_error': 'lets threads of ProcessPoolExecutor fail',
    },
}

# For programs that a test starts.
PRELUDE = '''
import concurrent.futures, gi
gi.require_version('Malt', '1')
from gi.repository import Malt
class MaltExecutor(Malt.Executor):
    pass
concurrent.futures.MaltExecutor = MaltExecutor
'''


class MaltExecutor(Malt.Executor):
    """With what the tests look at beside the interface."""

    def __init__(self, *args, mp_context=None, **keywords):
        super().__init__(*args, **keywords)

    @property
    def _processes(self):
        return range(self.pool.n_workers)


def make_event(test):
    """For which workers can wait, as for one of multiprocessing, whose secret they do not have: of
    what can be pickled by its name."""
    folder = tempfile.mkdtemp()
    test.addCleanup(shutil.rmtree, folder)
    path = os.path.join(folder, 'set')
    wait = ['sh', '-c', 'until test -e "$0"; do sleep 0.01; done', path]
    return types.SimpleNamespace(wait=functools.partial(subprocess.check_call, wait),
                                 set=functools.partial(subprocess.check_call, ['touch', path]))


def skip(reason):
    def skipped(self):
        self.skipTest(reason)
    return skipped


def define():
    """A class for each of CPython's."""

    class MaltMixin(cpython.ExecutorMixin):
        executor_type = MaltExecutor

        def get_context(self):
            return multiprocessing.get_context('spawn')

        def create_event(self):
            return make_event(self)

    def assert_python_ok(option, source, **environment):
        return original(option, PRELUDE + source, __isolated=False, PYTHONPATH=os.environ.get('PYTHONPATH', ''),
                        **environment)

    original = cpython.assert_python_ok
    for module in modules:
        if hasattr(module, 'assert_python_ok'):
            module.assert_python_ok = assert_python_ok

    for name in ('InitializerMixin', 'FailingInitializerMixin', 'ProcessPoolShutdownTest', 'WaitTests',
                 'AsCompletedTests', 'ProcessPoolExecutorTest', 'ExecutorDeadlockTest'):
        members = {test: skip(reason) for test, reason in NOT_APPLICABLE.get(name, {}).items()}
        for test in members:
            assert hasattr(getattr(cpython, name), test), (name, test)
        members.update((test, skip(reason)) for test, reason in NEWER_NOT_APPLICABLE.get(name, {}).items()
                       if hasattr(getattr(cpython, name), test))
        if name == 'ProcessPoolExecutorTest':
            # By a name that workers can import.
            members['_test_traceback'] = cpython.ProcessPoolExecutorTest._test_traceback
        if name == 'ProcessPoolShutdownTest':
            # Else all would be dropped before the first worker is there.
            def warm_up(self):
                for future in [self.executor.submit(pow, 2, 2) for _ in range(self.worker_count)]:
                    future.result()
                super(cpython.ProcessPoolShutdownTest, self).test_cancel_futures()

            members['test_cancel_futures'] = warm_up
        globals()[name] = type(name, (getattr(cpython, name), MaltMixin, cpython.BaseTestCase), members)

    for name, tests in NOT_APPLICABLE.items():
        if None in tests:
            globals()[name] = type(name, (unittest.TestCase,), {'test_all': skip(tests[None])})


if cpython is not None:
    define()
else:
    class Missing(unittest.TestCase):
        def test_all(self):
            version = '.'.join(map(str, sys.version_info[:2]))
        self.skipTest(f'there is no libpython{version}-testsuite: {why_not}')


if __name__ == '__main__':
    unittest.main()
