# SPDX-License-Identifier: LGPL-2.1-or-later

"""What Ctrl-C means while the main thread waits for a worker."""

import signal
import sys


def breaks_off():
    """Whether the handler of SIGINT ends what the program does.

    Python's own does, and so do those of asyncio.run() and of PyGObject's main loops.
    """
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        return True
    function = getattr(handler, 'func', handler)  # functools.partial of asyncio
    function = getattr(function, '__func__', function)
    module = getattr(function, '__module__', None) or ''
    return module.partition('.')[0] in ('asyncio', 'gi') and module in sys.modules
