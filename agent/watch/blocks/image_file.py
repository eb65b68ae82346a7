"""The tracker of a raw image file: that it was written is told by its times, which of its bytes is not.

A store to mapped memory moves the times of a file once for each write-back only. So a take writes the file back first: the next
store moves them again.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from agent.fs.durable import has_silent_stores, sync_data, sync_dir, timestamp_grain_ns, write_durably
from agent.watch.blocks.ports import Dirtied

_WHY = "the image file's times tell that it was written, not where"
_SILENT = "; stores to mapped memory are not told on this filesystem"
_STARTED = "what was written before the agent started was not noted"
_WRITTEN = "the image file was written, and nothing tells where"


class ImageStat(NamedTuple):
    """What a file's stat says of its content. Times in ns."""

    device: int
    inode: int
    size: int
    mtime: int
    ctime: int


@dataclass(frozen=True, slots=True)
class ImageLook:
    """A look at an image. ``settled``: a later write moves its times for sure."""

    stat: ImageStat
    settled: bool


class ImageFileTracker:
    """A ``BlockTracker`` of one raw image file. Its thread looks each ``interval`` seconds; ``saved``: what the last one kept."""

    kind = "events"
    overflows = 0
    waiting = 0

    def __init__(self, path: str, saved: Path | None = None, interval: float = 1.0) -> None:
        self.why = _WHY
        self._path = path
        self._saved = saved
        self._interval = interval
        self._lock = threading.Lock()
        #: What was taken last; None while everything is owed.
        self._taken: ImageStat | None = None
        self._reconcile: str | None = _STARTED
        self._told = False
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, wake: Callable[[], None]) -> None:
        """See ``BlockTracker``."""
        self._ending.clear()
        with self._lock:
            self._resume()
        self._thread = threading.Thread(target=self._run, args=(wake,), name="hikae-image-file")
        self._thread.start()

    def take(self) -> Dirtied:
        """See ``BlockTracker``."""
        with self._lock:
            self._told = False
            try:
                look = _looked_at(self._path, time.time_ns())
            except OSError as error:
                self._taken = None
                return Dirtied((), _reason(error))
            reason = self._owed(look.stat)
            self._taken, self._reconcile = (look.stat, None) if look.settled else (None, _WRITTEN)
            return Dirtied((), reason)

    def restore(self, dirtied: Dirtied) -> None:
        """See ``BlockTracker``."""
        with self._lock:
            if dirtied.reconcile is not None or dirtied.extents:
                self._taken = None
                self._reconcile = dirtied.reconcile or _WRITTEN

    def audit(self) -> str | None:
        """See ``BlockTracker``."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            return _reason(error)
        try:
            self.why = _WHY + (_SILENT if has_silent_stores(fd) else "")
        finally:
            os.close(fd)
        return None

    def save(self, path: Path) -> None:
        """See ``BlockTracker``."""
        self.stop()
        with self._lock:
            if self._taken is not None and self._reconcile is None:
                with suppress(OSError):
                    write_durably(str(path), json.dumps(self._taken).encode())

    def stop(self) -> None:
        """See ``BlockTracker``."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    # ---- the thread

    def _run(self, wake: Callable[[], None]) -> None:
        while not self._ending.wait(self._interval):
            with self._lock:
                news = not self._told and self._is_owed()
                self._told = self._told or news
            if news:
                wake()

    # ---- with the lock held

    def _is_owed(self) -> bool:
        try:
            return self._owed(_stat_of(os.stat(self._path))) is not None
        except OSError:
            return False

    def _owed(self, stat: ImageStat) -> str | None:
        """Why everything must be read, the file being so."""
        if self._taken is None:
            return self._reconcile or _WRITTEN
        return self._reconcile if stat == self._taken else _WRITTEN

    def _resume(self) -> None:
        saved = _taken_stat(self._saved) if self._saved is not None else None
        if saved is not None:
            self._taken, self._reconcile = saved, None


def _looked_at(path: str, now: int) -> ImageLook:
    """Write an image back and look at it. OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        sync_data(fd)
        stat = _stat_of(os.fstat(fd))
        newest = max(stat.mtime, stat.ctime)
        return ImageLook(stat, newest + timestamp_grain_ns(fd) < now)
    finally:
        os.close(fd)


def _stat_of(found: os.stat_result) -> ImageStat:
    return ImageStat(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _taken_stat(path: Path) -> ImageStat | None:
    """What an earlier tracker kept, which is gone durably before it is believed; None where it kept nothing."""
    try:
        text = path.read_bytes()
        path.unlink()
        sync_dir(str(path.parent))
        return ImageStat(*map(int, json.loads(text)))
    except (OSError, ValueError, TypeError):
        return None


def _reason(error: OSError) -> str:
    return f"the image file cannot be looked at: {error.strerror}"
