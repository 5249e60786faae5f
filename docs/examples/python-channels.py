#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

# A worker gets lines through a channel and gives words with their numbers back through another
# one, while this program says how often each word has to be there to count.

import logging
import sys

import gi
gi.require_version('Malt', '1')
from gi.repository import Malt

SOURCE = '''
import collections, logging

lines, words = malt.Channel(100), malt.Channel(100)

def count():
    counter = collections.Counter()
    for line in lines:
        counter.update(line.split())
    logging.info('%d words', len(counter), extra={'total': counter.total()})
    for word, n in counter.most_common():
        if n >= malt.host.least(word):
            words.put((word, n))
    words.close()
'''

TEXT = '''the worker waits for the lines and
the lines wait for room in the channel and
the words come back'''


def main() -> None:
    logging.basicConfig(level=logging.INFO, format='%(levelname)s: %(message)s', stream=sys.stdout)
    with Malt.Worker(runtime='python', logging=True) as worker:

        @worker.export
        def least(word: str) -> int:
            return 2 if len(word) > 3 else 3

        worker.eval(SOURCE)
        lines, words = worker.channel('lines'), worker.channel('words')
        worker.do('count')
        with lines:
            for line in TEXT.splitlines():
                lines.put(line)
        for word, n in words:
            print(word, n)


if __name__ == '__main__':
    main()
