"""A pause is begun by somebody, and whoever ends it is told of it."""

from __future__ import annotations

from dataclasses import replace

from agent.core.clock import ManualClock
from agent.core.hold import Hold
from agent.core.ids import CommitNumber, commit_number
from agent.core.problem_codes import MASS_DELETION
from agent.core.standing import Pause, PeerStanding, Standing
from agent.node.pauses import APPLY, SEND, Pauses
from agent.operations.pausing import _behind, held_text, paused_elsewhere
from agent.status.published import status_json
from agent.status.state import Role
from fakes.api_fakes import a_dataset, a_node, a_peer

NOW = 1_700_000_000_000_000_000


def test_the_end_says_what_it_ended() -> None:
    """Since when, until when, and by whom; what is over by itself was ended by nobody."""
    clock = ManualClock(NOW)
    pauses = Pauses(clock)
    pauses.pause(APPLY, 60.0, "root (uid 0)")
    pauses.pause(SEND, None)
    clock.advance(10.0)
    applying, sending = pauses.resume(APPLY), pauses.resume(SEND)
    assert applying is not None
    assert sending is not None
    assert (APPLY, NOW, NOW + 60 * 10**9, "root (uid 0)") == (
        applying.what,
        applying.since,
        applying.until,
        applying.by,
    )
    assert (SEND, None, "") == (sending.what, sending.until, sending.by)
    assert (None, {}) == (pauses.resume(APPLY), pauses.until_ns())
    pauses.pause(APPLY, 60.0)
    clock.advance(61.0)
    assert None is pauses.resume(APPLY)


def test_what_waited_is_counted() -> None:
    """On a primary bytes, of the peer that lacks most; on a standby commits, unless they are of several epochs."""
    peers = (a_peer(behind_bytes=10), a_peer(name="gamma", behind_bytes=30))
    assert {"behind_bytes": 30, "behind_commits": 0} == _behind(a_dataset(peers=peers))

    def standby(applied: CommitNumber) -> object:
        commit = a_dataset().commit
        assert commit is not None
        facts = a_dataset(
            role=Role.STANDBY, commit=replace(commit, number=commit_number(3, 9)), applied=applied, peers=()
        )
        return _behind(facts)["behind_commits"]

    assert [0, 5, None] == [standby(commit_number(*at)) for at in ((3, 9), (3, 4), (2, 4))]


def test_what_is_held_is_told_with_what_leads_on() -> None:
    """Here, and on a peer; null where nothing is."""
    hold = Hold(MASS_DELETION, "9 of 10 entries deleted", "hikae accept web if it is meant")
    told = PeerStanding(Standing("held", hold), NOW)
    here, there = a_dataset(hold=hold), a_dataset(peers=(a_peer(told=told),))
    back = "hikae rollback web --at TIME"
    assert [
        f"9 of 10 entries deleted; if it was not meant: {back}; if it was: hikae accept web",
        f"beta is held: 9 of 10 entries deleted; if it was not meant: {back}; if it was: on beta: hikae accept web",
        None,
    ] == [held_text(status_json(a_node(a_dataset("db"), one)), "web") for one in (here, there, a_dataset())]


def test_what_another_node_has_paused_is_told() -> None:
    """Not this node's own, and not another dataset's."""
    told = PeerStanding(Standing("paused", pauses=(Pause("apply", None),)), NOW)
    facts = a_dataset(peers=(a_peer(told=told),), pauses=(Pause("send", None),), time_ns=NOW)
    status = status_json(a_node(facts, a_dataset("mail")))
    assert [[("beta", "apply")], []] == [
        [(one["node"], one["what"]) for one in paused_elsewhere(status, name)] for name in ("web", "mail")
    ]
