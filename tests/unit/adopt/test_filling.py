"""A vault that is new beside a known tree: filled by a cursor over objects, and ahead of what is about to change."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.adopt.filling.fill_mark import begin_filling, fill_mark
from agent.adopt.filling.filling import Filling, FillingStores
from agent.core.chunks import HOLE, decode
from agent.core.ids import ObjectId
from agent.core.rows import content_of
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from fakes.capture_fakes import LightOutlet, Station, station

SEED = 20261129


class Rig:
    """A captured tree with an empty vault beside it."""

    def __init__(self, made: Station, base: Path) -> None:
        self.station = made
        self.lost: list[ObjectId] = []
        self.vault = Vault.open(str(base / "vault"), PackEnd(0, 0))
        newest = made.catalog.newest()
        assert newest is not None
        self.commit = newest.number
        begin_filling(made.local, newest.number)
        self.filling = self.opened()

    def opened(self) -> Filling:
        """As a standby makes it when it is opened."""
        catalog = self.station.catalog
        stores = FillingStores(str(self.station.root), self.vault, self.station.local, catalog.reader)
        return Filling(stores, self.lost.extend)

    def id(self, name: str) -> ObjectId:
        found = self.station.id_of(name.encode())
        assert found is not None
        return found

    def lacking(self, name: str) -> Sequence[bytes]:
        """The chunks of a file, as the commit has it, that no pack holds."""
        row = self.station.catalog.object(self.id(name), self.commit)
        assert row is not None
        names = [entry.name for entry in decode(content_of(row)) if entry.kind != HOLE]
        return self.vault.missing_in_packs(names)

    def close(self) -> None:
        self.filling.close()
        self.vault.close()


@contextmanager
def rig(base: Path) -> Iterator[Rig]:
    """Small files, one of several chunks, one that is empty, and one with a hole."""
    print(f"seed {SEED}")
    made = random.Random(SEED)
    root = base / "tree"
    root.mkdir()
    for number in range(8):
        (root / f"small{number}").write_bytes(made.randbytes(2_000))
    (root / "large").write_bytes(made.randbytes(900_000))
    (root / "empty").touch()
    with (root / "sparse").open("wb") as file:
        file.seek(1 << 20)
        file.write(made.randbytes(50_000))
    with station(root, base / "home", LightOutlet()) as one:
        one.synced()
        one.pump.stop()
        found = Rig(one, base)
        try:
            yield found
        finally:
            found.close()


FILES = ("small0", "small7", "large", "sparse")


def test_all_of_the_tree_comes_into_the_vault(tmp_path: Path) -> None:
    """Step by step, to the end, which is remembered."""
    with rig(tmp_path) as made:
        assert all(made.lacking(name) for name in FILES)
        while made.filling.step():
            pass
        assert [] == [name for name in FILES if made.lacking(name)]
        assert (None, False, []) == (fill_mark(made.station.local), made.filling.at_work, made.lost)
        done, total = made.filling.progress
        assert total == done


@pytest.mark.parametrize("steps", [None, 1, 3])
def test_what_the_vault_is_said_to_have_outlives_an_opening(tmp_path: Path, steps: int | None) -> None:
    """No commit came meanwhile: packs are cut to what is known to be durable, and the cursor is not beyond that."""
    with rig(tmp_path) as made:
        done = 0
        while made.filling.step() and done != steps:
            done += 1
        made.close()
        os.unlink(tmp_path / "vault" / "index.db")
        made.vault = Vault.open(str(tmp_path / "vault"), PackEnd(0, 0))
        made.filling = made.opened()
        if steps is None:
            assert (False, []) == (made.filling.at_work, [name for name in FILES if made.lacking(name)])
        while made.filling.step():
            pass
        assert ([], []) == (made.lost, [name for name in FILES if made.lacking(name)])


def test_what_is_about_to_change_is_copied_first(tmp_path: Path) -> None:
    """Files that get other content, or go, are in the vault before; those that keep theirs stay where they are."""
    with rig(tmp_path) as made:
        row = made.station.catalog.object(made.id("large"))
        assert row is not None
        kept = made.filling.before([(made.id("large"), content_of(row))], (), lambda: None)
        assert ({made.id("large")}, True) == (set(kept), bool(made.lacking("large")))
        assert made.filling.holds(made.id("large"), content_of(row))
        stay = made.filling.before([(made.id("small0"), b"")], [made.id("small7")], lambda: None)
        assert [] == [*stay, *made.lacking("small0"), *made.lacking("small7")]
        assert made.lacking("large")


def test_a_moved_file_is_found(tmp_path: Path) -> None:
    """It is known by what it is, whatever it is called by now."""
    with rig(tmp_path) as made:
        (made.station.root / "sub").mkdir()
        os.rename(made.station.root / "large", made.station.root / "sub" / "elsewhere")
        while made.filling.step():
            pass
        assert ([], []) == (list(made.lacking("large")), made.lost)


def test_what_somebody_changed_before_is_told(tmp_path: Path) -> None:
    """Bytes that are not what their name says never come into the vault, and the file is named."""
    with rig(tmp_path) as made:
        (made.station.root / "small0").write_bytes(b"other")
        while made.filling.step():
            pass
        assert ([made.id("small0")], True) == (made.lost, bool(made.lacking("small0")))
        assert [] == list(made.lacking("large"))


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    """After a restart the cursor is where it was, and what was copied ahead is not lost by what stands there now."""
    with rig(tmp_path) as made:
        made.filling.before((), [made.id("small0")], lambda: None)
        made.vault.sync()
        (made.station.root / "small0").unlink()
        made.filling.close()
        made.filling = made.opened()
        while made.filling.step():
            pass
        assert ([], []) == (made.lost, [name for name in FILES if made.lacking(name)])
