"""Expiry: what no readable moment sees goes, in slices; what somebody keeps stays as it was."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from agent.core.commit import Changes
from agent.core.errors import NotFound, Refused, TryAgain
from agent.core.ids import NOTHING, ROOT, object_id
from agent.core.rows import object_key
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiring.expiry import Expiry, Horizons, unseen
from agent.store.catalog.kept import KeptCommit
from agent.store.vault.pack import PackEnd
from fakes.kept_histories import KeptHistory
from fakes.store_fakes import begun, dir_row, expire, file_row, flat, header, number

A = object_id(1, 1)
#: Of the 10,000 that `make soak PART=histories` tries.
HISTORIES = 10_000 if int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) else 150


@pytest.fixture
def catalog(tmpfs_dir: Path) -> Iterator[Catalog]:
    """Eleven commits, each with another version of two objects."""
    with begun(str(tmpfs_dir / "catalog.db")) as opened:
        for seq in range(2, 12):
            opened.write(Changes((file_row(A, seq), dir_row(ROOT, seq))), header(seq))
        yield opened


def test_rows_that_a_readable_moment_sees_stay() -> None:
    """From their beginning on, up to just before their end."""
    ended = [(2, 5, None, "a"), (5, 6, None, "b"), (6, 9, None, "c"), (1, 2, None, "d")]
    expected = {(): "abcd", (4,): "bcd", (5,): "acd", (6,): "abd", (1, 8): "ab", (2, 9): "bcd"}
    assert expected == {kept: "".join(row[3] for row in unseen(ended, kept)) for kept in expected}


def test_ended_rows_go_in_slices(catalog: Catalog) -> None:
    """Moments at and after the horizon stay as they were; those before are refused by name."""
    before = list(catalog.rows_at(number(8)))
    assert expire(catalog, number(8), slice_rows=5) > 3
    assert before == list(catalog.rows_at(number(8)))
    assert [(object_key(ROOT), dir_row(ROOT, 8), dir_row(ROOT, 11))] == next(catalog.difference(number(8), number(11)))[
        :1
    ]
    for refused in (
        catalog.difference(number(7), number(11)),
        catalog.touched(number(7), number(11)),
        catalog.rows_at(number(7)),
    ):
        with pytest.raises(NotFound, match=r"history before 1\.8 is gone, and nobody keeps that commit"):
            list(refused)
    assert [number(8), number(9)] == [commit.number for commit in catalog.commits(NOTHING, 2)]


def test_what_is_kept_reads_as_it_was_until_the_last_owner_lets_go(catalog: Catalog) -> None:
    """Each lets go of its own only; another's label stays, and so do the rows; then they go with the next upkeep."""
    before = list(catalog.rows_at(number(4)))
    catalog.keep([KeptCommit(number(4), "generation", "nightly", 7), KeptCommit(number(4), "peer beta")])
    expire(catalog, number(8))
    catalog.let_go("peer beta")
    expire(catalog, number(8))
    assert (before, [KeptCommit(number(4), "generation", "nightly", 7)]) == (
        list(catalog.rows_at(number(4))),
        catalog.kept(),
    )
    old, new = file_row(A, 4), file_row(A, 11)
    assert (object_key(A), old, new) in flat(catalog.difference(number(4), number(11)))
    catalog.let_go("generation", [number(3), number(4)])
    expire(catalog, number(8))
    with pytest.raises(NotFound):
        list(catalog.rows_at(number(4)))
    assert number(8) == catalog.commits(NOTHING, 1)[0].number


def test_a_commit_may_be_kept_without_its_rows(catalog: Catalog) -> None:
    """As a primary keeps what a standby has the rows of."""
    catalog.keep([KeptCommit(number(4), "generation of beta", "nightly", 7, rows=False)])
    expire(catalog, number(8))
    assert (False, number(4)) == (catalog.is_readable(number(4)), catalog.commits(NOTHING, 1)[0].number)


