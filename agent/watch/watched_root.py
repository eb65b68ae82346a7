"""What every watcher of a directory tree has, whatever tells it of changes: its root, what is wrong with it, and barriers."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable

from agent.fs.root import RootIdentity, reason_lost
from agent.watch.hint import Passing, Sink


class WatchedRoot(ABC):
    """One root, and what a ``hint.Watcher`` of it tells. Who watches derives from this."""

    def __init__(self, root: str, why: str) -> None:
        self.root = root
        self.why = why
        self.events = 0
        self.overflows = 0
        self.lost: str | None = None
        self._identity: RootIdentity | None = None
        #: Held while the sink is called, and to put it away.
        self._delivering = threading.Lock()
        self._sink: Sink | None = None

    def check(self) -> str | None:
        """Look whether the root still stands."""
        self._look_at_root()
        return self.lost

    def barrier(self, timeout: float) -> bool:
        """Set a barrier, and wait until it has passed."""
        return bool(self.set_barrier()(timeout))

    @abstractmethod
    def set_barrier(self) -> Passing:
        """See ``hint.Watcher``."""

    @property
    @abstractmethod
    def _runs(self) -> bool:
        """Whether it was started, and not stopped."""

    def _know_root(self, identity: RootIdentity) -> None:
        """What is watched from now on: not by the path, which may lead elsewhere by now."""
        self._identity = identity
        self.lost = None

    def _look_at_root(self) -> bool:
        """Whether the root was looked at: not one that is not watched, or is lost."""
        if not self._runs or self.lost is not None or self._identity is None:
            return False
        reason = reason_lost(self.root, self._identity)
        if reason is not None:  # Else it stays what it is: who reads events may have found it lost meanwhile.
            self.lost = reason
        return True

    def _while(self, passing: Callable[[float], bool | None], is_same: Callable[[], bool]) -> Passing:
        """The barrier, which never passes once what it was set at is not watched any more."""

        def passes(timeout: float) -> bool | None:
            passed = passing(timeout)
            return passed if is_same() and self.lost is None else None

        return passes
