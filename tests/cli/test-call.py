# SPDX-License-Identifier: LGPL-2.1-or-later

"""malt call, without a terminal."""

import unittest

from command import FUNCTIONS, WORKER, CommandTest


class Python(CommandTest):
    def test_values(self):
        for words, out in (
                (['math.hypot', '3', '4'], '5.0'),
                (['builtins.abs', '-5'], '5'),
                (['builtins.abs', '--', '-5'], '5'),
                (['builtins.sorted', '[3, -1, 2]', '--kw', 'reverse=true'], '[3,2,-1]'),
                (['os.path.basename', '"/a/é"'], '"é"'),
                (['builtins.len', '{"a": 1, "b": 2}'], '2'),
                (['builtins.bytes.hex', '{"$bytes": "AP8Q"}'], '"00ff10"'),
                (['builtins.list', '[true, null, 1.5, "x", [1], {"a": {}}]'],
                 '[true,null,1.5,"x",[1],{"a":{}}]'),
                (['builtins.dict', '-k', 'b=1', '--kw', 'a={"c":-1}', '--kw=é="="'],
                 '{"b":1,"a":{"c":-1},"é":"="}')):
            self.assert_run(['call', *words], 0, out + '\n')

    def test_nothing(self):
        self.assert_run(['call', 'builtins.print', '1', '"a"', '--kw', 'sep="-"'], 0, '1-a\n')
        self.assert_run(['call', 'builtins.repr', 'null'], 0, '"None"\n')

    def test_failure(self):
        self.assert_fails(['call', 'math.sqrt', '-1'], 1, r'.*ValueError: math domain error')
        self.assert_fails(['call', 'math.no_such'], 1, f'malt call: {WORKER}: .*no_such.*')
        self.assert_fails(['call', 'no_such_module.f'], 1, f'malt call: {WORKER}: .*no_such_module.*')
        self.assert_fails(['call', 'builtins.object'], 1, f'malt call: {WORKER}: .*object.*')
        # Read, but too deep to be sent.
        self.assert_fails(['call', 'builtins.len', '[' * 30 + ']' * 30], 1, 'malt call: .*')
        self.assert_fails(['call', 'os._exit', '3'], 3,
                          f'malt call: {WORKER} exited with code 3 while the call was under way')
        self.assert_fails(['call', '--timeout=0.2', 'time.sleep', '600'], 5, 'malt call: .*')
        self.assert_fails(['call', '-r', 'cobol', 'f'], 4, 'malt call: .*there is no runtime "cobol" .*')


class Native(CommandTest):
    def call(self, *words):
        return ['call', '-r', 'native', '-p', FUNCTIONS, *words]

    def test_argument_types(self):
        for argument, type_string in (
                ('1', 'x'), ('1.0', 'd'), ('true', 'b'), ('"s"', 's'), ('null', 'mv'),
                ('[1]', 'ax'), ('[1.5]', 'ad'), ('["s"]', 'as'), ('[]', 'av'), ('[1, 1.5]', 'av'),
                ('{"$bytes": ""}', 'ay'), ('{}', 'a{sv}')):
            self.assert_run(self.call('cli-functions:types', argument), 0, f'["({type_string})",""]\n')
        self.assert_run(self.call('cli-functions:types'), 0, '["()",""]\n')
        self.assert_run(self.call('cli-functions:types', '1', '"a"', '-k', 'x=1'), 0,
                        '["(xs)","a{sv}"]\n')

    def test_values(self):
        for text, out in (
                ('uint64 18446744073709551615', '18446744073709551615'),
                ('byte 0x07', '7'),
                ('@ms nothing', 'null'),
                ('{int64 1: 2.5}', '{"$dict":[[1,2.5]]}'),
                ('(1, <@mv nothing>)', '[1,null]')):
            self.assert_run(self.call('cli-functions:parse', f'"{text}"'), 0, out + '\n')
        self.assert_run(self.call('cli-functions:parse', '"@mv nothing"'))

    def test_failure(self):
        worker = r'process worker \(native\) with PID [0-9]+'
        self.assert_fails(self.call('cli-functions:parse'), 1, f'malt call: .*{worker}: .*parse takes a string')
        self.assert_fails(self.call('cli-functions:no_such'), 1, f'malt call: {worker}: .*no_such.*')
        self.assert_fails(self.call('no-such:f'), 1, f'malt call: {worker}: .*no-such.*')
        # Only a terminal has to be protected.
        self.assert_fails(self.call('cli-functions:paint'), 1, '.*red \x1b\\[31m and \x9b 2J\ttab')


if __name__ == '__main__':
    unittest.main(verbosity=2)
