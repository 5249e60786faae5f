# SPDX-License-Identifier: LGPL-2.1-or-later

"""What the benchmarks measured: rows, floors, aims, and the table of it all."""

import dataclasses
import statistics


@dataclasses.dataclass(frozen=True)
class Row:
    """A figure that is measured of everybody who has it.

    @floor: the participant and row of what the machine itself takes for the like.
    """
    name: str
    title: str
    floor: tuple = None

    @property
    def is_rate(self):
        """Whether more is better."""
        return self.name.endswith('_per_s')


SLEEPING = ('raw-socketpair', 'noop_sync_us')
SPINNING = ('raw-shm-spin', 'noop_sync_us')
WARM_COPY = ('raw-memcpy-warm', 'fetch_50MB_ms')
START = ('raw-exec-gio', 'spawn_ms')
PYTHON_START = ('raw-python-start', 'spawn_ms')
GJS_START = ('raw-gjs-start', 'spawn_ms')

ROWS = {row.name: row for row in [
    Row('noop_sync_us', 'blocking call', SPINNING),
    Row('noop_after_idle_us', 'blocking call, after 2 ms of idleness', ('raw-shm-adaptive', 'noop_after_idle_us')),
    Row('call_sync_us', 'blocking call of a Python function', SPINNING),
    Row('eval_sync_us', 'blocking evaluation of x + 1', SPINNING),
    Row('future_us', 'future, waited for at once', SPINNING),
    Row('async_single_us', 'asynchronous call, one at a time', SLEEPING),
    Row('pipelined_calls_per_s', 'calls in flight, with results', ('raw-shm-adaptive', 'pipelined_calls_per_s')),
    Row('map_per_s', 'items of Executor.map(), one by one'),
    Row('map_100_per_s', 'items of Executor.map(), in chunks of 100'),
    Row('fire_and_forget_per_s', 'calls without an answer', ('raw-shm-adaptive', 'fire_and_forget_per_s')),
    Row('channel_take_per_s', 'values from the worker through a channel', ('raw-shm-adaptive', 'fire_and_forget_per_s')),
    Row('channel_put_per_s', 'values to the worker through a channel', ('raw-shm-adaptive', 'fire_and_forget_per_s')),
    Row('channel_round_trip_us', 'a value there and back, by threads', ('raw-shm-adaptive', 'noop_after_idle_us')),
    Row('echo_64KB_us', '64 KiB there and back', ('raw-shm-adaptive', 'echo_64KB_us')),
    Row('echo_1MB_us', '1 MB there and back'),
    Row('fetch_1MB_us', '1 MB from the worker', ('raw-memcpy-warm', 'fetch_1MB_us')),
    Row('fetch_50MB_ms', '50 MB from the worker', WARM_COPY),
    Row('send_50MB_ms', '50 MB to the worker', WARM_COPY),
    Row('numpy_50MB_ms', '50 MB array of NumPy there and back'),
    Row('spawn_ms', 'start, to the first result', START),
    Row('stop_ms', 'stop of an idle worker', ('raw-exec-gio', 'stop_ms')),
    Row('idle_worker_pss_kb', 'memory of an idle worker', ('raw-exec-gio', 'idle_worker_pss_kb')),
    Row('idle_manager_wakeups_hz', 'wake-ups of an idle manager'),
    Row('idle_worker_wakeups_hz', 'wake-ups of an idle worker'),
    Row('many_sync_cpu_1_us', "manager's CPU a blocking call, 1 worker"),
    Row('many_sync_cpu_10_us', '… 10 workers', ('malt-native', 'many_sync_cpu_1_us')),
    Row('many_sync_cpu_100_us', '… 100 workers', ('malt-native', 'many_sync_cpu_1_us')),
    Row('many_sync_cpu_1000_us', '… 1,000 workers', ('malt-native', 'many_sync_cpu_1_us')),
    Row('many_in_turn_cpu_1_us', "manager's CPU an asynchronous call in turn, 1 worker"),
    Row('many_in_turn_cpu_10_us', '… 10 workers', ('malt-native', 'many_in_turn_cpu_1_us')),
    Row('many_in_turn_cpu_100_us', '… 100 workers', ('malt-native', 'many_in_turn_cpu_1_us')),
    Row('many_in_turn_cpu_1000_us', '… 1,000 workers', ('malt-native', 'many_in_turn_cpu_1_us')),
    Row('many_async_cpu_1_us', "manager's CPU an asynchronous call, all at once, 1 worker"),
    Row('many_async_cpu_10_us', '… 10 workers', ('malt-native', 'many_async_cpu_1_us')),
    Row('many_async_cpu_100_us', '… 100 workers', ('malt-native', 'many_async_cpu_1_us')),
    Row('many_async_cpu_1000_us', '… 1,000 workers', ('malt-native', 'many_async_cpu_1_us')),
]}

