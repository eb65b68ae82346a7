"""The batch: what it says will be, and what it leaves for the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.capture.batch import TreeBatch
from agent.core.commit import Changes
from agent.core.ids import ROOT, CommitNumber, ObjectId
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local
from fakes.store_fakes import EPOCH, dir_row, header


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """One without commits."""
    with Catalog.open(str(tmp_path / "catalog.db")) as one:
        one.begin_epoch(EPOCH)
        yield one


@pytest.fixture
def batch(tmp_path: Path, catalog: Catalog) -> Iterator[TreeBatch]:
    """A batch over it."""
    with Local.open(str(tmp_path / "local.db")) as local:
        yield TreeBatch(catalog, local)


def test_an_object_that_is_gone_is_not_dropped_again(batch: TreeBatch, catalog: Catalog) -> None:
    """Whoever was on the way to drop it when an earlier batch did: nothing is left to do."""
    root, id = dir_row(ROOT, 1), batch.fresh_id()
    batch.add_object(ROOT, root)
    batch.add_object(id, dir_row(id, 1))
    batch.put_name(ROOT, b"name", id)
    catalog.write(batch.changes(), header(1))
    batch.begin()
    batch.drop_name(ROOT, b"name")
    batch.drop_object(id)
    catalog.write(batch.changes(), header(2))
    batch.begin()
    batch.drop_object(id)
    assert Changes([], []) == batch.changes()


class CountedCatalog(Catalog):
    """One that counts how often it is asked for an object."""

    asked = 0

    def object(self, id: ObjectId, at: CommitNumber | None = None) -> bytes | None:
        self.asked += 1
        return super().object(id, at)


def test_the_catalog_is_asked_once_for_the_objects_of_a_look(tmp_path: Path) -> None:
    """One hint asks for a file and the directories above it several times each; the next batch asks anew, and is told what is."""
    with (
        CountedCatalog.open(str(tmp_path / "catalog.db")) as catalog,
        Local.open(str(tmp_path / "local.db")) as local,
    ):
        assert isinstance(catalog, CountedCatalog)
        catalog.begin_epoch(EPOCH)
        batch = TreeBatch(catalog, local)
        batch.add_object(ROOT, dir_row(ROOT, 1))
        catalog.write(batch.changes(), header(1))
        batch.begin()
        asked = catalog.asked
        assert [dir_row(ROOT, 1)] * 3 == [batch.object(ROOT) for _ in range(3)]
        assert 1 == catalog.asked - asked
        batch.put_object(ROOT, dir_row(ROOT, 2), dir_row(ROOT, 1))
        catalog.write(batch.changes(), header(2))
        batch.begin()
        assert dir_row(ROOT, 2) == batch.object(ROOT)


def test_an_object_that_came_and_went_in_one_batch_leaves_nothing(batch: TreeBatch) -> None:
    """However often it is dropped: the catalog refuses to drop what never lived."""
    id = batch.fresh_id()
    batch.add_object(id, dir_row(id, 1))
    batch.put_name(ROOT, b"name", id)
    batch.drop_name(ROOT, b"name")
    for _ in range(2):
        batch.drop_object(id)
    assert None is batch.object(id)
    assert Changes([], []) == batch.changes()


def test_paths_follow_what_is_renamed_and_removed(batch: TreeBatch) -> None:
    """Of a directory itself, of one above it, and of one that another takes the place of."""
    top, below, other = batch.fresh_id(), batch.fresh_id(), batch.fresh_id()
    for id in (top, below, other):
        batch.add_object(id, dir_row(id, 1))
    batch.put_name(ROOT, b"top", top)
    batch.put_name(top, b"below", below)
    assert (b"top", b"top/below") == (batch.path_of(top), batch.path_of(below))
    batch.drop_name(ROOT, b"top")
    assert (None, None) == (batch.path_of(top), batch.path_of(below))
    batch.put_name(ROOT, b"moved", top)
    assert (b"moved", b"moved/below") == (batch.path_of(top), batch.path_of(below))
    batch.put_name(top, b"below", other)
    assert (None, b"moved/below") == (batch.path_of(below), batch.path_of(other))
    batch.put_name(other, b"deeper", below)
    assert b"moved/below/deeper" == batch.path_of(below)
    batch.drop_name(other, b"deeper")
    assert (None, b"moved/below") == (batch.path_of(below), batch.path_of(other))


def test_ways_that_were_passed_follow_too(batch: TreeBatch) -> None:
    """Nothing is taken for a directory at a path where it is no more; a new one changes no other."""
    top, below, new = batch.fresh_id(), batch.fresh_id(), batch.fresh_id()
    for id in (top, below, new):
        batch.add_object(id, dir_row(id, 1))
    batch.put_name(ROOT, b"top", top)
    batch.put_name(top, b"below", below)
    batch.passed(b"top", top)
    batch.passed(b"top/below", below)
    batch.put_name(ROOT, b"new", new)
    assert {b"top": top, b"top/below": below} == batch.verified
    batch.drop_name(top, b"below")
    assert {b"top": top} == batch.verified
    batch.put_name(ROOT, b"top", new)
    assert {} == batch.verified


def test_a_batch_is_fresh_until_it_is_asked(batch: TreeBatch) -> None:
    """Also what was only asked for counts: it is remembered, and a later batch is to ask anew."""
    found = [batch.is_fresh]
    acts: tuple[Callable[[], object], ...] = (
        lambda: batch.child(ROOT, b"name"),
        lambda: batch.touch(ROOT),
        lambda: batch.passed(b"path", ROOT),
        lambda: batch.add_object(batch.fresh_id(), dir_row(1)),
        lambda: batch.drop_name(ROOT, b"name"),
    )
    for act in acts:
        act()
        found.append(batch.is_fresh)
        batch.begin()
        found.append(batch.is_fresh)
    assert [True, *(False, True) * 5] == found
