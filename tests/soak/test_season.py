"""Weeks of use in a minute: an injected clock, a twentieth of the content changed each day, the rules as they are by default."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from pathlib import Path
from typing import cast

import pytest

from agent.config.values import Dataset, Generations
from agent.core.commit import Changes
from agent.core.ids import CommitNumber, ObjectId, object_id
from agent.core.rows import ObjectRow, encode_object
from agent.generations.taking import SourceAnswer, WantedGeneration
from agent.generations.vault_growth import Sample, bytes_per_day, full_at, sampled
from agent.node.following.generations.generation_keeper import GenerationKeeper, RetentionTicks
from agent.node.following.vault_space import directory_size
from agent.store.catalog.catalog import Header
from agent.store.catalog.expiring.expiry import Expiry, Horizons
from agent.store.catalog.generation import Cause
from agent.store.collection import CollectionLimits, collect
from agent.store.vault.limits import VaultLimits
from fakes.clocks import SetClock
from fakes.collected_stores import Stores
from fakes.kept_stores import KeptDataset
from fakes.store_fakes import number

WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
DAYS = 365 if WHOLE else 92
FILES, BYTES = (400, 20_000) if WHOLE else (60, 8_000)
HOUR = 3600
#: When the forecast is made, and how much fuller the vault is to be by then (in its own growth of so many days).
FORECAST_DAY, AHEAD_DAYS = 10, 12
LIMITS = CollectionLimits(room=1 << 40)


class Season:
    """A standby's stores, used hour by hour. ``sizes``: of the vault, after each day's collection; ``samples`` as the agent has
    them for its forecast, day by day."""

    def __init__(self, place: Path, chance: random.Random) -> None:
        self.stores = Stores(place, VaultLimits(pack=200_000, cache=0, flush=64))
        self.chance, self.clock = chance, SetClock()
        dataset = KeptDataset(history=24 * HOUR, generations=Generations())
        self.keeper = GenerationKeeper(RetentionTicks(self.clock, "boot"), lambda: cast(Dataset, dataset))
        self.expiry = Expiry(self.stores.catalog)
        self.sizes: list[int] = []
        self.samples: tuple[Sample, ...] = ()
        self.kept_samples: list[tuple[Sample, ...]] = []
        self._due = 0.0
        self._collected = self.stores.vault.sync()
        self._write(range(FILES))

    def day(self) -> None:
        """Changes and a generation each hour, upkeep each hour, one collection."""
        for _ in range(24):
            self._due += FILES / 20 / 24
            count, self._due = int(self._due), self._due % 1
            if count:
                self._write(self.chance.sample(range(FILES), count))
            self.keeper.keep(self.stores.catalog, WantedGeneration(Cause.SCHEDULE), SourceAnswer(CommitNumber(0)))
            self.clock.advance(HOUR)
            begins = self.keeper.upkeep(self.stores.catalog)
            whole = self.keeper.whole_since(self.stores.catalog)
            while self.expiry.turn(Horizons(begins, begins, whole)):
                pass
            self.samples = sampled(self.samples, self._sample())
        end = self.stores.vault.sync()
        with self.stores.catalog.reader() as reader:
            collect(self.stores.vault, reader, self._collected, lambda: None, LIMITS)
        self.stores.vault.sync()
        self._collected = end
        self.sizes.append(self._sample().bytes)
        self.kept_samples.append(self.samples)

    def _sample(self) -> Sample:
        return Sample(self.clock.now_ns(), directory_size(self.stores.place / "vault"))

    def _write(self, files: Iterable[int]) -> None:
        stores = self.stores
        rows = []
        for at in files:
            content = stores.put(self.chance.randbytes(BYTES))
            rows.append(
                encode_object(ObjectRow(ObjectId(object_id(1, at + 1)), 0o100644, 0, 0, 7, size=BYTES, content=content))
            )
        before = stores.seq
        stores.seq += 1
        end = stores.vault.sync()
        now = self.clock.now_ns()
        stores.catalog.stage(number(stores.seq), Changes(rows))
        stores.catalog.seal(Header(number(stores.seq), number(before), now, now, True), end)


@pytest.mark.timeout(3600)
def test_the_vault_levels_off_and_the_forecast_was_right(tmpfs_dir: Path, seed: int) -> None:
    """While days fill up it grows evenly, and a limit is reached when the forecast said so, within a third; once daily and weekly
    ones are all there it grows by the monthly ones alone."""
    season = Season(tmpfs_dir, random.Random(seed))
    for _ in range(DAYS):
        season.day()
    sizes = season.sizes
    filling = (sizes[25] - sizes[8]) / 17
    level = (sizes[-1] - sizes[61]) / (len(sizes) - 62)
    samples = season.kept_samples[FORECAST_DAY]
    now = samples[-1]
    growth = bytes_per_day(samples, now)
    limit = round(now.bytes + AHEAD_DAYS * filling)
    reached = next(day for day, size in enumerate(sizes) if day > FORECAST_DAY and size >= limit) - FORECAST_DAY
    at = full_at(now, growth, limit)
    assert at is not None
    forecast = (at - now.time) / (24 * HOUR * 10**9)
    print(
        f"{DAYS} days: {filling / 1024:.0f} KiB a day while filling, {level / 1024:.0f} afterwards; "
        f"full after {reached} days, forecast {forecast:.1f}"
    )
    assert level <= filling * 0.7
    assert abs(forecast - reached) <= reached / 3 + 1
    season.stores.close()
