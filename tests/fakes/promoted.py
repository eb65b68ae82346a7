"""A node that was a standby and is opened as a primary, by test means: no command does that here.

A station captures, a real sender gives it to a real receiver, an applier makes a standby of that and ends with a checkpoint. Then
catalog, local facts and vault of the standby are those of a station on its directory, in an epoch of its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.apply.applier import Applier, Supply
from agent.apply.ports import NOTHING_EARLY, NothingAdopted, nothing_left_out
from agent.apply.results import silent
from agent.apply.standby.standby_root import StandbyPlace
from agent.core.clock import ManualClock
from agent.core.errors import Damaged
from agent.core.ids import Epoch
from agent.core.problem import ProblemBoard
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local
from agent.store.pieces import VaultChunks
from agent.store.vault.vault import PackEnd, Vault
from fakes.apply_fakes import UNBRAKED
from fakes.capture_fakes import LightOutlet, RecordingOutlet, Station, Wiring, station
from fakes.spoken import spoken, station_that_speaks

_A_MINUTE = 60_000_000_000


class CountedReads:
    """Reads as ``os`` does; ``bytes`` counts what was read of contents."""

    def __init__(self) -> None:
        self.bytes = 0

    def pread(self, fd: int, length: int, offset: int, /) -> bytes:
        data = os.pread(fd, length, offset)
        self.bytes += len(data)
        return data

    def preadv(self, fd: int, buffers: Sequence[memoryview], offset: int, /) -> int:
        count = os.preadv(fd, buffers, offset)
        self.bytes += count
        return count


@dataclass(slots=True)
class Damage:
    """Whether a vault can be read; ``asked``: names that were asked for in vain."""

    stands: bool = False
    asked: list[bytes] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DamagedVault:
    """One that gives nothing while ``damage`` stands."""

    vault: VaultChunks
    damage: Damage

    def read(self, name: bytes) -> bytes:
        if self.damage.stands:
            self.damage.asked.append(name)
            raise Damaged("read a chunk", name.hex(), "it is another", "none")
        return self.vault.read(name)


@dataclass(frozen=True, slots=True)
class Promoted:
    """``station`` captures what was a standby; ``reads`` counts what it reads."""

    station: Station
    root: Path
    reads: CountedReads


@contextmanager
def promoted(
    base: Path, fill: Callable[[Path], None], *, with_vault: bool = True, damage: Damage | None = None
) -> Iterator[Promoted]:
    """A promoted node whose tree is what ``fill`` made on the node before; its pump is not started yet. ``damage``: of its
    vault."""
    outlet = LightOutlet()
    _stream(base, fill, outlet)
    home, root, reads = base / "beta", base / "standby", CountedReads()
    with Vault.open(str(home / "vault"), _apply(home, root)) as vault:
        seen = vault if damage is None else DamagedVault(vault, damage)
        wiring = Wiring(vault=seen if with_vault else None, reads=reads)
        with station(root, home, outlet, wiring=wiring) as made:
            yield Promoted(made, root, reads)


def _stream(base: Path, fill: Callable[[Path], None], outlet: RecordingOutlet) -> None:
    """From a primary of before to the standby's stores; ``outlet`` knows what the peers know."""
    with station_that_speaks(base / "alpha") as (made, feed):
        fill(made.root)
        made.synced()
        with spoken(made, base, feed, lambda: None) as call:
            assert call.caught_up(60.0)
        outlet.rows.update(made.outlet.rows)
        outlet.chunks.update(made.outlet.chunks)


def _apply(home: Path, root: Path) -> PackEnd:
    """Make the standby equal to the newest commit, with a checkpoint a minute later, and begin an epoch; the end of the packs."""
    clock = ManualClock(time.time_ns() + _A_MINUTE)
    with (
        Catalog.open(str(home / "catalog.db")) as catalog,
        Vault.open(str(home / "vault"), catalog.pack_end()) as vault,
        Local.open(str(home / "local.db")) as local,
    ):
        place = StandbyPlace(str(root), "web", str(home), lambda _: None, False, NothingAdopted(), nothing_left_out)
        supply = Supply(catalog.reader, vault.read, vault.patch_of, NOTHING_EARLY)
        applier = Applier(place, supply, local, ProblemBoard(), clock=clock, brake=UNBRAKED)
        newest = catalog.newest()
        assert newest is not None
        applier.converge(newest, silent)
        applier.checkpoint()
        applier.close()
        catalog.begin_epoch(Epoch(catalog.lineage[-1].number + 1, "beta", os.urandom(16)))
        return catalog.pack_end()
