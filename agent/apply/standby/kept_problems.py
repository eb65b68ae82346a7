"""Problems of the standby that are met once, when something is moved aside or has to stay, and stand until a person mended it.

No later look may meet them, so they are kept in local facts, and told again after a restart.
"""

from __future__ import annotations

import json
import os
import stat

from agent.apply.paths import object_at
from agent.apply.ports import CatalogView, LocalFacts
from agent.core.clock import Clock
from agent.core.ids import CommitNumber
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import DISPLACED, EXCLUDED_STAYS, FURTHER_NAMES, PROBLEM_CODES
from agent.core.rows import decode_object
from agent.fs.walk import count, is_empty

#: Under which they are kept.
REMEMBERED = "remembered"
_CODES = (DISPLACED, EXCLUDED_STAYS, FURTHER_NAMES)


class Remembered:
    """Keeps local facts in step with the board. Used by the applying thread."""

    def __init__(self, local: LocalFacts, board: ProblemBoard, clock: Clock) -> None:
        self._local = local
        self._board = board
        self._clock = clock
        self._kept: str | None = None

    def look(self, root: int, displaced: int, view: CatalogView, stands: CommitNumber) -> None:
        """Tell what is known, end what is over, and keep what is new. ``root``, ``displaced``: the standby's, and that in which
        lies what was moved aside; ``stands``: the commit that it equals, or did."""
        if self._kept is None:
            self._recall(displaced)
        for problem in self._standing():
            if problem.code == EXCLUDED_STAYS and not _stays(root, problem.path, view):
                self._board.clear(EXCLUDED_STAYS, problem.path)
            if problem.code == FURTHER_NAMES and not _has_further_name(root, problem.path, view, stands):
                self._board.clear(FURTHER_NAMES, problem.path)
        if self._board.has(DISPLACED) and is_empty(displaced):
            self._board.clear_code(DISPLACED)
        self.keep()

    def keep(self) -> None:
        """Make problems that were met since durable."""
        now = _packed(self._standing())
        if now != self._kept:
            self._local.set_value(REMEMBERED, now.encode(), durable=True)
            self._kept = now

    def adopted(self, displaced: int) -> None:
        """A tree was taken over; what was in the way of it, if anything, is told as one."""
        many = count(displaced)
        if many:
            are = "entry of the adopted tree is" if many == 1 else "entries of the adopted tree are"
            self._tell_displaced(f"{many:,} {are} not on the primary, and now in {_place(displaced)}")

    def _recall(self, displaced: int) -> None:
        self._kept = (self._local.value(REMEMBERED) or b"").decode()
        for problem in _unpacked(self._kept):
            self._board.put(problem)
        many = 0 if self._board.has(DISPLACED) else count(displaced)
        if many:
            # Local facts were lost meanwhile, and with them from where it came.
            self._tell_displaced(f"what stood in the way is in {_place(displaced)}: {many:,} there")

    def _tell_displaced(self, message: str) -> None:
        now = self._clock.now_ns()
        remedy = "look at them, then remove them"
        self._board.put(Problem(DISPLACED, Severity.WARNING, now, b"", message, remedy))

    def _standing(self) -> list[Problem]:
        """Problems of one path, or that are told as one; most of the time there are none."""
        if not any(self._board.has(code) for code in _CODES):
            return []
        return [problem for problem in self._board.listed()[0] if problem.code in _CODES]


def _place(displaced: int) -> str:
    """Where that directory is, as an operator finds it."""
    return os.readlink(b"/proc/self/fd/%d" % displaced).decode("utf-8", "backslashreplace")


def _stays(root: int, path: bytes, view: CatalogView) -> bool:
    """Whether a directory that was to go stands there still, and is not wanted again."""
    try:
        standing = os.stat(path, dir_fd=root, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISDIR(standing.st_mode) and not _is_directory(path, view)


def _has_further_name(root: int, path: bytes, view: CatalogView, stands: CommitNumber) -> bool:
    """Whether what stands at a path has more names than the commit that stands gives it."""
    id = object_at(view, path, stands)
    try:
        links = os.stat(path, dir_fd=root, follow_symlinks=False).st_nlink
    except OSError:
        return False
    return id is not None and links > len(view.names_of(id, stands))


def _is_directory(path: bytes, view: CatalogView) -> bool:
    """Whether the newest commit has a directory at this path."""
    id = object_at(view, path)
    row = view.object(id) if id is not None else None
    return row is not None and decode_object(row).kind == stat.S_IFDIR


def _packed(problems: list[Problem]) -> str:
    rows = [
        (one.code, one.severity.value, one.since, one.path.hex(), one.message, one.remedy)
        for one in sorted(problems, key=lambda one: (one.code, one.path))
    ]
    return json.dumps(rows) if rows else ""


def _unpacked(kept: str) -> list[Problem]:
    return [
        Problem(PROBLEM_CODES[code], Severity(severity), since, bytes.fromhex(path), message, remedy)
        for code, severity, since, path, message, remedy in (json.loads(kept) if kept else ())
        if code in PROBLEM_CODES
    ]
