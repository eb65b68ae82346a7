"""An image file or a block device that is made equal to commits, while it is open and ours alone."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from agent.apply.output.directory import Step
from agent.apply.results import RootFailed, RootFull
from agent.apply.standby.standby_token import FILE
from agent.apply.writing.writer import ContentWriter
from agent.fs.block_device import device_length, zero_range
from agent.fs.content import next_data, punch, read_exact

_FULL = (errno.ENOSPC, errno.EDQUOT)
_GONE = (errno.ENXIO, errno.ENODEV, errno.ESHUTDOWN)


@contextmanager
def device_errors(path: str) -> Iterator[None]:
    """Errors of the operating system as ours: a device has nothing that could fail alone."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _FULL:
            remedy = "free room on its filesystem; it goes on by itself"
            raise RootFull("apply", path, reason, remedy) from error
        if error.errno == errno.EFBIG:
            reason = "the primary's device is longer than a file can be on this filesystem"
            remedy = "keep the image on one that takes longer files, like xfs, or name a block device"
            raise RootFailed("apply", path, reason, f"{remedy}; it is tried again by itself") from error
        gone = "plug it in again" if error.errno in _GONE else "look at it (dmesg says more)"
        raise RootFailed("apply", path, reason, f"{gone}; it is tried again by itself") from error


@dataclass(slots=True)
class OpenDevice:
    """For one thread. ``root``: the open image or device; ``private``: an open directory of our own, beside an image; ``step`` is
    called before every change. Verbs raise OSError, but for :meth:`sync`; who opened it closes it."""

    path: str
    root: int
    private: int
    is_block: bool
    step: Step
    what: str = "the standby"
    _writer: ContentWriter = field(init=False)

    def __post_init__(self) -> None:
        self._writer = ContentWriter(self.root)

    @property
    def length(self) -> int:
        """Bytes of it."""
        return device_length(self.root)

    def end_at(self, size: int) -> None:
        """An image becomes as long as the device is; a block device is as long as it is."""
        if not self.is_block and self.length != size:
            self.step("resize")
            os.ftruncate(self.root, size)

    def put_run(self, offset: int, pieces: Sequence[bytes | memoryview]) -> int:
        """Write pieces that follow each other; bytes written."""
        self.step("write")
        return self._writer.put_run(offset, pieces)

    def zero(self, offset: int, length: int) -> None:
        """Make a range read as zeros, without room where that can be. What lies behind the end of an image is passed over."""
        end = min(offset + length, self.length)
        if offset >= end:
            return
        self.step("zero")
        if self.is_block:
            zero_range(self.root, offset, end - offset)
        else:
            punch(self.root, offset, end - offset)

    def read(self, offset: int, length: int) -> memoryview:
        """A range; less where it ends."""
        return memoryview(read_exact(self.root, offset, length))

    def read_from_disk(self, offset: int, length: int) -> memoryview:
        """As :meth:`read`, past what is in memory, as far as that is written out."""
        os.posix_fadvise(self.root, offset, length, os.POSIX_FADV_DONTNEED)
        return self.read(offset, length)

    def next_data(self, offset: int) -> int:
        """Where what is no hole goes on, at or behind ``offset``; the length where only holes follow."""
        return offset if self.is_block else next_data(self.root, offset)

    def sync(self) -> None:
        """Make everything durable, our token too. Raises ``RootFailed``."""
        try:
            os.fsync(self.root)
            self._sync_token()
            os.fsync(self.private)
        except OSError as error:
            reason = error.strerror or str(error)
            raise RootFailed("sync", self.path, reason, "look at it (dmesg says more); it is tried again") from error

    def _sync_token(self) -> None:
        try:
            token = os.open(FILE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.private)
        except FileNotFoundError:
            return
        try:
            os.fsync(token)
        finally:
            os.close(token)

    def close(self) -> None:
        """Let go of it: others may use it from now on."""
        os.close(self.private)
        os.close(self.root)
