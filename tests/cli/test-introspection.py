# SPDX-License-Identifier: LGPL-2.1-or-later

"""malt call of introspected functions, also as the manual shows it."""

import os
import re
import shlex
import unittest

from command import CommandTest

NATIVE = r'process worker \(native\) with PID [0-9]+'


def read_examples(page):
    """[words of the command, what it prints]"""
    with open(os.path.join(os.environ['MALT_DOCS'], page), encoding='utf-8') as file:
        shown = re.findall(r'^    \$ malt (call .*)\n((?:    (?!\$).*\n)*)', file.read(), re.MULTILINE)
    return [(shlex.split(command), re.sub(r'^    ', '', out, flags=re.MULTILINE)) for command, out in shown]


class Introspection(CommandTest):
    def test_manual(self):
        examples = read_examples('native-runtime.md')
        self.assertGreaterEqual(len(examples), 5)
        for words, out in examples:
            self.assert_run(words, 0, out)

    def test_values(self):
        for words, out in (
                (['GLib.base64_encode', '{"$bytes": "AP8Q"}'], '"AP8Q"'),
                (['GLib.base64_encode', '[0, 255, 16]'], '"AP8Q"'),
                (['GLib.base64_decode', '"AP8Q"'], '{"$bytes":"AP8Q"}'),
                (['GLib.ascii_string_to_unsigned', '"7f"', '16', '0', '255'], '[true,127]'),
                (['GLib.Variant.parse', 'null', '"(1, [true])"'], '[1,[true]]'),
                (['GLib.build_filenamev', '["a", "é"]'], '"a/é"'),
                (['GLib.usleep', '0'], None),
                (['GLib.getenv', '"SURELY_NOT_SET"'], None),
                (['GLib.utf8_casefold', '-k', 'str="ÄB"', '--kw', 'len=-1'], '"äb"'),
                (['GLib@2.0.ascii_strup', '"a"', '--', '-1'], '"A"')):
            self.assert_run(['call', '-r', 'native', *words], 0, out + '\n' if out else '')

    def test_failure(self):
        for words, message in (
                (['GLib.no_such'], f'{NATIVE}: .*the namespace GLib 2.0 has no function \'no_such\''),
                (['Nowhere.function'], f'{NATIVE}: .*there is no namespace Nowhere: .*'),
                (['GLib@9.0.function'], f'{NATIVE}: .*there is no namespace GLib of version 9.0 '
                                        r'\(there is version 2.0\): .*'),
                (['GLib.idle_add', '0'], fr'{NATIVE}: GLib.idle_add cannot be called: '
                                         r'argument 2 \(function\) is a callback \(GLib.SourceFunc\)'),
                (['GLib.random_int_range', '0', '5000000000'],
                 fr'{NATIVE}: GLib.random_int_range: argument 2 \(end\): 5000000000 does not fit in gint32'),
                (['GLib.base64_decode', 'null'],
                 fr'{NATIVE}: GLib.base64_decode: argument 1 \(text\): nothing was given, and not text'),
                (['GLib.file_get_contents', '"/no/such/file"'],
                 fr'Remote exception from {NATIVE}: g-file-error-quark\(4\): .*No such file.*')):
            self.assert_fails(['call', '-r', 'native', *words], 1, 'malt call: ' + message)


if __name__ == '__main__':
    unittest.main()
