# SPDX-License-Identifier: LGPL-2.1-or-later

"""malt list."""

import json
import os
import tempfile
import unittest

from command import CommandTest, make_env


class List(CommandTest):
    def list_json(self, env=None):
        status, out, err = self.run_malt('list', '--json', env=env)
        self.assertEqual((status, err), (0, ''))
        self.assertEqual(out.count('\n'), 1)
        modules = json.loads(out)
        for module in modules:
            self.assertEqual(list(module), ['kind', 'name', 'file', 'error'])
        return {(module['kind'], module['name']): module for module in modules}

    def test_json(self):
        modules = self.list_json()
        for kind, name in (('backend', 'process'), ('backend', 'inprocess'),
                           ('runtime', 'native'), ('runtime', 'python')):
            module = modules[kind, name]
            self.assertEqual(os.path.basename(module['file']), f'libmalt-{kind}-{name}.so')
            self.assertTrue(os.path.isfile(module['file']), module['file'])
            self.assertIsNone(module['error'])

    def test_table(self):
        modules = self.list_json()
        status, out, err = self.run_malt('list')
        self.assertEqual((status, err), (0, ''))
        head, *rows = out.splitlines()
        self.assertEqual(head.split(), ['KIND', 'NAME', 'STATE', 'FILE'])
        self.assertEqual(len(rows), len(modules))
        columns = [head.index(name) for name in head.split()]
        for row, ((kind, name), module) in zip(rows, modules.items()):
            self.assertEqual(row.split(), [kind, name, 'ok', module['file']])
            self.assertEqual([row.index(kind), row.index(name, 8), row.index('ok', columns[2]),
                              row.index(module['file'])], columns)

    def test_broken_module(self):
        with tempfile.TemporaryDirectory() as directory:
            path = f'{directory}/libmalt-runtime-broken.so'
            with open(path, 'wb') as file:
                file.write(b'not a shared object')
            os.chmod(path, 0o644)
            env = make_env(MALT_MODULE_PATH=f"{directory}:{os.environ.get('MALT_MODULE_PATH', '')}")

            module = self.list_json(env)['runtime', 'broken']
            self.assertEqual(module['file'], path)
            self.assertIn('file too short', module['error'])

            status, out, err = self.run_malt('list', env=env)
            self.assertEqual((status, err), (0, ''))
            rows = out.splitlines()
            [index] = [i for i, row in enumerate(rows) if row.split()[:2] == ['runtime', 'broken']]
            self.assertEqual(rows[index].split(), ['runtime', 'broken', 'failed', path])
            self.assertEqual(rows[index + 1], ' ' * rows[0].index('FILE') + module['error'])

            self.assert_fails(['eval', '-r', 'broken', '1'], 4, "malt eval: .*broken.*", env=env)


if __name__ == '__main__':
    unittest.main(verbosity=2)
