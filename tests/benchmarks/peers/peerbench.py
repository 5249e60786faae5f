# SPDX-License-Identifier: LGPL-2.1-or-later

"""Small helpers shared by the Python peers: samples, JSON lines, PSS."""
import json
import os
import statistics
import time

SIZE_64K = 65536
SIZE_1M = 1_000_000
SIZE_50M = 50_000_000

# How long to measure, beside what the programs take for right.
SCALE = float(os.environ.get("PEERS_SCALE", 1))

now = time.perf_counter


def at_least(n):
    return max(min(n, 3), int(n * SCALE))


def unit_of(row):
    for end, unit in (("_per_s", "1/s"), ("_us", "us"), ("_ms", "ms"), ("_kb", "kB")):
        if row.endswith(end):
            return unit
    return ""


def report(peer, row, values):
    if not values:
        return
    print(json.dumps({
        "peer": peer, "row": row, "unit": unit_of(row),
        "median": round(statistics.median(values), 4),
        "min": round(min(values), 4), "max": round(max(values), 4),
        "n": len(values)}), flush=True)


def bench(peer, row, func, k=1, min_n=7, max_n=400, budget=0.6):
    """Times func() in batches of k; the row's name says the unit of one call."""
    scale = 1e6 if row.endswith("_us") else 1e3
    values = []
    func()
    func()
    end = now() + budget * SCALE
    while len(values) < max_n and (len(values) < at_least(min_n) or now() < end):
        t = now()
        for _ in range(k):
            func()
        values.append((now() - t) / k * scale)
    report(peer, row, values)


def bench_rate(peer, row, func, calls, min_n=5, max_n=30, budget=0.8):
    """func() makes that many calls; reports calls per second."""
    values = []
    func()
    end = now() + budget * SCALE
    while len(values) < max_n and (len(values) < at_least(min_n) or now() < end):
        t = now()
        func()
        values.append(calls / (now() - t))
    report(peer, row, values)


def bench_spawn(peer, start, stop, n=10):
    """start() -> (handle, pid), after one finished call; stop(handle)."""
    spawn, halt, pss = [], [], []
    for i in range(at_least(n) + 1):
        t = now()
        handle, pid = start()
        spawned = now() - t
        time.sleep(0.05)
        kb = pss_kb(pid)
        t = now()
        stop(handle)
        stopped = now() - t
        if i:
            spawn.append(spawned * 1e3)
            halt.append(stopped * 1e3)
            pss.append(kb)
    report(peer, "spawn_ms", spawn)
    report(peer, "stop_ms", halt)
    report(peer, "idle_worker_pss_kb", pss)


def touch(buf):
    """Reads one byte of every page of a bytes-like object, at C speed."""
    return len(bytes(buf[::4096])) + buf[len(buf) - 1]


def pss_kb(pid):
    with open(f"/proc/{pid}/smaps_rollup") as f:
        for line in f:
            if line.startswith("Pss:"):
                return int(line.split()[1])