# Whose floor is another than the row's.
FLOORS = {
    ('malt-native-nospin', 'noop_sync_us'): SLEEPING,
    ('malt-native-nospin', 'noop_after_idle_us'): ('raw-socketpair', 'noop_after_idle_us'),
    ('malt-native-socket', 'noop_sync_us'): SLEEPING,
    ('malt-native-socket', 'noop_after_idle_us'): ('raw-socketpair', 'noop_after_idle_us'),
    ('malt-native-in-place', 'fetch_1MB_us'): ('raw-shm-in-place', 'fetch_1MB_us'),
    ('malt-native-in-place', 'fetch_50MB_ms'): ('raw-shm-in-place', 'fetch_50MB_ms'),
    ('malt-python', 'spawn_ms'): PYTHON_START,
    ('malt-gjs', 'spawn_ms'): GJS_START,
    ('malt-gjs-manager', 'spawn_ms'): GJS_START,
}


class Value:
    """An aim that is a number."""

    def __init__(self, limit):
        self.limit = limit

    def resolve(self, _figures):
        return self.limit

    def describe(self, row):
        return format_number(self.limit, row)


class Sum:
    """An aim that is made of what was measured in the same run: (factor, (peer, row))…"""

    def __init__(self, *parts):
        self.parts = parts

    def resolve(self, figures):
        if any(key not in figures for _, key in self.parts):
            return None
        return sum(factor * figures[key].median for factor, key in self.parts)

    def describe(self, _row):
        return ' + '.join(f'{factor:g} × {peer}' for factor, (peer, _) in self.parts)


class Strictest:
    """Several aims, of which the strictest counts: the least of times, the most of rates."""

    def __init__(self, pick, *aims):
        self.pick = pick
        self.aims = aims

    def resolve(self, figures):
        limits = [limit for limit in (aim.resolve(figures) for aim in self.aims) if limit is not None]
        return self.pick(limits) if limits else None

    def describe(self, row):
        return ', '.join(aim.describe(row) for aim in self.aims)


def times_peers(pick, factor, row, *peers):
    return Strictest(pick, *[Sum((factor, (peer, row))) for peer in peers])


AIMS = {
    ('malt-native', 'noop_sync_us'): Value(1.0),
    ('malt-native', 'noop_after_idle_us'): Value(12),
    ('malt-native-nospin', 'noop_sync_us'): Sum((1.15, SLEEPING)),
    ('malt-native-nospin', 'noop_after_idle_us'): Sum((1.15, ('raw-socketpair', 'noop_after_idle_us'))),
    ('malt-python', 'call_sync_us'): Value(3),
    ('malt-python', 'eval_sync_us'): Value(6),
    ('malt-native', 'async_single_us'): Sum((0.7, SLEEPING)),
    ('malt-native', 'pipelined_calls_per_s'): Value(1e6),
    ('malt-native', 'fire_and_forget_per_s'): Value(4e6),
    ('malt-native', 'channel_take_per_s'): Value(1e6),
    ('malt-native', 'channel_put_per_s'): Value(1e6),
    ('malt-native-socket', 'channel_take_per_s'): Value(2e5),
    ('malt-native-socket', 'channel_put_per_s'): Value(2e5),
    ('malt-native', 'echo_64KB_us'): Value(15),
    ('malt-native', 'fetch_1MB_us'): Value(30),
    ('malt-native-in-place', 'fetch_1MB_us'): Value(3),
    ('malt-native', 'fetch_50MB_ms'): Sum((1.2, WARM_COPY)),
    ('malt-native-in-place', 'fetch_50MB_ms'): Value(0.3),
    ('malt-python', 'fetch_50MB_ms'): Sum((1.3, WARM_COPY)),
    ('malt-native', 'send_50MB_ms'): Sum((1.2, WARM_COPY)),
    ('malt-native-in-place', 'send_50MB_ms'): Value(0.1),
    ('malt-native', 'spawn_ms'): Sum((1.3, START)),
    ('malt-python', 'spawn_ms'): Sum((1.3, START), (1.1, PYTHON_START)),
    ('malt-native', 'stop_ms'): Value(0.4),
    ('malt-native', 'idle_worker_pss_kb'): Value(3200),
    ('malt-native', 'idle_manager_wakeups_hz'): Value(0),
    ('malt-native', 'idle_worker_wakeups_hz'): Value(0),
    ('malt-python-manager', 'noop_sync_us'): Strictest(
        min, Sum((1, ('py-pipe-spawn', 'noop_sync_us'))),
        times_peers(min, 0.2, 'noop_sync_us', 'py-executor', 'py-execnet')),
    ('malt-python-manager', 'pipelined_calls_per_s'):
        times_peers(max, 5, 'pipelined_calls_per_s', 'py-executor', 'py-execnet'),
    ('malt-python-manager', 'numpy_50MB_ms'):
        times_peers(min, 0.2, 'numpy_50MB_ms', 'py-pipe-spawn', 'py-executor', 'py-execnet'),
    ('malt-python-manager', 'future_us'): Value(15),
    ('malt-executor', 'noop_sync_us'): Strictest(min, Value(15), times_peers(min, 0.2, 'noop_sync_us', 'py-executor')),
    ('malt-executor', 'pipelined_calls_per_s'): times_peers(max, 5, 'pipelined_calls_per_s', 'py-executor'),
    ('malt-executor', 'map_per_s'): times_peers(max, 1, 'map_per_s', 'py-executor'),
    ('malt-executor', 'map_100_per_s'): times_peers(max, 1, 'map_100_per_s', 'py-executor'),
    ('malt-gjs-manager', 'async_single_us'): Sum((2, ('malt-gjs', 'async_single_us'))),
    ('malt-gjs-manager', 'echo_1MB_us'): Value(1000),
    ('malt-gjs-manager', 'spawn_ms'): Sum((1.3, GJS_START), (1, ('malt-native', 'spawn_ms'))),
    ('malt-python', 'idle_manager_wakeups_hz'): Value(0),
    ('malt-python', 'idle_worker_wakeups_hz'): Value(0),
    **{('malt-native', f'many_{kind}_cpu_{n}_us'): Sum((1.2, ('malt-native', f'many_{kind}_cpu_1_us')))
       for kind in ('sync', 'in_turn', 'async') for n in (10, 100, 1000)},
}


