"""The directory that a restore goes to: opened or made, proved to be empty or ours, locked, and left without a trace of us."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agent.core.errors import HikaeError, Refused, StoreFailed, TryAgain
from agent.core.rows import PRIVATE_DIR
from agent.fs.confined import make_dir, open_dir, open_root
from agent.fs.durable import sync_filesystem
from agent.fs.walk import entries
from agent.generations.restore.results import as_fatal
from agent.generations.restore.stood_before import StoodBefore, read_note, write_note
from agent.status.text import shown

#: What is ours in the target's private directory, while a restore is under way.
RESTORE_DIR = "restore"
_OURS = RESTORE_DIR.encode()
_RECORD = b"record"
#: Seconds for which the lock is waited for, and between two looks.
_PATIENCE, _PAUSE = 3.0, 0.05
DISPLACED = b"displaced"


@dataclass(frozen=True, slots=True)
class Order:
    """What a target is being made equal to: a restore that was cut off goes on only with the same. ``digest``: the commit's, in
    hex; ``parts``: what is asked for."""

    dataset: str
    digest: str
    parts: tuple[str, ...]

    def encoded(self) -> bytes:
        """As it is written."""
        return json.dumps({"dataset": self.dataset, "digest": self.digest, "parts": list(self.parts)}).encode()


@dataclass(slots=True)
class Target:
    """An open and locked target. ``fresh``: it was empty; ``resumed``: a restore of this order that was cut off goes on in it;
    ``stood``: what keeps what stood before that one was begun; ``cut_off``: what kept it before another order that was cut off
    here was begun. None where that is not known."""

    path: str
    root: int
    private: int
    ours: int
    displaced: int
    lock: int
    fresh: bool
    resumed: bool
    stood: StoodBefore | None = None
    cut_off: StoodBefore | None = None

    def finish(self) -> None:
        """All is made: wait until it is durable, and take away what is ours. Raises ``HikaeError``."""
        try:
            sync_filesystem(self.root)
            _empty(self.ours)
            with suppress(OSError):
                os.rmdir(_OURS, dir_fd=self.private)
                os.rmdir(DISPLACED, dir_fd=self.private)
                os.rmdir(PRIVATE_DIR, dir_fd=self.root)
        except OSError as error:
            raise _failed(error, self.path) from error

    def settle(self) -> None:
        """What came after :meth:`finish` is durable too."""
        try:
            os.fsync(self.root)
        except OSError as error:
            raise _failed(error, self.path) from error

    def close(self) -> None:
        """Let go of it; what is not finished can be gone on with."""
        for fd in (self.lock, self.displaced, self.ours, self.private, self.root):
            os.close(fd)


def open_target(path: str, order: Order, *, in_place: bool, stands: StoodBefore | None = None) -> Target:
    """Make or open the directory, and be the only restore in it. ``in_place``: what stands in it is to be made equal; ``stands``:
    what keeps that, None where it is nobody's concern.

    Raises ``Refused`` where it is not empty, read-only, no directory, or holds another restore that was cut off; ``TryAgain``
    while another restore writes there; ``NotFound`` and others of the way to it."""
    try:
        root = _opened(path, in_place)
    except OSError as error:
        raise refusal_of_error(error, path) from error
    opened = [root]
    try:
        return _claimed(path, root, order, in_place, opened, stands)
    except OSError as error:
        _close(opened)
        raise refusal_of_error(error, path) from error
    except BaseException:
        _close(opened)
        raise


def _close(opened: list[int]) -> None:
    for fd in opened:
        os.close(fd)


def _opened(path: str, in_place: bool) -> int:
    if not in_place:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
    return open_root(path)


def _claimed(
    path: str, root: int, order: Order, in_place: bool, opened: list[int], stands: StoodBefore | None
) -> Target:
    names = [name for name in entries(root) if name != b"lost+found"]
    private_stands = PRIVATE_DIR in names
    if names and not in_place and not (private_stands and _is_ours(root)):
        raise _not_empty(path, names[0])
    private = _own(root, PRIVATE_DIR, opened)
    ours = _own(private, _OURS, opened)
    displaced = _own(private, DISPLACED, opened)
    lock, before = _locked(ours, path, opened)
    if before and before != order.encoded() and not in_place:
        raise Refused(
            "restore",
            path,
            f"a restore of {_told(before)} was cut off in it",
            "finish that one, or name an empty directory",
        )
    resumed = before == order.encoded()
    noted = read_note(ours) if in_place and before else None
    if not resumed:
        _begin(lock, ours, order, stands)
    if stands is not None:
        for fd in (ours, private, root):
            os.fsync(fd)
    fresh = not in_place and not names
    if fresh:
        # Until all is made nobody else writes or reads here: the moment's own owner and mode come last.
        os.fchmod(root, 0o700)
    stood, cut_off = (noted, None) if resumed else (stands, noted)
    return Target(path, root, private, ours, displaced, lock, fresh, resumed, stood, cut_off)


def _begin(lock: int, ours: int, order: Order, stands: StoodBefore | None) -> None:
    """Write the order down; before it what keeps what stands, so that it is never taken for what an earlier order found."""
    os.ftruncate(lock, 0)
    if stands is not None:
        os.fsync(lock)
        write_note(ours, stands)
    os.pwrite(lock, order.encoded(), 0)
    if stands is not None:
        os.fsync(lock)


def _own(parent: int, name: bytes, opened: list[int]) -> int:
    try:
        make_dir(parent, name)
    except FileExistsError:
        pass
    fd = open_dir(parent, name)
    opened.append(fd)
    st = os.fstat(fd)
    if st.st_uid != os.geteuid() or st.st_mode & 0o022:
        raise OSError(errno.EPERM, f"its {os.fsdecode(name)} is not a directory of ours; move it away", name)
    return fd


def _is_ours(root: int) -> bool:
    """Whether what is private in it holds the record of a restore."""
    try:
        private = open_dir(root, PRIVATE_DIR)
    except OSError:
        return False
    try:
        return os.fstat(private).st_uid == os.geteuid() and _OURS in list(entries(private))
    finally:
        os.close(private)


def _locked(ours: int, path: str, opened: list[int]) -> tuple[int, bytes]:
    fd = os.open(_RECORD, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=ours)
    opened.append(fd)
    if not _has_lock(fd, _PATIENCE):
        raise TryAgain("restore", path, "another restore writes there now", "wait for its end, or name another")
    if not os.fstat(fd).st_nlink:
        reason = "another restore was at its end there just now"
        raise TryAgain("restore", path, reason, "look whether that is what was wanted, or type it again")
    return fd, os.pread(fd, 1 << 20, 0)


def _has_lock(fd: int, seconds: float) -> bool:
    """Take it within a while: of a restore that was killed a process may still be at its last task."""
    until, pause = time.monotonic() + seconds, threading.Event()
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            pause.wait(_PAUSE)
        else:
            return True


def _told(record: bytes) -> str:
    try:
        found: dict[str, Any] = json.loads(record)
        return f"{found['dataset']}, the state {found['digest'][:12]}, {', '.join(found['parts']) or 'whole'}"
    except (ValueError, KeyError, TypeError):
        return "something else"


def _not_empty(path: str, name: bytes) -> Refused:
    reason = f"it is not empty: {shown(name)} stands in it"
    remedy = "name a directory that is empty or does not exist; --in-place is for the dataset itself"
    return Refused("restore", path, reason, remedy)


def refusal_of_error(error: OSError, path: str) -> HikaeError:
    """What an error at a target means to an operator; to be raised ``from`` it."""
    reason = error.strerror or str(error)
    if error.errno == errno.EROFS:
        return Refused("restore", path, "its filesystem is read-only", "name a directory that can be written to")
    if error.errno == errno.ENOENT:
        return Refused("restore", path, "the directory above it does not exist", "make that first")
    if error.errno in (errno.ENOTDIR, errno.ELOOP):
        return Refused(
            "restore", path, "it is no directory", "name a directory; a single file is restored to the path of a file"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return Refused("restore", path, reason, "use sudo, or name a directory that may be written to")
    return as_fatal(error, path) or Refused("restore", path, reason, "name another directory")


def _failed(error: OSError, path: str) -> HikaeError:
    return as_fatal(error, path) or StoreFailed("restore", path, error.strerror or str(error))


def _empty(ours: int) -> None:
    """Remove what is ours: the record, and each process's own directory with what it was making."""
    for name in list(entries(ours)):
        try:
            os.unlink(name, dir_fd=ours)
        except IsADirectoryError:
            inner = open_dir(ours, name)
            try:
                for one in list(entries(inner)):
                    os.unlink(one, dir_fd=inner)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=ours)
