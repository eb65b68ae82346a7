"""What becomes of an entry that stands where something else, or nothing, is wanted. A pure table."""

from __future__ import annotations

from enum import Enum


class KnownBy(Enum):
    """How an entry is known: by its handle; by name, type, size and time as a run that was cut short would have
    left it; or not at all, so somebody else put it there."""

    SURE = "sure"
    GUESSED = "guessed"
    FOREIGN = "foreign"


class Wanted(Enum):
    """What the commit wants at the entry's name."""

    NOTHING = "nothing"
    ITSELF = "itself"
    DIRECTORY = "directory"
    OTHER = "other"


class Fate(Enum):
    """LEAVE: it is right, or what is placed next decides or replaces it in one step. KEEP: to ``.hikae/m``, it is needed
    again. UNLINK, REMOVE (a directory and what is in it). DISPLACE: not ours, moved aside and reported."""

    LEAVE = "leave"
    KEEP = "keep"
    UNLINK = "unlink"
    REMOVE = "remove"
    DISPLACE = "displace"


def fate(identity: KnownBy, *, directory: bool, alive: bool, wanted: Wanted) -> Fate:
    """``directory``: the entry is one; ``alive``: its object still exists in the commit."""
    if wanted is Wanted.ITSELF:
        return Fate.LEAVE
    if identity is KnownBy.FOREIGN:
        return Fate.DISPLACE if wanted is Wanted.NOTHING else Fate.LEAVE
    if directory:
        return Fate.KEEP if alive else Fate.REMOVE
    if alive and identity is KnownBy.SURE:
        return Fate.KEEP
    return Fate.LEAVE if wanted is Wanted.OTHER else Fate.UNLINK
