"""Which commit a generation is, and what is written of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.commit import Changes, Quiesced
from agent.core.errors import Refused, TryAgain
from agent.core.ids import NOTHING, ROOT, CommitNumber
from agent.generations.taking import (
    SourceAnswer,
    TakenAt,
    WantedGeneration,
    generation_of,
    require_exact,
    require_few,
    require_new_label,
)
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.generation import Cause
from fakes.store_fakes import begun, dir_row, header, number

#: 2026-11-22 03:15 UTC.
AT = TakenAt(1_795_317_300 * 10**9, 77, 7)
WANTED = WantedGeneration(Cause.DEMAND, "release", True)


@pytest.fixture
def catalog(tmpfs_dir: Path) -> Iterator[Catalog]:
    """Six commits; the fourth and the sixth are half of something."""
    with begun(str(tmpfs_dir / "catalog.db")) as opened:
        for seq in range(2, 7):
            one = replace(header(seq), consistent=seq not in (4, 6))
            opened.write(Changes((dir_row(ROOT, seq),)), one)
        yield opened


@pytest.mark.parametrize(
    ("answer", "seq", "note"),
    [
        (SourceAnswer(number(3)), 3, ""),
        (SourceAnswer(number(4)), 5, "commit 1.5 stands for 1.4"),
        (SourceAnswer(number(6)), 5, "commit 1.5 stands for 1.6"),
        (
            SourceAnswer(NOTHING, missed="alpha: it is asleep"),
            5,
            "the newest commit that was here: alpha: it is asleep",
        ),
        (SourceAnswer(NOTHING), 5, ""),
    ],
)
def test_a_whole_commit_is_kept_and_it_is_said_which(
    catalog: Catalog, answer: SourceAnswer, seq: int, note: str
) -> None:
    """What was asked for, the next that is whole, or the newest; never half of something."""
    one = generation_of(catalog, "web", WANTED, answer, AT)
    assert (number(seq), note, "20261122T031500Z") == (one.number, note and one.note, one.name)


def test_what_the_source_reached_is_of_its_commit_only(catalog: Catalog) -> None:
    """Another commit stands for itself."""
    answer = SourceAnswer(number(3), Quiesced.CRASH, 5, ("before_freeze: done",))
    one = generation_of(catalog, "web", WANTED, answer, AT)
    assert (Quiesced.CRASH, 5, '["before_freeze: done"]') == (one.reached, one.stood_still, one.hooks)
    other = generation_of(catalog, "web", WANTED, replace(answer, number=number(6)), AT)
    assert (Quiesced.FILE, 0, "") == (other.reached, other.stood_still, other.hooks)


def test_how_long_it_may_not_be_expired_is_written_with_it(catalog: Catalog) -> None:
    """By the retention clock; with no such rule never."""
    one = generation_of(catalog, "web", WANTED, SourceAnswer(NOTHING), AT)
    free = generation_of(catalog, "web", WANTED, SourceAnswer(NOTHING), replace(AT, immutable=0))
    assert (77, 84, 0) == (one.dated, one.immutable_until, free.immutable_until)


def test_the_second_of_a_second_and_a_label_that_is_taken(catalog: Catalog) -> None:
    """Names are told apart; a label names one."""
    catalog.keep_generations([generation_of(catalog, "web", WANTED, SourceAnswer(NOTHING), AT)])
    assert "20261122T031500Z-2" == generation_of(catalog, "web", WANTED, SourceAnswer(NOTHING), AT).name
    require_new_label(catalog, "web", "")
    with pytest.raises(Refused, match="generation 20261122T031500Z has that label"):
        require_new_label(catalog, "web", "release")


def test_before_anything_whole_has_come_it_is_refused(tmpfs_dir: Path) -> None:
    """With what goes on."""
    with Catalog.open(str(tmpfs_dir / "empty.db")) as empty, pytest.raises(Refused, match="nothing whole has come yet"):
        generation_of(empty, "web", WANTED, SourceAnswer(CommitNumber(NOTHING)), AT)


def test_of_many_another_node_may_ask_for_no_more(catalog: Catalog) -> None:
    """What each costs is paid here; who types it here knows that."""
    catalog.keep_generations([generation_of(catalog, "web", WANTED, SourceAnswer(NOTHING), AT)])
    require_few(catalog, "web", "", 1)
    require_few(catalog, "web", "alpha", 2)
    with pytest.raises(Refused, match="alpha may ask for no more"):
        require_few(catalog, "web", "alpha", 1)


@pytest.mark.parametrize("seq", [4, 9])
def test_a_moment_of_a_group_takes_no_other_commit(catalog: Catalog, seq: int) -> None:
    """One that did not come, or is half of something, has none that stands for it."""
    require_exact(catalog, "web", number(3))
    with pytest.raises(TryAgain, match="the dataset is being caught up"):
        require_exact(catalog, "web", number(seq))
