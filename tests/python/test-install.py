# SPDX-License-Identifier: LGPL-2.1-or-later

"""The binding as it is installed. MALT_BUILD_ROOT is the build tree."""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from binding import PATIENCE

PROGRAM = '''
import sys
import gi
gi.require_version('Malt', '1')
from gi.repository import Malt
import gi.overrides.Malt
with Malt.Worker(runtime='python', environment={'LD_LIBRARY_PATH': sys.argv[1]}) as worker:
    print(worker.call('abs', -1), worker.submit('abs', -2).result())
print(gi.overrides.Malt.__file__.startswith(sys.argv[2]), gi.overrides._malt._native.__file__.startswith(sys.argv[2]))
'''


@unittest.skipUnless(shutil.which('meson'), 'there is no meson')
class Install(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        subprocess.run(['meson', 'install', '-C', os.environ['MALT_BUILD_ROOT'], '--no-rebuild', '--quiet',
                        '--destdir', self.folder], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE)

    def find(self, pattern):
        found = glob.glob(os.path.join(self.folder, '**', pattern), recursive=True)
        self.assertEqual(len(found), 1, pattern)
        return os.path.dirname(found[0])

    def run_python(self):
        overrides = self.find('overrides/Malt.py')
        library = self.find('libmalt-1.so')
        environment = {**os.environ,
                       'PYTHONPATH': os.path.dirname(os.path.dirname(overrides)),
                       'GI_TYPELIB_PATH': self.find('Malt-1.typelib'),
                       'LD_LIBRARY_PATH': library,
                       'MALT_MODULE_PATH': self.find('malt-python-embed.so')}
        return subprocess.run([sys.executable, '-c', PROGRAM, library, self.folder], env=environment, capture_output=True,
                              text=True, timeout=PATIENCE)

    def test_installed(self):
        done = self.run_python()
        self.assertEqual((done.stdout, done.stderr), ('1 2\nTrue True\n', ''))
        self.assertTrue(os.path.exists(os.path.join(self.find('gi-stubs/repository/Malt.pyi'), 'Malt.pyi')))

    def test_without_the_extension(self):
        os.unlink(os.path.join(self.find('_malt/_native*.so'), '_native.so'))
        done = self.run_python()
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r'ImportError: the Python binding of libmalt needs its extension module '
                         r'gi.overrides._malt._native, which was built for another Python or is missing: ')


if __name__ == '__main__':
    unittest.main()
