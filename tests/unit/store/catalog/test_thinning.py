"""Thinning: one commit a second stays, beside those that somebody keeps, reads or named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.commit import Changes, Provenance
from agent.core.errors import NotFound
from agent.core.ids import NOTHING, ROOT, CommitNumber, object_id
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiring.expiry import Expiry, Horizons
from agent.store.catalog.kept import KeptCommit
from agent.store.catalog.leases import take_lease
from fakes.store_fakes import begun, dir_row, file_row, flat, header, number

A = object_id(1, 1)
SECOND = 10**9
NEWEST = 13


@pytest.fixture
def catalog(tmpfs_dir: Path) -> Iterator[Catalog]:
    """The first commit, then four a second, each with another version of two objects."""
    with begun(str(tmpfs_dir / "catalog.db")) as opened:
        for seq in range(2, NEWEST + 1):
            rows = Changes((file_row(A, seq), dir_row(ROOT, seq)))
            opened.write(rows, header(seq, time=(seq + 2) // 4 * SECOND))
        yield opened


def thin(catalog: Catalog, whole: CommitNumber, slices: int = 10_000, slice_rows: int = 3) -> int:
    """So many slices at most; how many there were."""
    expiry = Expiry(catalog, slice_rows)
    return next((done for done in range(slices) if not expiry.turn(Horizons(NOTHING, NOTHING, whole))), slices)


def numbers(catalog: Catalog) -> list[int]:
    """The commits that are there, by their place in the epoch."""
    return [one.number - number(0) for one in catalog.commits(NOTHING, 100)]


def test_the_last_commit_of_each_second_stays(catalog: Catalog) -> None:
    """It reads as it was; the others are refused, and what only they saw is gone; from the bound on all is as before."""
    before = {seq: flat(catalog.rows_at(number(seq))) for seq in range(1, NEWEST + 1)}
    assert thin(catalog, number(11)) > 3
    assert [1, 5, 9, 11, 12, 13] == numbers(catalog)
    assert {seq: before[seq] for seq in numbers(catalog)} == {
        seq: flat(catalog.rows_at(number(seq))) for seq in numbers(catalog)
    }
    for seq in (2, 4, 6, 10):
        with pytest.raises(NotFound):
            flat(catalog.rows_at(number(seq)))
    kept = catalog._all("select count(*) from object", ())[0][0]
    assert 1 + 2 * (len(numbers(catalog)) - 1) == kept
    assert 0 == thin(catalog, number(11))


def test_what_is_kept_read_or_named_stays(catalog: Catalog) -> None:
    """By whoever; a lease that was taken before is met, and one that comes later finds its moment unreadable."""
    catalog.keep([KeptCommit(number(3), "generation"), KeptCommit(number(4), "generation of beta", rows=False)])
    last = header(NEWEST + 1, time=4 * SECOND)
    catalog.write(Changes((dir_row(ROOT, 14),)), replace(last, provenance=Provenance(label="deploy")))
    catalog.write(Changes((dir_row(ROOT, 15),)), header(NEWEST + 2, time=4 * SECOND))
    with take_lease(catalog.path, number(7), "a mount"):
        before = flat(catalog.rows_at(number(7)))
        assert 1 == thin(catalog, number(NEWEST + 2), slices=1)
        assert [True, False, True] == [catalog.is_readable(number(seq)) for seq in (7, 8, 9)]
        with pytest.raises(NotFound):
            catalog.keep([KeptCommit(number(8), "generation")])
        assert [number(7), number(9)] == [catalog.readable_up_to(number(seq)) for seq in (8, 9)]
        thin(catalog, number(NEWEST + 2))
        assert before == flat(catalog.rows_at(number(7)))
    assert [1, 3, 4, 5, 7, 9, 13, 14, 15] == numbers(catalog)


def test_a_consistent_moment_outlives_an_inconsistent_one_of_its_second(catalog: Catalog) -> None:
    """Only a consistent state is one to go back to."""
    for seq, consistent in ((14, True), (15, False), (16, False), (17, True), (18, False)):
        catalog.write(Changes((dir_row(ROOT, seq),)), replace(header(seq, time=9 * SECOND), consistent=consistent))
    thin(catalog, number(18), slice_rows=1)
    assert [9, 13, 14, 17, 18] == numbers(catalog)[-5:]


def test_it_goes_on_after_a_restart(tmpfs_dir: Path, catalog: Catalog) -> None:
    """Cut after any slice, what stays reads as it was, and in the end nothing else is there."""
    path = catalog.path
    before = {seq: flat(catalog.rows_at(number(seq))) for seq in (5, 9, 13)}
    catalog.close()
    done = 0
    for slices in range(1, 40):
        with Catalog.open(path) as again:
            done = thin(again, number(NEWEST), slices, slice_rows=2)
            assert before == {seq: flat(again.rows_at(number(seq))) for seq in before}
    assert 0 == done
    with Catalog.open(path) as again:
        assert [1, 5, 9, 13] == numbers(again)
        assert 7 == again._all("select count(*) from object", ())[0][0]
