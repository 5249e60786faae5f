# SPDX-License-Identifier: LGPL-2.1-or-later

"""The progress and the output of calls."""

import asyncio
import threading
import unittest

from gi.repository import GLib

from binding import PATIENCE, WorkerTest, run_python

WORK = '''
import time
def work(n, gap=0.01):
    for i in range(n):
        malt.progress(i / n, f"step {i}")
        time.sleep(gap)
    malt.host.flush()
    return n
def unsure():
    malt.progress(None, "who knows")
    malt.host.flush()
'''

STEPS = [(i / 4, f'step {i}') for i in range(4)]


class Progress(WorkerTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # What comes before a call of a function is told before it.
        cls.worker.export_function('flush', lambda: None)
        cls.worker.eval(WORK)

    def setUp(self):
        self.seen = []

    def note(self, fraction, text):
        self.seen.append((fraction, text))

    def check(self):
        # What is not told at once is left out, but for the latest.
        self.assertEqual(self.seen, [step for step in STEPS if step in self.seen])
        self.assertIn(STEPS[-1], self.seen)

    def test_call(self):
        self.assertEqual(self.worker.options(progress=self.note).call('work', 4), 4)
        self.check()

    def test_eval(self):
        self.assertEqual(self.worker.options(progress=self.note).eval('work(4)'), 4)
        self.check()

    def test_submit(self):
        self.assertEqual(self.worker.options(progress=self.note).submit('work', 4).result(PATIENCE), 4)
        self.check()

    def test_await(self):
        async def main():
            self.assertEqual(await self.worker.options(progress=self.note).call_async('work', 4), 4)

        asyncio.run(main())
        self.check()

    def test_of_each_call_its_own(self):
        others = []
        first = self.worker.options(progress=self.note).submit('work', 4)
        second = self.worker.options(progress=lambda *what: others.append(what)).submit('abs', -1)
        self.assertEqual((first.result(PATIENCE), second.result(PATIENCE)), (4, 1))
        self.check()
        self.assertEqual(others, [])

    def test_unknown_fraction(self):
        self.worker.options(progress=self.note).call('unsure')
        self.assertEqual(self.seen, [(None, 'who knows')])

    def test_one_that_raises(self):
        output = run_python('''
worker = Malt.Worker(runtime='python')
worker.eval('import time')

def fail(fraction, text):
    raise ValueError('from the handler')

print(worker.options(progress=fail).eval('malt.progress(0.5); time.sleep(0.1); 5'))
print(worker.eval('6'))
''', check=False)
        self.assertEqual(output.stdout, '5\n6\n')
        self.assertIn('ValueError: from the handler', output.stderr)

    def test_no_function(self):
        self.assertRaises(TypeError, self.worker.options, progress=5)

    def test_signal(self):
        handler = self.worker.connect('progress', lambda worker, number, fraction, text, word:
                                      self.seen.append((worker, number > 0, fraction, text, word)), 'word')
        try:
            self.worker.call('unsure')
        finally:
            self.worker.disconnect(handler)
        self.assertEqual(self.seen, [(self.worker, True, None, 'who knows', 'word')])

    def test_in_a_main_loop(self):
        loop = GLib.MainLoop()
        threads = []
        handler = self.worker.connect('progress', lambda *unused: threads.append(threading.get_ident()))
        # Before the loop runs nobody knows that it will.
        GLib.idle_add(lambda: self.worker.remote_call_async('work', (4,), None, -1, None,
                                                            lambda *unused: loop.quit()))
        loop.run()
        self.worker.disconnect(handler)
        self.assertEqual(set(threads), {threading.get_ident()})


class Output(WorkerTest):
    keywords = {'runtime': 'python', 'stdout': 'signal', 'stderr': 'signal'}

    def test_signal(self):
        seen = {1: b'', 2: b''}
        done = threading.Event()

        def note(worker, number, stream, data):
            self.assertIsInstance(data, bytes)
            seen[stream] += data
            if len(seen[1]) + len(seen[2]) == 16:
                done.set()

        handler = self.worker.connect('output', note)
        self.worker.eval('import sys; print("to one"); print("and two", file=sys.stderr); print()')
        self.assertTrue(done.wait(PATIENCE), seen)
        self.worker.disconnect(handler)
        self.assertEqual(seen, {1: b'to one\n\n', 2: b'and two\n'})


if __name__ == '__main__':
    unittest.main()
