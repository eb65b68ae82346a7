"""The rows of a moment that is taken up by a primary."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.commit import Changes, Quiesced
from agent.core.errors import WireError
from agent.core.ids import ROOT
from agent.generations.afar import FoundMoment, open_here
from agent.generations.moments import Moment
from agent.roles.rollback.taking_up import take_up
from agent.stream.locator import CommitMark, mark_of
from fakes.kept_device import KeptDevice
from fakes.moment_afar import Afar
from fakes.store_fakes import begun, dir_row, file_row, header, name_row, number

ELSEWHERE = FoundMoment(
    CommitMark(bytes(16), number(9), bytes(32)), Moment(number(9), "G", 100, ""), 1, 1, Quiesced.FILE, 0
)


@pytest.mark.parametrize(
    "rows",
    [
        (file_row(9), name_row(ROOT, b"..", 9)),
        (dir_row(9), name_row(ROOT, b"d", 9), name_row(9, b"again", 9)),
        (name_row(ROOT, b"of nothing", 9),),
    ],
    ids=["up", "endless", "no object"],
)
def test_rows_that_are_no_tree_are_not_taken_up(tmp_path: Path, rows: tuple[bytes, ...]) -> None:
    """The newest commit stays what it was, and nothing is staged."""
    with begun(str(tmp_path / "catalog.db")) as catalog:
        catalog.write(Changes((dir_row(2), name_row(ROOT, b"d", 2))), header(2))
        before = catalog.newest()
        with pytest.raises(WireError):
            take_up(catalog, Afar(ELSEWHERE, [Changes(rows)]), "", 1, lambda: None)
        assert before == catalog.newest()
        catalog.write(Changes((file_row(3), name_row(2, b"f", 3))), header(3))


def test_a_moment_of_a_device_is_taken_up(tmp_path: Path) -> None:
    """Its rows become the newest commit, as a tree's do."""
    with KeptDevice.make(tmp_path) as kept:
        first = kept.put(b"one" * 30_000)
        kept.put(b"two" * 50_000)
        opened = open_here(kept.catalog.reader(), kept.vault.read, Moment(first, "G", 100, ""), "a test")
        since = mark_of(kept.catalog, kept.catalog.newest())
        afar = Afar(opened.found, list(opened.rows(since)))
        opened.close()
        taken = take_up(kept.catalog, afar, "", 200, lambda: None)
        with kept.image(taken.number) as image:
            assert b"one" * 30_000 == image.bytes_at(0, image.size)
