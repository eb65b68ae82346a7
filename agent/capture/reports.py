"""Problems with single paths: said once, cleared as soon as the path is well again."""

from __future__ import annotations

import os
from collections.abc import Callable

from agent.core.clock import Clock
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.rows import Unfit

UNREADABLE = "unreadable"
UNFIT = "unfit"
SOCKET = "socket-skipped"
MOUNT = "nested-mount"
SNAPSHOT = "snapshot-skipped"
RESTLESS = "never-rests"

_KEPT = 10_000


class Reports:
    """The board of the dataset, and which of its paths have a problem, so that asking costs nothing."""

    def __init__(self, board: ProblemBoard, clock: Clock) -> None:
        self._board = board
        self._clock = clock
        self._standing: dict[bytes, set[str]] = {}
        #: Whether something that could not be read may be readable now; for the pump to take back.
        self.healed = False

    def well(self, path: Callable[[], bytes]) -> None:
        """This path was captured as it should be, or is gone; ``path`` is asked only if any has a problem."""
        if self._standing:
            asked = path()
            for code in self._standing.pop(asked, ()):
                self._board.clear(code, asked)
                self.healed = self.healed or code == UNREADABLE

    def gone(self, path: bytes) -> None:
        """No way leads to this path any more."""
        self.well(lambda: path)

    def cannot_read(self, path: bytes) -> bool:
        """Whether this path could not be read when it was looked at last; any thread."""
        return UNREADABLE in self._standing.get(path, ())

    def paths(self) -> list[bytes]:
        """Paths that have a problem."""
        return list(self._standing)

    def unreadable(self, path: bytes, error: OSError) -> None:
        """The path cannot be read, or not be a row; what is known of it stays as it was."""
        if isinstance(error, Unfit):
            said = f"it cannot be replicated: {error.strerror}; the standby keeps what it has of it"
            self._put(UNFIT, Severity.WARNING, path, said, "make it smaller, or exclude it")
            return
        reason = os.strerror(error.errno) if error.errno else str(error)
        self._put(
            UNREADABLE,
            Severity.WARNING,
            path,
            f"it cannot be read ({reason}), so the standby keeps what it has of it",
            "let the agent's user read it, or exclude it",
        )

    def socket(self, path: bytes) -> None:
        """A socket is skipped: it means nothing on another machine."""
        self._put(SOCKET, Severity.INFO, path, "sockets are not replicated", "none needed; exclude it to silence this")

    def mount(self, path: bytes, is_dir: bool) -> None:
        """Something is mounted inside the root: a filesystem or directory, or a single file."""
        self._put(
            MOUNT,
            Severity.WARNING,
            path,
            "something is mounted here; it is replicated as an empty directory"
            if is_dir
            else "a file is mounted here; it is not replicated",
            "make it a dataset of its own (its path may be the mount point), or exclude it here",
        )

    def snapshot(self, path: bytes) -> None:
        """A read-only subvolume inside the root."""
        self._put(
            SNAPSHOT,
            Severity.WARNING,
            path,
            "a read-only btrfs subvolume (a snapshot) stands here and is not replicated",
            "exclude it to silence this, or name it in include to replicate it as directories and files",
        )

    def restless(self, path: bytes) -> None:
        """A file changed during each of several reads and was committed as read."""
        self._put(
            RESTLESS,
            Severity.INFO,
            path,
            "it changed every time while it was read, so it was taken as read",
            "none needed; it is taken whole as soon as it rests",
        )

    def _put(self, code: str, severity: Severity, path: bytes, message: str, remedy: str) -> None:
        if len(self._standing) < _KEPT:
            self._standing.setdefault(path, set()).add(code)
        self._board.put(Problem(code, severity, self._clock.now_ns(), path, message, remedy))
