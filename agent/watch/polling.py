"""The polling watcher, on watchdog's: for filesystems that raise no events.

Everything is listed again and again and compared. It costs memory by the number of entries (about 0.5 KB each), and sees a
change only when size, times, mode, owner or inode differ; what it cannot see, the scheduled reconcile finds.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from watchdog.events import FileSystemEvent
from watchdog.observers.api import EventQueue, ObservedWatch
from watchdog.observers.polling import PollingEmitter
from watchdog.utils.dirsnapshot import DirectorySnapshot

from agent.core.rows import PRIVATE_DIR
from agent.fs.handles import mount_of_path
from agent.fs.root import root_at
from agent.watch.hint import Hint, Look, Passing, Sink, never_passes
from agent.watch.watched_root import WatchedRoot

# A tree that takes long to list is listed less often: at most a fifth of the time goes into it.
_REST = 4.0
_NAMES_CHANGED = ("created", "deleted", "moved")


class PollingWatcher(WatchedRoot):
    """A ``hint.Watcher`` of one root. ``interval``: seconds between two scans at least.

    A barrier is the end of a scan that began after it was set; that one begins at once."""

    kind = "polling"

    def __init__(self, root: str, why: str = "", interval: float = 1.0) -> None:
        super().__init__(root, why)
        self.problem: str | None = None
        self._interval = interval
        self._scans: _Scans | None = None

    def start(self, sink: Sink) -> None:
        """Begin to watch, with a first scan. OSError when the root cannot be listed."""
        self.stop()
        real = os.path.realpath(self.root)
        self._know_root(root_at(real))
        scans = _Scans(self, real, self._interval)
        scans.start()
        with self._delivering:
            self._sink, self._scans = sink, scans

    def stop(self) -> None:
        """End; the sink is not called once this returned."""
        with self._delivering:
            self._sink = None
            scans, self._scans = self._scans, None
        if scans is not None:
            scans.stop()
            scans.join()

    @property
    def _runs(self) -> bool:
        return self._scans is not None

    def set_barrier(self) -> Passing:
        """See ``hint.Watcher``."""
        scans = self._scans
        if scans is None or self.lost is not None:
            return never_passes
        return self._while(scans.ask(), lambda: self._scans is scans)

    # ---- for the scanning thread

    def deliver(self, hints: list[Hint]) -> None:
        """Give a scan's hints to the sink, unless stopped."""
        self.events += len(hints)
        with self._delivering:
            if self._sink is not None and hints:
                self._sink(hints)

    def fail(self, reason: str) -> None:
        """Scanning ended."""
        self.lost = self.check() or f"listing the tree failed: {reason}"


class _Scans(PollingEmitter):
    """watchdog's scanning thread: it compares, here its events become hints, a scan at a time and without a queue."""

    def __init__(self, watcher: PollingWatcher, root: str, interval: float) -> None:
        super().__init__(EventQueue(), ObservedWatch(root, recursive=True), timeout=interval)
        self.name = "hikae-polling"
        self._take_snapshot = lambda: _Snapshot(root)
        self._watcher = watcher
        self._root = root
        self._prefix = os.fsencode(root if root == "/" else root + "/")
        self._found: list[FileSystemEvent] = []
        self._turn = threading.Condition()
        self._asked = 0
        self._covered = 0
        self._rest_until = 0.0

    def run(self) -> None:
        """Scan until stopped, or until the root is gone."""
        try:
            while self.should_keep_running():
                self.queue_events(self.timeout)
        except Exception as error:  # noqa: BLE001 - whatever it is, the watcher must not look alive
            self._watcher.fail(f"{type(error).__name__}: {error}")
            self.stop()

    def stop(self) -> None:
        """End, whatever it waits for."""
        super().stop()
        with self._turn:
            self._turn.notify_all()

    def queue_event(self, event: FileSystemEvent) -> None:
        """A difference, from watchdog's comparison."""
        self._found.append(event)

    def queue_events(self, timeout: float) -> None:
        """Rest, scan, tell."""
        with self._turn:
            self._turn.wait_for(
                lambda: self._asked > self._covered or not self.should_keep_running(),
                max(timeout, self._rest_until - time.monotonic()),
            )
            asked = self._asked
        if not self.should_keep_running():
            return
        begun, before = time.monotonic(), self._snapshot
        super().queue_events(0)
        ended = time.monotonic()
        self._rest_until = ended + _REST * (ended - begun)
        found, self._found = self._found, []
        if not self.should_keep_running():
            self._watcher.fail("the root directory cannot be listed")
            return
        self._watcher.deliver(_hints_of(found, self._prefix))
        with self._turn:
            if self._snapshot is not before:
                self._covered = asked
            self._turn.notify_all()

    def ask(self) -> Passing:
        """Passes when a scan that begins after this call has been told."""
        with self._turn:
            self._asked += 1
            self._turn.notify_all()
            return partial(self._passes, self._asked)

    def _passes(self, asked: int, timeout: float) -> bool | None:
        with self._turn:
            self._turn.wait_for(lambda: self._covered >= asked or not self.should_keep_running(), timeout)
            if self._covered >= asked:
                return True
            return False if self.should_keep_running() else None


