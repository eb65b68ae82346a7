"""Has this node room for a vault? It needs one once it is a standby, and is told so long before (``rejoin-no-room``)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from agent.core.problem import Problem, Severity
from agent.core.problem_codes import REJOIN_NO_ROOM
from agent.fs.reserve import room_beyond_reserve
from agent.status.figures import size_text
from agent.status.promotion import Gate


@dataclass(frozen=True, slots=True)
class VaultRoom:
    """``place``: where the vault is, or is to be; bytes: ``content`` of the dataset, which a vault of it takes at most at first,
    ``held`` by the vault that is there, ``free`` beyond the disk's reserve."""

    place: str
    content: int
    held: int
    free: int

    @property
    def lacks(self) -> int:
        """Bytes that are not there; 0 where there is room."""
        return max(0, self.content - self.held - self.free)

    def gate(self, now: int) -> Gate:
        """Of a rejoin. ``now``: UTC ns."""
        value = f"{size_text(self.free)} beyond the reserve at {self.place}"
        limit = size_text(max(0, self.content - self.held))
        remedy = (
            f'free {size_text(self.lacks)} there, or write vault = "/another/place" for the dataset; then: hikae reload'
        )
        return Gate("room", not self.lacks, value, limit, now, remedy if self.lacks else "")

    def problem(self, dataset: str, now: int) -> Problem:
        """That it could not rejoin, for status."""
        message = (
            f"should another node be promoted, {dataset} could not become a standby here: its vault needs up to "
            f"{size_text(self.content - self.held)}, and {self.place} has {size_text(self.free)} beyond its reserve"
        )
        return Problem(REJOIN_NO_ROOM, Severity.WARNING, now, b"", message, self.gate(now).remedy)


def vault_room(place: Path, content: int) -> VaultRoom:
    """Look now. ``place`` need not exist yet."""
    standing = next((each for each in (place, *place.parents) if each.is_dir()), Path("/"))
    return VaultRoom(str(place), content, _held(place / "packs"), room_beyond_reserve(str(standing)))


def _held(packs: Path) -> int:
    try:
        with os.scandir(packs) as found:
            return sum(one.stat().st_size for one in found)
    except OSError:
        return 0
