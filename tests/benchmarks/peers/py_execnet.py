# SPDX-License-Identifier: LGPL-2.1-or-later

"""execnet: one popen gateway, a loop on a channel, and plain remote_exec."""
import sys

import execnet

import py_work
from peerbench import bench, bench_rate, bench_spawn
from py_mp import data_rows

N = 10_000

LOOP = """
import os, sys
sys.path.insert(0, channel.receive())
import py_work
while True:
    request = channel.receive()
    if request is None:
        break
    name, arg, answer = request
    result = getattr(py_work, name)(arg)
    if answer:
        channel.send(result)
"""


class Worker:
    def __init__(self):
        self.group = execnet.Group()
        self.gateway = self.group.makegateway("popen//python=" + sys.executable)
        self.channel = self.gateway.remote_exec(LOOP)
        self.channel.send(py_work.__file__.rpartition("/")[0])

    def call(self, name, arg):
        self.channel.send((name, arg, True))
        return self.channel.receive()

    def stop(self):
        self.channel.send(None)
        self.group.terminate(timeout=5)


def main():
    peer = "py-execnet"

    def start():
        w = Worker()
        return w, w.call("pid", None)

    bench_spawn(peer, start, Worker.stop, 6)
    w, _ = start()
    bench(peer, "noop_sync_us", lambda: w.call("inc", 1), k=20)

    def pipelined():
        for _ in range(N):
            w.channel.send(("inc", 1, True))
        for _ in range(N):
            w.channel.receive()

    def forget():
        for _ in range(N):
            w.channel.send(("inc", 1, False))
        w.call("inc", 1)

    bench_rate(peer, "pipelined_calls_per_s", pipelined, N)
    bench_rate(peer, "fire_and_forget_per_s", forget, N)
    # It sends bytes, and no arrays.
    data_rows(peer, lambda func, arg: w.call(func.__name__, arg),
              lambda call, numbers: type(numbers)(numbers.shape, numbers.dtype,
                                                  call(py_work.echo, numbers.tobytes())))

    # evaluating source text instead of calling something known
    bench("py-execnet-exec", "noop_sync_us",
          lambda: w.gateway.remote_exec("channel.send(1 + 1)").receive(), k=5, budget=0.4)
    w.stop()


if __name__ == "__main__":
    main()
