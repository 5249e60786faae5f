#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later

"""Measures what libmalt costs, beside what the machine itself and others take for the like.

All of it in one run and in turns, since a machine has moods: see docs/performance.md.
"""

import argparse
import json
import os
import pathlib
import platform
import sys
import time

sys.dont_write_bytecode = True

import chart
import participants
import results


def measure(chosen, builder, rounds, scale, limit):
    """The records of all participants, and how many rounds there were.  The floor and
    libmalt have several, as far as time allows; the others come after the first.

    @limit: in seconds
    """
    records = []
    begin = time.monotonic()
    round_seconds = 0

    for number in range(rounds):
        if number > 0 and limit - (time.monotonic() - begin) < 1.2 * round_seconds:
            print(f'  no time is left for round {number + 1}', file=sys.stderr)
            return records, number
        for participant in chosen:
            if number > 0 and not participant.every_round:
                continue
            part_begin = time.monotonic()
            try:
                got = participant.measure(builder, scale, limit - (part_begin - begin))
            except participants.Skip as reason:
                print(f'  {participant.name}: skipped, {reason}', file=sys.stderr)
                continue
            for record in got:
                record['round'] = number
            records += got
            seconds = time.monotonic() - part_begin
            if participant.every_round:
                round_seconds += seconds
            print(f'  {participant.name}: {len(got)} rows in {seconds:.1f} s', file=sys.stderr, flush=True)

    return records, rounds


def processor():
    try:
        with open('/proc/cpuinfo', encoding='utf-8') as lines:
            for line in lines:
                if line.startswith('model name'):
                    return line.split(':', 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def describe_machine(rounds, seconds):
    load = os.getloadavg()
    return (f'{time.strftime("%Y-%m-%d")}: {rounds} round{"s" if rounds > 1 else ""}, {seconds:.0f} s, on {os.cpu_count()} processors ({processor()}), '
            f'Linux {platform.release().split("-")[0]}; load {load[0]:.1f}.')


def main():
    everybody = participants.everybody('.')
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--build-root', type=pathlib.Path, default=pathlib.Path('build-bench'),
                        help='the build of libmalt')
    parser.add_argument('--only', metavar='NAME,…',
                        help='who takes part: ' + ', '.join(dict.fromkeys(one.name for one in everybody))
                        + ', or floor, malt or peer for all of these')
    parser.add_argument('--rounds', type=int, default=2, help='of the floor and libmalt')
    parser.add_argument('--scale', type=float, default=0.3, help='how long each figure is measured')
    parser.add_argument('--limit', type=float, default=225, help='in seconds, for all of it')
    parser.add_argument('--json', metavar='FILE', type=pathlib.Path, help='write a line for each figure')
    parser.add_argument('--svg', metavar='FILE', type=pathlib.Path, help='write a chart')
    parser.add_argument('--markdown', metavar='FILE', type=pathlib.Path, help='write the table of the manual')
    parser.add_argument('--summary', metavar='FILE', type=pathlib.Path, help='write the short table of the README')
    parser.add_argument('--from', dest='source', metavar='FILE', type=pathlib.Path,
                        help='show what --json wrote, and measure nothing')
    parser.add_argument('--all', action='store_true', help='show all others in each row, not the best five')
    arguments = parser.parse_args()

    begin = time.monotonic()
    if arguments.source:
        records = [json.loads(line) for line in arguments.source.read_text().splitlines()]
        machine = ''
    else:
        build_root = arguments.build_root.resolve()
        everybody = participants.everybody(build_root)
        if arguments.only:
            names = arguments.only.split(',')
            for name in names:
                if not any(one.is_called([name]) for one in everybody):
                    parser.error(f'nobody is called {name}')
            everybody = [one for one in everybody if one.is_called(names)]
        else:
            everybody = [one for one in everybody if one.group != 'raw']
        builder = participants.Builder(build_root / 'tests' / 'benchmarks' / 'peers')
        records, rounds = measure(everybody, builder, arguments.rounds, arguments.scale, arguments.limit)
        machine = describe_machine(rounds, time.monotonic() - begin)

    figures = results.merge(records)
    if arguments.json:
        arguments.json.write_text(''.join(json.dumps(record) + '\n' for record in records))
    if arguments.svg:
        arguments.svg.write_text(chart.draw(figures))
    if arguments.markdown:
        arguments.markdown.write_text(results.markdown(figures, machine))
    if arguments.summary:
        arguments.summary.write_text(results.summary(figures, machine))

    print()
    print(results.table(figures, n_peers=1000 if arguments.all else 5))
    print('\nmedian: of the rounds\' medians; best: of all samples.  Times: less is better, rates: more.')
    print(machine)
    return 0 if records else 1


if __name__ == '__main__':
    sys.exit(main())
