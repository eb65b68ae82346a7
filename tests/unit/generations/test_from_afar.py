"""A moment of another node, laid down here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.commit import Changes
from agent.core.dataset_kind import DatasetKind
from agent.core.errors import OtherDigest, TryAgain, WireError
from agent.core.ids import ROOT
from agent.generations.afar import open_here
from agent.generations.devices.image import DeviceImage
from agent.generations.moments import Moment
from agent.generations.mounting.from_afar import fetching, lay_down
from agent.generations.rows_from_afar import RowBounds
from agent.store.catalog.reader import CatalogReader
from fakes.kept_device import KeptDevice
from fakes.moment_afar import Afar
from fakes.store_fakes import begun, dir_row, file_row, flat, header, name_row, number


@pytest.fixture
def afar(tmp_path: Path) -> Afar:
    """A moment with a directory and a file, in the middle of a history."""
    with begun(str(tmp_path / "there.db")) as catalog:
        catalog.write(Changes((dir_row(2), file_row(3), name_row(ROOT, b"d", 2), name_row(2, b"f", 3))), header(2))
        catalog.write(Changes((file_row(3, 9),)), header(3))
        opened = open_here(catalog.reader(), lambda name: name, Moment(number(2), "G", 100, ""), "a test")
        given = list(opened.rows())
        opened.close()
    return Afar(opened.found, given)


def test_all_rows_are_laid_down_and_read(afar: Afar, tmp_path: Path) -> None:
    """The state is that of the moment, under its number."""
    moment = lay_down(afar, tmp_path / "here.db", DatasetKind.TREE, lambda: None)
    with CatalogReader.open(str(tmp_path / "here.db")) as reader:
        rows = flat(reader.rows_at(moment.number))
    assert sorted(row for changes in afar.given for row in changes.puts) == sorted(rows)
    fetching(afar)([b"a chunk"])


def test_rows_with_another_digest_are_not_believed(afar: Afar, tmp_path: Path) -> None:
    """One that is another: nothing is shown of it."""
    given = [Changes([file_row(3, 9) if row == file_row(3) else row for row in one.puts]) for one in afar.given]
    with pytest.raises(OtherDigest):
        lay_down(replace(afar, given=given), tmp_path / "here.db", DatasetKind.TREE, lambda: None)


@pytest.mark.parametrize(
    ("part", "reason"),
    [(Changes(), "empty part"), (Changes((file_row(9), name_row(ROOT, b"x", 9))), "more rows than")],
)
def test_a_peer_sends_no_end_of_rows(afar: Afar, tmp_path: Path, part: Changes, reason: str) -> None:
    """Nothing again and again, or more than the moment is said to have."""
    with pytest.raises(WireError, match=reason):
        lay_down(replace(afar, given=[*afar.given, part]), tmp_path / "here.db", DatasetKind.TREE, lambda: None)


def test_rows_stop_at_the_reserve_of_the_disk() -> None:
    """Whatever a peer says that the moment has."""
    bounds = RowBounds(1 << 60, lambda: len(file_row(9)) - 1)
    with pytest.raises(TryAgain, match="no room"):
        bounds.passed(Changes((file_row(9),)))


@pytest.mark.parametrize(
    "rows",
    [
        (file_row(2), name_row(ROOT, b"../../out", 2)),
        (file_row(2), name_row(ROOT, b"..", 2)),
        (file_row(2), name_row(ROOT, b".hikae", 2)),
        (dir_row(2), name_row(ROOT, b"d", 2), name_row(2, b"again", 2)),
        (dir_row(2), dir_row(3), name_row(2, b"d", 3), name_row(3, b"d", 2)),
        (name_row(ROOT, b"of nothing", 2),),
        (file_row(2), file_row(3), name_row(ROOT, b"f", 2), name_row(2, b"below a file", 3)),
        (b"\x01 no row",),
    ],
    ids=["out", "up", "private", "endless", "circle", "no object", "below a file", "no row"],
)
def test_rows_that_are_no_tree_are_refused(afar: Afar, tmp_path: Path, rows: tuple[bytes, ...]) -> None:
    """Whatever digest the other node says they have."""
    with pytest.raises(WireError):
        lay_down(replace(afar, given=[Changes(rows)]), tmp_path / "here.db", DatasetKind.TREE, lambda: None)


@pytest.fixture
def device_afar(tmp_path: Path) -> Afar:
    """A moment of a device with an end, in the middle of a history."""
    with KeptDevice.make(tmp_path / "there") as kept:
        kept.put(b"one" * 30_000)
        at = kept.put(b"two" * 50_000)
        kept.put(b"three")
        opened = open_here(kept.catalog.reader(), kept.vault.read, Moment(at, "G", 100, ""), "a test")
        given = list(opened.rows())
        opened.close()
    return Afar(opened.found, given)


def test_rows_of_a_device_are_laid_down_and_read(device_afar: Afar, tmp_path: Path) -> None:
    """The state is that of the moment, under its number, and believed by the digest alone."""
    moment = lay_down(device_afar, tmp_path / "here.db", DatasetKind.DEVICE, lambda: None)
    with CatalogReader.open(str(tmp_path / "here.db")) as reader:
        shown = DeviceImage(reader, lambda name: name, moment.number)
        assert (150_000, flat(reader.rows_at(moment.number))) == (shown.size, list(device_afar.given[0].puts))


def test_rows_that_are_no_device_are_refused(device_afar: Afar, afar: Afar, tmp_path: Path) -> None:
    """A tree's, for one; and a device's for a tree."""
    with pytest.raises(WireError, match="in a device"):
        lay_down(afar, tmp_path / "device.db", DatasetKind.DEVICE, lambda: None)
    with pytest.raises(WireError, match="in a tree"):
        lay_down(device_afar, tmp_path / "tree.db", DatasetKind.TREE, lambda: None)
