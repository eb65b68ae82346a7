"""Until when a peer is in its first sync."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.facts import CapturePhase, PumpFacts, SyncProgress
from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber
from agent.core.standing import FIRST_SYNC, SyncFacts
from agent.node.measured.first_sync import FirstSync, progress
from agent.store.local import Local
from agent.stream.position import PositionBoard


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with Local.open(str(tmp_path / "local.db")) as one:
        yield one


class Known:
    """A peer's board, and the newest commit here."""

    def __init__(self, local: Local) -> None:
        self.local = local
        self.board = PositionBoard()
        self.commit: Commit | None = None

    def write(self, number: int, consistent: bool) -> None:
        """A commit is made here."""
        self.commit = Commit(CommitNumber(number), NOTHING, b"", 0, 0, consistent, 0, 0)

    def opened(self, consistent: int | None = None) -> FirstSync:
        """As a primary makes it when it is opened."""
        first = None if consistent is None else CommitNumber(consistent)
        return FirstSync("beta", self.board, first, lambda: self.commit, local=self.local)


def test_it_ends_with_the_first_consistent_commit(local: Local) -> None:
    """Not with the walk here, and not with commits of before: when the peer has the consistent one."""
    known = Known(local)
    first = known.opened()
    known.write(3, False)
    known.board.durable(CommitNumber(3))
    assert first()
    known.write(4, True)
    assert first()
    known.board.durable(CommitNumber(4))
    assert not first()
    known.write(9, False)
    assert not first()


def test_it_is_remembered(local: Local) -> None:
    """After a restart in the middle of a doubt, with the commit that proves it pruned, the steady list still holds."""
    known = Known(local)
    known.board.durable(CommitNumber(4))
    known.opened(4).keep()
    known.write(9, False)
    known.board.durable(CommitNumber(8))
    assert not known.opened()()


def test_what_is_not_so_is_not_remembered(local: Local) -> None:
    """A position that moves during the first sync ends nothing."""
    known = Known(local)
    known.board.durable(CommitNumber(4))
    known.opened(5).keep()
    assert known.opened(5)()
    assert not known.opened(4)()


def test_a_peer_with_nothing_begins_anew(local: Local) -> None:
    """Its store was made anew: all of the data travels again."""
    known = Known(local)
    known.board.durable(CommitNumber(4))
    known.opened(4).keep()
    known.board.durable(NOTHING)
    assert known.opened(4)()


def test_received_is_not_applied(local: Local) -> None:
    """What ended the first sync must stand on the standby too, before a start of this agent or after it."""
    known = Known(local)
    first = known.opened(4)
    known.board.durable(CommitNumber(4))
    first.keep()
    assert (False, True) == (first(), first.unapplied)
    first = known.opened(4)
    first.keep()
    assert (False, True) == (first(), first.unapplied)
    known.board.applied(CommitNumber(4))
    first.keep()
    assert not first.unapplied
    known.board.applied(NOTHING)
    assert not known.opened(4).unapplied


def test_a_standby_that_is_gone_later_is_in_no_first_sync(local: Local) -> None:
    """What ended the first sync was applied once: that it is not there now is another matter."""
    known = Known(local)
    first = known.opened()
    known.write(4, True)
    known.board.durable(CommitNumber(4))
    first.keep()
    assert first.unapplied
    known.board.applied(CommitNumber(4))
    first.keep()
    known.board.applied(NOTHING)
    assert not first.unapplied


MIB = 1 << 20


def a_pump(phase: CapturePhase, sync: SyncProgress | None, waits: int = 0, ahead: int = 0) -> PumpFacts:
    """A pump that tells of these and of nothing else."""
    return PumpFacts(phase, None, False, 0, 0, None, sync, None, 0, 0, 0, 0.0, waits, ahead, 0)


