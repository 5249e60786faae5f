# SPDX-License-Identifier: LGPL-2.1-or-later

"""Python multiprocessing and concurrent.futures against one worker process."""
import concurrent.futures
import multiprocessing as mp
from multiprocessing import shared_memory
import sys

import py_work
from peerbench import (SIZE_1M, SIZE_50M, SIZE_64K, bench, bench_rate,
                       bench_spawn, touch)

N = 10_000


class PipeWorker:
    def __init__(self, ctx):
        self.conn, theirs = ctx.Pipe()
        self.process = ctx.Process(target=py_work.serve, args=(theirs,))
        self.process.start()
        theirs.close()

    def call(self, func, arg):
        self.conn.send((func, arg, True))
        return self.conn.recv()

    def stop(self):
        self.conn.send(None)
        self.process.join()
        self.conn.close()


def pipe_peer(peer, ctx):
    def start():
        w = PipeWorker(ctx)
        assert w.call(py_work.inc, 1) == 2
        return w, w.process.pid

    bench_spawn(peer, start, PipeWorker.stop, 8)
    w, _ = start()
    bench(peer, "noop_sync_us", lambda: w.call(py_work.inc, 1), k=50)

    def pipelined(window=64):
        sent = got = 0
        while got < N:
            while sent < N and sent - got < window:
                w.conn.send((py_work.inc, 1, True))
                sent += 1
            while got < sent - window // 2 or (sent == N and got < N):
                w.conn.recv()
                got += 1

    def forget():
        for _ in range(N):
            w.conn.send((py_work.inc, 1, False))
        w.call(py_work.inc, 1)

    bench_rate(peer, "pipelined_calls_per_s", pipelined, N)
    bench_rate(peer, "fire_and_forget_per_s", forget, N)
    data_rows(peer, w.call)
    w.stop()
    return start


def echo_numbers(call, numbers):
    return call(py_work.echo, numbers)


def data_rows(peer, call, echo_numbers=echo_numbers):
    small, big = py_work.array(SIZE_64K), py_work.array(SIZE_50M)
    bench(peer, "echo_64KB_us", lambda: touch(call(py_work.echo, small)), k=5, budget=0.4)
    bench(peer, "fetch_1MB_us", lambda: touch(call(py_work.array, SIZE_1M)), k=2, budget=0.4)
    numbers = py_work.numbers(SIZE_50M)
    if numbers is not None:
        bench(peer, "numpy_50MB_ms", lambda: echo_numbers(call, numbers)[-1], max_n=10, min_n=2)
    bench(peer, "fetch_50MB_ms", lambda: touch(call(py_work.array, SIZE_50M)), max_n=10)
    bench(peer, "send_50MB_ms", lambda: call(py_work.length, big), max_n=10)


def shm_peer(ctx):
    w = PipeWorker(ctx)

    def fetch(func, size, unlink):
        block = shared_memory.SharedMemory(name=w.call(func, size))
        touch(block.buf[:size])
        block.close()
        if unlink:
            block.unlink()

    def send():
        block = shared_memory.SharedMemory(create=True, size=SIZE_50M)
        block.buf[:SIZE_50M] = py_work.array(SIZE_50M)
        assert w.call(py_work.length_shm, (block.name, SIZE_50M)) == SIZE_50M
        block.close()
        block.unlink()

    for peer, func, unlink in (("py-shm-new", py_work.fetch_new_shm, True),
                               ("py-shm-own", py_work.fetch_own_shm, False)):
        bench(peer, "fetch_1MB_us", lambda: fetch(func, SIZE_1M, unlink), k=2, budget=0.4)
        bench(peer, "fetch_50MB_ms", lambda: fetch(func, SIZE_50M, unlink), max_n=10)
    bench("py-shm-new", "send_50MB_ms", send, max_n=10)
    w.call(py_work.drop_own_shm, None)
    w.stop()


def pool_peer(peer):
    def start():
        pool = mp.Pool(1)
        return pool, pool.apply(py_work.pid)

    def stop(pool):
        pool.close()
        pool.join()

    bench_spawn(peer, start, stop, 8)
    pool, _ = start()
    bench(peer, "noop_sync_us", lambda: pool.apply(py_work.inc, (1,)), k=20)

    def pipelined():
        for r in [pool.apply_async(py_work.inc, (1,)) for _ in range(N)]:
            r.get()

    bench_rate(peer, "pipelined_calls_per_s", pipelined, N)
    data_rows(peer, lambda func, arg: pool.apply(func, (arg,)))
    stop(pool)


def executor_rows(peer, executor):
    """The rows of a concurrent.futures.Executor."""
    bench(peer, "noop_sync_us", lambda: executor.submit(py_work.inc, 1).result(), k=20)

    def pipelined():
        for r in [executor.submit(py_work.inc, 1) for _ in range(N)]:
            r.result()

    def mapped(chunksize):
        for _ in executor.map(py_work.inc, range(N), chunksize=chunksize):
            pass

    bench_rate(peer, "pipelined_calls_per_s", pipelined, N)
    bench_rate(peer, "map_per_s", lambda: mapped(1), N)
    bench_rate(peer, "map_100_per_s", lambda: mapped(100), N)
    data_rows(peer, lambda func, arg: executor.submit(func, arg).result())


def executor_peer(peer):
    ctx = mp.get_context("spawn")

    def start():
        pool = concurrent.futures.ProcessPoolExecutor(1, mp_context=ctx)
        return pool, pool.submit(py_work.pid).result()

    bench_spawn(peer, start, lambda pool: pool.shutdown(wait=True), 6)
    pool, _ = start()
    executor_rows(peer, pool)
    pool.shutdown(wait=True)


def main():
    which = sys.argv[1] if len(sys.argv) > 1 else "all"
    if which in ("all", "pipe"):
        pipe_peer("py-pipe-spawn", mp.get_context("spawn"))
        forkserver = mp.get_context("forkserver")
        forkserver.set_forkserver_preload(["py_work"])
        pipe_peer("py-pipe-forkserver", forkserver)
        shm_peer(forkserver)
    if which in ("all", "pool"):
        pool_peer("py-pool")
    if which in ("all", "executor"):
        executor_peer("py-executor")


if __name__ == "__main__":
    main()
