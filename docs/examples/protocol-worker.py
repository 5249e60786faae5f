#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

# A worker that uses nothing of libmalt: it speaks docs/protocol.md on descriptors 3
# and 4.  It evaluates Python expressions and calls Python's built-in functions.

import builtins, os, signal, socket, struct, sys, threading
from gi.repository import GLib

HEADER = struct.Struct('<4sBBHQIHH')  # magic, version, type, flags, id, length, descriptors, 0
HELLO, FAILED, CALL, EVAL, VALUE, ERROR, CANCEL, WITHDRAWN, INTERRUPT, STOP = range(1, 11)
NO_VALUE, NO_REPLY, UP_TO = 1, 2, 4

data, control = socket.socket(fileno=3), socket.socket(fileno=4)
lock = threading.Lock()
started = 0         # the last request that was begun
running = 0         # the one that runs now
armed = False       # its code can be interrupted
withdrawn = set()   # those that must not begin
interrupted = 0     # one that was interrupted before it came


def send(road, type, id=0, body=None):
    body = body.get_data_as_bytes().get_data() if body is not None else b''
    road.sendall(HEADER.pack(b'malt', 1, type, 0, id, len(body), 0, 0) + body)


def receive(road, n):
    part = road.recv(n, socket.MSG_WAITALL) if n else b''
    return part if len(part) == n else None


def parse(type, body):
    variant = GLib.Variant.new_from_bytes(GLib.VariantType(type), GLib.Bytes(body), False)
    return variant.get_normal_form().unpack()


def obey():
    """The control thread: it answers also while the other one is busy."""
    global interrupted
    while header := receive(control, HEADER.size):
        _, _, type, flags, id, _, _, _ = HEADER.unpack(header)
        with lock:
            if type == CANCEL and id > started:
                withdrawn.add(id)
                send(control, WITHDRAWN, id)
            elif type == INTERRUPT and not running and id > started:
                interrupted = id
            elif type == INTERRUPT and running and (id == running or flags & UP_TO and id > running):
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            elif type == STOP:
                data.shutdown(socket.SHUT_RD)
                if running:
                    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    os._exit(1)  # the manager is gone


def prepare(type, body):
    if type == EVAL:
        module, source = parse('(mss)', body)
        return lambda: eval(source)
    function, arguments, keywords = parse('(sva{sv})', body)
    return lambda: getattr(builtins, function)(*arguments, **keywords)


def break_off(signum, frame):
    global armed
    if armed:
        armed = False
        raise KeyboardInterrupt


def box(value):
    for kind, form in ((type(None), 'mv'), (bool, 'b'), (int, 'x'), (float, 'd'), (str, 's')):
        if isinstance(value, kind):
            return GLib.Variant('v', GLib.Variant(form, value))
    return GLib.Variant('v', GLib.Variant('s', repr(value)))


# The hello names the runtime, its options and where to look for modules.
header = HEADER.unpack(receive(data, HEADER.size))
hello = parse('a{sv}', receive(data, header[5]))
send(data, HELLO, 0, GLib.Variant('a{sv}', {
    'pid': GLib.Variant('u', os.getpid()), 'runtime': GLib.Variant('s', hello['runtime'])}))
signal.signal(signal.SIGINT, break_off)
threading.Thread(target=obey, daemon=True).start()

while header := receive(data, HEADER.size):
    _, _, type_, flags, id, length, _, _ = HEADER.unpack(header)
    body = receive(data, length)
    with lock:
        started = id
        if id in withdrawn:
            continue
        running = id
    work = prepare(type_, body)
    try:
        if id == interrupted:
            raise KeyboardInterrupt
        try:
            armed = True
            value = work()
        finally:
            armed = False
        reply = (VALUE, box(value))
    except BaseException as error:
        code = 4 if isinstance(error, KeyboardInterrupt) else 0
        reply = (ERROR, GLib.Variant('(yumsmsms)', (0, code, type(error).__name__, str(error), None)))
    with lock:
        running = 0
    if not flags & NO_REPLY:
        if flags & NO_VALUE and reply[0] == VALUE:
            reply = (VALUE, box(None))
        send(data, reply[0], id, reply[1])
sys.exit(0)
