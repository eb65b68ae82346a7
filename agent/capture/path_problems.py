"""Problems with single paths: said once, cleared as soon as the path is well again."""

from __future__ import annotations

import errno
import os
import pwd
from collections.abc import Callable
from functools import cache

from agent.capture.refused import SHUT_ERRNOS
from agent.core.clock import Clock
from agent.core.problem import Problem, ProblemBoard, ProblemCode, Severity
from agent.core.problem_codes import (
    HELD_SHUT,
    NESTED_MOUNT,
    NEVER_RESTS,
    SNAPSHOT_SKIPPED,
    SOCKET_SKIPPED,
    UNFIT,
    UNREADABLE,
)
from agent.core.row_checks import Unfit
from agent.core.shell import shell_word

#: Kinds of which a look at everything meets every path again.
PATHS = (UNREADABLE, UNFIT, SOCKET_SKIPPED, NESTED_MOUNT, SNAPSHOT_SKIPPED)

#: Paths that are known to have a problem, and their bytes, those of their directories with them; those beyond are counted, and
#: end with the next look at everything.
_KEPT = 50_000
_KEPT_BYTES = 32 << 20
#: Of one path: what is longer cannot be looked at from the root in one go (PATH_MAX).
_LONGEST = 4096
#: So many are looked at again by themselves.
_TRIED = 100


