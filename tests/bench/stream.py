"""A stream of small writes at a steady rate, and how long each took until it was there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.crew import Failed

CONTENT = b"a small write, as a program makes many\n" * 5
#: Between two looks, in seconds. What arrived is timed after the look that saw it, so this is never in our favour.
_EVERY = 0.001

#: Of the names it is asked for, those that are there, whole.
Look = Callable[[frozenset[str]], frozenset[str]]


def lags(directory: Path, names: Sequence[str], rate: int, look: Look, within: float = 120.0) -> list[float]:
    """Write a file of each name, ``rate`` a second, into ``directory``; seconds from each write's return until ``look`` saw it.

    Raises :class:`Failed` when some are not there ``within`` so many seconds after the last write."""
    writer = _Writer(directory, names, rate)
    pause = threading.Event()
    found: dict[str, float] = {}
    deadline = time.monotonic() + len(names) / rate + within
    writer.start()
    try:
        while len(found) < len(names):
            there = look(frozenset(writer.written.keys() - found.keys()))
            now = time.monotonic()
            found.update((name, now - writer.written[name]) for name in there)
            if now > deadline:
                raise Failed(f"{len(names) - len(found)} of {len(names)} writes did not arrive within {within:.0f} s")
            pause.wait(_EVERY)
    finally:
        writer.stop()
    return list(found.values())


class Arrived:
    """A :data:`Look` at a directory: whole files under their final names."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __call__(self, names: frozenset[str]) -> frozenset[str]:
        try:
            listed = names.intersection(os.listdir(self._directory)) if names else names
        except FileNotFoundError:
            return frozenset()
        return frozenset(name for name in listed if (self._directory / name).stat().st_size == len(CONTENT))


def bare_syncs(directory: Path, count: int) -> list[float]:
    """Seconds of three times "4 KiB written, then fdatasync" in a row, measured ``count`` times in a file of its own."""
    path = directory / "bare"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return [_three_syncs(fd) for _ in range(count)]
    finally:
        os.close(fd)
        path.unlink()


def _three_syncs(fd: int) -> float:
    begun = time.monotonic()
    for _ in range(3):
        os.write(fd, bytes(4096))
        os.fdatasync(fd)
    return time.monotonic() - begun


class _Writer:
    """Writes in a thread of its own. ``written``: when each write returned; a name stands there just before its write."""

    def __init__(self, directory: Path, names: Sequence[str], rate: int) -> None:
        self.written: dict[str, float] = {}
        self._directory = directory
        self._names = names
        self._rate = rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, name="bench-writer")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        begun = time.monotonic()
        for number, name in enumerate(self._names):
            if self._stop.wait(max(0.0, begun + number / self._rate - time.monotonic())):
                return
            self.written[name] = time.monotonic()
            fd = os.open(self._directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            try:
                os.write(fd, CONTENT)
                self.written[name] = time.monotonic()
            finally:
                os.close(fd)
