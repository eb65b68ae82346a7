"""What is told of a peer that streams."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.apply.results import ApplyFacts, ApplyPhase
from agent.capture.facts import CapturePhase
from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber
from agent.core.standing import NEVER, PeerStanding, Standing
from agent.node.facts import (
    awaiting_freeze,
    being_filled,
    beside,
    first_received,
    is_untold,
    on_top,
    peer_mode,
    stands_whole,
)
from agent.status.facts import FIRST_SYNC, PeerFacts, SyncFacts
from agent.stream.sending.forecast import Flow

MIB = 1 << 20


@pytest.mark.parametrize(
    ("waits", "rate", "lag", "told"),
    [
        pytest.param(0, 0.0, 0.0, "streaming", id="nothing waits"),
        pytest.param(0, 0.0, 60.0, "streaming", id="nothing waits, and something is late"),
        pytest.param(5 * MIB, MIB, 5.0, "streaming", id="five seconds of work"),
        pytest.param(20 * MIB, MIB, 5.0, "behind", id="twenty seconds of work"),
        pytest.param(20 * MIB, MIB, 1.0, "streaming", id="a burst has just been written"),
        pytest.param(20 * MIB, 0.0, 12.0, "behind", id="nothing moves"),
        pytest.param(20 * MIB, 0.0, 1.0, "streaming", id="nothing has moved yet"),
        pytest.param(20 * MIB, 0.0, None, "streaming", id="no lag is known"),
    ],
)
def test_a_peer_that_streams_is_behind(waits: int, rate: float, lag: float | None, told: str) -> None:
    """By what waits, and by how late it is; the less moves, the more."""
    peer = PeerFacts("beta", connected=True, mode="streaming", behind_bytes=waits, rate=rate, lag_seconds=lag)
    assert told == peer_mode(peer)


def test_another_phase_is_told_as_it_is() -> None:
    assert peer_mode(PeerFacts("beta", connected=True, mode="catchup", behind_bytes=MIB, lag_seconds=60.0)) == "catchup"


@pytest.mark.parametrize(
    ("waits", "lag", "told"),
    [
        pytest.param(20 * MIB, 0.0, "streaming", id="all of it waits for the freeze"),
        pytest.param(20 * MIB, None, "streaming", id="nothing is known of the link"),
        pytest.param(21 * MIB, 5.0, "streaming", id="the link has a second of work"),
        pytest.param(60 * MIB, 5.0, "behind", id="the link is slow besides"),
    ],
)
def test_what_waits_for_a_freeze_makes_no_peer_behind(waits: int, lag: float | None, told: str) -> None:
    """The problem that says why is not hidden by the state; how much and how late is told as it is, and no forecast is made."""
    peer = PeerFacts(
        "beta", connected=True, mode="streaming", behind_bytes=waits, rate=MIB, lag_seconds=90.0, forecast_seconds=20.0
    )
    refused = awaiting_freeze(peer, 20 * MIB, lag)
    assert (told, waits, 90.0, None) == (
        refused.mode,
        refused.behind_bytes,
        refused.lag_seconds,
        refused.forecast_seconds,
    )
    assert "behind" == peer_mode(peer)


@pytest.mark.parametrize(
    ("total", "left", "forecast"),
    [
        pytest.param(None, 4 * MIB, None, id="not counted yet"),
        pytest.param(100 * MIB, 90 * MIB, 90.0, id="counted"),
        pytest.param(12 * MIB, 4 * MIB, 4.0, id="more waits than was counted"),
    ],
)
def test_what_a_first_sync_has_not_come_to_is_left(total: int | None, left: int, forecast: float | None) -> None:
    """10 MiB are there and 4 were read and are not: that is all that is known before it was counted, and no forecast."""
    peer = PeerFacts(
        "beta", connected=True, behind_bytes=4 * MIB, rate=MIB, forecast_seconds=4.0, received_ns=1, applied_ns=1
    )
    told = being_filled(peer, SyncFacts(FIRST_SYNC, 10 * MIB, total), Flow(0.0, 0.0))
    assert (left, forecast, None, None) == (
        told.behind_bytes,
        told.forecast_seconds,
        told.received_ns,
        told.applied_ns,
    )


THERE = CommitNumber(4)
WHOLE = Commit(THERE, NOTHING, b"", 0, 0, True, 0, 0)


@pytest.mark.parametrize(
    ("apply", "there", "commit", "expected"),
    [
        pytest.param(ApplyFacts(THERE), THERE, WHOLE, True, id="it equals a whole commit"),
        pytest.param(ApplyFacts(THERE, phase=ApplyPhase.HELD), THERE, WHOLE, True, id="the next one is held"),
        pytest.param(ApplyFacts(THERE, phase=ApplyPhase.HELD), NOTHING, WHOLE, False, id="its directory is gone"),
        pytest.param(ApplyFacts(THERE, doubted=True), THERE, WHOLE, False, id="nobody knows what of it is so"),
        pytest.param(ApplyFacts(THERE, phase=ApplyPhase.REDO), THERE, WHOLE, False, id="it is compared"),
        pytest.param(ApplyFacts(THERE), THERE, replace(WHOLE, consistent=False), False, id="a part"),
        pytest.param(ApplyFacts(THERE), THERE, None, False, id="of which nothing is held"),
    ],
)
def test_a_standby_is_read_as_a_whole_commit_only(
    apply: ApplyFacts, there: CommitNumber, commit: Commit | None, expected: bool
) -> None:
    """The one that is applied counts, not the newest; and that it is there."""
    assert expected == stands_whole(apply, there, commit)


@pytest.mark.parametrize(
    ("changes", "connected", "forecast", "eta"),
    [
        pytest.param(None, True, None, None, id="a freeze is refused"),
        pytest.param(Flow(0.0, 0.0), True, 90.0, 90.0, id="nothing comes on top"),
        pytest.param(Flow(MIB / 2, MIB / 2), True, 180.0, 180.0, id="it is written meanwhile"),
        pytest.param(Flow(2 * MIB, 2 * MIB), True, NEVER, None, id="more is written than arrives"),
        pytest.param(Flow(2 * MIB, 0.0), True, None, None, id="a burst"),
        pytest.param(Flow(0.0, 0.0), False, None, None, id="it is away"),
    ],
)
def test_a_first_sync_has_one_forecast(
    changes: Flow | None, connected: bool, forecast: float | None, eta: float | None
) -> None:
    """What is said of the peer and of its first sync is one figure."""
    peer = PeerFacts("beta", connected=connected, behind_bytes=4 * MIB, rate=MIB)
    told = being_filled(peer, SyncFacts(FIRST_SYNC, 10 * MIB, 100 * MIB, eta_seconds=7.0), changes)
    assert told.first_sync is not None
    assert (forecast, eta) == (told.forecast_seconds, told.first_sync.eta_seconds)


def test_what_comes_on_top_of_a_first_sync() -> None:
    """What the first walk captures is counted in what is left already: the forecast would be that of a source that grows. While a
    freeze is refused there is none."""
    assert (0.0, 0.0) == on_top(Flow(MIB, MIB), CapturePhase.FIRST_SYNC, refused=False)
    assert (MIB, MIB) == on_top(Flow(MIB, MIB), CapturePhase.LIVE, refused=False)
    assert on_top(Flow(0.0, 0.0), CapturePhase.FIRST_SYNC, refused=True) is None


def _told(sync: SyncFacts, *, connected: bool = True) -> PeerFacts:
    """A primary that says so of its own."""
    return PeerFacts("alpha", connected=connected, told=PeerStanding(Standing("first-sync", sync=sync), 1))


HERE = Commit(CommitNumber(3), NOTHING, b"", 0, 0, True, 20, 4 * MIB)


def test_all_that_was_received_is_the_total() -> None:
    """What comes to its end is counted, though the primary is away, or has just begun and knows no total yet."""
    part, whole = first_received(HERE, whole=False), first_received(HERE, whole=True)
    assert (None, None) == (part.total_bytes, part.total_entries)
    assert (4 * MIB, 4 * MIB, 20, 20) == (
        whole.done_bytes,
        whole.total_bytes,
        whole.done_entries,
        whole.total_entries,
    )
    unknown = SyncFacts(FIRST_SYNC, MIB)
    assert whole == beside(whole, _told(unknown))
    assert whole == beside(whole, _told(SyncFacts(FIRST_SYNC, MIB, 9 * MIB), connected=False))
    assert SyncFacts(FIRST_SYNC, MIB, None, 20) == beside(part, _told(unknown))
    assert SyncFacts(FIRST_SYNC) == first_received(None, whole=False)


def test_what_the_primary_counted_is_the_total() -> None:
    """While it is connected; the entries are those here."""
    told = SyncFacts(FIRST_SYNC, MIB, 9 * MIB, 0, 90, 8.0)
    part = first_received(HERE, whole=False)
    assert SyncFacts(FIRST_SYNC, MIB, 9 * MIB, 20, 90, 8.0) == beside(part, _told(told))
    assert part == beside(part, _told(told, connected=False))


def test_more_entries_are_here_than_there() -> None:
    """Files were deleted in the first sync, and this is not here yet: no part of a whole is made of it."""
    fewer = SyncFacts(FIRST_SYNC, MIB, 9 * MIB, 0, 19)
    assert SyncFacts(FIRST_SYNC, MIB, 9 * MIB, 20, None) == beside(first_received(HERE, whole=False), _told(fewer))


@pytest.mark.parametrize(
    ("connected", "durable", "heard", "had_all", "unknown"),
    [
        pytest.param(False, NOTHING, False, False, True, id="not heard since this node began"),
        pytest.param(False, NOTHING, False, True, True, id="nor before, since when it had all"),
        pytest.param(False, NOTHING, True, True, True, id="it said that nothing is there any more"),
        pytest.param(False, NOTHING, True, False, False, id="it went in the middle of its first part"),
        pytest.param(False, CommitNumber(3), True, False, False, id="it went after some parts"),
        pytest.param(True, NOTHING, True, False, False, id="it has just come"),
    ],
)
def test_what_a_node_has_that_is_away(
    connected: bool, durable: CommitNumber, heard: bool, had_all: bool, unknown: bool
) -> None:
    """It is told as it was heard; of one that was not heard nothing is, and most of all not that it has nothing."""
    peer = PeerFacts("beta", connected=connected, durable=durable, behind_known=heard)
    assert unknown == is_untold(peer, had_all=had_all)
