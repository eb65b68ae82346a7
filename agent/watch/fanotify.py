"""The fanotify watcher: one group with a filesystem mark per filesystem, shared by every dataset on it.

::

    kernel queue → reader thread → gather (merge equal) → places (directory handle → path) → hints → each watcher's sink

The reader thread is the group's only one. It ends when the last watcher of the group stops.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import threading
from functools import partial

from agent.core.recent_map import RecentMap
from agent.core.rows import PRIVATE_DIR
from agent.fs.confined import open_root
from agent.fs.handles import can_open_by_handle, filesystem_id
from agent.fs.root import root_identity
from agent.watch import records
from agent.watch.handle_paths import HandlePaths, Standing
from agent.watch.hint import Hint, Known, Look, Passing, Sink, never_passes
from agent.watch.records import DecodedRecord
from agent.watch.watched_root import WatchedRoot

_READ_SIZE = 256 * 1024
_WAKES = 4096
_OVERFLOWED = Hint(b"", Look.SUBTREE)
_DIRECTORY_MOVES = records.RENAME | records.MOVED_FROM | records.MOVED_TO
_NAMES_CHANGED = records.CREATE | records.DELETE | _DIRECTORY_MOVES
_WRITTEN = records.MODIFY | records.CLOSE_WRITE
_CONTENT = _WRITTEN | records.ATTRIB
_NAMED_KEPT = 8192


class ReadPause:
    """For how long the queue may fill after a batch was read, in milliseconds.

    The kernel merges create, write and close of a file into one record; a wake-up costs more than a record. Where many batches
    in a row had nothing that is in a root, what others do on the filesystem may gather for longer: one of ours then waits so long
    once. A barrier ends any pause."""

    SHORT, LONG, MANY = 2, 10, 25

    def __init__(self) -> None:
        self.ms = self.SHORT
        self._others = 0

    def took(self, *, is_ours: bool) -> None:
        """A batch was read. ``is_ours``: whether anything in it may be in a root."""
        self._others = 0 if is_ours else self._others + 1
        self.ms = self.SHORT if self._others < self.MANY else self.LONG


class FanotifyWatcher(WatchedRoot):
    """A ``hint.Watcher`` of one root. Made by :meth:`FanotifyGroups.watcher`.

    A barrier stands behind everything that the kernel had queued when it was set, and creates nothing."""

    kind = "fanotify"

    def __init__(self, root: str, groups: FanotifyGroups, known: Known, why: str = "") -> None:
        super().__init__(root, why)
        self.problem: str | None = None
        self.root_fd = -1
        self._groups = groups
        self._known = known
        self._named = RecentMap[bytes, None](_NAMED_KEPT)
        self._group: _Group | None = None

    def start(self, sink: Sink) -> None:
        """Begin to watch. OSError when the root is gone or its filesystem refuses the mark."""
        self.stop()
        self.root_fd = open_root(self.root)
        try:
            self._know_root(root_identity(self.root_fd))
            self._named.clear()
            with self._delivering:
                self._sink = sink
            self._group = self._groups.join(self)
        except OSError:
            self.stop()
            raise

    def stop(self) -> None:
        """End; the sink is not called once this returned."""
        with self._delivering:
            self._sink = None
        group, self._group = self._group, None
        if group is not None:
            self._groups.leave(self, group)
        if self.root_fd >= 0:
            os.close(self.root_fd)
            self.root_fd = -1

    @property
    def _runs(self) -> bool:
        return self._group is not None

    def set_barrier(self) -> Passing:
        """See ``hint.Watcher``."""
        group = self._group
        if group is None or self.lost is not None:
            return never_passes
        return self._while(group.set_barrier(), lambda: self._group is group)

    # ---- for the group's reader thread

    def deliver(self, hints: list[Hint]) -> None:
        """Give a batch to the sink, unless stopped."""
        with self._delivering:
            if self._sink is not None:
                self._sink(hints)

    def note_linked(self, handle: bytes) -> None:
        """An object got a name in this root: from now on its changes elsewhere concern us, before the catalog knows it."""
        with self._delivering:
            self._named.remember(handle, None)

    def concerns(self, handle: bytes) -> bool:
        """Whether an object that was changed through a name outside has a name in this root."""
        return handle in self._named or self._known(handle)


class FanotifyGroups:
    """The groups of this process, by filesystem. Thread-safe; one for a node.

    ``own``: processes whose changes are ignored, by default this one: a standby's applier writes on the same filesystem.
    ``modern`` off: as on a kernel before 5.17."""

    def __init__(self, own: frozenset[int] | None = None, *, modern: bool = True) -> None:
        self._own = frozenset((os.getpid(),)) if own is None else own
        self._modern = modern
        self._lock = threading.Lock()
        self._groups: dict[bytes, _Group] = {}

    def watcher(self, root: str, known: Known, why: str = "") -> FanotifyWatcher:
        """A watcher of ``root``, not started."""
        return FanotifyWatcher(root, self, known, why)

    def refusal(self, root: str) -> OSError | None:
        """Why fanotify cannot watch this root; None when it can. OSError (raised) when the root cannot be opened."""
        root_fd = open_root(root)
        try:
            fd, _ = self._open(root_fd)
            os.close(fd)
            if not can_open_by_handle(root_fd):
                return OSError(errno.EOPNOTSUPP, "directories cannot be opened by their handles")
        except OSError as error:
            return error
        finally:
            os.close(root_fd)
        return None

    def join(self, watcher: FanotifyWatcher) -> _Group:
        """Add a watcher to the group of its filesystem, which begins with the first."""
        key = filesystem_id(watcher.root_fd)
        with self._lock:
            group = self._groups.get(key)
            if group is None or group.broken is not None:
                fd, modern = self._open(watcher.root_fd)
                group = self._groups[key] = _started(fd, self._own, modern=modern)
            try:
                group.add(watcher)
            except OSError:
                if not group.remove(watcher):
                    del self._groups[key]
                    group.close()
                raise
            return group

    def leave(self, watcher: FanotifyWatcher, group: _Group) -> None:
        """Take a watcher out; the group ends with its last."""
        with self._lock:
            if group.remove(watcher):
                return
            for key in [key for key, other in self._groups.items() if other is group]:
                del self._groups[key]
        group.close()

    def _open(self, root_fd: int) -> tuple[int, bool]:
        # Not by the path: it may lead to another filesystem by now.
        root = f"/proc/self/fd/{root_fd}"
        if self._modern:
            try:
                return records.open_group(root, modern=True), True
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
        return records.open_group(root, modern=False), False


def _started(fd: int, own: frozenset[int], *, modern: bool) -> _Group:
    """A group that is read by its thread. OSError; then the descriptor is closed."""
    try:
        group = _Group(fd, own, modern)
    except OSError:
        os.close(fd)
        raise
    try:
        group.start()
    except RuntimeError as error:
        group.give_back()
        raise OSError(errno.EAGAIN, str(error)) from error
    return group


class _Group:
    """One fanotify descriptor and the thread that reads it."""

    def __init__(self, fd: int, own: frozenset[int], modern: bool) -> None:
        self.broken: str | None = None
        self._fd = fd
        self._own = own
        self._modern = modern
        self._watchers: set[FanotifyWatcher] = set()
        self._places: HandlePaths[FanotifyWatcher] = HandlePaths()
        self._state = threading.Lock()
        self._reading = threading.Lock()
        self._progress = threading.Condition()
        self._read = 0
        self._given = 0
        self._emptied = 0
        self._pause = ReadPause()
        self._ending = False
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._thread = threading.Thread(target=self._run, name=f"hikae-fanotify-{fd}")

    def start(self) -> None:
        self._thread.start()

    def add(self, watcher: FanotifyWatcher) -> None:
        """OSError when it cannot be watched, or reading has ended; nobody would say that it is lost."""
        with self._state:
            if self.broken is not None:
                raise OSError(errno.EIO, self.broken)
            self._places.add_root(watcher, watcher.root_fd)
            self._watchers.add(watcher)

    def remove(self, watcher: FanotifyWatcher) -> bool:
        """Whether others remain."""
        with self._state:
            self._watchers.discard(watcher)
            self._places.drop_root(watcher)
            return bool(self._watchers)

    def close(self) -> None:
        """End the reader thread and give everything back."""
        self._ending = True
        self._wake()
        self._thread.join()
        self.give_back()

    def give_back(self) -> None:
        """Close what is open, where no thread reads it."""
        with self._reading:
            with self._progress:
                self._fail("stopped")
            for fd in (self._fd, self._wake_read, self._wake_write):
                os.close(fd)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._wake_write, b"!")

    def set_barrier(self) -> Passing:
        """Passes when what is queued now was given out: as many records, or the queue was seen empty since."""
        with self._reading:
            if self.broken is not None:
                return never_passes
            target = self._read + records.queued(self._fd)
            emptied = self._emptied
            if self._given < target:
                self._wake()
        return partial(self._passes, target, emptied)

    def _passes(self, target: int, emptied: int, timeout: float) -> bool | None:
        with self._progress:
            passed = self._progress.wait_for(
                lambda: self._given >= target or self._emptied != emptied or self.broken is not None, timeout
            )
            return passed if self.broken is None else None

    # ---- the reader thread

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        pause = select.poll()
        for waits in (poll, pause):
            waits.register(self._wake_read, select.POLLIN)
        try:
            while not self._ending:
                poll.poll()
                while self._take_batch() and not self._ending:
                    pass
                if pause.poll(self._pause.ms):
                    os.read(self._wake_read, _WAKES)
        except Exception as error:  # noqa: BLE001 - whatever it is, the watchers must not look alive
            with self._state:
                for watcher in self._watchers:
                    watcher.lost = f"reading events failed: {type(error).__name__}: {error}"
                with self._progress:
                    self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, reason: str) -> None:
        self.broken = reason
        self._progress.notify_all()

    def _take_batch(self) -> bool:
        """Read one batch and give it out; False: the queue was empty."""
        with self._reading:
            try:
                buffer = os.read(self._fd, _READ_SIZE)
            except BlockingIOError:
                buffer = b""
            count, masks, own = records.gather(buffer, self._own)
            self._read += count
            if not count:
                # Here, so that no barrier that is set from now on takes this look for one from after it.
                self._emptied += 1
        if own & _DIRECTORY_MOVES:
            # Nobody is told of it, but where directories stand is another place now.
            with self._state:
                self._places.clear()
        if masks:
            self._give_out(masks)
        with self._progress:
            self._given += count
            self._progress.notify_all()
        return count > 0

    def _give_out(self, masks: dict[bytes, int]) -> None:
        with self._state:
            batches: dict[FanotifyWatcher, list[Hint]] = {}
            if b"" in masks:
                self._doubt(batches)
                masks = {info: mask for info, mask in masks.items() if not mask & records.Q_OVERFLOW}
            try:
                _Reading(self._places, self._watchers, batches).take(masks)
            except OSError:
                self._doubt(batches)
        for watcher, hints in batches.items():
            watcher.events += len(hints)
            watcher.deliver(hints)
        self._pause.took(is_ours=any(hint.path or hint.content for hints in batches.values() for hint in hints))

    def _doubt(self, batches: dict[FanotifyWatcher, list[Hint]]) -> None:
        """Events were lost, or cannot be understood: everything below every root may have changed."""
        self._places.clear()
        for watcher in self._watchers:
            watcher.overflows += 1
            batches.setdefault(watcher, []).append(_OVERFLOWED)


class _Reading:
    """Turns one batch of records into hints for each watcher that they concern."""

    def __init__(
        self,
        places: HandlePaths[FanotifyWatcher],
        watchers: set[FanotifyWatcher],
        batches: dict[FanotifyWatcher, list[Hint]],
    ) -> None:
        self._places = places
        self._watchers = watchers
        self._batches = batches
        self._renamed: set[bytes] = set()
        #: Objects that got a name outside of every root: they live.
        self._linked: set[bytes] = set()
        self._nameless: dict[bytes, int] = {}

    def take(self, masks: dict[bytes, int]) -> None:
        """Every record of the batch. A directory rename in it makes all remembered paths doubtful, so that comes first."""
        if any(mask & records.ONDIR and mask & _DIRECTORY_MOVES for mask in masks.values()):
            self._places.clear()
        of, decode = self._places.of, records.decode_record
        for info, mask in masks.items():
            found = decode(info)
            if mask & records.RENAME:
                self._rename(found, mask)
            elif not found.directory:
                self._nameless[found.handle] = self._nameless.get(found.handle, 0) | mask
            else:
                standing = of(found.directory)
                if standing:
                    self._entry(found, mask, standing)
                elif standing is None:
                    self._without_directory(found.handle, mask)
                elif mask & _CONTENT and not mask & records.ONDIR:
                    self._outside(found.handle)
                elif mask & _NAMES_CHANGED == records.CREATE:
                    self._linked.add(found.handle)
                if standing and self._nameless and mask & _NAMES_CHANGED:
                    self._renamed.add(found.handle)
        self._by_handle()

    def _entry(self, found: DecodedRecord, mask: int, standing: Standing[FanotifyWatcher]) -> None:
        name, handle = found.name, found.handle
        look = Look.ENTRY
        if mask & (records.CREATE | records.MOVED_TO):
            if mask & records.ONDIR:
                self._places.forget(handle)
                look = Look.SUBTREE
            else:
                self._note_linked(handle, standing)
        for watcher, prefix in standing or ():
            if name == b".":
                self._put(watcher, Hint(prefix[:-1], look, found.directory if prefix else b""))
            elif prefix or name != PRIVATE_DIR:
                told = bool(mask & _CONTENT)
                self._put(watcher, Hint(prefix + name, look, handle, within=found.directory, content=told))

    def _rename(self, found: DecodedRecord, mask: int) -> None:
        old, new = self._places.of(found.directory), self._places.of(found.new_directory)
        before = {watcher: prefix + found.name for watcher, prefix in old or ()}
        if not mask & records.ONDIR:
            self._note_linked(found.handle, new)
        for watcher, prefix in new or ():
            path = prefix + found.new_name
            moved_from = before.pop(watcher, None)
            if moved_from == PRIVATE_DIR:
                moved_from = None
            if path == PRIVATE_DIR:
                if moved_from is not None:
                    before[watcher] = moved_from
                continue
            arrived = moved_from is None and mask & records.ONDIR
            look = Look.SUBTREE if arrived else Look.ENTRY
            self._put(watcher, Hint(path, look, found.handle, moved_from, within=found.new_directory))
        for watcher, path in before.items():
            if path != PRIVATE_DIR:
                self._put(watcher, Hint(path, Look.ENTRY, within=found.directory))

    def _note_linked(self, handle: bytes, standing: Standing[FanotifyWatcher]) -> None:
        if handle:
            for watcher, _ in standing or ():
                watcher.note_linked(handle)

    def _without_directory(self, handle: bytes, mask: int) -> None:
        """The directory is gone, so nothing stands at the name any more; but the object may have another one."""
        if handle and not mask & records.ONDIR:
            self._nameless[handle] = self._nameless.get(handle, 0) | mask

    def _outside(self, handle: bytes) -> None:
        if handle:
            for watcher in self._watchers:
                if watcher.concerns(handle):
                    self._put(watcher, Hint(b"", Look.ENTRY, handle))

    def _by_handle(self) -> None:
        """Objects without a name in their record: changes of the link count (another record of the batch has the name of
        most of them), and writes through handles, as an NFS server does."""
        for handle, mask in self._nameless.items():
            if handle not in self._renamed and (handle in self._linked or self._places.alive(handle)):
                told = bool(mask & _WRITTEN)
                for watcher in self._watchers:
                    self._put(watcher, Hint(b"", Look.ENTRY, handle, content=told))

    def _put(self, watcher: FanotifyWatcher, hint: Hint) -> None:
        batch = self._batches.get(watcher)
        if batch is None:
            batch = self._batches[watcher] = []
        batch.append(hint)
