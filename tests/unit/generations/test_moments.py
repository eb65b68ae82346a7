"""What an operator names, and which commit is meant by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import pytest

from agent.core.commit import Changes, Provenance
from agent.core.errors import HikaeError, NotFound, Refused, UsageError
from agent.core.ids import ROOT
from agent.generations.any_moment import any_moment
from agent.generations.moments import Moment, Watching, generation_moment, moment_at, moment_of, oldest_readable
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.generation import Cause, Generation
from fakes.store_fakes import begun, dir_row, expire, header, number

MINUTE = 60 * 10**9
#: 2026-11-22 03:00 UTC.
BEGIN = 1_795_316_400 * 10**9
ASKING = Watching(BEGIN + 60 * MINUTE, UTC)
NAMES = ("20261122T031000Z", "20261122T032000Z", "20261123T032000Z")
LABELS = ("", "release", "nightly")


@pytest.fixture
def catalog(tmpfs_dir: Path) -> Iterator[Catalog]:
    """Commit n at 03:0n, n from 2 to 9; the fifth is marked, 3, 5 and 7 are generations."""
    with begun(str(tmpfs_dir / "catalog.db")) as opened:
        for seq in range(2, 10):
            made = Provenance(label="deploy" if seq == 5 else "")
            one = replace(header(seq, time=BEGIN + seq * MINUTE), provenance=made, consistent=seq != 9)
            opened.write(Changes((dir_row(ROOT, seq),)), one)
        opened.keep_generations(
            [
                Generation(name, number(seq), seq, seq, Cause.DEMAND, label)
                for name, seq, label in zip(NAMES, (3, 5, 7), LABELS, strict=True)
            ]
        )
        yield opened


def test_a_label_of_a_generation_and_of_a_mark_names_neither(catalog: Catalog) -> None:
    """Unless both are one moment; each is named by what only it has."""
    assert number(5) == any_moment(catalog, "web", "release", ASKING).number
    made = Provenance(label="release")
    catalog.write(Changes((dir_row(ROOT, 10),)), replace(header(10, time=BEGIN + 10 * MINUTE), provenance=made))
    with pytest.raises(UsageError, match=r"generation 20261122T032000Z and the mark of .* both have this label"):
        any_moment(catalog, "web", "release", ASKING)
    assert [number(5), number(10)] == [
        generation_moment(catalog, "web", "release").number,
        moment_at(catalog, "web", "release", ASKING).number,
    ]


@pytest.mark.parametrize(
    ("said", "seq"),
    [
        ("latest", 7),
        ("latest~0", 7),
        ("latest~2", 3),
        (NAMES[1], 5),
        ("20261122T031", 3),
        ("20261123", 7),
        ("20261123t03", 7),
        ("release", 5),
    ],
)
def test_a_generation_by_what_names_it(catalog: Catalog, said: str, seq: int) -> None:
    """By ``latest``, name, the beginning of a name, label."""
    assert number(seq) == generation_moment(catalog, "web", said).number


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        ("20261122", UsageError, f"2 are meant by it: {NAMES[0]}, {NAMES[1]}"),
        ("latest~3", NotFound, "web has 3 of them"),
        ("rel", NotFound, "no generation of web has that name or label"),
        ("", NotFound, "hikae generations list web"),
    ],
)
def test_a_generation_that_is_none_or_several(catalog: Catalog, said: str, kind: type[HikaeError], words: str) -> None:
    """It is said, with what to do."""
    with pytest.raises(kind) as raised:
        generation_moment(catalog, "web", said)
    assert words in str(raised.value)


def test_without_generations_it_says_how_to_take_one(catalog: Catalog) -> None:
    """Not only that none has that name."""
    catalog.drop_generations(catalog.generations())
    with pytest.raises(NotFound, match="hikae generations take web"):
        generation_moment(catalog, "web", "latest")


@pytest.mark.parametrize(
    ("said", "seq"),
    [("2026-11-22 03:04", 4), ("2026-11-22 03:04:59.9", 4), ("03:05", 5), ("2026-11-22 03:50", 9), ("deploy", 5)],
)
def test_a_moment_is_the_newest_commit_up_to_it(catalog: Catalog, said: str, seq: int) -> None:
    """Or the one that was marked."""
    assert number(seq) == moment_at(catalog, "web", said, ASKING).number


def test_before_the_reach_the_generation_before_it_is_named(catalog: Catalog) -> None:
    """With how far history really reaches."""
    expire(catalog, number(6))
    oldest = oldest_readable(catalog)
    assert oldest is not None
    assert number(6) == oldest.number
    with pytest.raises(NotFound) as raised:
        moment_at(catalog, "web", "2026-11-22 03:04", ASKING)
    assert "reaches back to Sun 2026-11-22 03:06:00 UTC only" in str(raised.value)
    assert f"--generation {NAMES[0]}" in raised.value.remedy


def test_the_future_is_refused(catalog: Catalog) -> None:
    """With what time it is now."""
    with pytest.raises(Refused, match="in the future: now it is Sun 2026-11-22 04:00:00 UTC"):
        moment_at(catalog, "web", "2026-11-22 04:01", ASKING)


def test_an_unknown_mark_and_one_of_two(catalog: Catalog) -> None:
    """A generation's label is no mark's, and that is told."""
    with pytest.raises(NotFound, match="--generation release"):
        moment_at(catalog, "web", "release", ASKING)
    again = replace(header(10, time=BEGIN + 10 * MINUTE), provenance=Provenance(label="deploy"))
    catalog.write(Changes(()), again)
    with pytest.raises(UsageError, match="2 marks have this label"):
        moment_at(catalog, "web", "deploy", ASKING)


def test_one_way_to_name_it_and_only_one(catalog: Catalog) -> None:
    """Neither or both is a mistake of the command."""
    for generation, at in (("", ""), ("latest", "03:04")):
        with pytest.raises(UsageError, match="only one"):
            moment_of(catalog, "web", generation, at, ASKING)
    assert number(7) == moment_of(catalog, "web", "latest", "", ASKING).number


def test_what_is_meant_is_said() -> None:
    """With time, commit, and that it is half of something."""
    moments = (Moment(number(5), NAMES[1], BEGIN, "release"), Moment(number(9), "", BEGIN, "", consistent=False))
    assert [
        "generation 20261122T032000Z (release) as of Sun 2026-11-22 03:00:00 UTC, commit 1.5",
        "the state as of Sun 2026-11-22 03:00:00 UTC, commit 1.9, in the middle of a first sync or a walk: not consistent",
    ] == [one.sentence(UTC) for one in moments]
