"""What others change while a primary's tree goes back: nothing of it is overwritten or removed.

Before an entry goes it is moved into a directory of ours, where nobody opens it any more by a name, and looked at there. It goes
if no process has it open for writing, which a read lease shows (fcntl(2)), its stat is that which capture noted down, and the
generation from before has it so; else it is what somebody writes, and stays in ``.hikae/displaced``.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime

from agent.apply.output.directory import ease
from agent.apply.output.seam import Output
from agent.core.clock import Clock
from agent.core.ids import ObjectId
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import DISPLACED
from agent.fs import confined
from agent.fs.handles import handle_of
from agent.fs.writers.held_open import is_open_for_writing
from agent.store.local import Signature

_HERE = b"looked-at"


class KeptChanges:
    """``apply.ports.Adopted`` over a primary's root. For one thread. ``output``: set before anything is asked; ``noted``: what
    capture noted of the object with a handle; ``changed``: whether it was captured after the generation from before was taken."""

    def __init__(
        self,
        noted: Callable[[bytes], Signature | None],
        changed: Callable[[ObjectId], bool],
        board: ProblemBoard,
        clock: Clock,
    ) -> None:
        self.output: Output | None = None
        self.displaced = 0
        self._noted = noted
        self._changed = changed
        self._board = board
        self._clock = clock
        self._serial = 0

    def content(self, handle: bytes, st: os.stat_result) -> bytes | None:
        """See ``Adopted``."""
        return None

    def may_patch(self) -> bool:
        """See ``Adopted``: a file that is open elsewhere would be written into under its reader."""
        return False

    def before_change(self, fd: int, name: bytes) -> bool:
        """See ``Adopted``: on exit what stood at the name is gone; a directory stays."""
        output = self.output
        if output is None or fd in (output.displaced, output.temp):
            return False
        try:
            if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                return False
            self._take(output, fd, name)
        except FileNotFoundError:
            return True
        if self._is_as_noted(output.private):
            os.unlink(_HERE, dir_fd=output.private)
        else:
            self._displace(output, name)
        return True

    def _take(self, output: Output, fd: int, name: bytes) -> None:
        try:
            self._move(output, fd, name)
        except PermissionError as error:
            if error.errno == errno.EACCES:
                raise
            # What is append-only, or stands in what is that or immutable, is written all the same.
            ease(fd, name)
            self._move(output, fd, name)

    def _move(self, output: Output, fd: int, name: bytes) -> None:
        try:
            confined.rename(fd, name, output.private, _HERE, replace=False)
        except FileExistsError:
            # Of a run that was cut short before it had looked.
            self._displace(output, b"unknown")
            confined.rename(fd, name, output.private, _HERE, replace=False)

    def _is_as_noted(self, private: int) -> bool:
        known = self._noted(handle_of(private, _HERE))
        if known is None or _is_written(private):
            return False
        # In this order: who had it open may have written and closed it since.
        found = os.stat(_HERE, dir_fd=private, follow_symlinks=False)
        id, _, ino, ctime, mtime, size, _ = known
        as_noted = (found.st_ino, found.st_mtime_ns, found.st_size) == (ino, mtime, size) and ctime != 0
        return as_noted and not self._changed(id)

    def _displace(self, output: Output, name: bytes) -> None:
        seconds = self._clock.now_ns() // 1_000_000_000
        stamp = datetime.fromtimestamp(seconds, UTC).strftime("%Y%m%dT%H%M%SZ").encode()
        while True:
            self._serial += 1
            aside = b"%s-r%d-%s" % (stamp, self._serial, name[:200])
            try:
                confined.rename(output.private, _HERE, output.displaced, aside, replace=False)
                break
            except FileExistsError:
                continue
        self.displaced += 1
        place = os.readlink(b"/proc/self/fd/%d" % output.displaced) + b"/" + aside
        where = place.decode("utf-8", "backslashreplace")
        what = "somebody wrote it while the tree went back, or a run that was cut short left it half-written"
        message = f"{what}; it is now {where}"
        now = self._clock.now_ns()
        self._board.put(Problem(DISPLACED, Severity.WARNING, now, name, message, "look at it, then remove it"))


def _is_written(private: int) -> bool:
    """Whether any process has the file open for writing, also one that cannot be looked into. It may, where no lease is given."""
    if not stat.S_ISREG(os.stat(_HERE, dir_fd=private, follow_symlinks=False).st_mode):
        return False
    try:
        opened = os.open(_HERE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=private)
    except (PermissionError, BlockingIOError):
        return True  # The latter where somebody has a write lease.
    try:
        return is_open_for_writing(opened) is not False
    finally:
        os.close(opened)
