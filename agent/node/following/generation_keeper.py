"""Generations in a standby's catalog: written and let go by whoever holds its writing side, dated by the retention clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.config.values import Generations
from agent.core.clock import Clock
from agent.generations.retention_clock import RetentionTime, Ticks, first_retention_time
from agent.generations.taking import SourceAnswer, TakenAt, WantedGeneration, generation_of, require_new_label
from agent.store.catalog import generation
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.generation import Generation
from agent.store.catalog.reader import Reading

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SECOND = 10**9


def this_boot(path: Path = _BOOT) -> str:
    """What tells one start of the machine from another; "" where nothing does, so that only the time since then counts."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class RetentionTicks:
    """The machine's clocks, for the retention clock."""

    clock: Clock
    boot: str

    def now(self) -> Ticks:
        """What they show."""
        return Ticks(self.clock.now_ns(), int(self.clock.monotonic() * 1e9), self.boot)


def retention_time(reader: Reading, ticks: Ticks) -> RetentionTime:
    """The retention clock now, as a catalog has it; it begins with the first time that it is written."""
    row = reader.retention_row()
    if row is None:
        return first_retention_time(ticks)
    now, wall, since_boot, boot = row
    return RetentionTime(now, Ticks(wall, since_boot, boot)).moved(ticks)


class GenerationKeeper:
    """Of one standby. Every method that is given the catalog is for who holds its writing side, between two commits. ``rules``:
    what is configured now, read at each use."""

    def __init__(self, dataset: str, ticks: RetentionTicks, rules: Callable[[], Generations]) -> None:
        self._dataset = dataset
        self._ticks = ticks
        self._rules = rules

    def keep(self, catalog: Catalog, wanted: WantedGeneration, answer: SourceAnswer) -> Generation:
        """Keep a generation, durably. Raises as ``generation_of`` and ``Catalog.keep_generations``."""
        require_new_label(catalog, self._dataset, wanted.label)
        dated = self.move_clock(catalog)
        at = TakenAt(self._ticks.clock.now_ns(), dated, (self._rules().immutable_for or 0) * _SECOND)
        one = generation_of(catalog, self._dataset, wanted, answer, at)
        catalog.keep_generations([one])
        return one

    def move_clock(self, catalog: Catalog) -> int:
        """The retention clock now (ns). It is written down, durable with the next commit: what a power cut takes back of it keeps
        longer."""
        moved = retention_time(catalog, self._ticks.now())
        row = (moved.now, moved.at.wall, moved.at.since_boot, moved.at.boot)
        with catalog.between_commits("move the retention clock", durable=False) as connection:
            generation.set_retention(connection, row)
        return moved.now
