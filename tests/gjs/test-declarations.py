# SPDX-License-Identifier: LGPL-2.1-or-later

"""The declarations for TypeScript, checked by its compiler against uses, misuses and examples.

MALT_DECLARATIONS is the file with them, MALT_DOCS the directory with the manual, MALT_TSC where
the compiler is put."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
DECLARATIONS = os.environ['MALT_DECLARATIONS']
DOCS = os.environ['MALT_DOCS']
FOLDER = os.environ['MALT_TSC']
PATIENCE = 240

# The compiler finds other things from one version to the next.
VERSION = '5.4.5'

USES = '''
import Gio from 'gi://Gio?version=2.0';
import GLib from 'gi://GLib?version=2.0';
import Malt from 'gi://Malt?version=1';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
function is<A, B>(same: Same<A, B>) {}

const half = (x: number) => x / 2;
const later = async (x: string) => [x];

const pool = Malt.Pool.create({runtime: 'gjs', maxWorkers: 2, initializer: 'f', initializerArguments: [1]});
const worker = await Malt.Worker.spawn({runtime: 'gjs', environment: {A: 'b'}, stdout: 'discard', callTimeout: 5,
    runtimeOptions: {a: true}, cancellable: new Gio.Cancellable()});
is<typeof worker, Malt.Worker>(true);
const halved = await worker.call(half, 4);
is<typeof halved, number>(true);
const texts = await worker.options({timeout: 5}).call(later, 'x');
is<typeof texts, string[]>(true);
const sum = await worker.call((x: number, y = 5) => x + y, 1);
is<typeof sum, number>(true);
const sums = await Promise.all([worker.call((x, y) => x + y, 1, 2), worker.call((x = 1) => x), pool.call((x, y = 1) => x + y, 1),
    worker.call((a, b, c, d) => a + b + c + d, 1, 2, 3, 4), pool.map((x: number, y = 5) => x + y, [1]).then(all => all[0])]);
is<typeof sums, [number, number, number, number, number]>(true);
worker.do((x: number, y = 5) => x + y, 1);
worker.do(() => 1);
const anything = await worker.call('Math.max', 1, 2);
is<typeof anything, any>(true);
await worker.eval('1', {timeout: 500, module: 'm'});
worker.do('f', 1);
worker.export('f', (a: number) => a + 1);
worker.export(null, request => request.resolve([request.get_function(), request.stalls()]));
await worker.callExported('f', [1], {keywords: {a: 1}, stalls: true, variant: true});
worker.connect('output', (from, request, stream, bytes) => is<typeof bytes, Uint8Array>(true));
worker.connect('progress', (from, request, fraction, text) => is<typeof text, string>(true));
for await (const value of await worker.channel('c'))
    print(value);
try {
    await worker.eval('1');
} catch (error) {
    if (error instanceof Malt.TerminatedError)
        is<typeof error.exitInfo, Malt.ExitInfo | null>(true);
    else if (error instanceof Malt.RemoteError)
        is<typeof error.remoteStack, string | null>(true);
    else if (error instanceof Malt.Error)
        print(error.code === Malt.Error.TIMEOUT, error.message);
}
const error: GLib.Error = new Malt.TimeoutError('x');
const result = await worker.stop({exitTimeout: 5});
is<typeof result, Malt.StopResult>(true);

const values = await pool.map(half, [1, 2]);
is<typeof values, number[]>(true);
for await (const value of pool.map(later, new Set(['a']), {ordered: false}))
    is<typeof value, string[]>(true);
const outcomes = await pool.map(half, [1], {settled: true});
is<typeof outcomes, PromiseSettledResult<number>[]>(true);
for await (const value of pool.map(half, (async function* () { yield 1; })()))
    is<typeof value, number>(true);
await pool.shutdown({dropQueued: true});

const web = new Malt.WebWorker('postMessage(1)', {name: 'w', type: 'module'});
web.onmessage = ({data}) => print(data);
web.addEventListener('error', event => print(event.message, event.lineno), {once: true});
web.postMessage([1]);
web.terminate();
'''

MISUSES = {
    "worker.call(half, 'x');": 2769,
    'worker.call(5);': 2769,
    'worker.call(half);': 2769,
    'worker.call((x: number, y: number) => x + y, 1);': 2769,
    "worker.call((x: number, y = 5) => x + y, 1, 'a');": 2322,
    "worker.do(half, 'x');": 2769,
    "worker.eval('1', 5);": 2559,
    "worker.eval('1', {timeout: '5'});": 2322,
    "Malt.Worker.spawn({colour: 'red'});": 2353,
    "Malt.Worker.spawn({stdout: 'nowhere'});": 2322,
    'worker.none_such();': 2339,
    "worker.export('f', 5);": 2769,
    "worker.export(null, (a: number) => a + 1);": 2769,
    "worker.callExported(null);": 2345,
    "pool.map(half, ['x']);": 2769,
    "web.addEventListener('none', () => {});": 2769,
    'new Malt.RemoteError(5);': 2345,
}


def find_compiler():
    """The compiler, or why there is none."""
    program = os.path.join(FOLDER, 'node_modules', '.bin', 'tsc')
    npm = shutil.which('npm')
    if os.path.exists(program):
        return program
    if npm is None or shutil.which('node') is None:
        raise unittest.SkipTest('there is no npm')
    os.makedirs(FOLDER, exist_ok=True)
    done = subprocess.run([npm, 'install', '--prefix', FOLDER, '--no-audit', '--no-fund', '--no-save', '--fetch-retries=1',
                           '--fetch-timeout=20000', f'typescript@{VERSION}'], capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode != 0 or not os.path.exists(program):
        reason = (done.stderr.strip().splitlines() or ['?'])[0]
        raise unittest.SkipTest(f'npm cannot get TypeScript: {reason}')
    return program


class Declarations(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.compiler = find_compiler()

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return path

    def run_compiler(self, *paths):
        done = subprocess.run([self.compiler, '--noEmit', '--strict', '--pretty', 'false', '--target', 'es2022',
                               '--module', 'es2022', '--lib', 'es2022', '--typeRoots', self.folder, '--allowJs', '--checkJs',
                               os.path.join(HERE, 'stubs.d.ts'), DECLARATIONS, *paths],
                              capture_output=True, text=True, timeout=PATIENCE, cwd=self.folder)
        return done.returncode, done.stdout + done.stderr

    def test_uses(self):
        self.assertEqual(self.run_compiler(self.write('uses.ts', USES)), (0, ''))

    def test_misuses(self):
        path = self.write('misuses.ts', USES + '\n'.join(MISUSES) + '\nexport {};\n')
        status, output = self.run_compiler(path)
        self.assertNotEqual(status, 0)
        first = USES.count('\n') + 1
        for line, (misuse, code) in enumerate(MISUSES.items(), first):
            self.assertRegex(output, rf'misuses\.ts\({line},\d+\): error TS{code}:', misuse)

    def test_examples(self):
        folder = os.path.join(DOCS, 'examples')
        names = [name for name in sorted(os.listdir(folder)) if name.endswith('.js')]
        self.assertTrue(names)
        for name in names:
            with self.subTest(name):
                path = shutil.copy(os.path.join(folder, name), self.folder)
                self.assertEqual(self.run_compiler(path), (0, ''))

    def test_readme(self):
        with open(os.path.join(DOCS, '..', 'README.md'), encoding='utf-8') as file:
            blocks = re.findall(r'^```js\n(.*?)^```$', file.read(), re.MULTILINE | re.DOTALL)
        self.assertTrue(blocks)
        for number, block in enumerate(blocks):
            self.assertEqual(self.run_compiler(self.write(f'readme{number}.js', block)), (0, ''))


if __name__ == '__main__':
    unittest.main()
