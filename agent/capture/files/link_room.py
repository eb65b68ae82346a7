"""What a slow link has room for, and so what goes ahead of its commit, what waits, and what goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.capture.outlet import Room
from agent.chunking.reader import LARGE, SLICE, Found
from agent.core.patch import Runs

#: Files up to this size may go where others wait for the link.
_TINY = 4 << 10


class LinkRoom:
    """Belongs to the pump's thread, which puts in what the slowest link has room for: ``room``; None while none is slow.

    ``waits``: bytes that were new in the last entry that was told to wait."""

    def __init__(self) -> None:
        self.room: Room | None = None
        self.waits = 0

    @property
    def slice(self) -> int:
        """Bytes of a large file to be read before something else gets a turn."""
        return SLICE if self.room is None else min(SLICE, self.room.moment)

    def is_ahead(self, size: int) -> bool:
        """Whether a file goes ahead of its commit in which so many bytes are new."""
        return size > LARGE or (self.room is not None and size > self.room.moment)

    def is_too_much(self, size: int, gathered: int) -> bool:
        """Whether there is no room for so many more bytes with the commit in hand, which has ``gathered`` bytes; half of the room
        is for what is tiny."""
        room = self.room
        if room is None:
            return False
        more = room.moment if size <= _TINY else 0
        return size > room.moment or size > room.now + more - gathered


def new_bytes(found: Sequence[Found], patches: Mapping[bytes, Runs]) -> int:
    """About how many bytes are to be sent of what was found: little of what is made of chunks of the version before."""
    return sum(min(len(data), _TINY) if name in patches else len(data) for name, _, data in found)
