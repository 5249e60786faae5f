# SPDX-License-Identifier: LGPL-2.1-or-later

"""The type stubs, the documentation strings and the examples.

MALT_STUBS is the file with the stubs, MALT_DOCS the directory with the manual."""

import ast
import inspect
import os
import pydoc
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from binding import PATIENCE, Malt, WorkerTest

MYPY = shutil.which('mypy', path='/usr/bin') or shutil.which('mypy')
STUBS = os.environ['MALT_STUBS']
DOCS = os.environ['MALT_DOCS']

# Names that are in the stubs only.
ONLY_THERE = {'ErrorCode', '_P', '_T', '_Output', '_Options', '_Level', '_Function', '_Progress'}

USES = '''
import asyncio
import concurrent.futures
import math
from gi.repository import Malt

def half(x: int) -> float:
    return x / 2

with Malt.Worker(runtime='python', environment={'A': 'b'}, stdout='discard', pickle=False, buffers='view') as worker:
    reveal_type(worker)
    reveal_type(worker.call(half, 4))
    reveal_type(worker.call('math.sqrt', 4))
    reveal_type(worker.submit(half, 4))
    reveal_type(worker.options(timeout=5).call(half, 4))
    reveal_type(worker.stop())
    try:
        worker.eval('1', timeout=0.5, module='m')
    except Malt.RemoteException as error:
        reveal_type(error.traceback)
    except TimeoutError:
        pass
    code: int = Malt.Error.REMOTE

    @worker.export
    def given(x: int) -> int:
        return x

    @worker.export('name')
    def other(x: int) -> int:
        return x

    reveal_type(given)
    with worker.channel('malt.Channel(1)', timeout=5) as channel:
        channel.put(1, timeout=0.5)
        reveal_type(channel)
        reveal_type(channel.capacity)
        for value in channel:
            reveal_type(value)
    worker.options(progress=lambda fraction, text: print(fraction, text)).call(half, 4)

with Malt.Pool(max_workers=2, runtime='python', retries=3) as pool:
    reveal_type(pool.call(half, 4))
    reveal_type(pool.options(retry=True).submit(half, 4))
    reveal_type(list(pool.map(half, [1, 2], ordered=False)))
    reveal_type(pool.n_done)

with Malt.Executor(2, timeout=5, environment={'A': 'b'}, initializer=half, initargs=(1,)) as executor:
    reveal_type(executor.submit(half, 4))
    reveal_type(executor.options(timeout=5).submit(half, 4))
    reveal_type(list(executor.map(half, [1, 2], chunksize=2)))
    try:
        executor.submit(half, 4).result()
    except concurrent.futures.BrokenExecutor:
        pass
    except Malt.TaskCrashError as crash:
        reveal_type(crash.exit_info)

async def main() -> None:
    async for value in Malt.Pool().map_async(half, [1]):
        reveal_type(value)
    worker = await Malt.Worker.spawn_async(runtime='python')
    reveal_type(await worker.call_async(half, 4))
    async for taken in await worker.channel_async('malt.Channel(1)'):
        reveal_type(taken)
    await worker.stop_async()
'''

REVEALED = ['gi.repository.Malt.Worker', 'builtins.float', 'Any', 'concurrent.futures._base.Future[builtins.float]',
            'builtins.float', 'gi.repository.Malt.StopResult', 'Union[builtins.str, None]',
            'def (x: builtins.int) -> builtins.int', 'gi.repository.Malt.Channel', 'builtins.int', 'Any',
            'builtins.float', 'concurrent.futures._base.Future[builtins.float]', 'builtins.list[builtins.float]',
            'builtins.int', 'concurrent.futures._base.Future[builtins.float]',
            'concurrent.futures._base.Future[builtins.float]', 'builtins.list[builtins.float]',
            'Union[gi.repository.Malt.ExitInfo, None]', 'builtins.float', 'builtins.float', 'Any']

MISUSES = {
    "worker.call(half, 'x')": 'arg-type|call-overload',
    'worker.call(5)': 'call-overload',
    "worker.eval('1', 5)": 'misc|call-arg',
    "Malt.Worker(colour='red')": 'call-arg',
    "Malt.Worker(stdout='nowhere')": 'arg-type',
    "worker.eval('1', timeout='5')": 'arg-type',
    "worker.channel('x').put()": 'call-arg',
    'worker.export(5)': 'call-overload|type-var',
    'worker.none_such()': 'attr-defined',
    "pool.call(half, 'x')": 'arg-type|call-overload',
    "Malt.Pool(colour='red')": 'call-arg',
    "executor.submit(half, 'x')": 'arg-type',
    'Malt.Executor(mp_context=None)': 'call-arg',
}


