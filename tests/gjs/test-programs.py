# SPDX-License-Identifier: LGPL-2.1-or-later

"""Programs in GJS as a whole: how they end, and the binding as it is installed.

MALT_BUILD_ROOT is the build tree."""

import glob
import os
import shutil
import subprocess
import tempfile
import unittest

PATIENCE = 120
GJS = shutil.which('gjs')


class ProgramTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_gjs(self, source, *options, **environment):
        path = os.path.join(self.folder, 'program.js')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(source)
        environment = {**os.environ, **environment}
        # What it warns of is to be seen, and is no reason to end.
        environment['G_DEBUG'] = ''
        return subprocess.run([GJS, *options, path], env=environment, capture_output=True, text=True, timeout=PATIENCE)


class Ends(ProgramTest):
    def test_uncaught_error(self):
        done = self.run_gjs('''
import Malt from 'gi://Malt?version=1';
const worker = await Malt.Worker.spawn({runtime: 'python'});
async function main() {
    await worker.eval('def f(): raise ValueError("so it is")\\nf()');
}
await main();
''', '-m')
        self.assertEqual((done.returncode, done.stdout), (1, ''))
        for pattern in (r'Remote exception from process worker \(python\) with PID \d+: ValueError: so it is',
                        r'in f\n', r'\(in the worker, called from\)\n', r'main@file://.*program\.js:5:'):
            self.assertRegex(done.stderr, pattern)

    def test_logged_error(self):
        done = self.run_gjs('''
import Malt from 'gi://Malt?version=1';
try {
    await Malt.Worker.spawn({program: '/none/such'});
} catch (error) {
    logError(error, 'so far');
}
''', '-m')
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"so far: Malt\.\w+: .*there is no program '/none/such'\n(.*\n)*.*program\.js:4:")

    def test_a_program_ends_with_calls_under_way(self):
        done = self.run_gjs('''
import Malt from 'gi://Malt?version=1';
const worker = await Malt.Worker.spawn({runtime: 'python'});
worker.export('f', () => 1);
const channel = await worker.channel('malt.Channel(1)');
channel.take();
worker.call('time.sleep', 1000);
print('over');
''', '-m')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, 'over\n', ''))

    def test_exit_in_a_reaction(self):
        done = self.run_gjs('''
import Malt from 'gi://Malt?version=1';
import System from 'system';
const worker = await Malt.Worker.spawn({runtime: 'python'});
worker.eval('1').then(() => System.exit(5));
await worker.call('time.sleep', 1000);
''', '-m')
        self.assertEqual((done.returncode, done.stderr), (5, ''))

    def test_scripts_that_are_no_modules(self):
        done = self.run_gjs('''
imports.gi.versions.Malt = '1';
const {GLib, Malt} = imports.gi;
const loop = new GLib.MainLoop(null, false);
(async () => {
    const worker = await Malt.Worker.spawn({runtime: 'python'});
    print(await worker.eval('6 * 7'));
    await worker.stop();
})().catch(logError).finally(() => loop.quit());
loop.run();
''')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, '42\n', ''))

    def test_maps_that_fail_and_nobody_hears_of(self):
        program = '''
import Malt from 'gi://Malt?version=1';
const pool = Malt.Pool.create({runtime: 'python', maxWorkers: 2});
%s
await new Promise(resolve => setTimeout(resolve, 10));
await pool.shutdown();
print('over');
'''
        done = self.run_gjs(program % "pool.map('none.such', [1, 2]);", '-m')
        self.assertEqual((done.returncode, done.stdout), (0, 'over\n'))
        self.assertRegex(done.stderr, r'Unhandled promise rejection.*\n(.*\n)*.*program\.js:4:')

        done = self.run_gjs(program % '''
try {
    for await (const _ of pool.map('none.such', [1, 2]));
} catch (error) {
    print(error.name);
}
for await (const value of pool.map('abs', [-1, 'x', 'y'])) {
    print(value);
    break;
}
for await (const {status} of pool.map('abs', [-1, 'x'], {settled: true}))
    print(status);
''', '-m')
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (0, 'NotFoundError\n1\nfulfilled\nrejected\nover\n', ''))

    def test_workers_are_collected(self):
        done = self.run_gjs('''
import GLib from 'gi://GLib';
import Malt from 'gi://Malt?version=1';
import System from 'system';
const alive = pid => GLib.file_test(`/proc/${pid}`, GLib.FileTest.EXISTS);
async function use() {
    const worker = await Malt.Worker.spawn({runtime: 'python'});
    await worker.eval('1');
    worker.connect('terminated', () => {});
    return worker.get_pid();
}
const pid = await use();
while (alive(pid)) {
    System.gc();
    await new Promise(resolve => setTimeout(resolve, 10));
}
print('collected');
''', '-m')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, 'collected\n', ''))

    def test_without_the_library(self):
        done = self.run_gjs("import Malt from 'gi://Malt?version=1';", '-m',
                            GI_TYPELIB_PATH=os.path.join(os.environ['MALT_BUILD_ROOT'], 'libmalt'))
        self.assertEqual(done.returncode, 1)
        self.assertIn('The binding of libmalt for GJS needs its library libmalt-js-1', done.stderr)


