"""The inotify watcher, on watchdog's: it keeps the watches, here they become hints, and nothing is lost unseen.

Parts of watchdog 7.1.0 that it does not promise to keep are overridden, so its version is pinned. What is taken:
``InotifyFD`` (descriptor, reader thread) and ``InotifyWatchGroup`` (which watch stands for which path, through
renames). What is replaced, and why:

- its queues are unbounded, and an unpaired rename holds up what follows for 0.5 s: hints are made in the reader thread,
  after each read;
- an overflow is only logged: it becomes ``SUBTREE`` of the root, and is counted;
- a watch that cannot be had (ENOSPC) is passed over: it becomes a problem and ``SUBTREE`` of its directory, and ``check``
  tries again;
- a directory that leaves keeps its watches and its old path: they are dropped, else what it does would be told of what
  stands there next.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from watchdog.observers.inotify import InotifyWatchGroup
from watchdog.observers.inotify_c import CallbackId, InotifyEvent, InotifyFD, Mask, WatchCallback, WatchDescriptor

from agent.core.rows import PRIVATE_DIR
from agent.fs.handles import mount_of_path
from agent.fs.root import root_at
from agent.watch.hint import Hint, Look, Passing, Sink, never_passes
from agent.watch.ignored import Barriers
from agent.watch.watched_root import WatchedRoot

_MODIFY, _ATTRIB, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO = 0x2, 0x4, 0x8, 0x40, 0x80
_CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF, _UNMOUNT = 0x100, 0x200, 0x400, 0x800, 0x2000
_ISDIR, _ONLYDIR, _EXCL_UNLINK = 0x4000_0000, 0x0100_0000, 0x0400_0000
_ROOT_EVENTS = _DELETE_SELF | _MOVE_SELF | _UNMOUNT
_MASK = Mask(
    _MODIFY | _ATTRIB | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF
    | _ONLYDIR | _EXCL_UNLINK
)  # fmt: skip

_NO_WATCH_LEFT = (errno.ENOSPC, errno.ENOMEM)
_NOT_HERE = (errno.ENOENT, errno.ENOTDIR)
_MISSED_KEPT = 1000
# As with fanotify: a burst is read in few batches. Shorter than settling takes.
_PAUSE = 0.002
_READ_SIZE = 256 * 1024


class InotifyWatcher(WatchedRoot):
    """A ``hint.Watcher`` of one root. It sees no write through a hard link outside the root, and tells no handles.

    A barrier: what the kernel says of a watch that is taken away stands in the queue behind every event from before. It creates
    nothing."""

    kind = "inotify"

    def __init__(self, root: str, why: str = "") -> None:
        super().__init__(root, why)
        self._reader: _Reader | None = None
        self._tree: _Tree | None = None

    @property
    def problem(self) -> str | None:
        """Directories without a watch, if any."""
        tree = self._tree
        missed = len(tree.missed) if tree is not None else 0
        if not missed:
            return None
        return (
            f"{missed} directories or more are not watched, because the limit is reached: "
            "raise fs.inotify.max_user_watches"
        )

    @property
    def watched(self) -> int:
        """How many directories are watched."""
        tree = self._tree
        return tree.watched() if tree is not None else 0

    def start(self, sink: Sink) -> None:
        """Begin to watch; this walks the whole tree. OSError when the root cannot be watched."""
        self.stop()
        real = os.path.realpath(self.root)
        self._know_root(root_at(real))
        outbox = _Outbox()
        ready = threading.Event()

        def end_of_batch() -> None:
            ready.wait()
            self._end_of_batch(outbox)

        reader = _Reader(end_of_batch, self._fail)
        reader.start()
        try:
            tree = _Tree(reader, os.fsencode(real), outbox)
        except OSError:
            reader.stop()
            ready.set()
            reader.join()
            raise
        with self._delivering:
            self._sink = sink
            self._reader, self._tree = reader, tree
        ready.set()

    def stop(self) -> None:
        """End; the sink is not called once this returned."""
        with self._delivering:
            self._sink = self._tree = None
            reader, self._reader = self._reader, None
        if reader is not None:
            reader.barriers.end()
            reader.stop()
            reader.join()

    def check(self) -> str | None:
        """Look whether the root still stands, and try again to watch what could not be watched."""
        if self._look_at_root():
            self._watch_missed()
            self._watch_doubted()
        return self.lost

    @property
    def _runs(self) -> bool:
        return self._tree is not None

    def set_barrier(self) -> Passing:
        """See ``hint.Watcher``."""
        reader = self._reader
        if reader is None or self.lost is not None:
            return never_passes
        self._watch_doubted()
        try:
            done = reader.barriers.set()
        except OSError:
            return never_passes

        return self._while(done.wait, lambda: self._reader is reader)

    def _watch_missed(self) -> None:
        tree = self._tree
        if tree is None or not tree.missed:
            return
        self._deliver([Hint(path, Look.SUBTREE) for path in tree.watch_missed()])

    def _watch_doubted(self) -> None:
        tree = self._tree
        if tree is not None and tree.doubted:
            self._deliver([Hint(path, Look.SUBTREE) for path in tree.watch_doubted()])

    def _fail(self, reason: str) -> None:
        self.lost = f"reading events failed: {reason}"
        reader = self._reader
        if reader is not None:
            reader.barriers.end()

    # ---- in the reader thread

    def _end_of_batch(self, outbox: _Outbox) -> None:
        tree = self._tree
        if tree is not None:
            tree.end_moves()
        overflowed = outbox.overflowed
        hints, outbox.hints, outbox.overflowed = outbox.hints, [], False
        if overflowed:
            self.overflows += 1
        if hints:
            self.events += len(hints)
            self._deliver(hints)
        if outbox.root_changed:
            outbox.root_changed = False
            # Also where it is back: what was added by its path meanwhile may be another's.
            self.lost = self.check() or "the root directory was moved, and came back"

    def _deliver(self, hints: list[Hint]) -> None:
        with self._delivering:
            if self._sink is not None and hints:
                self._sink(hints)


@dataclass(slots=True)
class _Outbox:
    """What one read brought. Only the reader thread, and ``start`` before it goes on, touch it."""

    hints: list[Hint] = field(default_factory=list)
    overflowed: bool = False
    root_changed: bool = False


class _Reader(InotifyFD):
    """watchdog's reader thread, with an end to each batch and to silence."""

    def __init__(self, end_of_batch: Callable[[], None], failed: Callable[[str], None]) -> None:
        super().__init__()
        self.name = f"hikae-inotify-{self._inotify_fd}"
        self.barriers = Barriers(self._inotify_fd)
        self._end_of_batch = end_of_batch
        self._failed = failed

    def run(self) -> None:
        """Read, tell, and pause, so that a burst comes in few batches."""
        try:
            while self.should_keep_running():
                self._take(self.read_events(event_buffer_size=_READ_SIZE))
                self._end_of_batch()
                self.barriers.passed()
                self.stopped_event.wait(_PAUSE)
        except Exception as error:  # noqa: BLE001 - whatever it is, the watcher must not look alive
            self._failed(f"{type(error).__name__}: {error}")

    def _take(self, events: list[InotifyEvent]) -> None:
        for event in events:
            if event.is_queue_overflow:
                self.barriers.met_all()
            if not (event.is_ignored and self.barriers.met(event.wd)):
                self.handle_event(event)

    def _add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
        # Adding a watch again is ordinary here (a walk and an event find the same directory); watchdog warns of it.
        watch = self._get_or_create_watch(path, mask)
        if watch.wd < 0:
            del self._watch_for_wd[watch.wd]
        else:
            watch.callbacks[id_] = callback
        return watch.wd


