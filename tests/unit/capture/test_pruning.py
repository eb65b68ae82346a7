"""Pruning: slices while there is something to prune, then a pause; never more than is allowed."""

from __future__ import annotations

from pathlib import Path

from agent.capture.pumping.pruning import PAUSE, Pruning
from agent.core.clock import ManualClock
from agent.core.commit import Changes
from agent.core.ids import NOTHING, CommitNumber, Epoch, commit_number
from agent.core.rows import encode_name
from agent.store.catalog.catalog import Catalog, Header
from agent.store.catalog.expiring.expiry import Horizons
from agent.store.doubt import facts_mark
from agent.store.local import Local


def _header(number: int) -> Header:
    parent = commit_number(1, number - 1) if number > 1 else NOTHING
    return Header(commit_number(1, number), parent, 1, 1, True)


def test_what_nobody_needs_goes_and_the_rest_stays(tmp_path: Path) -> None:
    """Rows up to the allowed commit are gone, later ones and what the commits of history say of themselves are not; between two
    looks there is a pause."""
    clock, allowed, oldest = ManualClock(), [NOTHING], commit_number(1, 2)
    with Catalog.open(str(tmp_path / "catalog.db")) as catalog, Local.open(str(tmp_path / "local.db")) as local:
        catalog.begin_epoch(Epoch(1, "alpha", bytes(16)))
        made = [
            catalog.write(Changes([encode_name(5, b"name", 10 + number)]), _header(number)) for number in range(1, 6)
        ]
        local.write([], mark=facts_mark(made[-1]))
        pruning = Pruning(catalog, local, lambda: Horizons(CommitNumber(allowed[0]), oldest), clock)
        pruning.turn()
        assert NOTHING == catalog.horizon()

        allowed[0] = commit_number(1, 3)
        pruning.turn()
        assert NOTHING == catalog.horizon(), "the pause is not over"
        clock.advance(PAUSE)
        pruning.turn()
        assert commit_number(1, 3) == catalog.horizon()
        for _ in range(10):
            clock.advance(PAUSE)
            pruning.turn()
        assert [2, 3, 4, 5] == [commit.number & 0xFF for commit in catalog.commits(NOTHING, 10)]


def test_a_writer_who_never_rests_has_it_rest(tmp_path: Path) -> None:
    """What every new commit lets go of waits for the next look: else each turn of a busy pump would be one of pruning."""
    with Catalog.open(str(tmp_path / "catalog.db")) as catalog, Local.open(str(tmp_path / "local.db")) as local:
        catalog.begin_epoch(Epoch(1, "alpha", bytes(16)))
        newest, asked = NOTHING, list[CommitNumber]()

        def horizons() -> Horizons:
            asked.append(newest)
            return Horizons(newest, NOTHING)

        pruning = Pruning(catalog, local, horizons, ManualClock())
        for number in range(1, 40):
            commit = catalog.write(Changes([encode_name(5, b"name", number)]), _header(number))
            local.write([], mark=facts_mark(commit))
            newest = commit.number
            pruning.turn()
        assert ([commit_number(1, 1)], commit_number(1, 1)) == (asked, catalog.horizon())


def test_what_local_facts_do_not_know_of_stays(tmp_path: Path) -> None:
    """Else nobody could name after a power cut what they say nothing true of."""
    with Catalog.open(str(tmp_path / "catalog.db")) as catalog, Local.open(str(tmp_path / "local.db")) as local:
        catalog.begin_epoch(Epoch(1, "alpha", bytes(16)))
        made = [catalog.write(Changes([encode_name(5, b"name", number)]), _header(number)) for number in range(1, 6)]
        Pruning(catalog, local, lambda: Horizons(made[3].number, made[3].number), ManualClock()).turn()
        assert NOTHING == catalog.horizon()
        local.write([], mark=facts_mark(made[1]))
        Pruning(catalog, local, lambda: Horizons(made[3].number, made[3].number), ManualClock()).turn()
        assert made[1].number == catalog.horizon()
