"""How much is kept free, when that is looked at, and when it goes on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.problem_codes import STATE_DISK_RESERVE
from agent.fs.reserve import FreeSpace, Reserve, Shortage, room_at, short_of_room

MIB, GIB = 1 << 20, 1 << 30


class Disks:
    """Filesystems whose room is set by hand; counts the looks."""

    def __init__(self, **free: int) -> None:
        self.free = {f"/{name}": amount for name, amount in free.items()}
        self.total = 1000 * MIB
        self.looks = 0

    def __call__(self, path: str) -> FreeSpace:
        self.looks += 1
        if path not in self.free:
            raise FileNotFoundError(path)
        return FreeSpace(path, self.free[path], self.total)


def reserve_of(disks: Disks, clock: ManualClock | None = None) -> Reserve:
    """The reserve of those."""
    return Reserve([Path("/vault"), Path("/state")], clock or ManualClock(), disks)


@pytest.mark.parametrize(
    ("total", "kept"),
    [
        (0, 0),
        (20 * MIB, 5 * MIB),
        (200 * MIB, 50 * MIB),
        (256 * MIB, 64 * MIB),
        (GIB, 64 * MIB),
        (10 * GIB, 512 * MIB),
        (20 * GIB, GIB),
        (100_000 * GIB, GIB),
    ],
)
def test_how_much_is_kept(total: int, kept: int) -> None:
    """A twentieth, at most a GiB, at least 64 MiB, and never more than a quarter."""
    assert kept == FreeSpace("/x", 0, total).reserve


@pytest.mark.parametrize(
    ("free", "was_short", "short"),
    [(64, False, False), (63, False, True), (64, True, True), (79, True, True), (80, True, False), (0, False, True)],
)
def test_it_goes_on_with_a_quarter_more(free: int, was_short: bool, short: bool) -> None:
    """Once short, it stays so until there is clearly more than the reserve: nothing flaps."""
    room = FreeSpace("/x", free * MIB, 1000 * MIB)
    assert short == (short_of_room([room], Shortage(room) if was_short else None) is not None)


def test_each_filesystem_has_its_own() -> None:
    """The one that is short is named; another one that is between its marks was never short."""
    disks = Disks(vault=70 * MIB, state=10 * MIB)
    reserve = reserve_of(disks)
    shortage = reserve.look()
    assert shortage is not None
    assert ("/state", 10 * MIB) == (shortage.room.path, shortage.room.free)
    disks.free["/state"] = 80 * MIB
    assert None is reserve.look()


def test_it_looks_by_volume_and_by_time() -> None:
    """Not with every batch: after a few MiB, or a second; what was found stands meanwhile."""
    clock, disks = ManualClock(), Disks(vault=GIB, state=GIB)
    reserve = reserve_of(disks, clock)
    assert (None, 2) == (reserve.passed(1), disks.looks)
    disks.free["/vault"] = 0
    assert (None, 2) == (reserve.passed(7 * MIB), disks.looks)
    found = reserve.passed(MIB)
    assert found is not None
    assert ("/vault", 4) == (found.room.path, disks.looks)
    disks.free["/vault"] = GIB
    assert found is reserve.passed(1)
    clock.advance(1.0)
    assert (None, 6) == (reserve.passed(0), disks.looks)


def test_a_small_disk_is_looked_at_more_often() -> None:
    """Between two looks less comes than a quarter of the reserve."""
    disks = Disks(vault=100 * MIB, state=100 * MIB)
    disks.total = 64 * MIB
    reserve = reserve_of(disks)
    reserve.passed(0)
    assert 2 == disks.looks
    reserve.passed(4 * MIB)
    assert 4 == disks.looks


def test_what_cannot_be_looked_at_says_nothing() -> None:
    """Whoever uses the directory will tell."""
    disks = Disks()
    assert None is reserve_of(disks).look()


def test_the_words_are_for_people() -> None:
    """Which reserve, what is left, what to do, and from when on it goes on."""
    problem = Shortage(FreeSpace("/vault", 900 * MIB, 100 * GIB)).problem("nothing more is received", 5)
    assert (STATE_DISK_RESERVE, 5) == (problem.code, problem.since)
    assert "nothing more is received: the last 1.0 GiB of /vault are kept free, and 900 MiB are left" == problem.message
    assert "free space there or enlarge it: from 1.2 GiB on it goes on by itself" == problem.remedy
    assert "the last 64 KiB of /x are kept free, and 0 KiB are left" == Shortage(FreeSpace("/x", 7, 256 << 10)).reason


def test_a_real_filesystem_answers(tmp_path: Path) -> None:
    """What is free is what the system says."""
    room = room_at(str(tmp_path))
    assert (str(tmp_path), True) == (room.path, 0 < room.free <= room.total)
    with pytest.raises(FileNotFoundError):
        room_at(os.path.join(tmp_path, "absent"))
