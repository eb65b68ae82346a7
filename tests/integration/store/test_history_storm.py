"""Storms over what is kept: taken, let go, collected, killed, by clocks that jump; what must be there reads as it was."""

from __future__ import annotations

import os
import random
from pathlib import Path

from fakes.kept_stores import KeptStores

#: Of those that `make soak PART=history-storms` tries.
STORMS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) or 2


def test_whatever_happens_what_must_be_there_reads_as_it_was(tmpfs_dir: Path, seed: int) -> None:
    """After each act: generations promised, pinned or there at all, what somebody reads, and moments of history."""
    for storm in range(STORMS):
        place = tmpfs_dir / f"storm {storm}"
        place.mkdir()
        stores = KeptStores(place, random.Random(seed + storm))
        stores.run(120)
        assert [] == stores.all_lost()
        stores.close()
