"""Chunks that moments need are read and checked, and what is damaged is put back where somebody still has it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from agent.core.ids import CommitNumber
from agent.generations.checking import ChunkCheck, DamagedChunk, hurt_by
from agent.generations.moments import named
from agent.repair.repair_vault import Repairable, repair_vault
from agent.store.catalog.reader import CatalogReader
from agent.store.vault.vault import Vault


class Checkable(Repairable, Protocol):
    """What a check needs of a secondary (``node.standby.Standby``)."""

    @property
    def vault(self) -> Vault:
        """Where the chunks are."""
        ...

    def reader(self) -> CatalogReader:
        """What was received, for another thread, which closes it."""
        ...


@dataclass(frozen=True, slots=True)
class ChunksWanted:
    """Which chunks are looked at: those for which ``among`` holds, of one generation, or of every moment where ``generation`` is
    ""."""

    dataset: str
    among: Callable[[bytes], bool]
    generation: str = ""

    def commit(self, catalog: CatalogReader) -> CommitNumber | None:
        """That of the generation. Raises ``NotFound``, ``Refused`` for one that could be several."""
        return named(catalog.generations(), self.dataset, self.generation).number if self.generation else None


@dataclass(frozen=True, slots=True)
class CheckedChunks:
    """What a check came to: bytes that were read, what is damaged, the names of those that are in the vault again, and of those
    that the disk did not give."""

    checked_bytes: int
    damaged: tuple[DamagedChunk, ...] = ()
    mended: frozenset[bytes] = frozenset()
    unread: frozenset[bytes] = frozenset()


def check_chunks(
    side: Checkable,
    wanted: ChunksWanted,
    look: Callable[[int], None],
    stopping: threading.Event,
    breath: Callable[[], None],
) -> CheckedChunks:
    """Read, name and mend. ``look`` is called with the bytes read so far, and raises what is to end it; ``breath`` while what is
    damaged is put back, which ends once ``stopping`` is set.

    Raises as ``ChunksWanted.commit``, ``ChunkCheck.run`` and ``repair_vault``."""
    check = ChunkCheck(side.vault, look, wanted.among)
    with side.reader() as reader:
        check.run(reader, wanted.commit(reader))
        moments = reader.generations() if check.damaged else []
        hurt = hurt_by(check.damaged, side.vault, reader, moments, lambda: look(check.checked_bytes))
    mended = _mended(side, hurt, frozenset(check.unread), stopping, breath)
    return CheckedChunks(check.checked_bytes, tuple(hurt), mended, frozenset(check.unread))


def _mended(
    side: Checkable,
    damaged: list[DamagedChunk],
    unread: frozenset[bytes],
    stopping: threading.Event,
    breath: Callable[[], None],
) -> frozenset[bytes]:
    """What the disk does not give today it may give tomorrow: it is written anew where it can be had, and else stays."""
    # What came wrong once is read anew.
    proven = [one for one in damaged if one.name not in unread and side.vault.is_damaged(one.name)]
    if not damaged:
        return frozenset()
    names = [one.name for one in proven]
    if names:
        side.mending.forget(names, f"{len(names):,} found by generations verify, the last: {proven[-1].reason}")
    repaired = repair_vault(side, stopping, breath, unread)
    whole = {one.name for one in damaged if one.name not in unread}.difference(side.vault.missing(names))
    return frozenset(whole) | repaired.replaced
