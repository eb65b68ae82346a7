"""A primary's root, watched: begun again when it is lost, with everything looked at, and said while it cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from agent.config.values import WatchKind
from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import WATCH
from agent.fs.root import RootIdentity, reason_lost, root_at
from agent.watch.choose import choose
from agent.watch.fanotify import FanotifyGroups
from agent.watch.hint import Hint, Look, Passing, Sink, Watcher, never_passes
from agent.watch.inotify import InotifyWatcher
from agent.watch.mounts import MountsBelow


class WatchInForce(NamedTuple):
    """What follows a source: its kind, why it is no better one, and how often it lost something."""

    kind: str
    why: str
    overflows: int


class FollowsSource(Protocol):
    """Has a primary's source followed, from ``start`` to ``close``. For the node's thread."""

    @property
    def in_force(self) -> WatchInForce | None:
        """What follows it now; None while nothing does. Any thread."""
        ...

    def start(self) -> None:
        """Begin."""
        ...

    def tick(self, board: ProblemBoard, clock: Clock) -> None:
        """Once a second: is it still followed, and what is to be said?"""
        ...

    def close(self) -> None:
        """Stop for good."""
        ...


class RootWatch:
    """The watcher of one dataset's root. For the node's thread; :meth:`set_barrier` for any.

    ``kind``: how it is to be watched, as configured; ``holds``: whether a handle is that of an object with several names."""

    def __init__(
        self, path: str, kind: WatchKind, groups: FanotifyGroups, holds: Callable[[bytes], bool], *, hint: Sink
    ) -> None:
        self.watcher: Watcher | None = None
        self._path = path
        self._kind = None if kind == "auto" else kind
        self._groups = groups
        self._holds = holds
        self._hint = hint
        self._root: RootIdentity | None = None
        self._mounts: MountsBelow | None = None
        self._trouble = ""

    @property
    def in_force(self) -> WatchInForce | None:
        """What follows the root now; None while nothing does."""
        watcher = self.watcher
        return WatchInForce(watcher.kind, watcher.why, watcher.overflows) if watcher is not None else None

    def start(self) -> None:
        """Begin; a root that cannot be watched is tried again at each tick."""
        self._mounts = MountsBelow(self._path)
        self._begin(anew=False)

    def tick(self, board: ProblemBoard, clock: Clock) -> None:
        """Once a second: is the root still there and watched? A lost watch is begun again, and everything is looked at."""
        if self.watcher is not None and (self.watcher.check() is not None or not self._stands()):
            self.stop()
        if self.watcher is None:
            self._begin(anew=True)
        self._look_at_mounts()
        self._tell(board, clock)

    def stop(self) -> None:
        """Watch no more."""
        if self.watcher is not None:
            self.watcher.stop()
            self.watcher = None

    def close(self) -> None:
        """Stop for good."""
        if self.watcher is not None:
            self.watcher.stop()
        if self._mounts is not None:
            self._mounts.close()

    def set_barrier(self) -> Passing:
        """The watcher's barrier, if the root that it watches is the one that stands there: it looks for that once a second."""
        watcher = self.watcher
        return watcher.set_barrier() if watcher is not None and self._stands() else never_passes

    def _stands(self) -> bool:
        """Whether the root that was found when the watch began stands there. The watcher's own may be another, where it came in
        between."""
        root = self._root
        return root is not None and reason_lost(self._path, root) is None

    def _begin(self, *, anew: bool) -> None:
        """Begin to watch; without a root the pump says so and this is tried again each second. ``anew``: what was written
        before now may have been missed, so nothing is believed, and no barrier passes, before all was looked at."""
        try:
            root = root_at(self._path)
            watcher = choose(self._path, self._kind, self._groups, self._holds)
            watcher.start(self._hint)
        except HikaeError as error:
            self._trouble = error.reason
            return
        except OSError as error:
            self._trouble = error.strerror or str(error)
            return
        if anew:
            self._hint([Hint(b"", Look.SUBTREE)])
        self._root, self.watcher, self._trouble = root, watcher, ""

    def _look_at_mounts(self) -> None:
        """What was mounted or unmounted below the root since the last tick."""
        hints = self._mounts.changed() if self._mounts is not None else []
        if hints and self.watcher is not None and self.watcher.kind == InotifyWatcher.kind:
            # What an unmount uncovers has no watches yet.
            self.stop()
            self._begin(anew=True)
        elif hints:
            self._hint(hints)

    def _tell(self, board: ProblemBoard, clock: Clock) -> None:
        trouble = self._trouble or (self.watcher.problem if self.watcher is not None else None)
        if not trouble:
            board.clear(WATCH)
            return
        remedy = "changes are found by the scheduled look only; hikae reconcile looks now"
        message = f"the tree is not fully watched: {trouble}"
        board.put(Problem(WATCH, Severity.WARNING, clock.now_ns(), b"", message, remedy))