class _Stat(NamedTuple):
    """What is compared, by the names that watchdog asks for. ``st_mtime`` stands for mtime and ctime, in nanoseconds."""

    st_ino: int
    st_dev: int
    st_mode: int
    st_size: int
    st_uid: int
    st_gid: int
    st_mtime: int


def _stat(path: str) -> _Stat:
    found = os.lstat(path)
    times = hash((found.st_mtime_ns, found.st_ctime_ns))
    return _Stat(found.st_ino, found.st_dev, found.st_mode, found.st_size, found.st_uid, found.st_gid, times)


class _Snapshot(DirectorySnapshot):
    """watchdog's snapshot, of any depth, without the private directory and without what is mounted below."""

    def __init__(self, root: str) -> None:
        super().__init__(root, recursive=True, stat=_stat)  # type: ignore[arg-type] # it asks only for what _Stat has

    def walk(self, root: str) -> Iterator[tuple[str, os.stat_result]]:
        private = os.path.join(root, os.fsdecode(PRIVATE_DIR))
        mount = mount_of_path(root)
        todo = [root]
        while todo:
            for path in self._listed(todo.pop()):
                if path == private:
                    continue
                try:
                    found = self.stat(path)
                except OSError:
                    continue  # gone since it was listed, or its path is too long
                yield path, found
                if stat.S_ISDIR(found.st_mode) and self._is_seen_through(mount, path):
                    todo.append(path)

    def _is_seen_through(self, mount: int, path: str) -> bool:
        try:
            return mount_of_path(path) == mount
        except OSError:
            return False

    def _listed(self, path: str) -> list[str]:
        try:
            with os.scandir(path) as entries:
                return [entry.path for entry in entries]
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return []


def _hints_of(events: Sequence[FileSystemEvent], prefix: bytes) -> list[Hint]:
    """What one comparison found. Entries that only moved along with their directory are left out."""
    moves = {(event.src_path, event.dest_path) for event in events if event.event_type == "moved"}
    changed = {event.src_path for event in events if event.event_type not in _NAMES_CHANGED}
    hints: list[Hint] = []
    for event in events:
        path = os.fsencode(event.src_path)[len(prefix) :]
        if event.event_type != "moved":
            created = event.event_type == "created" and event.is_directory
            hints.append(Hint(path, Look.SUBTREE if created else Look.ENTRY))
        elif event.src_path in changed or not _moved_along(event, moves):
            hints.append(Hint(os.fsencode(event.dest_path)[len(prefix) :], Look.ENTRY, b"", path))
    return hints


def _moved_along(event: FileSystemEvent, moves: set[tuple[bytes | str, bytes | str]]) -> bool:
    old, name = os.path.split(event.src_path)
    new, new_name = os.path.split(event.dest_path)
    return name == new_name and (old, new) in moves
