"""Where a device is restored to: an image file or a block device, proved to be nobody's, opened, and left durable.

A new file is made beside its name and given it once it is whole. A file that stands there, and a block device, are made equal in
place: one that was cut off goes on by what stands.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from agent.core.errors import NotFound, Refused, TryAgain
from agent.fs.block_device import (
    BlockPlaces,
    device_length,
    in_use,
    is_block_device,
    open_claimed,
    standing_on,
    zero_range,
)
from agent.fs.confined import open_root, rename
from agent.fs.content import next_data, punch
from agent.fs.file_leases import take_file_lease
from agent.generations.restore.one_file import file_aside
from agent.generations.restore.target import refusal_of_error
from agent.status.figures import size_text

_RESTORE = "restore"
_OPENED = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(slots=True)
class ImageTarget:
    """An open target that nobody else writes. ``path``: as it was named, behind links; ``fresh``: it holds zeros alone;
    ``aside``: under which name a new file is made, "" for what stands there."""

    path: str
    fd: int
    fresh: bool
    aside: str = ""
    is_block: bool = False

    def begin(self, size: int) -> None:
        """A file becomes as long as the device was; what is behind that on a block device stays. OSError."""
        if not self.is_block and os.fstat(self.fd).st_size != size:
            os.ftruncate(self.fd, size)

    def held(self, size: int, piece: int) -> Iterator[int]:
        """The numbers, from 0 and rising, of the pieces of the first ``size`` bytes that may hold anything but zeros. OSError."""
        if self.fresh:
            return
        if self.is_block:
            yield from range(-(-size // piece))
            return
        at = 0
        while (at := next_data(self.fd, at)) < size:
            yield at // piece
            at += piece - at % piece

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros, without room where that can be. OSError."""
        if self.is_block:
            zero_range(self.fd, offset, length)
        else:
            punch(self.fd, offset, length)

    def settle(self) -> None:
        """What was written is durable, and is read from the disk from now on. OSError."""
        os.fsync(self.fd)
        os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def finish(self) -> None:
        """All is made: a new file takes its name. OSError; ``FileExistsError`` where somebody else took it."""
        if not self.aside:
            return
        directory = open_root(os.path.dirname(self.path))
        try:
            name, aside = (os.fsencode(os.path.basename(one)) for one in (self.path, self.aside))
            rename(directory, aside, directory, name, replace=False)
            os.fsync(directory)
        finally:
            os.close(directory)
        self.aside = ""

    def close(self) -> None:
        """Let go of it."""
        os.close(self.fd)


def standing_target(to: str) -> str:
    """What stands at a target and would be written over, in words; "" where nothing does."""
    if is_block_device(to):
        return "the block device"
    return "the file" if os.path.lexists(to) else ""


def open_image_target(to: str, size: int, places: BlockPlaces | None = None) -> ImageTarget:
    """Open or make the target of a device of ``size`` bytes. Nothing that stands there is changed yet.

    Raises ``Refused`` for one that is smaller, in use, or neither file nor device, ``NotPermitted``, ``NotFound``, ``TryAgain``
    while another restore writes there."""
    path = os.path.realpath(to)
    try:
        if is_block_device(path):
            return _block(path, size, places or BlockPlaces())
        if not os.path.lexists(path):
            return _new(path)
        return _standing(path, places or BlockPlaces())
    except OSError as error:
        raise refusal_of_error(error, to) from error


def _block(path: str, size: int, places: BlockPlaces) -> ImageTarget:
    fd = open_claimed(path, _RESTORE, places)
    length = device_length(fd)
    if length < size:
        os.close(fd)
        reason = f"it has {size_text(length)} ({length:,} bytes), and {size_text(size)} ({size:,} bytes) come"
        raise Refused(_RESTORE, path, reason, "name a device at least as large, or a file: --to FILE.img")
    return ImageTarget(path, fd, fresh=False, is_block=True)


def _new(path: str) -> ImageTarget:
    if not os.path.isdir(os.path.dirname(path)):
        raise NotFound(_RESTORE, path, "the directory above it does not exist", "make that first")
    aside = file_aside(path)
    before = os.path.lexists(aside)
    fd = os.open(aside, _OPENED | os.O_CREAT, 0o600)
    try:
        _require_alone(fd, aside)
    except BaseException:
        os.close(fd)
        raise
    return ImageTarget(path, fd, fresh=not before, aside=aside)


def _standing(path: str, places: BlockPlaces) -> ImageTarget:
    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode):
        raise Refused(
            _RESTORE, path, "it is a directory, and a device is restored to a file or a block device", "name one in it"
        )
    if not stat.S_ISREG(mode):
        raise Refused(_RESTORE, path, "it is neither a file nor a block device", "name one of these")
    if through := standing_on(path, places):
        raise in_use(_RESTORE, path, through)
    fd = os.open(path, _OPENED)
    try:
        _require_alone(fd, path)
    except BaseException:
        os.close(fd)
        raise
    return ImageTarget(path, fd, fresh=False)


def _require_alone(fd: int, path: str) -> None:
    """Nobody else has the file open, as far as the kernel tells: a lease for writing is given to who is alone (fcntl(2))."""
    st = os.fstat(fd)
    if not stat.S_ISREG(st.st_mode):
        raise Refused(_RESTORE, path, "something that is no file stands there", "move it away")
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TryAgain(_RESTORE, path, "another restore, or an agent, writes there now", "wait for its end") from error
    try:
        take_file_lease(fd, fcntl.F_WRLCK)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            raise in_use(_RESTORE, path, f"a program has it open (fuser -v {path} says which)") from error
        return  # A filesystem without leases.
    with suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
