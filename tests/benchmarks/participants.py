# SPDX-License-Identifier: LGPL-2.1-or-later

"""Who takes part in the benchmarks: how each is built, started and stopped.

A participant is a program that prints a line of JSON for each figure.  What cannot be
built or started here is skipped, with a line that says why.
"""

import importlib.util
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PEERS = HERE / 'peers'


class Skip(Exception):
    pass


def need_tools(*tools):
    for tool in tools:
        if not shutil.which(tool):
            raise Skip(f'no {tool}')


def run(*argv, timeout=120):
    """The output of a command that has to succeed."""
    argv = [str(word) for word in argv]
    try:
        process = subprocess.run(argv, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Skip(f'{pathlib.Path(argv[0]).name} took too long') from None
    if process.returncode:
        reason = (process.stderr.strip().splitlines() or ['?'])[-1]
        raise Skip(f'{pathlib.Path(argv[0]).name} failed: {reason}')
    return process.stdout


def flags(package):
    need_tools('pkg-config')
    return run('pkg-config', '--cflags', '--libs', package).split()


class Builder:
    """Where the peers' programs are built.  What is newer than its source stays."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)

    def compile(self, name, sources, *extra, compiler='gcc'):
        need_tools(compiler)
        program = self.directory / name
        newest = max(path.stat().st_mtime
                     for path in [*sources, *PEERS.glob('*.h')])
        if not program.exists() or program.stat().st_mtime < newest:
            run(compiler, '-O2', '-DNDEBUG', '-I', PEERS, '-I', self.directory,
                '-o', program, *sources, *extra)
        return program


# How to start the programs without libmalt.  Each gets the builder, and gives the command
# and what the environment has to have.

def raw(*arguments):
    def prepare(builder):
        return [
            builder.compile('raw_limits', [PEERS / 'raw_limits.c']),
            builder.compile('raw_worker', [PEERS / 'raw_worker.c']),
            builder.compile('raw_worker_gio', [PEERS / 'raw_worker.c'], '-DWITH_GIO', *flags('gio-2.0')),
            *arguments,
        ], {}
    return prepare


def python(script, *arguments):
    def prepare(_builder):
        return [sys.executable, PEERS / script, *arguments], {}
    return prepare


def execnet(builder):
    if importlib.util.find_spec('execnet') is None:
        raise Skip('no python3-execnet')
    return python('py_execnet.py')(builder)


def node(which):
    def prepare(builder):
        need_tools('node')
        command = ['node', PEERS / 'node_peers.js', which]
        if which == 'piscina':
            if not (builder.directory / 'node_modules' / 'piscina').is_dir():
                need_tools('npm')
                run('npm', 'install', '--prefix', builder.directory,
                    '--no-audit', '--no-fund', '--no-save', 'piscina')
            command.append(builder.directory)
        return command, {}
    return prepare


def c_program(name, package):
    def prepare(builder):
        return [builder.compile(name, [PEERS / (name + '.c')], *flags(package))], {}
    return prepare


def capnp(builder):
    need_tools('capnp', 'capnpc-c++')
    libraries = flags('capnp-rpc')
    schema = PEERS / 'capnp_peer.capnp'
    generated = builder.directory / 'capnp_peer.capnp.c++'
    if not generated.exists() or generated.stat().st_mtime < schema.stat().st_mtime:
        run('capnp', 'compile', f'--src-prefix={PEERS}', f'-oc++:{builder.directory}', schema)
    return [builder.compile('capnp_peer', [PEERS / 'capnp_peer.cpp', generated],
                            *libraries, compiler='g++')], {}


def erlang(builder):
    need_tools('erl', 'erlc', 'epmd')
    run('erlc', '-o', builder.directory, PEERS / 'erl_peer.erl')
    port = builder.compile('erl_port', [PEERS / 'erl_port.c'])
    # A name server of our own, so that it can be stopped afterwards.
    environment = {'ERL_EPMD_PORT': str(20000 + os.getpid() % 10000),
                   'ERL_EPMD_ADDRESS': '127.0.0.1'}
    return ['erl', '-sname', 'peers-manager@localhost', '-noinput', '-pa', builder.directory,
            '-run', 'erl_peer', 'main', port], environment


class Participant:
    """@group: floor, malt or peer.
    @every_round: its figures are taken again in each round, in turns with the others."""

    def __init__(self, name, group, prepare, timeout=25, every_round=False):
        self.name = name
        self.group = group
        self.prepare = prepare
        self.timeout = timeout
        self.every_round = every_round

    def is_called(self, names):
        """Whether one of the names is its own, its group's or the beginning of its own."""
        return any(self.name == name or self.group == name or self.name.startswith(name + '-')
                   for name in names)

    def measure(self, builder, scale, seconds_left):
        """The figures.  What it printed before its time was over counts."""
        timeout = min(self.timeout, seconds_left)
        if timeout < 3:
            raise Skip('no time is left')
        command, extra = self.prepare(builder)
        environment = {**os.environ, 'PYTHONDONTWRITEBYTECODE': '1', 'PEERS_SCALE': str(scale), **extra}
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True,
                                   env=environment, cwd=builder.directory, start_new_session=True)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            print(f'  {self.name}: ended after {timeout:.0f} s', file=sys.stderr)
        else:
            if process.returncode:
                print(f'  {self.name}: exit status {process.returncode}', file=sys.stderr)
        if self.name == 'erlang':
            subprocess.run(['epmd', '-kill'], env=environment, capture_output=True)
        return [json.loads(line) for line in output.splitlines() if line.startswith('{')]


