"""A moment of another node, as it answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.core.commit import Changes
from agent.generations.afar import FoundMoment
from agent.stream.locator import CommitMark


@dataclass
class Afar:
    """A moment as a peer gives it; ``more``: rows that it adds."""

    found: FoundMoment
    given: list[Changes]
    more: tuple[bytes, ...] = ()

    def rows(self, since: CommitMark | None = None) -> Iterator[Changes]:
        """See ``OpenMoment``."""
        yield from self.given
        if self.more:
            yield Changes(self.more)

    def chunk(self, name: bytes) -> bytes:
        """See ``OpenMoment``."""
        return name

    def close(self) -> None:
        """See ``OpenMoment``."""