class Costs(ProgramTest):
    """What a call does not cost, told by the log of GJS."""

    def count_jobs(self, source, n):
        """How many jobs have gone through the queue of GJS, which describes each at length."""
        log = os.path.join(self.folder, 'log')
        done = self.run_gjs(source % n, '-m', GJS_DEBUG_OUTPUT=log, GJS_DEBUG_TOPICS='JS CTX;JS MAINLOOP')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f'{n}\n', ''))
        with open(log, encoding='utf-8', errors='replace') as lines:
            return sum('Enqueue job' in line for line in lines)

    def test_calls_do_not_go_through_the_queue_of_gjs(self):
        for name, calls in (
                ('one at a time', 'for (; n < %d; n++)\n        await worker.call("abs", n);'),
                ('evaluations', 'for (; n < %d; n++)\n        await worker.eval("1");'),
                ('that fail', 'for (; n < %d; n++)\n        await worker.call("abs").catch(() => {});'),
                ('at once', 'n = (await Promise.all(Array.from({length: %d}, () => worker.call("abs", 1)))).length;')):
            with self.subTest(name):
                source = f'''
import Malt from 'gi://Malt?version=1';
const worker = await Malt.Worker.spawn({{runtime: 'python'}});
let n = 0;
async function main() {{
    {calls}
}}
await main();
print(n);
worker.kill();
'''
                few, many = self.count_jobs(source, 100), self.count_jobs(source, 600)
                self.assertGreater(few, 0)
                self.assertLess(many - few, 50)


PROGRAM = '''
import GLib from 'gi://GLib';
import Malt from 'gi://Malt?version=1';
const worker = await Malt.Worker.spawn({runtime: 'python', environment: {LD_LIBRARY_PATH: GLib.getenv('LD_LIBRARY_PATH')}});
print(await worker.call('abs', -1), imports.overrides.Malt.__file__);
await worker.stop();
'''


@unittest.skipUnless(shutil.which('meson'), 'there is no meson')
class Install(ProgramTest):
    def find(self, pattern):
        found = glob.glob(os.path.join(self.folder, '**', pattern), recursive=True)
        self.assertEqual(len(found), 1, pattern)
        return os.path.dirname(found[0])

    def test_installed(self):
        subprocess.run(['meson', 'install', '-C', os.environ['MALT_BUILD_ROOT'], '--no-rebuild', '--quiet',
                        '--destdir', self.folder], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)
        overrides = self.find('gjs-1.0/overrides/Malt.js')
        library = self.find('libmalt-1.so')
        done = self.run_gjs(PROGRAM, '-m', GJS_PATH='', XDG_DATA_DIRS=os.path.dirname(os.path.dirname(overrides)),
                            GI_TYPELIB_PATH=self.find('MaltJs-1.typelib'), LD_LIBRARY_PATH=library,
                            MALT_MODULE_PATH=self.find('malt-python-embed.so'))
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, f'1 {overrides}/Malt.js\n', ''))
        self.assertTrue(os.path.exists(os.path.join(self.find('malt-1/Malt.d.ts'), 'Malt.d.ts')))


if __name__ == '__main__':
    unittest.main()
