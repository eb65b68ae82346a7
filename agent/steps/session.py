"""The end of a program and of all that it began, whatever sessions and process groups they made of themselves.

A child may leave its process group and its session, but seldom its environment: a mark there, as build servers set it, finds it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress

#: Who forks while it is killed is met in the next round; nobody forks for so many.
_ROUNDS = 20


def kill_all(leader: int, mark: bytes) -> None:
    """Kill every process of the session that ``leader`` leads, and every one with ``mark`` (``NAME=value``) in its environment.

    ``leader`` must not have been waited for yet, so that its number is nobody else's."""
    for _ in range(_ROUNDS):
        found = list(_belonging(leader, mark))
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        if not found:
            return


def _belonging(leader: int, mark: bytes) -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdecimal() and int(name) != os.getpid():
            with suppress(OSError):
                if _lives_in_session(name, leader) or _is_marked(name, mark):
                    yield int(name)


def _lives_in_session(process: str, leader: int) -> bool:
    """Whether it is of the leader's session, and not dead already. Behind the name of the program, which may hold anything, stand
    state, parent, group and session (proc_pid_stat(5))."""
    with open(f"/proc/{process}/stat", "rb") as file:
        state, _, _, session = file.read().rpartition(b")")[2].split()[:4]
    return int(session) == leader and state not in (b"Z", b"X")


def _is_marked(process: str, mark: bytes) -> bool:
    with open(f"/proc/{process}/environ", "rb") as file:
        return mark in file.read().split(b"\0")
