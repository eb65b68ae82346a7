"""What the standby's filesystem does not keep of an object: coarser times, fewer attributes, no owners, or nothing at all.

That is no failure: all else goes on, and trying again changes nothing. It is a fact about this machine, so it stands in local
facts with the object, and goes with it, or once the object is made as wanted. Told as one problem a kind, with how many there
are; `verify` does not call it a difference.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntFlag
from functools import reduce
from operator import or_

from agent.core.ids import ObjectId
from agent.core.problem import Problem, ProblemBoard, ProblemCode, Severity
from agent.core.problem_codes import (
    ATTRIBUTES_NOT_KEPT,
    IN_THE_WAY,
    LINKS_NOT_KEPT,
    METADATA_NOT_PERMITTED,
    NOT_KEPT,
    PROJECT_DIFFERS,
    TIMES_NOT_KEPT,
)
from agent.core.rows import ObjectRow


class Unkept(IntFlag):
    """Kinds, as they are stored. ``OBJECT``: it is not there, or an older version of it is."""

    NOTHING = 0
    TIMES = 1
    OWNER = 2
    MODE = 4
    ATTRIBUTES = 8
    FLAGS = 16
    LINKS = 32
    PROJECT = 64
    OBJECT = 128
    IN_THE_WAY = 256


#: Not all that is wanted is there.
LEFT_OUT = Unkept.OBJECT | Unkept.PROJECT | Unkept.IN_THE_WAY
#: Who may read it may be others than is wanted.
ACCESS = Unkept.OWNER | Unkept.MODE | Unkept.ATTRIBUTES

#: Errors that say that the filesystem cannot hold an object or its name, not that something is wrong with it now.
_CANNOT_HOLD = (
    errno.EFBIG,
    errno.ENAMETOOLONG,
    errno.EILSEQ,
    errno.EINVAL,
    errno.EMLINK,
    errno.EOPNOTSUPP,
    errno.EOVERFLOW,
)
_SECOND = 1_000_000_000


class InTheWay(OSError):
    """Something that may not be touched stands where an object is wanted. errno is EBUSY."""


def of_error(error: OSError) -> Unkept:
    """What an error says of the object that could not be made."""
    if isinstance(error, InTheWay):
        return Unkept.IN_THE_WAY
    if error.errno == errno.EXDEV:
        return Unkept.PROJECT
    return Unkept.OBJECT if error.errno in _CANNOT_HOLD else Unkept.NOTHING


def of_refusals(refused: list[str], row: ObjectRow, st: os.stat_result) -> Unkept:
    """``refused``: as ``fs.metadata.apply_metadata`` gives it; ``st``: what stands there since."""
    found = Unkept.NOTHING
    for what in refused:
        found |= _REFUSED.get(what, Unkept.ATTRIBUTES)
    if st.st_mtime_ns != row.mtime:
        found |= Unkept.TIMES
    if (st.st_uid, st.st_gid) != (row.uid, row.gid):
        found |= Unkept.OWNER
    if st.st_mode != row.mode and row.kind != stat.S_IFLNK:
        found |= Unkept.MODE
    return found


_REFUSED: Mapping[str, Unkept] = {
    "owner": Unkept.OWNER,
    "mode": Unkept.MODE,
    "times": Unkept.TIMES,
    "flags": Unkept.FLAGS,
}


def could_be_kept_as(wanted: int, stands: int) -> bool:
    """Whether a filesystem may have made the time ``stands`` of the time ``wanted`` (ns): cut to its grain, which is 100 ns to
    2 s, or to the nearest that it can hold."""
    if wanted == stands:
        return True
    if stands % 100:
        return False
    seconds = stands // _SECOND
    at_an_end = seconds in _ENDS or stands == 0
    return at_an_end or (0 <= wanted - stands < 2 * _SECOND and not stands % (_grain(wanted - stands)))


def _grain(lost: int) -> int:
    """The least grain, ns, by which so much can be lost."""
    return next(grain for grain in (100, 1_000, 1_000_000, 10_000_000, _SECOND, 2 * _SECOND) if lost < grain)


#: Where times end, s: ext2 to 4 with small inodes and XFS without bigtime, ext4, XFS with bigtime, FAT (1980 and 2107, in UTC).
_ENDS = frozenset(
    (-(1 << 31), (1 << 31) - 1, (1 << 34) - (1 << 31) - 1, 16_299_260_424, 315_532_800, 4_354_819_198, 4_354_819_199)
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How kinds are told together: ``{count}`` objects."""

    code: ProblemCode
    bits: Unkept
    severity: Severity
    message: str
    remedy: str


