"""A sink that keeps what watchers say."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from agent.watch.hint import Hint, Look


class SeenHints:
    """Collects hints; ``hold`` makes the watcher's thread wait in the sink, as a stopped process would."""

    def __init__(self) -> None:
        self.hints: list[Hint] = []
        self.threads: set[str] = set()
        self.entered = threading.Event()
        self._open = threading.Event()
        self._open.set()

    def __call__(self, hints: Sequence[Hint]) -> None:
        self.threads.add(threading.current_thread().name)
        self.entered.set()
        self._open.wait(60)
        self.hints.extend(hints)

    def hold(self) -> None:
        """From now on nothing is taken."""
        self.entered.clear()
        self._open.clear()

    def release(self) -> None:
        """Take again."""
        self._open.set()

    def clear(self) -> None:
        """Forget what was seen."""
        self.hints.clear()

    def paths(self) -> set[bytes]:
        """The paths that hints name. What others do elsewhere on the filesystem comes by handle, without one."""
        return {hint.path for hint in self.hints if hint.path}

    def at(self, path: bytes) -> list[Hint]:
        """The hints for exactly this path."""
        return [hint for hint in self.hints if hint.path == path]

    def of(self, *handles: bytes) -> list[Hint]:
        """The hints that name a path, or one of these objects. What others do on the filesystem comes by handles of theirs, and
        as a look at everything when it floods the queue."""
        return [hint for hint in self.hints if hint.path or hint.handle in handles]

    def names(self, path: bytes) -> bool:
        """Whether this very path is told of, or something above it; not by a look at everything, which others cause."""
        return covers([hint for hint in self.hints if hint.path], path)

    def covers(self, path: bytes, handle: bytes = b"") -> bool:
        """Whether whoever looks at all hints will look at ``path`` (or at the object with this handle)."""
        return covers(self.hints, path) or bool(handle and any(hint.handle == handle for hint in self.hints))


def covers(hints: Sequence[Hint], path: bytes) -> bool:
    """Whether looks at these hints include a look at ``path``."""
    parent = path.rpartition(b"/")[0]
    for hint in hints:
        if hint.path == path and not (not path and hint.handle and hint.look is Look.ENTRY):
            return True
        if hint.moved_from == path or (hint.look is Look.CHILDREN and hint.path == parent and path):
            return True
        if hint.look is Look.SUBTREE and (not hint.path or path.startswith(hint.path + b"/")):
            return True
    return False
