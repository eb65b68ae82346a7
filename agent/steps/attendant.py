"""Runs one program and attends to it until its end or its deadline: what runs in a transient unit around a hook.

It imports nothing but the standard library, since it is executed as a file of its own (``python -I -S -B attendant.py``) where
the agent's environment is not. Its input is one line of JSON (``AttendRequest``), its output another at the end
(``AttendAnswer``). What the program says goes to the journal line by line, under its unit, and its last words into the answer.

The deadline is kept here, and not by who asked: an agent that was killed leaves nothing behind that outlives it.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import time
from contextlib import suppress
from typing import TypedDict

_ONE_READ = 65_536
#: Bytes of one line of the journal.
_LINE = 8192
_JOURNAL = "/run/systemd/journal/socket"


class AttendRequest(TypedDict):
    """``words``: the program and its arguments; ``timeout``: seconds; ``kept``: bytes of its last words; ``unit``: the unit that
    is its own and is killed whole at the deadline, "" for none; ``tied``: whether it ends with who asked for it; ``tag``: by
    which name the journal knows its lines; ``umask``: the program's."""

    words: list[str]
    environment: dict[str, str]
    timeout: float
    kept: int
    unit: str
    tied: bool
    tag: str
    umask: int


class AttendAnswer(TypedDict):
    """``code``: as ``Popen.returncode`` has it, None where it did not end by itself; ``unstarted``: why it could not be run;
    ``late``: it was killed at its deadline; ``said``: its last words, in bytes that stand for themselves (latin-1)."""

    code: int | None
    unstarted: str
    late: bool
    said: str


def attend_one() -> None:
    """Serve the one request of the standard input."""
    given = _Input()
    request: AttendRequest = json.loads(given.line())
    answer = _attended(request, given)
    if answer["code"] is None and not answer["unstarted"]:
        # Told first: the end of the unit is our end too.
        _tell(answer)
        _end_all(request["unit"])
        return
    _tell(answer)


class _Input:
    """What is asked, and whether who asked is still there: a second line is the wish for an end."""

    def __init__(self) -> None:
        self._kept = b""
        self.open = True

    def line(self) -> bytes:
        """The first line, waited for."""
        while b"\n" not in self._kept and self.open:
            self.hear()
        line, _, self._kept = self._kept.partition(b"\n")
        return line

    @property
    def wishes_end(self) -> bool:
        """Whether something came after the request."""
        return bool(self._kept)

    def hear(self) -> None:
        """Read once."""
        found = os.read(0, _ONE_READ)
        self.open = bool(found)
        self._kept += found


class _Words:
    """What the program says: its last bytes, and each line to the journal."""

    def __init__(self, fd: int, kept: int, tag: str) -> None:
        self.fd = fd
        self.open = True
        self.last = b""
        self._kept = kept
        self._line = b""
        self._tag = tag.encode(errors="replace")
        self._journal = _journal()
        os.set_blocking(fd, False)

    def hear(self) -> bool:
        """Read once; False: there is nothing now."""
        try:
            found = os.read(self.fd, _ONE_READ)
        except BlockingIOError:
            return False
        self.open = bool(found)
        self.last = (self.last + found)[-self._kept :]
        *whole, self._line = (self._line + found).split(b"\n")
        for line in whole:
            self._log(line)
        if len(self._line) > _LINE:
            self._log(self._line)
            self._line = b""
        return self.open

    def end(self) -> None:
        """Hear what is left; a child that goes on talking is heard only so far."""
        for _ in range(64):
            if not self.open or not self.hear():
                break
        self._log(self._line)

    def _log(self, line: bytes) -> None:
        if line and self._journal is not None:
            fields = b"MESSAGE=%b\nSYSLOG_IDENTIFIER=%b\nPRIORITY=6\n" % (line[:_LINE], self._tag)
            with suppress(OSError):
                self._journal.send(fields)


def _attended(request: AttendRequest, given: _Input) -> AttendAnswer:
    """Run the program to its end, or to where it has to be killed: then it still runs, and ``code`` is None."""
    os.umask(request["umask"])
    deadline = time.monotonic() + request["timeout"]
    try:
        process = subprocess.Popen(
            request["words"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=request["environment"],
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return {"code": None, "unstarted": str(getattr(error, "strerror", None) or error), "late": False, "said": ""}
    assert process.stdout is not None
    words = _Words(process.stdout.fileno(), request["kept"], request["tag"])
    late = _heard(process, words, given, deadline, tied=request["tied"])
    words.end()
    said = words.last.decode("latin-1")
    if late is not None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        return {"code": None, "unstarted": "", "late": late, "said": said}
    return {"code": process.wait(), "unstarted": "", "late": False, "said": said}


def _heard(
    process: subprocess.Popen[bytes], words: _Words, given: _Input, deadline: float, *, tied: bool
) -> bool | None:
    """None: it ended; True: its deadline came; False: an end was wished, or who asked is gone and it is tied to it."""
    ends = os.pidfd_open(process.pid)
    while not given.wishes_end and (left := deadline - time.monotonic()) > 0:
        heard = [ends, *([words.fd] if words.open else []), *([0] if given.open else [])]
        ready, _, _ = select.select(heard, (), (), left)
        if words.fd in ready:
            words.hear()
        if ends in ready:
            return None
        if 0 in ready:
            given.hear()
        if tied and not given.open:
            return False
    return not given.wishes_end


def _journal() -> socket.socket | None:
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with suppress(OSError):
        found.connect(_JOURNAL)
        # A journal that stands still must not hold up the program.
        found.settimeout(0.2)
        return found
    return None


def _end_all(unit: str) -> None:
    """Have the service manager kill all of the unit that we run in, ourselves too, whatever sessions were begun in it."""
    if unit:
        subprocess.run(("systemctl", "kill", "--signal=KILL", unit), stdin=subprocess.DEVNULL, check=False)


def _tell(answer: AttendAnswer) -> None:
    with suppress(OSError):
        os.write(1, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    attend_one()
