"""A process that has imported all of ``hikae`` and forks one for each command line that it is asked for: see :mod:`fakes.forked`.

Started as a program of its own with the number of a socket (``SOCK_SEQPACKET``) to be asked on. A request is one JSON message
with three descriptors: standard output, standard error, and where the new process's id and, later, how it ended are written,
:data:`NUMBER` each. The server has one thread, so that forking is safe, and ends with the socket.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from importlib import import_module

from agent.cli.main import COMMANDS, main

#: A process id, or how a process ended (``os.waitstatus_to_exitcode``).
NUMBER = struct.Struct("=q")
DESCRIPTORS = 3
LARGEST_REQUEST = 1 << 17


def import_everything() -> None:
    """Import what an agent and each command import when they run."""
    for module, _ in COMMANDS.values():
        import_module(f"agent.cli.{module}")
    import_module("agent.process.service")


def become(request: dict[str, object], out: int, err: int) -> int:
    """In the new process: take over its descriptors, directory and environment, and run its command line; the exit code."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, descriptor in enumerate((os.open(os.devnull, os.O_RDONLY), out, err)):
        os.dup2(descriptor, number)
    os.closerange(DESCRIPTORS, os.sysconf("SC_OPEN_MAX"))
    os.chdir(str(request["directory"]))
    words = request["words"]
    assert isinstance(words, list)
    sys.argv = ["hikae", *words]
    time.tzset()
    return main(words)


class ForkServer:
    """The loop of the server. ``asked`` is the socket that it is asked on."""

    def __init__(self, asked: socket.socket) -> None:
        self._asked = asked
        self._ended, wakeup = os.pipe()
        os.set_blocking(self._ended, False)
        os.set_blocking(wakeup, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wakeup)
        self._told: dict[int, int] = {}

    def serve(self) -> int:
        """Fork as asked until the socket ends; in a forked process, the exit code of its command line."""
        watched: list[int | socket.socket] = [self._asked, self._ended]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if self._ended in ready:
                os.read(self._ended, 1 << 12)
                self._tell_ends()
            if self._asked in ready:
                message, descriptors, _, _ = socket.recv_fds(self._asked, LARGEST_REQUEST, DESCRIPTORS)
                if not message:
                    return 0
                out, err, told = descriptors
                pid = os.fork()
                if pid == 0:
                    return become(json.loads(message), out, err)
                os.write(told, NUMBER.pack(pid))
                self._told[pid] = told
                os.close(out)
                os.close(err)

    def _tell_ends(self) -> None:
        """Say of each process that ended meanwhile how it did."""
        while self._told:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            told = self._told.pop(pid)
            os.write(told, NUMBER.pack(os.waitstatus_to_exitcode(status)))
            os.close(told)


if __name__ == "__main__":
    import_everything()
    gc.collect()
    gc.freeze()
    sys.exit(ForkServer(socket.socket(fileno=int(sys.argv[1]))).serve())
