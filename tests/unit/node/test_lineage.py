"""A primary's stores when they are new, lost, damaged, or asked to start over."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.errors import Damaged
from agent.core.ids import ObjectId
from agent.node import lineage
from agent.store.local import LocalRow

ROW = LocalRow(ObjectId(7), b"handle", 1, 2, 3, 4, True, b"")


def epochs_after(home: Path, times: int = 1) -> list[int]:
    """Open and close the stores so often; the epoch each time."""
    found = []
    for _ in range(times):
        catalog, local = lineage.open_stores(home, "alpha")
        found.append(catalog.lineage[-1].number)
        catalog.close()
        local.close()
    return found


def lose(home: Path, *names: str) -> None:
    """Delete files."""
    for name in names:
        (home / name).unlink()


def test_an_epoch_lasts_while_the_catalog_does(tmp_path: Path) -> None:
    """Restarts do not raise it."""
    assert [1, 1, 1] == epochs_after(tmp_path, 3)


def test_a_lost_catalog_takes_the_next_epoch(tmp_path: Path) -> None:
    """Its number stands apart, so it is never used twice; local facts of its objects are forgotten with it."""
    _, local = stores = lineage.open_stores(tmp_path, "alpha")
    local.write([ROW])
    for store in stores:
        store.close()
    lose(tmp_path, lineage.CATALOG)
    catalog, local = lineage.open_stores(tmp_path, "alpha")
    assert (2, None) == (catalog.lineage[-1].number, local.get(ROW.id))
    catalog.close()
    local.close()


def test_a_lost_record_is_written_anew(tmp_path: Path) -> None:
    """The catalog knows its epoch too."""
    epochs_after(tmp_path)
    lose(tmp_path, lineage.ROLE)
    assert [1, 1] == epochs_after(tmp_path, 2)


@pytest.mark.parametrize(("above", "epoch"), [(0, 2), (1, 2), (9, 10)])
def test_starting_over_goes_above_what_the_peer_has(tmp_path: Path, above: int, epoch: int) -> None:
    """And above what was recorded here; once."""
    epochs_after(tmp_path)
    lineage.ask_to_start_over(tmp_path, above)
    assert [epoch, epoch] == epochs_after(tmp_path, 2)


def test_damaged_local_facts_are_thrown_away_at_the_next_opening(tmp_path: Path) -> None:
    """Damage that showed in use; the epoch stays, and what was in them is kept aside."""
    catalog, local = lineage.open_stores(tmp_path, "alpha")
    local.write([ROW])
    error = Damaged("read the local facts", local.path, "the database is damaged")
    assert lineage.heals_itself(tmp_path, error)
    catalog.close()
    local.close()
    catalog, local = lineage.open_stores(tmp_path, "alpha")
    assert (1, None) == (catalog.lineage[-1].number, local.get(ROW.id))
    local.write([ROW])
    catalog.close()
    local.close()
    again = lineage.open_local(tmp_path)
    assert (ROW, True) == (again.get(ROW.id), (tmp_path / "local.damaged").exists())
    again.close()


def test_a_damaged_catalog_is_for_a_person(tmp_path: Path) -> None:
    """It is history: nothing is thrown away unasked."""
    assert not lineage.heals_itself(tmp_path, Damaged("read", str(tmp_path / lineage.CATALOG), "damaged"))
