# SPDX-License-Identifier: LGPL-2.1-or-later

"""The examples of README.md and of the manual are as they are shown, and work as pasted.

MALT_DOCS is this directory; MALT_CFLAGS and MALT_LIBS are what a C compiler needs to
find the library."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

DOCS = os.environ['MALT_DOCS']
EXAMPLES = os.path.join(DOCS, 'examples')

# Which page shows which file.
SHOWN = {
    'gjs-binding.md': ['gjs-environment.js', 'gjs-primes.js', 'gjs-web-worker.js'],
    'native-runtime.md': ['native-module.c', 'self-worker.c'],
    'pools.md': ['pool.c'],
    'protocol.md': ['protocol-worker.py'],
    'python-binding.md': ['python-asyncio.py', 'python-channels.py', 'python-executor.py'],
    'writing-a-backend.md': ['command-backend.c', 'python-backend.py', 'python-thread-backend.py', 'gjs-backend.js',
                             'gjs-proxy-backend.js'],
    'writing-a-runtime.md': ['rpn-runtime.c'],
}


needs_gjs = unittest.skipUnless(shutil.which('gjs') and 'GJS_PATH' in os.environ, 'there is no binding for GJS')


def read(*path):
    with open(os.path.join(DOCS, *path), encoding='utf-8') as file:
        return file.read()


def blocks(language, *path):
    return re.findall(r'^```' + language + r'\n(.*?)^```$', read(*path), re.MULTILINE | re.DOTALL)


def compile_c(source, output, *options):
    subprocess.run(['cc', '-Wall', '-Werror', *options, source, '-o', output,
                    *shlex.split(os.environ['MALT_CFLAGS']), *shlex.split(os.environ['MALT_LIBS'])],
                   check=True)


def run(*argv, modules=None):
    environment = dict(os.environ)
    if modules is not None:
        environment['MALT_MODULE_PATH'] = environment.get('MALT_MODULE_PATH', '') + ':' + modules
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(f'{argv} gave {done.returncode}: {done.stdout}{done.stderr}')
    return done.stdout


class Examples(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name, text=None):
        path = os.path.join(self.folder.name, name)
        if text is not None:
            with open(path, 'w', encoding='utf-8') as file:
                file.write(text)
        return path

    def run_python(self, text):
        prelude = "import gi\ngi.require_version('Malt', '1')\nfrom gi.repository import GLib, Malt\n"
        return run(sys.executable, self.path('test.py', prelude + text), modules=self.folder.name)

    def test_pages_show_the_files(self):
        for page, names in SHOWN.items():
            shown = blocks('c', page) + blocks('plain', page)
            for name in names:
                self.assertIn(read('examples', name), shown, f'{page} shows {name} otherwise')

    def test_readme_c(self):
        compile_c(self.path('first.c', blocks('c', '..', 'README.md')[0]), self.path('first'))
        self.assertEqual(run(self.path('first')), '45\n')

    def test_readme_python(self):
        first, second = blocks('python', '..', 'README.md')
        self.assertEqual(run(sys.executable, self.path('first.py', first)), '45\n5.0\n3.5\n')

        expected = re.search(r'^prints\n\n((?:    .*\n|\n)+)', read('..', 'README.md'), re.MULTILINE)[1]
        expected = re.sub(r'^    ', '', expected, flags=re.MULTILINE).strip()
        printed = run(sys.executable, self.path('second.py', second)).strip()
        self.assertEqual(re.sub(r'PID \d+', 'PID N', printed), re.sub(r'PID \d+', 'PID N', expected))

    @needs_gjs
    def test_readme_javascript(self):
        self.assertEqual(run('gjs', '-m', self.path('first.js', blocks('js', '..', 'README.md')[0])), '1,4,9\n5\n42\n')

    @needs_gjs
    def test_gjs_primes(self):
        self.assertEqual(run('gjs', '-m', os.path.join(EXAMPLES, 'gjs-primes.js')),
                         'a worker exited with code 1\n17984 primes below 200000\n')

    @needs_gjs
    def test_gjs_environment(self):
        self.assertEqual(run('gjs', '-m', os.path.join(EXAMPLES, 'gjs-environment.js')), 'all of it is there\ntrue\n')

    @needs_gjs
    def test_gjs_web_worker(self):
        self.assertEqual(run('gjs', '-m', os.path.join(EXAMPLES, 'gjs-web-worker.js')),
                         'how 3\nlong 4\nare 3\nthese 5\nwords 5\n')

    @needs_gjs
    def test_gjs_backend(self):
        self.assertEqual(run('gjs', '-m', os.path.join(EXAMPLES, 'gjs-backend.js')),
                         '3\nat last\nTypeError\nwas stopped\n')

    @needs_gjs
    def test_gjs_proxy_backend(self):
        self.assertEqual(run('gjs', '-m', os.path.join(EXAMPLES, 'gjs-proxy-backend.js')),
                         '3 ab\nTypeError\n3.5\n3\nwas stopped\n')

    def test_self_worker(self):
        compile_c(os.path.join(EXAMPLES, 'self-worker.c'), self.path('self-worker'))
        self.assertEqual(run(self.path('self-worker')), '6.5 at last\n')

    def test_pool(self):
        compile_c(os.path.join(EXAMPLES, 'pool.c'), self.path('pool'))
        self.assertEqual(run(self.path('pool')), '0: 6\n1: 24\n2: ValueError\n3: 120\nnot all of them\n')

    def test_native_module(self):
        compile_c(os.path.join(EXAMPLES, 'native-module.c'), self.path('arithmetic.so'), '-shared', '-fPIC')
        printed = self.run_python(f'''
launcher = Malt.Launcher.new('process', 'native')
launcher.props.search_path = ['{self.folder.name}']
worker = launcher.spawn(None)
print(worker.remote_call_fetch('arithmetic:answer', None, None, -1, None))
print(worker.remote_call_fetch('arithmetic:add', GLib.Variant('(xx)', (1, 2)), None, -1, None))
''')
        self.assertEqual(printed, '42\n3\n')

    @unittest.skipUnless(os.environ['MALT_INTROSPECTED'] == '1', 'introspected functions cannot be called')
    def test_native_introspected(self):
        printed = self.run_python(blocks('python', 'native-runtime.md')[0])
        self.assertEqual(printed, "{'a': '1'}\ng-file-error-quark(4)\n")

    def test_runtime(self):
        compile_c(os.path.join(EXAMPLES, 'rpn-runtime.c'), self.path('libmalt-runtime-rpn.so'), '-shared', '-fPIC')
        printed = self.run_python('''
for backend in 'process', 'inprocess':
    launcher = Malt.Launcher.new(backend, 'rpn')
    launcher.props.runtime_options = GLib.Variant('a{sv}', {'first': GLib.Variant('d', 1)})
    worker = launcher.spawn(None)
    print(worker.remote_eval_fetch(None, '2 + 4 *', -1, None))
    try:
        worker.remote_eval_fetch(None, '2 dup', -1, None)
    except GLib.Error as error:
        print(Malt.remote_error_dup_type(error))
''')
        self.assertEqual(printed, '12.0\nUnknownWord\n' * 2)

    def test_backend(self):
        compile_c(os.path.join(EXAMPLES, 'command-backend.c'), self.path('libmalt-backend-command.so'),
                  '-shared', '-fPIC')
        printed = self.run_python('''
loop = GLib.MainLoop()
worker = Malt.Launcher.new('command', None).spawn(None)
print(worker.remote_call_fetch('echo', GLib.Variant('(sx)', ('hello', 5)), None, -1, None))
try:
    worker.remote_call_fetch('false', None, None, -1, None)
except GLib.Error as error:
    print(Malt.remote_error_dup_type(error))

def ended_cb(worker, result):
    try:
        worker.remote_call_finish(result)
    except GLib.Error as error:
        print(error.matches(Malt.error_quark(), Malt.Error.INTERRUPTED))
    loop.quit()

worker.remote_call_async('sleep', GLib.Variant('(s)', ('60',)), None, -1, None, ended_cb)
GLib.timeout_add(100, lambda: worker.interrupt())
loop.run()
worker.stop(-1, -1, None)
print(worker.get_exit_info().to_string())
''')
        self.assertEqual(printed, 'hello 5\n\nCommandFailed\nTrue\nwas stopped\n')

    def test_python_backend(self):
        printed = run(sys.executable, os.path.join(EXAMPLES, 'python-backend.py')).splitlines()
        self.assertEqual(printed[:2] + printed[-1:], ['3.0', 'at last', 'was stopped'])
        self.assertIn('TypeError', printed[2])

    def test_python_thread_backend(self):
        printed = run(sys.executable, os.path.join(EXAMPLES, 'python-thread-backend.py'))
        self.assertEqual(printed, '42 1.5\nValueError: math domain error\nwas stopped\n')

    def test_python_asyncio(self):
        printed = run(sys.executable, os.path.join(EXAMPLES, 'python-asyncio.py'))
        self.assertEqual(printed, 'a worker was killed by signal 6 (Aborted)\n17984 primes below 200000\n')

    def test_python_executor(self):
        printed = run(sys.executable, os.path.join(EXAMPLES, 'python-executor.py'))
        self.assertEqual(printed.splitlines(), [
            'a share was killed by signal 11 (Segmentation fault)', 'a share took too long',
            '26623 takes 307 steps', '59431 steps below 1000'])

    def test_python_channels(self):
        printed = run(sys.executable, os.path.join(EXAMPLES, 'python-channels.py'))
        self.assertEqual(printed, 'INFO: 13 words\nthe 5\nlines 2\n')

    def test_protocol(self):
        printed = self.run_python(f'''
import threading
launcher = Malt.Launcher.new('process', 'example')
launcher.props.program = '{EXAMPLES}/protocol-worker.py'
worker = launcher.spawn(None)
print(worker.remote_eval_fetch(None, '6 * 7', -1, None))
print(worker.remote_eval_fetch(None, 'None', -1, None))
print(worker.remote_call_fetch('max', GLib.Variant('(xx)', (3, 9)), None, -1, None))
print(worker.remote_call_wait('len', GLib.Variant('(s)', ('abc',)), None, -1, None))
for source, timeout in ('1 / 0', -1), ('[0 for _ in iter(int, 1)]', 200):
    try:
        worker.remote_eval_fetch(None, source, timeout, None)
    except GLib.Error as error:
        print(Malt.Error(error.code).value_nick, Malt.remote_error_dup_type(error))
threading.Timer(0.2, worker.interrupt).start()
try:
    worker.remote_eval_fetch(None, '[0 for _ in iter(int, 1)]', -1, None)
except GLib.Error as error:
    print(Malt.Error(error.code).value_nick)
print(worker.stop(-1, -1, None).value_nick, worker.get_exit_info().to_string())
''')
        self.assertEqual(printed.splitlines(), [
            '42', 'None', '9', 'True', 'remote ZeroDivisionError', 'timeout None', 'interrupted',
            'was-running was stopped'])


if __name__ == '__main__':
    unittest.main()
