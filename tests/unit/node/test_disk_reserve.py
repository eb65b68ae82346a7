"""The reserve as a dataset meets it: what is refused, what is said, and that it is taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import DISK_RESERVE, STATE_DISK_RESERVE
from agent.fs.reserve import FreeSpace as Disk
from agent.fs.reserve import Reserve, ReserveReached
from agent.node.disk_reserve import DiskReserve

GIB = 1 << 30


class Bench:
    """A room over one disk that is filled by hand."""

    def __init__(self) -> None:
        self.free = 50 * GIB
        self.board = ProblemBoard()
        clock = ManualClock()
        reserve = Reserve([Path("/vault")], clock, lambda path: Disk(path, self.free, 100 * GIB))
        self.room = DiskReserve("receive", "nothing more is received", "web", reserve, board=self.board, clock=clock)


def test_while_there_is_room_nothing_is_said() -> None:
    """Neither refused nor on the board."""
    bench = Bench()
    bench.room.require(GIB)
    assert (None, None, False) == (bench.room.tick(), bench.room.refusal(), bench.board.has(STATE_DISK_RESERVE))


def test_a_call_ends_with_the_reason() -> None:
    """It is raised as what may work later; the peer reads the same, with the word for its link."""
    bench = Bench()
    bench.free = GIB - 1
    with pytest.raises(ReserveReached, match=r"the last 1\.0 GiB of /vault are kept free"):
        bench.room.require(GIB)
    refuse = bench.room.refusal()
    assert refuse is not None
    assert (DISK_RESERVE, True) == (refuse.code, refuse.reason.startswith("nothing more is received: the last 1.0 GiB"))
    assert "goes on by itself" in refuse.remedy


def test_it_is_told_once_a_second_and_taken_back() -> None:
    """Also while no call comes."""
    bench = Bench()
    bench.free = 1
    bench.room.tick()
    assert bench.board.has(STATE_DISK_RESERVE)
    bench.free = 2 * GIB
    bench.room.tick()
    assert (False, None) == (bench.board.has(STATE_DISK_RESERVE), bench.room.refusal())
