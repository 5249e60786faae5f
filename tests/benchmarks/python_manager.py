# SPDX-License-Identifier: LGPL-2.1-or-later

"""What a call from Python to a worker that runs Python costs: python_manager.py PEER
[view | executor]."""

import asyncio
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / 'peers'))

import gi  # noqa: E402

gi.require_version('Malt', '1')

from gi.repository import Malt  # noqa: E402

from peerbench import bench, bench_rate, bench_spawn, now, report, touch  # noqa: E402
from peerbench import SIZE_1M, SIZE_50M, SIZE_64K  # noqa: E402
from py_mp import executor_rows  # noqa: E402
import py_work  # noqa: E402

N = 10_000
MANY = 100_000


def start(**keywords):
    worker = Malt.Worker(runtime='python', search_path=[str(HERE / 'peers')], **keywords)
    return worker, worker.call('py_work.pid')


def in_flight(worker):
    for future in [worker.submit('py_work.inc', 1) for _ in range(N)]:
        future.result()


def forget(worker):
    for _ in range(MANY):
        worker.do('py_work.inc', 1)
    worker.call('py_work.inc', 1)


def measure_executor(peer):
    """As py_mp.py does for the executor of the standard library."""
    def begin():
        executor = Malt.Executor(1)
        return executor, executor.submit(py_work.pid).result()

    bench_spawn(peer, begin, Malt.Executor.shutdown, 6)
    executor, _ = begin()
    executor_rows(peer, executor)
    executor.shutdown()


CHANNELS = '''
import threading

def put_numbers():
    try:
        for i in range(10 ** 12):
            numbers.put(i)
    except malt.ChannelClosed:
        pass

def answer():
    for value in down:
        if value:
            up.put(value)

numbers, down, up = (malt.Channel(1000) for _ in range(3))
threading.Thread(target=put_numbers).start()
threading.Thread(target=answer).start()
'''


def channels(peer, worker):
    """Small values in either direction, and there and back."""
    worker.eval(CHANNELS)
    numbers, down, up = (worker.channel(name) for name in ('numbers', 'down', 'up'))

    def take():
        for _ in range(MANY):
            numbers.take()

    def put():
        for _ in range(MANY):
            down.put(0)
        there_and_back()

    def there_and_back():
        down.put(1)
        up.take()

    bench_rate(peer, 'channel_take_per_s', take, MANY, max_n=8)
    numbers.close()
    bench_rate(peer, 'channel_put_per_s', put, MANY, max_n=8)
    bench(peer, 'channel_round_trip_us', there_and_back, k=50)
    down.close()


async def awaiting(peer, worker):
    """One at a time, and many at once, under asyncio."""
    for _ in range(100):
        await worker.call_async('py_work.inc', 1)
    values = []
    for _ in range(20):
        begin = now()
        for _ in range(50):
            await worker.call_async('py_work.inc', 1)
        values.append((now() - begin) / 50 * 1e6)
    report(peer, 'async_single_us', values)


def main():
    peer = sys.argv[1]
    if sys.argv[2:] == ['executor']:
        measure_executor(peer)
        return
    if sys.argv[2:] == ['view']:
        worker, _ = start(buffers='view')
    else:
        bench_spawn(peer, start, Malt.Worker.stop, 8)
        worker, _ = start()
        bench(peer, 'noop_sync_us', lambda: worker.call('py_work.inc', 1), k=50)
        bench(peer, 'future_us', lambda: worker.submit('py_work.inc', 1).result(), k=50)
        bench(peer, 'eval_sync_us', lambda: worker.eval('1 + 1'), k=50)
        bench_rate(peer, 'pipelined_calls_per_s', lambda: in_flight(worker), N)
        bench_rate(peer, 'fire_and_forget_per_s', lambda: forget(worker), MANY)
        asyncio.run(awaiting(peer, worker))
        channels(peer, worker)

    small, big = py_work.array(SIZE_64K), py_work.array(SIZE_50M)
    bench(peer, 'echo_64KB_us', lambda: touch(worker.call('py_work.echo', small)), k=5, budget=0.4)
    bench(peer, 'fetch_1MB_us', lambda: touch(worker.call('py_work.array', SIZE_1M)), k=2, budget=0.4)
    bench(peer, 'fetch_50MB_ms', lambda: touch(worker.call('py_work.array', SIZE_50M)), max_n=10)
    bench(peer, 'send_50MB_ms', lambda: worker.call('py_work.length', big), max_n=10)
    numbers = py_work.numbers(SIZE_50M)
    if numbers is not None:
        bench(peer, 'numpy_50MB_ms', lambda: worker.call('py_work.echo', numbers)[-1], max_n=10)
    worker.stop()


if __name__ == '__main__':
    main()
