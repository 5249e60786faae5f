# SPDX-License-Identifier: LGPL-2.1-or-later

"""A terminal with a command in it, and a person in front of it who types."""

import fcntl
import os
import pty
import select
import subprocess
import termios
import time

PATIENCE = 60


class Terminal:
    """Runs a command on a pseudo-terminal of its own, which Ctrl-C goes through."""

    def __init__(self, command, env, **streams):
        self.text = ''
        self._fd, slave = pty.openpty()
        streams = {name: slave for name in ('stdin', 'stdout', 'stderr')} | streams
        self.process = subprocess.Popen(command, env=env, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),
                                        **streams)
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._fd)

    def _read_some(self, deadline):
        """Reads what is there; False if nothing will come any more."""
        ready, _, _ = select.select([self._fd], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise AssertionError(f'nothing came for {PATIENCE} s after {self.text!r}')
        try:
            data = os.read(self._fd, 65536)
        except OSError:
            data = b''
        self.text += data.decode(errors='backslashreplace')
        return data != b''

    def type(self, text):
        os.write(self._fd, text.encode())

    def is_canonical(self):
        """Whether the terminal itself edits lines, as it does for a shell."""
        return bool(termios.tcgetattr(self._fd)[3] & termios.ICANON)

    def expect(self, text):
        """Waits until the text is there, and gives what came before it."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.text:
            if not self._read_some(deadline):
                raise AssertionError(f'{text!r} did not come, only {self.text!r}')
        before, self.text = self.text.split(text, 1)
        return before

    def finish(self):
        """Waits until the command has ended; its status, and what came last."""
        deadline = time.monotonic() + PATIENCE
        while self._read_some(deadline):
            pass
        return self.process.wait(PATIENCE), self.text.replace('\r\n', '\n')
