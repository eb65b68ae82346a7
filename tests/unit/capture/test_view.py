"""The batch: what it says will be, and what it leaves for the commit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.view import View
from agent.core.commit import Changes
from agent.core.ids import ROOT
from agent.store.catalog import Catalog
from agent.store.local import Local
from fakes.store_fakes import EPOCH, dir_row


@pytest.fixture
def view(tmp_path: Path) -> Iterator[View]:
    """A batch over a catalog without commits."""
    with Catalog.open(str(tmp_path / "catalog.db")) as catalog, Local.open(str(tmp_path / "local.db")) as local:
        catalog.begin_epoch(EPOCH)
        yield View(catalog, local)


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