def is_floor(peer):
    return peer.startswith('raw-')


def is_malt(peer):
    return peer.startswith('malt-')


@dataclasses.dataclass
class Figure:
    """What one participant has for one row, of all rounds."""
    peer: str
    row: str
    median: float
    best: float

    @property
    def is_rate(self):
        return self.row.endswith('_per_s')


def merge(records):
    """(peer, row) → Figure: the median of the rounds' medians, and the best sample of all."""
    groups = {}
    for record in records:
        groups.setdefault((record['peer'], record['row']), []).append(record)

    figures = {}
    for (peer, row), group in groups.items():
        rate = row.endswith('_per_s')
        figures[peer, row] = Figure(
            peer, row,
            statistics.median(record['median'] for record in group),
            max(record['max'] for record in group) if rate else min(record['min'] for record in group))
    return figures


def floor_of(figures, figure):
    """The floor's figure, or None."""
    row = ROWS[figure.row]
    return figures.get(FLOORS.get((figure.peer, figure.row), row.floor))


def ratio(figures, figure):
    """How often the floor's time it takes, or None."""
    floor = floor_of(figures, figure)
    if floor is None or floor is figure or not floor.median or not figure.median:
        return None
    if ROWS[figure.row].is_rate:
        return floor.median / figure.median
    return figure.median / floor.median


def verdict(figures, figure):
    """Its aim in words and whether it is met, or two empty strings."""
    aim = AIMS.get((figure.peer, figure.row))
    limit = aim.resolve(figures) if aim is not None else None
    if limit is None:
        return '', ''

    def meets(value):
        return value >= limit if figure.is_rate else value <= limit

    met = 'met' if meets(figure.median) else 'at best' if meets(figure.best) else 'not met'
    text = aim.describe(figure.row)
    if not isinstance(aim, Value):
        text += f' = {format_number(limit, figure.row)}'
    return text, met


def format_number(value, row):
    if row.endswith('_per_s'):
        return f'{value / 1e6:.2f}M' if value >= 1e6 else f'{value / 1e3:.1f}k'
    if row.endswith(('_kb', '_hz')):
        return f'{value:.0f}'
    return f'{value:.0f}' if value >= 100 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def unit(row):
    for ending, text in (('_per_s', '1/s'), ('_us', 'µs'), ('_ms', 'ms'), ('_kb', 'kB'), ('_hz', '1/s')):
        if row.endswith(ending):
            return text
    return ''


