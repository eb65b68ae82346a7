"""Commits while there is no room: capture waits, says why, and goes on by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.batch import TreeBatch
from agent.capture.committer import CaptureStopped, Committer
from agent.capture.outlet import NullOutlet
from agent.capture.ports import CaptureContext
from agent.core.clock import ManualClock
from agent.core.errors import TryAgain
from agent.core.ids import ROOT
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import STATE_DISK_FULL, STATE_DISK_RESERVE
from agent.fs.reserve import FreeSpace, ReserveReached, Shortage
from agent.store.catalog.catalog import Catalog
from agent.store.doubt import facts_mark
from agent.store.local import Local
from fakes.store_fakes import begun, dir_row, number


class Disk:
    """Room for a commit once it was asked for often enough; every refusal is counted."""

    def __init__(self, refusals: int) -> None:
        self.left = refusals
        self.asked: list[int] = []
        self.refused = threading.Event()

    def require(self, amount: int) -> None:
        self.asked.append(amount)
        if self.left:
            self.left -= 1
            self.refused.set()
            raise ReserveReached("capture", "web", Shortage(FreeSpace("/state", 1 << 20, 1 << 40)))


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Catalog, Local]]:
    """A catalog whose newest commit is 1.1, and local facts."""
    with begun(str(tmp_path / "catalog.db")) as catalog, Local.open(str(tmp_path / "local.db")) as local:
        yield catalog, local


def gathered(stores: tuple[Catalog, Local]) -> TreeBatch:
    """A new directory."""
    batch = TreeBatch(*stores)
    id = batch.fresh_id()
    batch.add_object(id, dir_row(id))
    batch.put_name(ROOT, b"name", id)
    return batch


def committer(stores: tuple[Catalog, Local], disk: Disk, board: ProblemBoard, stopping: threading.Event) -> Committer:
    """Over these."""
    return Committer(CaptureContext("web", *stores, None, board, ManualClock()), NullOutlet(), stopping, disk.require)


def test_without_room_capture_waits_and_goes_on(stores: tuple[Catalog, Local]) -> None:
    """The batch is kept, the problem gone afterwards; the room that is asked for is that of the rows."""
    board, disk = ProblemBoard(), Disk(1)
    batch = gathered(stores)
    size = sum(map(len, batch.changes().puts))
    commit = committer(stores, disk, board, threading.Event()).write(batch, consistent=True)
    assert commit is not None
    assert (number(2), [size, size], []) == (commit.number, disk.asked, board.listed()[0])


def test_without_room_capture_says_so_and_can_be_stopped(stores: tuple[Catalog, Local]) -> None:
    """While it waits the reserve is on the board; told to end, it ends, and nothing was committed."""
    board, disk, stopping = ProblemBoard(), Disk(1 << 30), threading.Event()

    def stop() -> None:
        disk.refused.wait(20)
        stopping.set()

    helper = threading.Thread(target=stop)
    one = committer(stores, disk, board, stopping)
    helper.start()
    with pytest.raises(CaptureStopped):
        one.write(gathered(stores), consistent=True)
    helper.join()
    newest = stores[0].newest()
    assert newest is not None
    assert (number(1), True) == (newest.number, board.has(STATE_DISK_RESERVE))


def test_a_disk_that_is_full_is_another_problem(stores: tuple[Catalog, Local]) -> None:
    """What the database itself refuses has its own name."""
    board, stopping = ProblemBoard(), threading.Event()
    stopping.set()

    def full(_amount: int) -> None:
        raise TryAgain("write", "catalog.db", "the disk is full")

    one = Committer(CaptureContext("web", *stores, None, board, ManualClock()), NullOutlet(), stopping, full)
    with pytest.raises(CaptureStopped):
        one.write(gathered(stores), consistent=True)
    assert (True, False) == (board.has(STATE_DISK_FULL), board.has(STATE_DISK_RESERVE))


def test_facts_carry_the_commit_that_they_hold_at(stores: tuple[Catalog, Local]) -> None:
    """Also those of a commit that has none of its own."""
    one = committer(stores, Disk(0), ProblemBoard(), threading.Event())
    commit = one.write(gathered(stores), consistent=True)
    assert commit is not None
    assert facts_mark(commit) == stores[1].mark()
