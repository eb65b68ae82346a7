"""The agent's end of the attendant: a program that runs beside the agent, in a transient unit or as a child of ours."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.steps import attendant
from agent.steps.attendant import AttendAnswer, AttendRequest
from agent.steps.transient import in_unit

PROGRAM = attendant.__file__
_END = b"end\n"
#: Bytes of what the service manager says of a unit that it did not start.
_COMPLAINT = 2048


@dataclass(frozen=True, slots=True)
class AttendLimits:
    """``grace``: seconds beyond a program's deadline for its attendant to say so; ``looks``: seconds after which a caller that
    wants an end of it is heard; ``kept``: bytes of its last words; ``umask``: the program's."""

    grace: float = 15.0
    looks: float = 0.25
    kept: int = 4096
    umask: int = 0o022


@dataclass(frozen=True, slots=True)
class AttendedProgram:
    """What is to be run. ``unit`` and ``manager``: the transient unit and the words that begin one, both empty for a child of
    ours; ``tied``: it does not outlive the agent; ``tag``: the journal's name for its lines."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    timeout: float
    tag: str
    unit: str = ""
    manager: tuple[str, ...] = ()
    tied: bool = False


@dataclass(frozen=True, slots=True)
class Attended:
    """How it ended. ``code``: as ``Popen.returncode``, None where it was killed or did not begin; ``unstarted``: why it did not
    begin; ``late``: killed at its deadline; ``ended``: killed as the caller wished; ``said``: its last words."""

    code: int | None
    said: bytes = b""
    unstarted: str = ""
    late: bool = False
    ended: bool = False


def attend(wanted: AttendedProgram, is_ending: Callable[[], bool], limits: AttendLimits = AttendLimits()) -> Attended:
    """Run it to its end. Raises ``OSError`` where not even the attendant, or the way to the service manager, can be executed."""
    with subprocess.Popen(
        _words(wanted, limits),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        start_new_session=True,
    ) as process:
        asked = json.dumps(_request(wanted, limits)).encode() + b"\n"
        try:
            return _hear(process, asked, wanted, is_ending, limits)
        finally:
            process.kill()


def _words(wanted: AttendedProgram, limits: AttendLimits) -> Sequence[str]:
    words = (sys.executable, "-I", "-S", "-B", PROGRAM)
    if not wanted.manager:
        return words
    longest = wanted.timeout + limits.grace
    return in_unit(wanted.manager, wanted.unit, f"hikae: {wanted.tag}", longest, words)


def _request(wanted: AttendedProgram, limits: AttendLimits) -> AttendRequest:
    return {
        "words": list(wanted.words),
        "environment": dict(wanted.environment),
        "timeout": wanted.timeout,
        "kept": limits.kept,
        "unit": wanted.unit if wanted.manager else "",
        "tied": wanted.tied,
        "tag": wanted.tag,
        "umask": limits.umask,
    }


def _hear(
    process: subprocess.Popen[bytes],
    asked: bytes,
    wanted: AttendedProgram,
    is_ending: Callable[[], bool],
    limits: AttendLimits,
) -> Attended:
    """Wait for the answer and for the end of the unit behind it."""
    assert process.stdin is not None
    assert process.stdout is not None
    _say(process.stdin.fileno(), asked)
    until, ended, said = time.monotonic() + wanted.timeout + limits.grace, False, b""
    while (left := until - time.monotonic()) > 0:
        ready, _, _ = select.select([process.stdout], (), (), min(left, limits.looks))
        if ready:
            found = os.read(process.stdout.fileno(), 65_536)
            said += found
            if not found:
                return _answer(process, said, ended=ended)
        elif not ended and is_ending():
            ended = True
            until = min(until, time.monotonic() + limits.grace)
            _say(process.stdin.fileno(), _END)
    return Attended(None, late=True, ended=ended)


def _answer(process: subprocess.Popen[bytes], said: bytes, *, ended: bool) -> Attended:
    """What the attendant told; where it told nothing, what the service manager has to say about that."""
    try:
        found: AttendAnswer = json.loads(said)
    except ValueError:
        return Attended(None, unstarted=_complaint(process), ended=ended)
    killed = found["code"] is None and not found["unstarted"]
    return Attended(
        found["code"],
        found["said"].encode("latin-1"),
        found["unstarted"],
        late=found["late"],
        ended=ended and killed and not found["late"],
    )


def _complaint(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    os.set_blocking(process.stderr.fileno(), False)
    try:
        text = os.read(process.stderr.fileno(), _COMPLAINT).decode(errors="replace").strip()
    except BlockingIOError:
        text = ""
    last = text.rpartition("\n")[2]
    return f"its unit was not started, or was ended by somebody{': ' + last if last else ''}"


def _say(fd: int, words: bytes) -> None:
    """Tell the attendant; one that is gone is met where its answer is read."""
    try:
        while words:
            words = words[os.write(fd, words) :]
    except BrokenPipeError:
        return
