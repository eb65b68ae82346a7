"""A moment that another node reads, or that is read on another node: both ends of that satisfy one interface.

::

    from the vault's node        MomentHere      catalog and vault, a lease
    from a node without it       rpc.peers       the same over a call that stands as long as the lease
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from agent.core.commit import Changes, Quiesced
from agent.core.errors import Damaged, NotFound
from agent.core.ids import NOTHING
from agent.generations.lease import leased
from agent.generations.moments import Moment
from agent.generations.reading import ReadChunk
from agent.store.catalog.leases import Lease
from agent.store.catalog.reader import CatalogReader
from agent.stream.locator import CommitMark, is_known, mark_of


@dataclass(frozen=True, slots=True)
class FoundMoment:
    """Which moment was named. ``mark``: its commit, as nodes know it from each other; ``entries`` and ``bytes`` of its state;
    ``reached``: how far the source stood still for it; ``owed``: how many of its objects never came whole."""

    mark: CommitMark
    moment: Moment
    entries: int
    bytes: int
    reached: Quiesced = Quiesced.FILE
    owed: int = 0


@dataclass(frozen=True, slots=True)
class NamedMoment:
    """What an operator named: exactly one of ``generation`` and ``at``, a time with its zone. ``reader``: who reads it, for
    people."""

    dataset: str
    generation: str
    at: str
    reader: str


class OpenMoment(Protocol):
    """A moment that stays whole until it is closed. For one thread."""

    @property
    def found(self) -> FoundMoment:
        """Which it is."""
        ...

    def rows(self, since: CommitMark | None = None) -> Iterator[Changes]:
        """What leads to it from a commit that both know, None: all its rows, in parts; objects come first.

        Raises ``NotFound`` for a commit that is not known there, or not readable any more."""
        ...

    def chunk(self, name: bytes) -> bytes:
        """A chunk, or a part of a long list, checked; any thread, while no rows are read. Raises ``NotFound``, ``Damaged``,
        ``StoreFailed``, ``Unreachable``."""
        ...

    def close(self) -> None:
        """It is read no more. Safe to call twice."""
        ...


class PeersMoments(Protocol):
    """Where another node finds what it wants to read."""

    def open_for(self, peer: str, named: NamedMoment) -> OpenMoment:
        """A moment of a dataset that ``peer`` shares. Raises ``NotFound``, ``Refused``, ``UsageError``, ``TryAgain``."""
        ...


class MomentHere:
    """Of a catalog and a vault of this node. It takes the reader over."""

    def __init__(self, reader: CatalogReader, read: ReadChunk, found: FoundMoment, lease: Lease) -> None:
        self.found = found
        self._reader = reader
        self._read = read
        self._lease = lease

    def rows(self, since: CommitMark | None = None) -> Iterator[Changes]:
        """See ``OpenMoment``."""
        if since is not None and not is_known(self._reader, since):
            raise NotFound("read a moment", str(since.number), "that commit is not known here, or not any more")
        start = NOTHING if since is None else since.number
        for batch in self._reader.difference(start, self.found.mark.number):
            puts = [new for _, _, new in batch if new is not None]
            yield Changes(puts, [key for key, _, new in batch if new is None])

    def chunk(self, name: bytes) -> bytes:
        """See ``OpenMoment``."""
        return self._read(name)

    def close(self) -> None:
        """See ``OpenMoment``."""
        self._lease.close()
        self._reader.close()


def open_here(reader: CatalogReader, read: ReadChunk, moment: Moment, who: str) -> MomentHere:
    """A moment of this node, leased to ``who``. Takes the reader over, also where it fails. Raises as ``lease.leased``."""
    try:
        lease = leased(reader, moment.number, who)
        commit = reader.commit_at(moment.number)
        mark = mark_of(reader, commit)
        if commit is None or mark is None:
            lease.close()
            raise Damaged("read a moment", reader.path, "a commit has no epoch", "see hikae status")
        reached = commit.provenance.reached
        owed = reader.owed_count(moment.number)
        found = FoundMoment(mark, moment, commit.entries, commit.bytes, reached, owed)
    except BaseException:
        reader.close()
        raise
    return MomentHere(reader, read, found, lease)
