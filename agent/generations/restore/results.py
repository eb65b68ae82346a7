"""What a restore tells about itself: plain values."""

from __future__ import annotations

import errno
from dataclasses import dataclass, field

from agent.core.errors import HikaeError, StoreFailed, TryAgain
from agent.core.ids import ObjectId

#: So many paths are told one by one.
TOLD = 1000
_FULL = (errno.ENOSPC, errno.EDQUOT)
#: Errors that are not about one entry.
_BROKEN = (errno.EIO, errno.EROFS, errno.ENODEV, errno.ESHUTDOWN, errno.EMFILE, errno.ENFILE, errno.ENOMEM, *_FULL)


@dataclass(frozen=True, slots=True)
class Unmade:
    """An entry that could not be made as it was. ``chunk``: the one that is lost or damaged, in hex, "" for another reason;
    ``left_out``: whether nothing of it is there, else all but what ``reason`` says."""

    path: bytes
    reason: str
    chunk: str = ""
    left_out: bool = True


@dataclass(slots=True)
class Done:
    """What was done. ``entries``, ``size`` (bytes): of the moment, as far as asked for and there now; ``written``: content bytes;
    ``verified``: content bytes whose chunks' names were computed anew from what was read; ``unmade`` and ``owed`` (content that
    this node never got) are bounded, ``unmade_count`` and ``owed_count`` are not; ``displaced``: entries that were in the way."""

    entries: int = 0
    size: int = 0
    written: int = 0
    verified: int = 0
    displaced: int = 0
    unmade: list[Unmade] = field(default_factory=list)
    unmade_count: int = 0
    owed: list[bytes] = field(default_factory=list)
    owed_count: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether everything is as it was."""
        return not self.unmade_count and not self.owed_count

    def not_made(self, one: Unmade) -> None:
        """Note an entry that is not as it was."""
        self.unmade_count += 1
        if len(self.unmade) < TOLD:
            self.unmade.append(one)

    def is_owed(self, path: bytes) -> None:
        """Note a file whose content is not here."""
        self.owed_count += 1
        if len(self.owed) < TOLD:
            self.owed.append(path)


@dataclass(slots=True)
class Work:
    """What one task of a crew came to; ``unmade``: ``(directory, name, reason, chunk, left out)``."""

    entries: int = 0
    size: int = 0
    written: int = 0
    verified: int = 0
    displaced: int = 0
    unmade: list[tuple[ObjectId, bytes, str, str, bool]] = field(default_factory=list)


def as_fatal(error: OSError, target: str) -> HikaeError | None:
    """An error of the operating system that ends a restore; None for one of a single entry."""
    if error.errno in _FULL:
        return TryAgain(
            "restore", target, "the disk is full", "free some room and type it again: it goes on where it was"
        )
    if error.errno in _BROKEN:
        return StoreFailed("restore", target, error.strerror or str(error), "look at the target's filesystem and disk")
    return None
