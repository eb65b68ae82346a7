"""What does an entry ask for, by what stands there and what the catalog has there? Pure: a table; others do what it says."""

from __future__ import annotations

from enum import Enum

from agent.core.ids import ObjectId


class Meaning(Enum):
    """The second word of a pair says that the object which the catalog has at the entry must make way first."""

    #: Nothing stands there, and the catalog has nothing there.
    NOTHING = "nothing"
    #: Nothing stands there any more: the object moved, or lost one of its names, or is gone.
    VANISHED = "vanished"
    #: The object that the catalog has there stands there: it is compared and read.
    CAPTURE = "capture"
    #: An object that nobody knows stands where nothing stood.
    ADD = "add"
    ADD_OVER = "add, clear"
    #: A known object stands where it did not: it was moved here, or this is a further name of it.
    RENAME = "rename"
    RENAME_OVER = "rename, clear"

    @property
    def clears(self) -> bool:
        """Whether what the catalog has there must make way."""
        return self in (Meaning.ADD_OVER, Meaning.RENAME_OVER)


def meaning(stands: bool, found: ObjectId | None, known: ObjectId | None) -> Meaning:
    """``stands``: whether anything that counts stands at the entry; ``found``: which known object that is (None: a new one);
    ``known``: what the catalog has there (None: nothing)."""
    if not stands:
        return Meaning.NOTHING if known is None else Meaning.VANISHED
    if found is None:
        return Meaning.ADD if known is None else Meaning.ADD_OVER
    if found == known:
        return Meaning.CAPTURE
    return Meaning.RENAME if known is None else Meaning.RENAME_OVER
