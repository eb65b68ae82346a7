"""The batch: what it says will be, and what it leaves for the commit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.batch import View
from agent.core.commit import Changes
from agent.core.ids import ROOT
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
def view(tmp_path: Path, catalog: Catalog) -> Iterator[View]:
    """A batch over it."""
    with Local.open(str(tmp_path / "local.db")) as local:
        yield View(catalog, local)


def test_an_object_that_is_gone_is_not_dropped_again(view: View, catalog: Catalog) -> None:
    """Whoever was on the way to drop it when an earlier batch did: nothing is left to do."""
    root, id = dir_row(ROOT, 1), view.fresh_id()
    view.add_object(ROOT, root)
    view.add_object(id, dir_row(id, 1))
    view.put_name(ROOT, b"name", id)
    catalog.write(view.changes(), header(1))
    view.begin()
    view.drop_name(ROOT, b"name")
    view.drop_object(id)
    catalog.write(view.changes(), header(2))
    view.begin()
    view.drop_object(id)
    assert Changes([], []) == view.changes()


def test_an_object_that_came_and_went_in_one_batch_leaves_nothing(view: View) -> None:
    """However often it is dropped: the catalog refuses to drop what never lived."""
    id = view.fresh_id()
    view.add_object(id, dir_row(id, 1))
    view.put_name(ROOT, b"name", id)
    view.drop_name(ROOT, b"name")
    for _ in range(2):
        view.drop_object(id)
    assert None is view.object(id)
    assert Changes([], []) == view.changes()


def test_paths_follow_what_is_renamed_and_removed(view: View) -> None:
    """Of a directory itself, of one above it, and of one that another takes the place of."""
    top, below, other = view.fresh_id(), view.fresh_id(), view.fresh_id()
    for id in (top, below, other):
        view.add_object(id, dir_row(id, 1))
    view.put_name(ROOT, b"top", top)
    view.put_name(top, b"below", below)
    assert (b"top", b"top/below") == (view.path_of(top), view.path_of(below))
    view.drop_name(ROOT, b"top")
    assert (None, None) == (view.path_of(top), view.path_of(below))
    view.put_name(ROOT, b"moved", top)
    assert (b"moved", b"moved/below") == (view.path_of(top), view.path_of(below))
    view.put_name(top, b"below", other)
    assert (None, b"moved/below") == (view.path_of(below), view.path_of(other))
    view.put_name(other, b"deeper", below)
    assert b"moved/below/deeper" == view.path_of(below)
    view.drop_name(other, b"deeper")
    assert (None, b"moved/below") == (view.path_of(below), view.path_of(other))


def test_ways_that_were_passed_follow_too(view: View) -> None:
    """Nothing is taken for a directory at a path where it is no more; a new one changes no other."""
    top, below, new = view.fresh_id(), view.fresh_id(), view.fresh_id()
    for id in (top, below, new):
        view.add_object(id, dir_row(id, 1))
    view.put_name(ROOT, b"top", top)
    view.put_name(top, b"below", below)
    view.passed(b"top", top)
    view.passed(b"top/below", below)
    view.put_name(ROOT, b"new", new)
    assert {b"top": top, b"top/below": below} == view.verified
    view.drop_name(top, b"below")
    assert {b"top": top} == view.verified
    view.put_name(ROOT, b"top", new)
    assert {} == view.verified
