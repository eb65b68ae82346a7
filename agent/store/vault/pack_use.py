"""Which packs are rewritten, and which go as they are: the plan of a compaction, from what lies in each pack. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PackUse:
    """A pack that is not written to any more. Bytes: ``size`` of its file, ``live`` of the ``chunks`` records that count, of
    which ``spare`` are there only because one other chunk is stored as a patch of them."""

    number: int
    size: int
    live: int
    chunks: int
    spare: int = 0

    @property
    def dead(self) -> int:
        """Bytes that come back when it is rewritten."""
        return max(0, self.size - self.live + self.spare)


@dataclass(frozen=True, slots=True)
class CompactionLimits:
    """``waste``: the share of all packs' bytes that may be dead; while more is, packs are rewritten. ``least``: a pack of which a
    smaller share is dead is not: for each byte that comes back more than nine would be written."""

    waste: float = 0.05
    least: float = 0.1


USUAL = CompactionLimits()


@dataclass(frozen=True, slots=True)
class CompactionPlan:
    """``drop``: nothing lies in them. ``rewrite``: what lies in them is written anew, in this order, each before the next."""

    drop: tuple[PackUse, ...]
    rewrite: tuple[PackUse, ...]

    @property
    def frees(self) -> int:
        """Bytes that come back in the end."""
        return sum(pack.size for pack in self.drop) + sum(pack.dead for pack in self.rewrite)

    @property
    def writes(self) -> int:
        """Bytes that are written for that."""
        return sum(pack.size - pack.dead for pack in self.rewrite)


def plan_compaction(packs: Iterable[PackUse], room: int, limits: CompactionLimits) -> CompactionPlan:
    """``packs``: all that are not written to any more; ``room``: bytes that may be written before any comes back. Those of which
    the greatest share is dead come first, as they give most for what is written."""
    all_packs = sorted(packs, key=lambda pack: pack.number)
    drop = tuple(pack for pack in all_packs if not pack.chunks)
    rest = [pack for pack in all_packs if pack.chunks]
    total, dead = sum(pack.size for pack in rest), sum(pack.dead for pack in rest)
    room += sum(pack.size for pack in drop)
    rewrite: list[PackUse] = []
    for pack in sorted(rest, key=lambda pack: (-pack.dead / max(1, pack.size), pack.number)):
        if dead <= limits.waste * total or pack.dead < limits.least * pack.size:
            break
        if pack.size - pack.dead <= room:
            rewrite.append(pack)
            room += pack.dead
            dead -= pack.dead
            total -= pack.dead
    return CompactionPlan(drop, tuple(rewrite))
