"""A vault's damage: what is proven goes and comes back, and what the disk does not give is never forgotten for that alone."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.capture.files.read_back import TreeSource
from agent.core.chunks import name_of
from agent.core.clock import ManualClock
from agent.core.commit import Changes
from agent.core.errors import Damaged
from agent.core.ids import ROOT, object_id
from agent.core.problem import ProblemBoard
from agent.repair.from_standby import Restoring
from agent.repair.lost_chunks import Mending
from agent.repair.repair_vault import Repaired, damaged_chunks, repair_vault
from agent.store.local import Local
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from fakes.collected_stores import Stores
from fakes.store_fakes import header, name_row

RAW, OLD = b"what the standby has", b"what only history has"
FILE = object_id(1, 100)


class OnceWrong(Vault):
    """A vault whose first read comes wrong."""

    reads = 0

    def read(self, name: bytes) -> bytes:
        """As a vault does."""
        self.reads += 1
        if self.reads == 1:
            raise Damaged("read a chunk", "", "its bytes are not those of its name")
        return super().read(name)


@dataclass
class Side:
    """A standby with one file, whose vault has an older version of it too."""

    stores: Stores
    mending: Mending
    root: Path
    connected: bool = False

    def restoring(self) -> Restoring:
        """See ``Repairable``."""
        reader = self.stores.catalog.reader
        return Restoring(self.stores.vault, reader, TreeSource(str(self.root), reader()))

    def faults(self) -> tuple[int, set[bytes]]:
        """What a deep look finds."""
        found = damaged_chunks(self.stores.vault, self.mending, threading.Event(), deep=True)
        return found.damaged, set(found.unread)

    def repair(self, *doubted: bytes) -> Repaired:
        """What ``verify --deep --repair`` does of it."""
        return repair_vault(self, threading.Event(), lambda: None, frozenset(doubted))


@pytest.fixture
def side(tmp_path: Path) -> Iterator[Side]:
    """Nothing is wrong yet."""
    root = tmp_path / "standby"
    root.mkdir()
    (root / "kept").write_bytes(RAW)
    with Stores(tmp_path) as stores, Local.open(str(tmp_path / "local.db")) as local:
        stores.write(FILE, stores.put(OLD))
        stores.write(FILE, stores.put(RAW))
        stores.seq += 1
        stores.catalog.write(Changes((name_row(ROOT, b"kept", FILE),)), header(stores.seq))
        stores.committed = stores.vault.sync()
        stores.reopened()
        yield Side(stores, Mending(stores.vault, local, "alpha", ProblemBoard(), clock=ManualClock()), root)


def pack_of(side: Side) -> Path:
    """The one that there is."""
    return next((side.stores.place / "vault" / "packs").glob("*.pack"))


def test_a_read_error_forgets_nothing_and_what_the_standby_has_is_written_anew(side: Side) -> None:
    """Once the disk gives it again, the other is there, too."""
    pack = pack_of(side)
    aside = pack.with_name("aside")
    os.rename(pack, aside)
    pack.mkdir()
    names = {name_of(RAW), name_of(OLD)}
    assert (0, names) == side.faults()
    assert [] == side.stores.vault.missing(list(names))
    assert Repaired(1, 0, frozenset({name_of(RAW)})) == side.repair(*names)
    assert [] == side.stores.vault.missing(list(names))
    pack.rmdir()
    os.rename(aside, pack)
    side.stores.committed = side.stores.vault.sync()
    side.stores.reopened()
    assert [OLD, RAW] == [side.stores.vault.read(name_of(raw)) for raw in (OLD, RAW)]


def test_what_is_proven_to_be_damaged_goes_and_comes_back(side: Side) -> None:
    """From the standby; what nobody has any more is said to be lost."""
    pack = pack_of(side)
    pack.write_bytes(pack.read_bytes().replace(RAW, RAW.upper()).replace(OLD, OLD.upper()))
    assert (2, set()) == side.faults()
    assert Repaired(1, 0) == side.repair()
    assert ([name_of(OLD)], RAW) == (
        side.stores.vault.missing([name_of(OLD)]),
        side.stores.vault.read(name_of(RAW)),
    )


def test_what_came_wrong_once_is_read_anew_before_it_is_forgotten(side: Side) -> None:
    """A wire or memory that fails once costs no chunk."""
    stores = side.stores
    stores.vault.close()
    vault = stores.vault = OnceWrong.open(str(stores.place / "vault"), stores.committed, stores.limits)
    with Local.open(str(stores.place / "other.db")) as local:
        mending = Mending(vault, local, "alpha", ProblemBoard(), clock=ManualClock())
        assert RAW == mending.read(name_of(RAW))
        assert ([], False) == (vault.missing([name_of(RAW)]), mending.lacks)


def test_what_was_put_back_outlives_an_opening(side: Side) -> None:
    """No commit came that says how far the packs are durable, and the index is lost: it is there all the same."""
    place = side.stores.place / "vault"
    side.stores.vault.close()
    shutil.rmtree(place)
    side.stores.vault = Vault.open(str(place), PackEnd(0, 0))
    side.restoring().run(lambda: None)
    side.stores.committed = PackEnd(0, 0)
    side.stores.reopened(without_index=True)
    assert RAW == side.stores.vault.read(name_of(RAW))