@unittest.skipIf(MYPY is None, 'there is no mypy')
class Mypy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.makedirs(self.path('gi', 'repository'))
        self.write('def require_version(namespace: str, version: str) -> None: ...\n', 'gi', '__init__.pyi')
        self.write('from typing import Any\nGio: Any\nGLib: Any\n', 'gi', 'repository', '__init__.pyi')
        shutil.copy(STUBS, self.path('gi', 'repository', 'Malt.pyi'))

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, text, *names):
        with open(self.path(*names), 'w', encoding='utf-8') as file:
            file.write(text)
        return self.path(*names)

    def run_mypy(self, path, *options):
        done = subprocess.run([MYPY, '--cache-dir', self.path('cache'), '--no-error-summary', *options, path],
                              capture_output=True, text=True, timeout=PATIENCE, cwd=self.folder,
                              env={**os.environ, 'MYPYPATH': self.folder})
        return done.returncode, done.stdout + done.stderr

    def test_stubs(self):
        self.assertEqual(self.run_mypy(self.path('gi', 'repository', 'Malt.pyi'), '--strict'), (0, ''))

    def test_uses(self):
        status, output = self.run_mypy(self.write(USES, 'uses.py'), '--strict')
        self.assertEqual(re.findall(r'note: Revealed type is "(.*)"', output), REVEALED, output)
        self.assertNotIn('error', output)

    def test_misuses(self):
        path = self.write(USES + '\n'.join(MISUSES) + '\n', 'misuse.py')
        status, output = self.run_mypy(path, '--strict')
        self.assertEqual(status, 1)
        first = USES.count('\n') + 1
        for line, (misuse, code) in enumerate(MISUSES.items(), first):
            self.assertRegex(output, rf'misuse.py:{line}: error: .*\[({code})\]', misuse)

    def test_examples(self):
        for name in 'python-asyncio.py', 'python-channels.py', 'python-executor.py':
            self.assertEqual(self.run_mypy(os.path.join(DOCS, 'examples', name), '--strict'), (0, ''))
        # It knows that there is an exit info after stop().
        self.assertEqual(self.run_mypy(os.path.join(DOCS, 'examples', 'python-backend.py'), '--no-strict-optional'),
                         (0, ''))
        with open(os.path.join(DOCS, '..', 'README.md'), encoding='utf-8') as file:
            blocks = re.findall(r'^```python\n(.*?)^```$', file.read(), re.MULTILINE | re.DOTALL)
        self.assertEqual(len(blocks), 2)
        for block in blocks:
            self.assertEqual(self.run_mypy(self.write(block, 'readme.py')), (0, ''))


class Names(unittest.TestCase):
    def test_what_the_stubs_have_is_there(self):
        with open(STUBS, encoding='utf-8') as file:
            tree = ast.parse(file.read())
        for node in tree.body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name not in ONLY_THERE:
                self.check(Malt, node)

    def check(self, owner, node):
        self.assertTrue(hasattr(owner, node.name), (owner, node.name))
        found = getattr(owner, node.name)
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                if isinstance(member, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    self.check(found, member)
                elif isinstance(member, ast.Assign):
                    for target in member.targets:
                        self.assertTrue(hasattr(found, target.id), (node.name, target.id))
        else:
            self.check_signature(found, node)

    def check_signature(self, function, node):
        """That the names of the arguments are those, where Python knows them."""
        if any(ast.unparse(decorator) == 'overload' for decorator in node.decorator_list):
            return
        if not inspect.isroutine(function) or node.name.startswith('__') or node.args.vararg or node.args.kwarg:
            return
        try:
            signature = inspect.signature(function)
        except ValueError:
            return
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        expected = [argument.arg for argument in arguments if argument.arg not in ('self', 'cls')]
        kinds = [parameter.kind for parameter in signature.parameters.values()]
        if inspect.Parameter.VAR_POSITIONAL not in kinds and inspect.Parameter.VAR_KEYWORD not in kinds:
            self.assertEqual([name for name in signature.parameters if name not in ('self', 'cls')], expected, node.name)


class Help(WorkerTest):
    def test_help(self):
        text = pydoc.plain(pydoc.render_doc(Malt.Worker))
        for pattern in (r"Malt\.Worker\(runtime='python'\) starts one", r'call\(self, function, /, \*args, \*\*kwargs\)',
                        r'Call a function in the worker, wait for it', r'submit\(self, function',
                        r'eval\(self, source, \*, module=None, timeout=None, cancellable=None\)'):
            self.assertRegex(text, pattern)

    def test_everything_is_documented(self):
        for class_ in (Malt.Worker, Malt.CallOptions, Malt.Launcher, Malt.AsyncResult, Malt.Channel, Malt.ChannelClosed, Malt.Error, Malt.RemoteException,
                       Malt.TerminatedWorkerException, Malt.Pool, Malt.Executor, Malt.ExecutorOptions,
                       Malt.TaskCrashError, Malt.BrokenExecutorError, Malt.TaskPicklingError, type(self.worker.submit('abs', 1))):
            self.assertTrue(class_.__doc__, class_)
            for name, member in vars(class_).items():
                if not name.startswith('_') and callable(member) and name not in ('cancel', 'done', 'result', 'exception'):
                    self.assertTrue(member.__doc__, (class_, name))


if __name__ == '__main__':
    unittest.main()
