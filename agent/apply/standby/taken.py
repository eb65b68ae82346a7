"""What was taken for the standby, a directory or a device, and what is durably known of it: which it is, and how it was taken."""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

from agent.apply.output.directory import MARK
from agent.apply.output.seam import Lasting
from agent.apply.ports import LocalFacts
from agent.fs.confined import open_file
from agent.fs.content import read_exact

#: Names of local facts. Which root or device it is: its identity.
ROOT_KNOWN = "standby-root"
#: What stands there was there before us.
ADOPTING = "adopting"
#: It was known by our own mark alone, and equals no commit yet.
FOUND_AGAIN = "found-again"
#: An operator said that whatever stands at the path is to be taken.
RESYNC = "resync"
_YES = b"yes"
_MARK_LIMIT = 4096


class Closing(Lasting, Protocol):
    """What is written into, which whoever opened it closes."""

    def close(self) -> None:
        """Give every descriptor back."""
        ...


Standing = TypeVar("Standing", bound=Closing)


class TakenStandby(ABC, Generic[Standing]):
    """The standby's place and its remembered identity. For one thread.

    ``found_again``: it was known by our own mark alone, until it equals a commit; ``fresh``: it was empty and was taken in this
    process; ``opened``: it was opened, and nobody has looked yet of what time it is; ``doubtful``: it was taken for empty, or for
    what it was, by a part of it."""

    def __init__(self, path: str, local: LocalFacts) -> None:
        self.path = path
        self.found_again = self.fresh = self.opened = self.doubtful = False
        self._local = local
        self._standing: Standing | None = None

    @abstractmethod
    def open(self) -> Standing:
        """What stands at the path, made sure to be ours. Each call looks again. Raises ``Held``, ``RootFull``, ``RootFailed``."""

    @property
    def adopting(self) -> bool:
        """Whether what stands there was there before us, and does not equal any commit yet."""
        return self._local.value(ADOPTING) == _YES

    def adopted_whole(self) -> None:
        """What was adopted equals a commit now."""
        self._local.set_value(ADOPTING, b"", durable=True)

    def known_again(self) -> None:
        """It equals a commit now: from here on it is known what stands."""
        if self.found_again:
            self._local.set_value(FOUND_AGAIN, b"", durable=True)
            self.found_again = False

    def close(self) -> None:
        """Give every descriptor back."""
        if self._standing is not None:
            self._standing.close()
            self._standing = None

    @property
    def _identity(self) -> bytes | None:
        """The identity of what was taken; empty or None while nothing was."""
        return self._local.value(ROOT_KNOWN)

    @property
    def _was_found_again(self) -> bool:
        return self._local.value(FOUND_AGAIN) == _YES

    @property
    def _takes_all(self) -> bool:
        """Whether an operator said that whatever stands there is to be taken."""
        return self._local.value(RESYNC) == _YES

    def _note_how(self, *, adopts: bool) -> None:
        """What stands there is being taken; ``adopts``: it is to be written over. Before its identity is noted."""
        if adopts:
            self._local.set_value(ADOPTING, _YES)
        if self.found_again:
            self._local.set_value(FOUND_AGAIN, _YES)
        self._local.set_value(RESYNC, b"")

    def _note_identity(self, identity: bytes) -> None:
        """From now on this is the standby, durably."""
        self._local.set_value(ROOT_KNOWN, identity, durable=True)


def root_kept(local: LocalFacts) -> bytes | None:
    """The identity of what is the standby (of a directory: ``RootIdentity.encoded``); None while nothing was taken."""
    return local.value(ROOT_KNOWN) or None


def expect_standby(local: LocalFacts, identity: bytes) -> None:
    """The standby is what has this identity, and nothing that is to be adopted."""
    for key in (ADOPTING, FOUND_AGAIN, RESYNC):
        local.set_value(key, b"")
    local.set_value(ROOT_KNOWN, identity, durable=True)


def expect_found_again(local: LocalFacts) -> None:
    """The standby is known by our own mark alone: all of it is compared before anything is believed. Durable."""
    local.set_value(FOUND_AGAIN, _YES, durable=True)


def forget_root(local: LocalFacts) -> None:
    """Whatever stands at the path at the next look is taken, empty or not."""
    local.set_value(ADOPTING, b"")
    local.set_value(RESYNC, _YES, durable=True)
    local.set_value(ROOT_KNOWN, b"", durable=True)


def mark_in(private: int) -> bytes:
    """The mark in an open directory of our own, by which a standby is known again where local facts are lost; empty for none.
    OSError."""
    try:
        fd = open_file(private, MARK)
    except OSError:
        return b""
    try:
        return read_exact(fd, 0, _MARK_LIMIT) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    finally:
        os.close(fd)


def mark_standby(private: int, mark: bytes) -> None:
    """Write this mark there, and sync it; that its name lasts is for whoever syncs the directory. OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(MARK, flags, 0o600, dir_fd=private)
    try:
        os.write(fd, mark)
        os.fsync(fd)
    finally:
        os.close(fd)