def malt(build_root, peer, runtime, sections, timeout=60, every_round=True, **environment):
    """A run of bench-malt, with modules and programs of a build tree."""
    build_root = pathlib.Path(build_root)

    def prepare(_builder):
        program = build_root / 'tests' / 'benchmarks' / 'bench-malt'
        module = build_root / 'plugins' / runtime / f'libmalt-runtime-{runtime}.so'
        if not program.exists():
            raise Skip(f'no {program}')
        if not module.exists():
            raise Skip(f'no {module}')
        paths = [build_root / folder for folder in
                 ('backends/process', 'backends/inprocess', 'plugins/native', 'plugins/python', 'plugins/gjs')]
        return [program, peer, runtime, *sections], {
            'MALT_BENCH_MODULES': str(program.parent),
            'MALT_MODULE_PATH': ':'.join(str(path) for path in paths),
            **environment,
        }

    name = peer if 'many' not in sections else peer + '-many'
    return Participant(name, 'malt', prepare, timeout, every_round)


def python_manager(build_root, peer, *arguments):
    """A program in Python, with the binding of a build tree."""
    build_root = pathlib.Path(build_root)

    def prepare(_builder):
        binding = build_root / 'introspection' / 'python'
        if not (binding / 'gi' / 'overrides' / 'Malt.py').exists():
            raise Skip(f'no Python binding in {build_root}')
        paths = [build_root / folder for folder in ('backends/process', 'plugins/python')]
        return ['/usr/bin/python3', HERE / 'python_manager.py', peer, *arguments], {
            'GI_TYPELIB_PATH': str(build_root / 'libmalt'),
            'LD_LIBRARY_PATH': str(build_root / 'libmalt'),
            'MALT_MODULE_PATH': ':'.join(str(path) for path in paths),
            'PYTHONPATH': str(binding),
        }

    return Participant(peer, 'malt', prepare, 60, True)


def gjs_manager(build_root, peer):
    """A program in GJS, with the binding of a build tree."""
    build_root = pathlib.Path(build_root)

    def prepare(_builder):
        need_tools('gjs')
        binding = build_root / 'introspection' / 'gjs'
        if not (binding / 'overrides' / 'Malt.js').exists():
            raise Skip(f'no binding for GJS in {build_root}')
        return ['gjs', '-m', HERE / 'gjs_manager.js', peer], {
            'GI_TYPELIB_PATH': f'{build_root / "libmalt"}:{binding}',
            'LD_LIBRARY_PATH': f'{build_root / "libmalt"}:{binding}',
            'MALT_MODULE_PATH': ':'.join(str(build_root / folder) for folder in ('backends/process', 'plugins/gjs')),
            'GJS_PATH': str(binding),
        }

    return Participant(peer, 'malt', prepare, 60, True)


def everybody(build_root):
    """All participants, in the order in which they run."""
    return [
        Participant('floor', 'floor', raw('floor'), every_round=True),
        malt(build_root, 'malt-native', 'native', ['calls', 'channels', 'bytes', 'starts', 'idle']),
        malt(build_root, 'malt-native-in-place', 'native', ['in-place']),
        malt(build_root, 'malt-native-nospin', 'native', ['calls'], MALT_SPIN='0'),
        malt(build_root, 'malt-native-socket', 'native', ['calls', 'channels', 'bytes'], MALT_RING='0'),
        malt(build_root, 'malt-python', 'python', ['eval', 'calls', 'channels', 'bytes', 'starts', 'idle']),
        # The calls of the one come right before those of the other, which are held to them.
        malt(build_root, 'malt-gjs', 'gjs', ['eval', 'bytes', 'starts', 'idle', 'calls']),
        gjs_manager(build_root, 'malt-gjs-manager'),
        python_manager(build_root, 'malt-python-manager'),
        python_manager(build_root, 'malt-python-manager-in-place', 'view'),
        python_manager(build_root, 'malt-executor', 'executor'),
        Participant('gdbus', 'peer', c_program('gdbus_p2p', 'gio-2.0')),
        Participant('zmq', 'peer', c_program('zmq_peer', 'libzmq')),
        Participant('capnp', 'peer', capnp),
        Participant('py-pipe', 'peer', python('py_mp.py', 'pipe')),
        Participant('py-executor', 'peer', python('py_mp.py', 'executor'), timeout=40),
        Participant('node-advanced', 'peer', node('advanced')),
        Participant('piscina', 'peer', node('piscina')),
        Participant('erlang', 'peer', erlang),
        Participant('node-threads', 'peer', node('threads')),
        Participant('execnet', 'peer', execnet),
        Participant('node-json', 'peer', node('json')),
        Participant('py-pool', 'peer', python('py_mp.py', 'pool')),
        malt(build_root, 'malt-native', 'native', ['many'], timeout=60, every_round=False),
        # What is not in the floor: only when asked for.
        Participant('raw', 'raw', raw(), timeout=60),
    ]