def test_what_history_has_passed_cannot_be_kept(catalog: Catalog) -> None:
    """Nor what is no commit; what can be read can."""
    expire(catalog, number(8))
    for gone in (KeptCommit(number(7), "generation"), KeptCommit(number(77), "generation")):
        with pytest.raises(NotFound):
            catalog.keep([gone])
    catalog.keep([KeptCommit(number(8), "generation")])
    assert [number(8)] == [one.number for one in catalog.kept("generation")]


def test_upkeep_waits_for_a_commit_that_is_being_staged(catalog: Catalog) -> None:
    """So does keeping; and nothing ahead of the newest can expire."""
    with pytest.raises(Refused):
        expire(catalog, number(12))
    catalog.stage(number(12), Changes((file_row(A, 99),)))
    for act in (lambda: expire(catalog, number(8)), lambda: catalog.keep([KeptCommit(number(8), "generation")])):
        with pytest.raises(Refused, match="being staged"):
            act()
    catalog.seal(header(12), PackEnd(0, 0))


def test_upkeep_goes_on_after_a_restart(tmpfs_dir: Path) -> None:
    """Cut after any slice, it leaves nothing behind and takes nothing that is kept."""
    path = str(tmpfs_dir / "cut.db")
    with begun(path) as catalog:
        for seq in range(2, 12):
            catalog.write(Changes((file_row(A, seq), dir_row(ROOT, seq))), header(seq))
        catalog.keep([KeptCommit(number(5), "generation")])
        before = list(catalog.rows_at(number(5)))
    going_on = [True]
    for slices in range(1, 12):
        with Catalog.open(path) as catalog:
            expiry = Expiry(catalog, 2)
            going_on = [expiry.turn(Horizons(number(9), number(9))) for _ in range(slices)]
            assert before == list(catalog.rows_at(number(5)))
    assert not going_on[-1]
    with Catalog.open(path) as catalog:
        assert [number(5), number(9)] == [commit.number for commit in catalog.commits(NOTHING, 2)]
        assert 4 == len(flat(catalog.rows_at(number(5)))) + len(flat(catalog.rows_at(number(9))))


def test_a_slice_costs_what_ended_and_not_what_is_kept(catalog: Catalog) -> None:
    """Rows that stay for a kept moment are judged once: the next upkeep looks at none of them."""
    catalog.keep([KeptCommit(number(seq), "generation") for seq in range(1, 8)])
    expire(catalog, number(8))
    steps: list[int] = []
    catalog._connection.trace_v2(
        apsw.SQLITE_TRACE_PROFILE, lambda event: steps.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])
    )
    expire(catalog, number(8))
    catalog._connection.trace_v2(0, None)
    assert sum(steps) < 400


def test_a_failed_slice_takes_nothing(catalog: Catalog) -> None:
    """The catalog was closed under it: an error of ours, and after another opening the upkeep is done whole."""
    expiry = Expiry(catalog, 1)
    assert expiry.turn(Horizons(number(8), number(8)))
    catalog.close()
    with pytest.raises(TryAgain, match="it is closed"):
        expiry.turn(Horizons(number(8), number(8)))
    with Catalog.open(catalog.path) as again:
        expire(again, number(8))
        assert number(8) == again.commits(NOTHING, 1)[0].number


@pytest.mark.timeout(3600)
def test_random_kept_sets_against_a_model(tmpfs_dir: Path, seed: int) -> None:
    """Whatever is kept and let go while upkeep goes on: every readable moment reads as it was, and nothing else stays."""
    for turn in range(HISTORIES):
        path = str(tmpfs_dir / "history.db")
        with Catalog.open(path) as catalog:
            history = KeptHistory(catalog, random.Random(f"{seed} {turn}"))
            history.run(30)
            while_it_goes_on = history.unequal()
            history.upkeep()
            found = (while_it_goes_on, history.unequal(), history.wrong_differences(), history.lingering())
            assert (([], [], [], []), turn) == (found, turn)
            assert (history.known(), turn) == (history.numbers(), turn)
        for name in os.listdir(tmpfs_dir):
            if name.startswith("history.db"):
                os.unlink(tmpfs_dir / name)