class PathProblems:
    """The board of the dataset, and which of its paths have a problem, so that asking costs nothing."""

    def __init__(self, board: ProblemBoard, clock: Clock, known: Callable[[bytes], bool], root: bytes = b"") -> None:
        """``known``: whether an earlier version of what stands at a path was captured (``TreeBatch.knows``); ``root``: the
        directory of the tree, as it is typed."""
        self._root = root
        self._board = board
        self._clock = clock
        self._known = known
        self._standing: dict[bytes, tuple[ProblemCode, ...]] = {}
        #: The same paths by the directory that they are in.
        self._within: dict[bytes, set[bytes]] = {}
        self._bytes = 0
        #: Whether something that could not be read may be readable now; for the pump to take back.
        self.healed = False
        #: How many are held shut.
        self.shut = 0

    def well(self, path: Callable[[], bytes]) -> None:
        """The path was captured as it should be, or is gone; ``path`` is asked only if any has a problem."""
        if self._standing:
            self._clear(path())

    def gone(self, path: bytes) -> None:
        """No way leads to this path any more."""
        self.well(lambda: path)

    def left(self, path: Callable[[], bytes]) -> None:
        """Nothing stands at this path any more, so nothing in it has a problem; asked as by :meth:`well`. Whoever drops a
        directory says so of each one below."""
        if self._standing:
            self._clear(path())
            self.emptied(path)

    def emptied(self, path: Callable[[], bytes]) -> None:
        """What stood at this path does not count any more: nothing in it has a problem, whatever is the matter with itself."""
        if self._standing:
            for inside in tuple(self._within.get(path(), ())):
                self._clear(inside)

    def moved(self, path: bytes) -> list[bytes]:
        """A directory has left this path: what had a problem below, as ways from there; it has none at the old path."""
        ways: list[bytes] = []
        for directory in [one for one in self._within if one == path or one.startswith(path + b"/")]:
            for inside in tuple(self._within[directory]):
                ways.append(inside[len(path) + 1 :])
                self._clear(inside)
        return ways

    def look_begins(self) -> None:
        """Everything is gone over: what has a problem and was only counted is counted anew."""
        self._board.forget_unknown(PATHS)

    def to_try(self) -> list[bytes]:
        """Paths that somebody holds shut for a while: no event tells when they open. Any thread."""
        standing = tuple(self._standing.items()) if self.shut else ()
        return [path for path, codes in standing if HELD_SHUT in codes][:_TRIED]

    def _clear(self, path: bytes) -> None:
        codes = self._standing.pop(path, ())
        if codes:
            self._bytes -= 2 * len(path)
            directory = path.rpartition(b"/")[0]
            inside = self._within[directory]
            inside.discard(path)
            if not inside:
                del self._within[directory]
        for code in codes:
            self._board.clear(code, path)
            self.healed = self.healed or code in (UNREADABLE, HELD_SHUT)
            self.shut -= code == HELD_SHUT

    def cannot_read(self, path: bytes) -> bool:
        """Whether this path could not be read when it was looked at last; any thread."""
        return UNREADABLE in self._standing.get(path, ())

    def paths(self) -> list[bytes]:
        """Paths that have a problem."""
        return list(self._standing)

    def unreadable(self, path: bytes, error: OSError) -> None:
        """The path cannot be read, or not be a row; what is known of it stays as it was."""
        if isinstance(error, Unfit):
            said = f"it cannot be replicated: {error.strerror}; {self._left(path)}"
            self._put(UNFIT, Severity.WARNING, path, said, "make it smaller, or exclude it")
            return
        reason = os.strerror(error.errno) if error.errno else str(error)
        if error.errno in SHUT_ERRNOS:
            said = f"somebody holds it shut ({reason}: a lease, or it is being loaded or unmounted); it is read when it can be"
            self._put(
                HELD_SHUT, Severity.WARNING, path, said, "none needed; see who has it open if this stays: fuser, lsof"
            )
            return
        self._put(
            UNREADABLE,
            Severity.WARNING,
            path,
            f"it cannot be read ({reason}); {self._left(path)}",
            _way_out(error.errno, self._root, path),
        )

    def _left(self, path: bytes) -> str:
        return "a standby keeps the last version that came to it" if self._known(path) else "no standby has any of it"

    def socket(self, path: bytes) -> None:
        """A socket is skipped: it means nothing on another machine."""
        self._put(
            SOCKET_SKIPPED, Severity.INFO, path, "sockets are not replicated", "none needed; exclude it to silence this"
        )

    def mount(self, path: bytes, is_dir: bool) -> None:
        """A mount stands inside the root: a filesystem or directory, or a single file."""
        self._put(
            NESTED_MOUNT,
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
            SNAPSHOT_SKIPPED,
            Severity.WARNING,
            path,
            "a read-only btrfs subvolume (a snapshot) stands here and is not replicated",
            "exclude it to silence this, or name it in include to replicate it as directories and files",
        )

    def restless(self, path: bytes) -> None:
        """A file changed during each of several reads and was committed as read."""
        self._put(
            NEVER_RESTS,
            Severity.INFO,
            path,
            "it changed every time while it was read, so it was taken as read",
            "none needed; it is taken whole as soon as it rests",
        )

    def _put(self, code: ProblemCode, severity: Severity, path: bytes, message: str, remedy: str) -> None:
        problem = Problem(code, severity, self._clock.now_ns(), path, message, remedy)
        codes = self._standing.get(path, ())
        if code not in codes:
            if not codes and not self._has_room(path):
                self._board.count(problem)
                return
            self._standing[path] = (*codes, code)
            self._bytes += 0 if codes else 2 * len(path)
            self._within.setdefault(path.rpartition(b"/")[0], set()).add(path)
            self.shut += code == HELD_SHUT
        self._board.put(problem)

    def _has_room(self, path: bytes) -> bool:
        size = len(path)
        return size < _LONGEST and len(self._standing) < _KEPT and self._bytes + 2 * size <= _KEPT_BYTES


def _way_out(number: int | None, root: bytes, path: bytes) -> str:
    """Of a path that cannot be read. ``number``: None where it only never stood still."""
    if number is None:
        return "none needed: it is looked at again with its next change, and at each reconcile"
    if number not in (errno.EACCES, errno.EPERM):
        return "see the kernel log for its disk, or put it back from elsewhere; or exclude it: then no standby has it"
    user = _own_user()
    typed = f"setfacl -m u:{user}:rX {shell_word(os.path.join(root, path))}"
    return f'let the agent, which runs as the user "{user}", read it: {typed}; or exclude it: then no standby has it'


@cache
def _own_user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"
