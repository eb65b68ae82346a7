"""Every program that a measurement starts is ended with it, whatever happens, grandchildren included."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_SET_CHILD_SUBREAPER = 36  # prctl(2)
_PATIENCE = 10.0
_PAUSE = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A program that had to succeed did not, or what had to come did not come in time."""


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that :func:`end_descendants` finds it."""
    ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_descendants() -> list[int]:
    """Kill what still runs below this process; the process ids. To be called when nothing should run any more."""
    ended = []
    while children := _children(os.getpid()):
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(child, 0)
            ended.append(child)
    return ended


def finish(words: Sequence[str], environment: Mapping[str, str] | None = None, patience: float = 3600.0) -> str:
    """Run a program to its end; its output. Raises :class:`Failed` with what it said."""
    done = subprocess.run(
        list(words),
        capture_output=True,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        env={**os.environ, "LC_ALL": "C", **(environment or {})},
        timeout=patience,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{Path(words[0]).name} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout


@contextmanager
def running(
    words: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, patience: float = _PATIENCE
) -> Iterator[subprocess.Popen[bytes]]:
    """A program as long as the block lasts: asked to end then, with all of its process group, and killed if it does not."""
    with log.open("ab") as out:
        process = subprocess.Popen(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _signal_group(process, signal.SIGTERM)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _signal_group(process, signal.SIGKILL)
            process.wait()


def until(look: Callable[[], bool], what: str, within: float = 60.0) -> None:
    """Wait until ``look()`` is true. Raises :class:`Failed` with ``what`` was waited for."""
    pause = threading.Event()
    deadline = time.monotonic() + within
    while not look():
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {within:.0f} s")
        pause.wait(_PAUSE)


def peak_memory(process: int) -> int:
    """The kernel's high-water mark of resident memory (VmHWM), in bytes, of a process and those that it started, summed."""
    own = 0
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                own = int(line.split()[1]) << 10
    return own + sum(peak_memory(child) for child in _children(process))


def processor_time(process: int) -> float:
    """Seconds of processor that a process took so far, with those that it started, whether they still run or it waited for their
    end (proc(5)); 0 for one that is gone."""
    own = 0.0
    with suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        own = sum(map(int, fields[11:15])) / _TICKS
    return own + sum(processor_time(child) for child in _children(process))


def _children(process: int) -> list[int]:
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, path.read_text().split())
    return found


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
