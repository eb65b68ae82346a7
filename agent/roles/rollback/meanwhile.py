"""What others change while a primary's tree goes back: nothing of it is overwritten or removed.

Before an entry goes it is moved into a directory of ours, where nobody opens it any more by a name, and looked at there. It goes
if its stat is that which capture noted down and no process has it open for writing, which a read lease shows (fcntl(2)); else it
is what somebody writes, and stays in ``.hikae/displaced``.
"""

from __future__ import annotations

import errno
import os
import stat
from datetime import UTC, datetime

from agent.apply.output.seam import Output
from agent.apply.ports import LocalFacts
from agent.core.clock import Clock
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import DISPLACED
from agent.fs import confined
from agent.fs.handles import handle_of
from agent.fs.writers.held_open import is_open_for_writing

_HERE = b"looked-at"


class KeptChanges:
    """``apply.ports.Adopted`` over a primary's root. For one thread. ``output``: set before anything is asked."""

    def __init__(self, facts: LocalFacts, board: ProblemBoard, clock: Clock) -> None:
        self.output: Output | None = None
        self.displaced = 0
        self._facts = facts
        self._board = board
        self._clock = clock
        self._serial = 0

    def content(self, handle: bytes, st: os.stat_result) -> bytes | None:
        """See ``Adopted``."""
        return None

    def may_patch(self) -> bool:
        """See ``Adopted``: a file that is open elsewhere would be written into under its reader."""
        return False

    def before_change(self, fd: int, name: bytes) -> None:
        """See ``Adopted``: on exit nothing stands at the name, or a directory."""
        output = self.output
        if output is None or fd in (output.displaced, output.temp):
            return
        try:
            if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                return
            self._take(output, fd, name)
        except FileNotFoundError:
            return
        except PermissionError as error:
            if error.errno == errno.EACCES:
                raise
            return  # immutable or append-only: who made it so did not write it since; the change eases it
        if self._is_as_noted(output.private):
            os.unlink(_HERE, dir_fd=output.private)
        else:
            self._displace(output, name)

    def _take(self, output: Output, fd: int, name: bytes) -> None:
        try:
            confined.rename(fd, name, output.private, _HERE, replace=False)
        except FileExistsError:
            # Of a run that was cut short before it had looked.
            self._displace(output, b"unknown")
            confined.rename(fd, name, output.private, _HERE, replace=False)

    def _is_as_noted(self, private: int) -> bool:
        found = os.stat(_HERE, dir_fd=private, follow_symlinks=False)
        known = self._facts.signature_of(handle_of(private, _HERE))
        if known is None:
            return False
        _, _, ino, ctime, mtime, size, _ = known
        if (found.st_ino, found.st_mtime_ns, found.st_size) != (ino, mtime, size) or not ctime:
            return False
        return not stat.S_ISREG(found.st_mode) or not _is_open_for_writing(private)

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


def _is_open_for_writing(private: int) -> bool:
    """Whether any process has it open so, also one that cannot be looked into. Where no lease can be had, it may be."""
    try:
        opened = os.open(_HERE, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=private)
    except PermissionError:
        return True
    try:
        return is_open_for_writing(opened) is not False
    finally:
        os.close(opened)
