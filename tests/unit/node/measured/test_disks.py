"""When the disks are full."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.problem import ProblemBoard
from agent.fs.reserve import FreeSpace
from agent.node.measured.disks import Disks, seconds_until_reserve

GIB = 1 << 30


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([], None),
        ([(0.0, 10 * GIB), (599.0, 9 * GIB)], None),
        ([(0.0, 10 * GIB), (600.0, 10 * GIB)], None),
        ([(0.0, 10 * GIB), (600.0, 11 * GIB)], None),
        ([(0.0, 10 * GIB), (600.0, 9 * GIB)], 4800.0),
        ([(0.0, 10 * GIB), (300.0, 2 * GIB), (600.0, GIB // 2)], 0.0),
    ],
)
def test_the_reserve_is_forecast_by_the_first_and_the_last_sample(
    samples: list[tuple[float, int]], expected: float | None
) -> None:
    """None where ten minutes are not known yet, or the room does not shrink."""
    assert seconds_until_reserve(samples, GIB) == expected


def looked_at(tmp_path: Path, *frees: int) -> tuple[Disks, ProblemBoard]:
    """Disks of 100 GiB with a reserve of 1 GiB, looked at every five minutes."""
    clock, board = ManualClock(), ProblemBoard()
    left = list(frees)
    disks = Disks(lambda: [tmp_path], board, clock, lambda path: FreeSpace(path, left.pop(0), 100 * GIB))
    for _ in frees:
        disks.look_now()
        clock.advance(300)
    return disks, board


def told(board: ProblemBoard) -> list[str]:
    """The sentences."""
    return [problem.message for problem in board.listed()[0]]


def test_a_disk_that_fills_is_told_well_before(tmp_path: Path) -> None:
    """Three looks within ten minutes, half a GiB apart."""
    disks, board = looked_at(tmp_path, 11 * GIB, 10 * GIB + GIB // 2, 10 * GIB)
    assert told(board) == [
        f"{tmp_path} is nearly full: 9.0 GiB until it takes in no more changes (10.0 GiB free, 1.0 GiB of it a "
        "reserve), reached in 1 h 30 min at the rate of the last hour"
    ]
    assert [fact.full_at_ns is not None for fact in disks.facts()] == [True]


def test_a_disk_with_room_is_not_told(tmp_path: Path) -> None:
    """It shrinks, but not within a day."""
    _, board = looked_at(tmp_path, 90 * GIB, 90 * GIB, 90 * GIB - (1 << 20))
    assert told(board) == []


def test_little_room_is_told_whatever_the_rate(tmp_path: Path) -> None:
    """And no more once there is room again."""
    _, board = looked_at(tmp_path, 2 * GIB - 1)
    assert told(board) == [
        f"{tmp_path} is nearly full: 1.0 GiB until it takes in no more changes (2.0 GiB free, 1.0 GiB of it a reserve)"
    ]
    _, board = looked_at(tmp_path, 2 * GIB - 1, 50 * GIB)
    assert told(board) == []


def test_directories_of_one_filesystem_are_one_disk(tmp_path: Path) -> None:
    """And one that is not there is passed over."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    disks = Disks(
        lambda: [tmp_path / "b", tmp_path / "a", tmp_path / "gone"],
        ProblemBoard(),
        ManualClock(),
        lambda path: FreeSpace(path, 50 * GIB, 100 * GIB),
    )
    disks.look_now()
    assert [fact.path for fact in disks.facts()] == [str(tmp_path / "a")]


def test_a_disk_that_does_not_answer_holds_up_nobody(tmp_path: Path) -> None:
    """Ticks go on; the next look begins when the last has ended."""
    answer, clock, looks = threading.Event(), ManualClock(), []

    def slow(path: str) -> FreeSpace:
        looks.append(path)
        answer.wait()
        return FreeSpace(path, 50 * GIB, 100 * GIB)

    disks = Disks(lambda: [tmp_path], ProblemBoard(), clock, slow)
    for _ in range(3):
        disks.tick()
        clock.advance(20)
    assert [disks.facts(), len(looks) <= 1] == [(), True]
    answer.set()
