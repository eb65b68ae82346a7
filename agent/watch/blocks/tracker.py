"""The tracker of a block device: by the kernel's own tracepoints, drained by a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from agent.core.clock import boot_id
from agent.watch.blocks.accounts import Account, ToldSectors
from agent.watch.blocks.dirty_map import DirtyMap, MapLimits
from agent.watch.blocks.disk_trace import DiskTrace, NotTracked, not_tracked
from agent.watch.blocks.ports import Dirtied
from agent.watch.blocks.saved_map import SavedMap, taken_map, write_map
from agent.watch.blocks.tracefs import RingLimits

_WHY = "the kernel's block tracepoints tell of every write"
_STARTED = "what was written before the agent started was not noted"
_SWITCHED_OFF = "; whether they do cannot be checked, since the disk counts nothing (queue/iostats is 0)"


@dataclass(frozen=True, slots=True)
class TrackerLimits:
    """Seconds: ``interval``: between two drains of the rings; ``kept``: for which the kernel goes on noting after a clean stop,
    whatever other agents start."""

    interval: float = 0.1
    kept: float = 86400.0
    rings: RingLimits = field(default_factory=RingLimits)
    map: MapLimits = field(default_factory=MapLimits)


class TracepointTracker:
    """A ``BlockTracker`` of one device. Its thread drains; everything else is guarded by one lock.

    ``name``: of the trace instance, which no other tracker of this machine uses; ``saved``: where an earlier one kept its map."""

    def __init__(
        self, path: str, name: str, saved: Path | None = None, limits: TrackerLimits = TrackerLimits()
    ) -> None:
        self.kind, self.why = "blocktrace", _WHY
        self.overflows = 0
        self._path = path
        self._name = name
        self._saved = saved
        self._limits = limits
        self._lock = threading.Lock()
        self._dirty = DirtyMap(limits.map)
        self._trace: DiskTrace | None = None
        self._account: Account | None = None
        self._reconcile: str | None = _STARTED
        #: Why writes are not followed now, or were not; None where the last audit found all well.
        self._untracked: str | None = None
        self._told = False
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def waiting(self) -> int:
        """See ``BlockTracker``."""
        with self._lock:
            return self._dirty.bytes

    def start(self, wake: Callable[[], None]) -> None:
        """See ``BlockTracker``."""
        self._ending.clear()
        with self._lock:
            self._resume_or_begin()
        self._thread = threading.Thread(target=self._run, args=(wake,), name=f"hikae-blocks-{self._name}")
        self._thread.start()

    def take(self) -> Dirtied:
        """See ``BlockTracker``."""
        with self._lock:
            self._look()
            self._told = False
            if self._trace is None:
                return Dirtied((), self._untracked or self._reconcile or _STARTED)
            reason, self._reconcile = self._reconcile, None
            taken = Dirtied(self._dirty.take(self._trace.disk.size), reason)
            self._owe_what_is_under_way(self._trace)
            return taken

    def restore(self, dirtied: Dirtied) -> None:
        """See ``BlockTracker``."""
        with self._lock:
            self._dirty.mark(dirtied.extents)
            self._reconcile = self._reconcile or dirtied.reconcile

    def audit(self) -> str | None:
        """See ``BlockTracker``."""
        with self._lock:
            if self._trace is None:
                self._begin(self._untracked or _STARTED)
            else:
                self._check(self._trace)
            return self._untracked

    def save(self, path: Path) -> None:
        """See ``BlockTracker``."""
        self._end_thread()
        with self._lock:
            self._look()
            if self._trace is None or self._reconcile is not None or self._untracked is not None:
                self._end_trace()
                return
            try:
                with not_tracked():
                    write_map(path, self._as_saved(self._trace))
            except NotTracked:
                self._end_trace()
                return
            self._trace.leave(self._limits.kept)
            self._trace = None

    def stop(self) -> None:
        """See ``BlockTracker``."""
        self._end_thread()
        with self._lock:
            self._end_trace()

    # ---- the thread

    def _run(self, wake: Callable[[], None]) -> None:
        while not self._ending.wait(self._limits.interval):
            with self._lock:
                self._drain_whatever_comes()
                news = not self._told and (bool(self._dirty) or self._reconcile is not None)
                self._told = self._told or news
            if news:
                wake()

    def _end_thread(self) -> None:
        self._ending.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    # ---- with the lock held

    def _resume_or_begin(self) -> None:
        saved = taken_map(self._saved) if self._saved is not None else None
        if saved is None:
            self._begin(_STARTED)
            return
        try:
            self._resume(saved)
        except NotTracked as error:
            self._begin(str(error))

    def _resume(self, saved: SavedMap) -> None:
        trace = DiskTrace.resumed(self._path, self._name)
        try:
            reason = saved.mistake(boot_id(), trace.disk) or trace.tampered()
            if reason is None and trace.losses() + trace.lost != saved.lost:
                reason = "events were lost while the agent was not running"
            if reason is not None:
                raise NotTracked(reason)
            self._dirty.mark(saved.extents)
            missing, _ = trace.missing(saved.account, self._dirty)
            if missing:
                raise NotTracked(_unaccounted(missing))
            self._account = trace.account(self._dirty)
        except NotTracked:
            trace.leave()
            raise
        self._trace, self._reconcile = trace, None

    def _begin(self, reason: str) -> None:
        """Trace anew, from now on: what was written before is not known, for this reason."""
        self._end_trace()
        self._reconcile = reason
        try:
            self._trace = DiskTrace.begun(self._path, self._name, self._limits.rings)
            self._account = self._trace.account(self._dirty)
            self._untracked, self.kind, self.why = None, "blocktrace", _WHY
        except NotTracked as error:
            self._lose(str(error))

    def _drain_whatever_comes(self) -> None:
        """A thread that is gone would look like a device that nobody writes."""
        try:
            self._drain()
        except Exception as error:  # noqa: BLE001 - whatever it is, the tracker must not look alive
            self._lose(f"reading what the kernel notes failed: {type(error).__name__}: {error}")

    def _drain(self) -> None:
        if self._trace is None:
            return
        try:
            self._trace.drain(self._dirty)
        except NotTracked as error:
            self._lose(str(error))

    def _look(self) -> None:
        """Everything that is noted, whether it is complete, and whether the device is still the one that it was."""
        self._drain()
        if self._trace is None:
            return
        try:
            if lost := self._trace.losses():
                self.overflows += 1
                self._reconcile = f"the kernel dropped {lost} events: more was written than could be noted"
            if difference := self._trace.difference(self._path):
                self._begin(difference)
        except NotTracked as error:
            self._lose(str(error))

    def _owe_what_is_under_way(self, trace: DiskTrace) -> None:
        try:
            self._dirty.mark(trace.under_way(time.monotonic()))
        except NotTracked as error:
            self._lose(str(error))

    def _check(self, trace: DiskTrace) -> None:
        try:
            if reason := trace.tampered():
                self._lose(reason)
                return
            counted = trace.is_counted()
            self.why = _WHY if counted else _WHY + _SWITCHED_OFF
            if counted and self._account is not None:
                self._compare(trace, self._account)
            self._account = trace.account(self._dirty) if counted else None
        except NotTracked as error:
            self._lose(str(error))

    def _compare(self, trace: DiskTrace, account: Account) -> None:
        missing, written = trace.missing(account, self._dirty)
        if missing:
            self._untracked = self._reconcile = _unaccounted(missing)
        elif written:
            self._untracked = None

    def _lose(self, reason: str) -> None:
        self._end_trace()
        self.kind, self.why = "none", reason
        self._untracked = self._reconcile = reason

    def _end_trace(self) -> None:
        trace, self._trace, self._account = self._trace, None, None
        if trace is not None:
            try:
                trace.end()
            except NotTracked:
                trace.leave()

    def _as_saved(self, trace: DiskTrace) -> SavedMap:
        account = self._account or trace.account(self._dirty)
        before = account.told
        told = ToldSectors(before.queued - trace.told.queued, before.completed - trace.told.completed)
        extents = self._dirty.take(trace.disk.size)
        return SavedMap(boot_id(), trace.disk, trace.lost, replace(account, told=told), extents)


def _unaccounted(sectors: int) -> str:
    return f"the disk counted {sectors} written sectors more than the kernel's block tracepoints told of"
