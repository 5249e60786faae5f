# SPDX-License-Identifier: LGPL-2.1-or-later

"""Log records of the worker among those of the program."""

import contextlib
import gc
import io
import logging
import threading
import unittest
import weakref

from binding import PATIENCE, Malt, WorkerTest, comes_true, has_no_more_descriptors_than, n_descriptors

from gi.overrides._malt import forwarding


class Collector(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


class Logging(WorkerTest):
    keywords = {'runtime': 'python', 'logging': 'debug'}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.worker.eval('import logging, warnings, threading, malt\n'
                        'def malt_test_send(sent): malt.host["malt.logging"](sent)')

    def setUp(self):
        self.collector = Collector()
        root = logging.getLogger()
        root.addHandler(self.collector)
        self.addCleanup(root.removeHandler, self.collector)
        self.addCleanup(root.setLevel, root.level)
        root.setLevel(logging.DEBUG)

    def log(self, source):
        """Runs source in the worker; what it has logged is here when it has ended."""
        self.worker.eval(source)
        return self.collector.records

    def test_record(self):
        record, = self.log('def function():\n'
                           '    logging.getLogger("a.b").info("hello %s", "you", extra={"key": [1, {"a": None}]})\n'
                           'function()')
        self.assertEqual((record.name, record.levelno, record.levelname, record.getMessage()),
                         ('a.b', logging.INFO, 'INFO', 'hello you'))
        self.assertEqual((record.process, record.processName, record.threadName),
                         (self.worker.get_pid(), self.worker.dup_name(), 'MainThread'))
        self.assertEqual((record.funcName, record.lineno, record.key), ('function', 2, [1, {'a': None}]))
        self.assertRegex(record.pathname, '^<eval')
        self.assertGreater(record.created, 1e9)

    def test_exception(self):
        record, = self.log('try:\n    1 / 0\n'
                           'except ZeroDivisionError:\n    logging.exception("failed", stack_info=True)')
        text = logging.Formatter().format(record)
        self.assertRegex(text, r'^failed\nTraceback (.*\n)+ZeroDivisionError: division by zero\nStack \(most recent')
        self.assertIsNone(record.exc_info)

    def test_levels(self):
        logging.getLogger('quiet').setLevel(logging.ERROR)
        self.addCleanup(logging.getLogger('quiet').setLevel, logging.NOTSET)
        self.log('logging.getLogger("quiet").warning("no"); logging.getLogger("quiet").error("yes")\n'
                 'logging.log(17, "between")')
        self.assertEqual([(record.msg, record.levelname) for record in self.collector.records],
                         [('yes', 'ERROR'), ('between', 'Level 17')])

    def test_level_of_the_program(self):
        logging.getLogger().setLevel(logging.ERROR)
        with Malt.Worker(runtime='python', logging=True) as worker:
            worker.eval('import logging; logging.warning("no"); logging.error("yes")')
            logging.getLogger().setLevel(logging.DEBUG)
            worker.forward_logging(logging.INFO)
            worker.eval('logging.debug("no"); logging.info("this too")')
        self.assertEqual([record.msg for record in self.collector.records], ['yes', 'this too'])

    def test_not_asked_for(self):
        with Malt.Worker(runtime='python', stderr='discard') as worker:
            worker.eval('import logging; logging.error("no")')
        self.assertEqual(self.collector.records, [])

    def test_warnings(self):
        record, = self.log('warnings.warn("careful", DeprecationWarning)')
        self.assertEqual((record.name, record.levelname), ('py.warnings', 'WARNING'))
        self.assertIn('DeprecationWarning: careful', record.getMessage())

    def test_what_cannot_be_converted(self):
        self.log('''
class Awkward:
    def __repr__(self):
        raise ValueError
    __str__ = __repr__
logging.info("%s", Awkward())
logging.info("%d", "no number")
logging.info("ok", extra={"awkward": Awkward(), "lock": threading.Lock(), "big": 2 ** 80, "text": "a\\ud800"})
logging.info(Awkward())
logging.info("")
''')
        records = self.collector.records
        self.assertEqual(len(records), 5)
        self.assertIn('ValueError', records[0].getMessage())
        self.assertIn("%d % ['no number']", records[1].getMessage())
        self.assertIn('Awkward', records[2].awkward)
        self.assertIn('lock', records[2].lock)
        self.assertEqual((records[2].big, records[2].text), (str(2 ** 80), 'a\\ud800'))

    def test_order_of_a_thread(self):
        self.log('def run(name):\n    for i in range(50): logging.getLogger(name).info(i)\n'
                 'threads = [threading.Thread(target=run, args=(f"thread{i}",)) for i in range(4)]\n'
                 'for thread in threads: thread.start()\nfor thread in threads: thread.join()')
        for i in range(4):
            self.assertEqual([record.msg for record in self.collector.records if record.name == f'thread{i}'],
                             [str(i) for i in range(50)])

    def test_when_nobody_waits(self):
        arrived = threading.Event()
        self.collector.emit = lambda record: arrived.set()
        self.worker.do('builtins.exec', 'import logging, threading, time\n'
                       'threading.Thread(target=lambda: (time.sleep(0.05), logging.info("x"))).start()', {})
        self.assertTrue(arrived.wait(PATIENCE))

    def test_a_handler_that_raises(self):
        def fail(record):
            raise RuntimeError('of the handler')

        self.collector.emit = fail
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr):
            self.worker.eval('logging.info("x")')
        self.assertIn('RuntimeError: of the handler', stderr.getvalue())
        self.assertEqual(self.worker.eval('5'), 5)

    def test_a_handler_that_uses_the_worker(self):
        self.collector.emit = lambda record: self.worker.eval('1')
        stderr = io.StringIO()
        with contextlib.redirect_stderr(stderr):
            self.worker.eval('logging.info("x")')
        self.assertIn('would wait for the worker', stderr.getvalue())

    def test_forged(self):
        # What the function is given by code that does not use the handler.
        for sent in (5, {}, {'name': 5, 'levelno': 'x', 'message': [1], 'created': 'now', 'extra': 5, 'lineno': None},
                     {'message': 'x', 'process': 1, 'exception': {'a': 1},
                      'extra': {'getMessage': 1, 'args': (1,), '__class__': 5, 'no identifier': 1, 'fine': 2}},
                     {'message': 'a\x1b[31mb\rc', 'name': 'x\n\x07' + 'y' * 1000, 'levelname': '\x1b'}):
            self.worker.call('malt_test_send', sent)
        records = self.collector.records
        self.assertEqual(len(records), 5)
        for record in records:
            self.assertEqual(record.process, self.worker.get_pid())
            logging.Formatter('%(asctime)s %(name)s %(levelname)s %(message)s %(lineno)d').format(record)
        self.assertEqual(records[3].fine, 2)
        self.assertNotIn('getMessage', vars(records[3]))
        self.assertEqual(records[4].getMessage(), 'a\\x1b[31mb\\rc')
        self.assertEqual(records[4].levelname, '\\x1b')
        self.assertLess(len(records[4].name), 300)

    def test_number_of_loggers(self):
        before = len(logging.Logger.manager.loggerDict)
        self.log(f'for i in range({forwarding._MAX_LOGGERS + 50}): logging.getLogger(f"many{{i}}").info("x")')
        self.assertEqual(len(self.collector.records), forwarding._MAX_LOGGERS + 50)
        self.assertLessEqual(len(logging.Logger.manager.loggerDict) - before, forwarding._MAX_LOGGERS)

    def test_large(self):
        record, = self.log('logging.info("x" * 1_000_000)')
        self.assertLess(len(record.msg), 70_000)

    def test_bad_levels(self):
        self.assertRaises(ValueError, self.worker.forward_logging, 'loud')
        self.assertRaises(TypeError, self.worker.forward_logging, 1.5)


class Backends(unittest.TestCase):
    def test_other_languages(self):
        with Malt.Worker(runtime='native') as worker:
            self.assertRaises(ValueError, worker.forward_logging)

    def test_in_the_programs_process(self):
        # It shares logging anyway.
        collector = Collector()
        logging.getLogger().addHandler(collector)
        self.addCleanup(logging.getLogger().removeHandler, collector)
        with Malt.Worker(backend='inprocess', runtime='python', logging='warning') as worker:
            worker.eval('import logging; logging.warning("once")', module='malt_log_test')
        self.assertEqual([record.msg for record in collector.records], ['once'])

    def test_nothing_leaks(self):
        def use():
            with Malt.Worker(runtime='python', logging='critical') as worker:
                worker.eval('import logging; logging.error("x")')
                return weakref.ref(worker)

        use()
        gc.collect()
        descriptors = n_descriptors()
        reference = use()
        self.assertTrue(comes_true(lambda: reference() is None))
        self.assertTrue(has_no_more_descriptors_than(descriptors))


if __name__ == '__main__':
    unittest.main()