def format_ratio(value):
    if value is None:
        return ''
    return f'{value:.0f}' if value >= 100 else f'{value:.1f}' if value >= 10 else f'{value:.2f}'


def ranked(figures, row, whose):
    """The figures of a row, best first."""
    found = [figure for (peer, name), figure in figures.items() if name == row.name and whose(peer)]
    return sorted(found, key=lambda figure: figure.median, reverse=row.is_rate)


def is_peer(peer):
    return not is_floor(peer) and not is_malt(peer)


def lines_of(figures, row, n_peers):
    """The figures of a row that the table shows: floors, libmalt, the best of the others."""
    own = ranked(figures, row, is_malt)
    wanted = {row.floor} | {FLOORS.get((figure.peer, row.name)) for figure in own}
    # Also those that are of another row.
    floors = [figures[key] for key in sorted(wanted - {None}) if key in figures and not is_malt(key[0])]
    return floors + own + ranked(figures, row, is_peer)[:n_peers]


def table(figures, n_peers=5):
    """One table of all: a block of lines for each row."""
    grid = [['', 'who', 'median', 'best', '', '× floor', 'aim', '']]
    for row in ROWS.values():
        title = row.title
        for figure in lines_of(figures, row, n_peers):
            aim, met = verdict(figures, figure)
            who = figure.peer
            if is_floor(who) and figure.row != row.name:
                who += f' ({figure.row})'
            own_row = figure.row == row.name
            grid.append([title, who, format_number(figure.median, figure.row),
                         format_number(figure.best, figure.row), unit(figure.row),
                         'floor' if is_floor(figure.peer) else format_ratio(ratio(figures, figure) if own_row else None),
                         aim, met])
            title = ''

    widths = [max(len(line[i]) for line in grid) for i in range(len(grid[0]))]
    right = (2, 3, 5)
    text = []
    for line in grid:
        if line[0] and text:
            text.append('')
        text.append('  '.join(cell.rjust(width) if i in right else cell.ljust(width)
                              for i, (cell, width) in enumerate(zip(line, widths))).rstrip())
    return '\n'.join(text)


def markdown(figures, machine):
    """The table of the manual: libmalt, the floor, and the best of the others."""
    text = [machine, '',
            '| what | | median | best | floor | × floor | aim | | best other |',
            '|---|---|---:|---:|---:|---:|---|---|---|']
    for row in ROWS.values():
        title = row.title
        others = ranked(figures, row, is_peer)
        for figure in ranked(figures, row, is_malt):
            aim, met = verdict(figures, figure)
            floor = floor_of(figures, figure)
            other = ''
            if others and title:
                other = f'{format_number(others[0].median, row.name)} {unit(row.name)}, {others[0].peer}'
            text.append('| {} | {} | {} {} | {} | {} | {} | {} | {} | {} |'.format(
                title, figure.peer.removeprefix('malt-'),
                format_number(figure.median, row.name), unit(row.name),
                format_number(figure.best, row.name),
                format_number(floor.median, floor.row) if floor is not None and floor is not figure else '',
                format_ratio(ratio(figures, figure)), aim, met, other))
            title = ''
    return '\n'.join(text) + '\n'


# The columns of the summary: who is looked for, in this order, in each row.
SUMMARY_COLUMNS = [
    ('C to C', ['malt-native']),
    ('in place', ['malt-native-in-place']),
    ('C to Python', ['malt-python']),
    ('Python to Python', ['malt-python-manager']),
]
SUMMARY_ROWS = [name for name in ROWS if not name.startswith(('many_', 'channel_round'))]


def summary(figures, machine):
    """The table of the README: medians of the floor, of libmalt, and of the best of the others."""
    text = ['| | the machine itself | ' + ' | '.join(title for title, _ in SUMMARY_COLUMNS) + ' | best other |',
            '|---|---:' + '|---:' * len(SUMMARY_COLUMNS) + '|---|']
    for row in (ROWS[name] for name in SUMMARY_ROWS):
        def show(figure):
            return f'{format_number(figure.median, figure.row)} {unit(figure.row)}' if figure is not None else ''

        own = [next((figures[peer, row.name] for peer in peers if (peer, row.name) in figures), None)
               for _, peers in SUMMARY_COLUMNS]
        others = ranked(figures, row, is_peer)
        if any(own):
            text.append('| ' + ' | '.join([row.title, show(figures.get(row.floor)), *[show(figure) for figure in own],
                                           f'{show(others[0])}, {others[0].peer}' if others else '']) + ' |')
    return '\n'.join([*text, '', machine]) + '\n'