@pytest.mark.parametrize(
    ("pump", "newest", "left", "expected"),
    [
        # The walk goes on and nothing is counted yet; a large file is half read, a quarter of it is there.
        (
            a_pump(CapturePhase.FIRST_SYNC, SyncProgress(9, 0, None, None), waits=50 * MIB, ahead=50 * MIB),
            None,
            25 * MIB,
            SyncFacts(FIRST_SYNC, 25 * MIB),
        ),
        # Counted: the total stands beside it.
        (
            a_pump(CapturePhase.FIRST_SYNC, SyncProgress(9, 0, 9, 300 * MIB), waits=50 * MIB, ahead=50 * MIB),
            100 * MIB,
            50 * MIB,
            SyncFacts(FIRST_SYNC, 100 * MIB, 300 * MIB, 0, 9, 200.0),
        ),
        # More has come since it was counted.
        (
            a_pump(CapturePhase.FIRST_SYNC, SyncProgress(9, 0, 5, 300 * MIB), waits=300 * MIB),
            100 * MIB,
            100 * MIB,
            SyncFacts(FIRST_SYNC, 0, 400 * MIB, 0, 7, 400.0),
        ),
        # The walk is through, large files wait.
        (
            a_pump(CapturePhase.FIRST_SYNC, None, waits=10 * MIB),
            100 * MIB,
            0,
            SyncFacts(FIRST_SYNC, 100 * MIB, 110 * MIB, 0, 7, 10.0),
        ),
        # Stopped, or held, in the middle of the walk, which has not begun anew: what was captured is not all.
        (a_pump(CapturePhase.STARTING, None), 100 * MIB, 0, SyncFacts(FIRST_SYNC, 100 * MIB)),
        (a_pump(CapturePhase.HELD, None, waits=9 * MIB), 100 * MIB, 0, SyncFacts(FIRST_SYNC, 100 * MIB)),
        # All is captured; a peer that came later has nothing yet, then all.
        (a_pump(CapturePhase.LIVE, None), 100 * MIB, 101 * MIB, SyncFacts(FIRST_SYNC, 0, 100 * MIB, 0, 7, 100.0)),
        (a_pump(CapturePhase.LIVE, None), 100 * MIB, 0, SyncFacts(FIRST_SYNC, 100 * MIB, 100 * MIB, 0, 7)),
    ],
)
def test_how_far_it_is(pump: PumpFacts, newest: int | None, left: int, expected: SyncFacts) -> None:
    """Done is what was captured less what is on its way; the total is counted or known; one estimate, at the rate measured."""
    commit = None if newest is None else Commit(CommitNumber(1), NOTHING, b"", 0, 0, False, 7, newest)
    assert expected == progress(pump, commit, left, float(MIB))


def test_a_start_after_a_whole_walk_knows_the_total() -> None:
    """What was changed meanwhile is little; a peer is filled with what was captured."""
    commit = Commit(CommitNumber(1), NOTHING, b"", 0, 0, True, 7, 100 * MIB)
    told = progress(a_pump(CapturePhase.STARTING, None), commit, 40 * MIB, 0.0)
    assert SyncFacts(FIRST_SYNC, 60 * MIB, 100 * MIB, 0, 7) == told


@pytest.mark.parametrize(
    ("left", "there", "done"),
    [
        # What is left is not known: what was told stands.
        (None, 30, 30),
        # A commit that is captured and not counted yet takes nothing back.
        (60, 50, 40),
        (50, 40, 50),
        # What was there is written anew.
        (90, 60, 10),
        # More was there than there is now.
        (None, 200, 100),
    ],
)
def test_what_is_there_is_never_told_too_high(left: int | None, there: int, done: int) -> None:
    """Nor does it fall while what is left allows for it. MiB of a hundred."""
    commit = Commit(CommitNumber(1), NOTHING, b"", 0, 0, False, 7, 100 * MIB)
    known = None if left is None else left * MIB
    assert done * MIB == progress(a_pump(CapturePhase.LIVE, None), commit, known, 0.0, there * MIB).done_bytes


def test_a_large_file_that_ends_takes_nothing_back() -> None:
    """Between its end and its commit it is in neither."""
    pump = a_pump(CapturePhase.FIRST_SYNC, SyncProgress(9, 0, 9, 300 * MIB))
    assert 80 * MIB == progress(pump, None, 100 * MIB, 0.0, 80 * MIB).done_bytes


def test_how_long_is_not_known_without_a_rate() -> None:
    """Nor without a total."""
    commit = Commit(CommitNumber(1), NOTHING, b"", 0, 0, False, 7, MIB)
    assert progress(a_pump(CapturePhase.LIVE, None), commit, MIB, 0.0).eta_seconds is None
    counting = a_pump(CapturePhase.FIRST_SYNC, SyncProgress(9, 0, None, None))
    assert progress(counting, commit, MIB, float(MIB)).eta_seconds is None


def test_what_was_there_in_the_call_before_may_be_gone(local: Local) -> None:
    """A peer that was restarted has cut off what no commit has: it counts again once it says what it has."""
    first = FirstSync("beta", PositionBoard(), None, lambda: None, local=local)
    first.begins(1)
    first.there = 190
    first.begins(1)
    assert 190 == first.there
    first.begins(2)
    assert 0 == first.there
