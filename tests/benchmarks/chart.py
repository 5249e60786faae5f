# SPDX-License-Identifier: LGPL-2.1-or-later

"""Draws the chart of the manual: a panel for each of some rows, with libmalt among the others."""

import math
from xml.sax.saxutils import escape

import results

# Who is shown, if there are figures, and how it is called there.
NAMES = {
    'raw-shm-spin': 'shared memory, spinning',
    'raw-shm-adaptive': 'shared memory',
    'raw-socketpair': 'socket pair',
    'raw-memcpy-warm': 'one memcpy()',
    'raw-exec-gio': 'exec() of a GLib program',
    'malt-native': 'libmalt, C to C',
    'malt-native-in-place': 'libmalt, C to C, in place',
    'malt-native-nospin': 'libmalt, no spinning',
    'malt-python': 'libmalt, C to Python',
    'malt-python-manager': 'libmalt, Python to Python',
    'capnp-rpc': 'Cap’n Proto RPC',
    'erl-node': 'Erlang node',
    'gdbus-p2p': 'GDBus, peer to peer',
    'node-fork-advanced': 'Node child process',
    'node-piscina': 'Piscina (Node threads)',
    'py-executor': 'Python executor',
    'py-pipe-spawn': 'Python multiprocessing',
    'py-execnet': 'execnet',
    'zmq-ipc': 'ZeroMQ',
}

PANELS = ['noop_sync_us', 'pipelined_calls_per_s', 'fire_and_forget_per_s', 'fetch_1MB_us', 'fetch_50MB_ms',
          'send_50MB_ms', 'spawn_ms', 'idle_worker_pss_kb']

FLOOR, MALT, OTHER = '#9a9996', '#1c71d8', '#6f6a7d'
TEXT, FAINT, GRID, PAPER = '#241f31', '#77767b', '#e3e1de', '#ffffff'

COLUMNS = 2
WIDTH = 960
MARGIN = 28
GAP = 44
LABELS = 190
VALUES = 66
LINE = 21
HEAD = 62
FOOT = 22


def entries_of(figures, row):
    """The figures of a panel, best first."""
    floors = {row.floor[0], 'raw-socketpair' if row.name == 'noop_sync_us' else None}
    shown = [figure for figure in results.ranked(figures, row, lambda peer: peer in NAMES)
             if figure.peer in floors or not results.is_floor(figure.peer)]
    if row.floor[1] != row.name and row.floor in figures:
        # The floor is of another row, of the same unit.
        shown.append(figures[row.floor])
        shown.sort(key=lambda figure: figure.median, reverse=row.is_rate)
    return shown


def decades(values):
    low = math.floor(math.log10(min(values)) + 1e-9)
    high = math.ceil(math.log10(max(values)) - 1e-9)
    return low, max(high, low + 1)


def tick_label(power, row):
    value = 10 ** power
    if row.is_rate:
        return f'{value / 1e6:g}M' if value >= 1e6 else f'{value / 1e3:g}k'
    if row.name.endswith('_kb'):
        return f'{value / 1000:g}'
    return f'{value:g}'


def unit_label(row):
    if row.is_rate:
        return 'calls per second, more is better'
    if row.name.endswith('_kb'):
        return 'MB, less is better'
    return {'us': 'microseconds', 'ms': 'milliseconds'}[row.name[-2:]] + ', less is better'


def text(x, y, content, size=12, color=TEXT, anchor='start', weight='normal'):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" '
            f'text-anchor="{anchor}" font-weight="{weight}">{escape(content)}</text>')


def value_label(figure):
    if figure.row.endswith('_kb'):
        return f'{figure.median / 1000:.1f} MB'
    return f'{results.format_number(figure.median, figure.row)} {results.unit(figure.row)}'.replace(' 1/s', '/s')


def draw_panel(x, y, width, row, entries):
    low, high = decades([figure.median for figure in entries if figure.median > 0])
    left, right = x + LABELS, x + width - VALUES
    bottom = y + HEAD + LINE * len(entries)

    def place(value):
        return left + (right - left) * (math.log10(max(value, 10 ** low)) - low) / (high - low)

    title = row.title[0].upper() + row.title[1:]
    out = [text(x, y + 14, title, 15, weight='bold'), text(x, y + 32, unit_label(row), 11.5, FAINT)]
    for power in range(low, high + 1):
        at = place(10 ** power)
        out.append(f'<line x1="{at:.1f}" y1="{y + HEAD - 8}" x2="{at:.1f}" y2="{bottom}" stroke="{GRID}"/>')
        out.append(text(at, bottom + 15, tick_label(power, row), 10.5, FAINT, 'middle'))
    for i, figure in enumerate(entries):
        middle = y + HEAD + LINE * i + LINE / 2 - 4
        own = results.is_malt(figure.peer)
        color = MALT if own else FLOOR if results.is_floor(figure.peer) else OTHER
        weight = 'bold' if own else 'normal'
        at = place(figure.median)
        out.append(text(left - 10, middle + 4, NAMES[figure.peer], 12,
                        MALT if own else FAINT if color == FLOOR else TEXT, 'end', weight))
        out.append(f'<line x1="{left:.1f}" y1="{middle:.1f}" x2="{at:.1f}" y2="{middle:.1f}" '
                   f'stroke="{color}" stroke-width="{3 if own else 2}" stroke-opacity="{0.55 if own else 0.35}"/>')
        out.append(f'<circle cx="{at:.1f}" cy="{middle:.1f}" r="{5.5 if own else 4.5}" fill="{color}"/>')
        out.append(text(at + 10, middle + 4, value_label(figure), 11.5, MALT if own else TEXT, weight=weight))
    return out


def legend(x, y):
    out = []
    for color, label in ((MALT, 'libmalt'), (OTHER, 'other libraries'), (FLOOR, 'the machine itself, without a library')):
        out.append(f'<circle cx="{x + 5}" cy="{y - 4}" r="5" fill="{color}"/>')
        out.append(text(x + 16, y, label, 12.5))
        x += 36 + 7 * len(label)
    return out


def draw(figures):
    """The chart as SVG.  All axes are logarithmic."""
    panels = [(results.ROWS[name], entries_of(figures, results.ROWS[name])) for name in PANELS]
    panels = [(row, entries) for row, entries in panels if entries]
    width = (WIDTH - 2 * MARGIN - GAP * (COLUMNS - 1)) / COLUMNS

    y = MARGIN + 14
    body = legend(MARGIN, y)
    y += 34
    for i in range(0, len(panels), COLUMNS):
        beside = panels[i:i + COLUMNS]
        for column, (row, entries) in enumerate(beside):
            body += draw_panel(MARGIN + column * (width + GAP), y, width, row, entries)
        y += HEAD + LINE * max(len(entries) for _, entries in beside) + FOOT + 30

    height = y - 8
    return '\n'.join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        'font-family="Cantarell, \'Noto Sans\', \'DejaVu Sans\', sans-serif">',
        '<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->',
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="{PAPER}"/>',
        *body,
        '</svg>', ''])