class _Tree(InotifyWatchGroup):
    """watchdog's watches of one tree; what they see goes to the outbox. Paths inside are absolute, in hints relative."""

    def __init__(self, reader: _Reader, root: bytes, outbox: _Outbox) -> None:
        self.missed: dict[bytes, None] = {}
        self._astray: dict[bytes, None] = {}
        self._mount = mount_of_path(root)
        self.doubted = False
        self._outbox = outbox
        self._prefix = root if root == b"/" else root + b"/"
        self._private = self._prefix + PRIVATE_DIR
        # Where directories and files were renamed from, by cookie: (path, is a directory, already told).
        self._from: dict[int, tuple[bytes, bool, bool]] = {}
        super().__init__(reader, root, event_mask=_MASK, is_recursive=True)

    def watched(self) -> int:
        """How many directories have a watch."""
        return len(self._active_callbacks_by_watch)

    def watch_missed(self) -> list[bytes]:
        """Try again; returns the (relative) directories that are watched now with all below them, or gone."""
        with self._lock:
            again, self.missed = list(self.missed), {}
            for path in again:
                with contextlib.suppress(OSError):
                    self._add_all_callbacks(path)
            return [self._relative(path) for path in again if path not in self.missed]

    def watch_doubted(self) -> list[bytes]:
        """After names and watches were found not to belong together: tell every directory anew where it is. Returns the
        (relative) ones that were not known to be there."""
        with self._lock:
            self.doubted = False
            before = dict(self._active_callbacks_by_path)
            with contextlib.suppress(OSError):
                self._add_all_callbacks(self.path)
            after = self._active_callbacks_by_path
            return [self._relative(path) for path, wd in after.items() if before.get(path) != wd]

    def on_event(self, event: InotifyEvent) -> None:
        """One event of one watch."""
        with self._lock:
            path = self._build_event_source_path(event) if self.is_active else None
            if path is None:
                return
            if event.mask & _ROOT_EVENTS:
                self._outbox.root_changed |= path == self.path
            elif path == self._private:
                # What is in it is nobody's business, but that it came or went is in the times of the root.
                self._outbox.hints.append(Hint(b"", Look.ENTRY))
            elif path.startswith(self._private + b"/"):
                return
            else:
                self._tell(event, path)

    def on_queue_overflow(self) -> None:
        """Events were lost: watch what is there now, and have everything looked at."""
        with self._lock:
            if not self.is_active:
                return
            self._from.clear()
            with contextlib.suppress(OSError):
                self._add_all_callbacks(self.path)
            self._outbox.overflowed = True
            self._outbox.hints.append(Hint(b"", Look.SUBTREE))

    def end_moves(self) -> None:
        """At the end of a batch: what was renamed away, and not to here, is gone. Its other half may come with the next."""
        with self._lock:
            for cookie, (path, is_dir, told) in list(self._from.items()):
                if told:
                    del self._from[cookie]
                    if is_dir:
                        self._drop_below(path)
                else:
                    self._from[cookie] = (path, is_dir, True)
                    self._outbox.hints.append(Hint(self._relative(path), Look.ENTRY))

    def _tell(self, event: InotifyEvent, path: bytes) -> None:
        mask, relative = event.mask, self._relative(path)
        is_dir = bool(mask & _ISDIR)
        if mask & _MOVED_FROM:
            self._from[event.cookie] = (path, is_dir, False)
            return
        look, moved_from = Look.ENTRY, None
        if mask & _MOVED_TO:
            source = self._from.pop(event.cookie, None)
            if source is not None:
                moved_from = self._relative(source[0])
            if is_dir:
                look = self._directory_came(source[0] if source is not None else None, path)
        elif mask & _CREATE and is_dir:
            self._add_all_callbacks(path)
            look = Look.SUBTREE
        told = not mask & (_CREATE | _DELETE)
        self._outbox.hints.append(Hint(relative, look, b"", moved_from, content=told))

    def _directory_came(self, source: bytes | None, path: bytes) -> Look:
        """Move the watches along, if they were those of the directory that came; how far to look at it."""
        by_path = self._active_callbacks_by_path
        known = by_path.get(source) if source is not None else None
        if source is None or known is None:
            self._add_all_callbacks(path)
            return Look.SUBTREE
        if path not in by_path:
            self._move_watches(source, path)
            self._add_callback(path)
            if by_path.get(path) == known:
                self._seek_astray(source, path)
                return Look.ENTRY
        self._watch_anew(source, path)
        return Look.SUBTREE

    def _watch_anew(self, one: bytes, other: bytes) -> None:
        """Another directory is or was watched by one of these names: an exchange comes as two moves, and who was added late
        was added by its newest name. Both are told where they are, and what was told of them meanwhile may be wrong."""
        self.doubted = True
        for path in (one, other):
            with contextlib.suppress(OSError):
                self._add_all_callbacks(path)
        self._outbox.hints.append(Hint(self._relative(one), Look.SUBTREE))

    def _relative(self, path: bytes) -> bytes:
        return path[len(self._prefix) :]

    def _seek_astray(self, old: bytes, new: bytes) -> None:
        """Directories could not be watched by paths that were out of date: that a directory above is called otherwise now
        is heard of only afterwards."""
        for path in [path for path in self._astray if path.startswith(old + b"/")]:
            del self._astray[path]
            path = new + path[len(old) :]
            self._add_all_callbacks(path)
            self._outbox.hints.append(Hint(self._relative(path), Look.SUBTREE))

    def _add_all_callbacks(self, path: bytes) -> None:
        self._add_callback(path)
        if not os.path.isdir(path):
            return
        for top, names, _ in os.walk(path, onerror=self._not_listed):
            names[:] = [name for name in names if self._is_ours(os.path.join(top, name))]
            for name in names:
                self._add_callback(os.path.join(top, name))

    def _is_ours(self, directory: bytes) -> bool:
        """Whether it is a directory (no link) on which nothing is mounted."""
        try:
            return not os.path.islink(directory) and mount_of_path(directory) == self._mount
        except OSError as error:
            self._not_listed(error)
            return False

    def _not_listed(self, error: OSError) -> None:
        if isinstance(error.filename, bytes) and error.errno in _NOT_HERE:
            self._goes_astray(error.filename)

    def _goes_astray(self, path: bytes) -> None:
        self.doubted = True
        self._astray[path] = None
        if len(self._astray) > _MISSED_KEPT:
            del self._astray[next(iter(self._astray))]

    def _drop_below(self, path: bytes) -> None:
        """A directory left the tree: its watches go. Should another stand there by now, it was blind for a moment."""
        below, by_watch = path + b"/", self._active_callbacks_by_watch
        self._remove_callbacks([wd for wd, known in by_watch.items() if known == path or known.startswith(below)])
        with contextlib.suppress(OSError):
            self._add_all_callbacks(path)
        if path in self._active_callbacks_by_path:
            self._outbox.hints.append(Hint(self._relative(path), Look.SUBTREE))

    def _add_callback(self, path: bytes) -> None:
        if path.startswith(self._private + b"/"):
            return
        by_path, by_watch = self._active_callbacks_by_path, self._active_callbacks_by_watch
        try:
            wd = self._inotify_fd.add_callback(path, self.event_mask, self._callback, self._id)
        except OSError as error:
            if path == self.path:
                raise
            # Anything else is a directory that is gone or no directory any more: its parent's event tells.
            if error.errno in _NO_WATCH_LEFT:
                self._miss(path)
            elif error.errno in _NOT_HERE:
                self._goes_astray(path)
            return
        if wd < 0:
            return
        earlier = by_watch.get(wd)
        if earlier is not None and earlier != path and by_path.get(earlier) == wd:
            del by_path[earlier]
        by_path[path] = wd
        by_watch[wd] = path

    def _miss(self, path: bytes) -> None:
        self.missed[path if len(self.missed) < _MISSED_KEPT else self.path] = None
        self._outbox.hints.append(Hint(self._relative(path), Look.SUBTREE))

    def _remove_watch_internally(self, wd: WatchDescriptor) -> None:
        path = self._active_callbacks_by_watch.pop(wd, None)
        if path is not None and self._active_callbacks_by_path.get(path) == wd:
            del self._active_callbacks_by_path[path]
