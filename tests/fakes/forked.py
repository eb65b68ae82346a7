"""Processes of ``hikae`` that begin in milliseconds: forked from one that has imported everything.

An interpreter of its own, ``python -m agent.cli.main``, imports for most of a second of processor time. What is forked is a
process like any other, with the same code and with descriptors, directory and environment of its own, and can be killed, stopped
and waited for. Where a test wants another program, user or environment, and in the soak, a new interpreter is started.
"""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from typing import Protocol

from fakes.fork_server import NUMBER

#: What may be another in the environment of who is forked: pytest's own word, and what ``agent.rpc`` sets by itself.
_PASSING = {"PYTEST_CURRENT_TEST", "GRPC_VERBOSITY"}


class Started(Protocol):
    """What tests need of a process, forked or not."""

    @property
    def pid(self) -> int: ...

    returncode: int | None

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...


class Forked:
    """One process, as :class:`subprocess.Popen` shows it; ``told`` brings how it ended."""

    def __init__(self, pid: int, told: int, words: Sequence[str]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told, self._words = told, words
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """The exit code, as ``Popen`` counts them; None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, at most ``timeout`` seconds; the exit code. Raises ``subprocess.TimeoutExpired``."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(list(self._words), timeout or 0)
        return code

    def send_signal(self, sig: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def _ended(self, timeout: float | None) -> int | None:
        with self._lock:
            if self.returncode is None:
                found = select.poll()
                found.register(self._told, select.POLLIN)
                if found.poll(None if timeout is None else timeout * 1000):
                    (self.returncode,) = NUMBER.unpack(os.read(self._told, NUMBER.size))
                    os.close(self._told)
            return self.returncode


@dataclass(frozen=True, slots=True)
class _Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    asked: socket.socket

    def fork(self, words: Sequence[str], directory: Path, out: int, err: int) -> Forked:
        """A new process with these descriptors for its output."""
        told, tells = os.pipe()
        try:
            request = json.dumps({"words": list(words), "directory": str(directory)})
            socket.send_fds(self.asked, [request.encode()], [out, err, tells])
        finally:
            os.close(tells)
        (pid,) = NUMBER.unpack(os.read(told, NUMBER.size))
        return Forked(pid, told, words)


def environment_now() -> dict[str, str]:
    """This process's environment, without what may be another."""
    return {name: value for name, value in os.environ.items() if name not in _PASSING}


#: What tests begin with: the server has it whichever test needs it first.
_AT_FIRST = environment_now()
_lock = threading.Lock()
_servers: list[_Server] = []
_measuring = threading.Event()


def server_of_this_process() -> int | None:
    """The process id of the server that this process started; None where it has started none."""
    return _servers[0].process.pid if _servers else None


def _server() -> _Server:
    """The one server of this process, started when it is first needed."""
    with _lock:
        if not _servers:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-m", "tests.fakes.fork_server", str(theirs.fileno())],
                    cwd=Path(__file__).parents[2],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    env=_AT_FIRST,
                )
            _servers.append(_Server(process, ours))
        return _servers[0]


def never() -> None:
    """From now on every process of this one is what is installed, with the memory that is its own and what it imported alone."""
    _measuring.set()


def may_fork() -> bool:
    """Whether a process forked now would have the environment of this one, and nobody measures it."""
    return (
        not _measuring.is_set() and not int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) and environment_now() == _AT_FIRST
    )


def fork(words: Sequence[str], directory: Path, out: int, err: int) -> Forked:
    """Start ``hikae`` with these words; its output goes to the descriptors ``out`` and ``err``."""
    return _server().fork(words, directory, out, err)


def run(words: Sequence[str], directory: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    """Run ``hikae`` with these words to its end, as :func:`subprocess.run` does; at most ``timeout`` seconds."""
    kept = [os.memfd_create(name, os.MFD_CLOEXEC) for name in ("output", "errors")]
    try:
        process = fork(words, directory, *kept)
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(SIGKILL)
            process.wait()
            raise
        output, errors = (os.pread(number, os.fstat(number).st_size, 0).decode() for number in kept)
        return subprocess.CompletedProcess(["hikae", *words], code, output, errors)
    finally:
        for number in kept:
            os.close(number)