_PRIVILEGE = Unkept.OWNER | Unkept.MODE
_KINDS = (
    _Kind(
        NOT_KEPT,
        Unkept.OBJECT,
        Severity.ERROR,
        "{count} of the dataset cannot stand on the standby, or not as now: its filesystem cannot hold such a size, name or kind",
        "put the standby on a filesystem that can; or name them in exclude",
    ),
    _Kind(
        IN_THE_WAY,
        Unkept.IN_THE_WAY,
        Severity.ERROR,
        "{count} of the dataset cannot stand on the standby: what exclude names, or a mount, stands there and is not touched",
        "move away what stands there, then hikae verify --repair",
    ),
    _Kind(
        PROJECT_DIFFERS,
        Unkept.PROJECT,
        Severity.ERROR,
        "{count} of the dataset cannot stand on the standby, since a directory there takes only what has its own project id",
        "take inheritance off that directory: xfs_io -x -c 'chattr -P' DIRECTORY; then hikae verify --repair",
    ),
    _Kind(
        LINKS_NOT_KEPT,
        Unkept.LINKS,
        Severity.WARNING,
        "{count} with several names became several files on the standby, since its filesystem has no more links",
        "put the standby on a filesystem that has them; until then a promoted node has copies",
    ),
    _Kind(
        TIMES_NOT_KEPT,
        Unkept.TIMES,
        Severity.WARNING,
        "{count} of the standby cannot have the primary's times: its filesystem keeps coarser ones, or not so late or early ones",
        "put the standby on a filesystem that keeps nanoseconds and such times (ext4 with inodes of 256 bytes, xfs with bigtime)",
    ),
    _Kind(
        ATTRIBUTES_NOT_KEPT,
        Unkept.ATTRIBUTES | Unkept.FLAGS,
        Severity.WARNING,
        "{count} of the standby lack some of their attributes, lists of access rights or flags",
        "put the standby on a filesystem that keeps as many and as large ones as the primary's",
    ),
    _Kind(
        METADATA_NOT_PERMITTED,
        _PRIVILEGE,
        Severity.WARNING,
        "{count} of the standby lack owner or mode of the primary's",
        "run the agent as root, on a filesystem that has what the primary's has",
    ),
)
CODES = tuple(kind.code for kind in _KINDS)


class UnkeptReport:
    """Keeps the board in step with local facts. ``counts``: ``store.local.Local.unkept``; ``path_of``: an object's path, for
    people."""

    #: From so many on, counting is left to checkpoints.
    _CHEAP = 1000

    def __init__(self, counts: Callable[[], dict[int, tuple[int, list[ObjectId]]]], board: ProblemBoard) -> None:
        self._counts = counts
        self._board = board
        self._told: dict[ProblemCode, int] = {}
        #: Of any object.
        self.bits = Unkept.NOTHING
        self._stale = True

    def ran(self, unkept: int) -> None:
        """Objects were made, ``unkept`` of them not wholly."""
        self._stale = self._stale or bool(unkept or self.bits)

    def tell(self, now_ns: int, path_of: Callable[[ObjectId], bytes | None], *, whole: bool) -> None:
        """Count, if anything changed. ``whole``: there is time; else only where that is cheap."""
        if not self._stale or (not whole and max(self._told.values(), default=0) > self._CHEAP):
            return
        self._stale = False
        counts = self._counts()
        self.bits = Unkept(reduce(or_, counts, 0))
        told = {}
        for kind in _KINDS:
            bits = _of_this_user(kind)
            found = [(count, ids) for of, (count, ids) in counts.items() if of & bits]
            if found:
                told[kind.code] = sum(count for count, _ in found)
                paths = [path_of(id) for _, ids in found for id in ids][:3]
                self._board.put(_problem(kind, told[kind.code], paths, now_ns))
            elif kind.code in self._told or not self._told:
                self._board.clear_code(kind.code)
        self._told = told


def _of_this_user(kind: _Kind) -> Unkept:
    """Without privilege, attributes and flags are refused for want of it."""
    if os.geteuid() == 0:
        return kind.bits
    privilege = _PRIVILEGE | Unkept.ATTRIBUTES | Unkept.FLAGS
    if kind.bits & _PRIVILEGE:
        return privilege
    return kind.bits & ~privilege


def _problem(kind: _Kind, count: int, paths: list[bytes | None], now_ns: int) -> Problem:
    shown = ", ".join(repr((path or b".").decode("utf-8", "backslashreplace")) for path in paths)
    what = f"{count:,} object{'' if count == 1 else 's'}"
    return Problem(
        kind.code, kind.severity, now_ns, b"", f"{kind.message.format(count=what)}; first: {shown}", kind.remedy
    )
