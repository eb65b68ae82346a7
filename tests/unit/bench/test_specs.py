"""Which rows there are, and which are chosen."""

from __future__ import annotations

import pytest

from bench.runner import JOBS
from bench.sizes import FULL, GIB, MIB, QUICK, size_in_words
from bench.specs import BUSY_BYTES, BUSY_RATE, FOREIGN_RATE, chosen, jobs


def test_every_job_can_be_run_and_every_row_has_its_own_name() -> None:
    """A row that nobody measures, or two of one name, would be a hole in bench.json."""
    found = jobs(FULL)
    names = [spec.name for specs in found.values() for spec in specs]
    assert list(JOBS) == list(found)
    assert len(names) == len(set(names))


def test_quick_has_the_same_rows_and_limits() -> None:
    """Only the sizes differ."""
    rows = [[(s.name, s.limit, s.aim) for specs in jobs(sizes).values() for s in specs] for sizes in (FULL, QUICK)]
    assert rows[0] == rows[1]


def test_the_full_sizes_are_those_of_the_agreement() -> None:
    """50,000 files, 4 GiB, 1 %, 1,000,000 files, 100 writes a second."""
    assert (50_000, 4 * GIB, 0.01, 1_000_000, 100) == (
        FULL.small_files,
        FULL.large_bytes,
        FULL.changed_part,
        FULL.many_files,
        FULL.rate,
    )
    assert 10_486 == FULL.pieces
    assert ("4 GiB", "256 MiB") == (size_in_words(FULL.large_bytes), size_in_words(QUICK.large_bytes))


@pytest.mark.parametrize(
    ("name", "limit", "of"),
    [("busy-file-primary", 15.0, "ours"), ("busy-file-secondary", 10.0, "ours"), ("foreign-changes", 1.2, "ratio")],
)
def test_what_is_promised_of_others_writes_is_held(name: str, limit: float, of: str) -> None:
    """Percent of a core for a large file that is written all the time; a ratio for others' changes of link counts."""
    found = next(spec for specs in jobs(FULL).values() for spec in specs if spec.name == name)
    assert (limit, of, "lower") == (found.limit, found.of, found.better)
    assert (64 * MIB, 10, 2_000) == (BUSY_BYTES, BUSY_RATE, FOREIGN_RATE)


def test_a_row_brings_the_job_that_measures_it() -> None:
    """By the job's name or a row's; all for none."""
    found = jobs(QUICK)
    assert ["many-files", "lag"] == list(chosen(found, ["lag", "memory-primary"]))
    assert found == chosen(found, [])


def test_an_unknown_row_is_refused_with_those_that_there_are() -> None:
    """A typing mistake measures nothing."""
    with pytest.raises(ValueError, match=r"no row lagg; there are: .*lag-syncthing"):
        chosen(jobs(QUICK), ["lagg", "lag"])
