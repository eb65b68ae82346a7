"""The one word for a dataset."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from agent.core.hold import Hold
from agent.core.problem import Severity
from agent.core.standing import Pause, PeerStanding, Standing
from agent.status.derive import dataset_state, own_state, serves_here
from agent.status.facts import FIRST_SYNC, MovingFacts, SyncFacts
from agent.status.state import Grade, Role, State, grade_of
from fakes.api_fakes import MINUTE, NOW, a_dataset, a_peer, a_problem

#: What makes each state true, worst first.
SIGNS: dict[State, dict[str, Any]] = {
    State.FENCED: {"role": Role.FENCED},
    State.REWOUND: {"rewound": True},
    State.UNCONFIRMED: {"unconfirmed": True},
    State.MOVING: {"moving": MovingFacts("a switchover", "drain", False)},
    State.INCONSISTENT: {"inconsistent": True},
    State.REDO: {"redo": True},
    State.HELD: {"hold": Hold("held", "the source is empty")},
    State.DISCONNECTED: {"peers": (a_peer(connected=False, mode=""), a_peer(mode="catchup"))},
    State.PAUSED: {"pauses": (Pause("apply", None),)},
    State.FIRST_SYNC: {"sync": SyncFacts(FIRST_SYNC)},
    State.BEHIND: {"behind": True},
    State.CATCHUP: {"peers": (a_peer(mode="catchup"),)},
    State.UNTRACKED: {"untracked": True},
    State.DEGRADED: {"problems": (a_problem(),)},
    State.RECONCILING: {"reconciling": True},
    State.STREAMING: {},
}


@pytest.mark.parametrize("state", SIGNS)
def test_each_sign_alone_gives_its_state(state: State) -> None:
    """A dataset with one sign is in that state."""
    assert state == dataset_state(a_dataset(**SIGNS[state]))


@pytest.mark.parametrize(("worse", "better"), list(pairwise(SIGNS)))
def test_the_worse_of_two_neighbours_is_shown(worse: State, better: State) -> None:
    """Of two states that are both true, the one that ``status.state`` names first is shown."""
    assert worse == dataset_state(a_dataset(**{**SIGNS[better], **SIGNS[worse]}))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, True),
        ({"unconfirmed": True}, False),
        ({"rewound": True}, False),
        ({"role": Role.STANDBY}, False),
        ({"opened": False}, False),
        ({"moving": MovingFacts("a switchover", "drain", False)}, True),
        ({"moving": MovingFacts("a switchover", "barrier", True)}, False),
        ({"inconsistent": True, "hold": Hold("held", "the source is empty")}, True),
    ],
)
def test_who_serves(more: dict[str, Any], expected: bool) -> None:
    """A primary that may, and whose application is not being stopped or begun; what is wrong with its copies does not matter."""
    assert expected == serves_here(a_dataset(**more))


def test_the_public_names_are_those_of_the_contract() -> None:
    """Other programs rely on these strings and their order."""
    expected = (
        "fenced rewound unconfirmed moving inconsistent redo held vault-full disconnected paused first-sync behind catchup "
        "untracked degraded rehearsing trial seeding reconciling streaming"
    )
    assert expected == " ".join(State)


def test_a_limited_first_sync_is_one_to_its_end() -> None:
    """The walk is through here, and a peer gets the rest slowly or later; a steady limit is no state."""
    for rate in (0, 1_000_000):
        peer = a_peer(mode="streaming", rate_limit=rate, limited_by="first_sync")
        assert State.FIRST_SYNC == dataset_state(a_dataset(peers=(peer,)))
        assert State.STREAMING == dataset_state(a_dataset(peers=(a_peer(rate_limit=rate, limited_by="steady"),)))


def test_information_does_not_degrade() -> None:
    """A problem that is only information leaves the dataset streaming."""
    facts = a_dataset(problems=(a_problem(severity=Severity.INFO),))
    assert State.STREAMING == dataset_state(facts)


def test_problems_that_are_only_counted_degrade() -> None:
    """Problems beyond what is listed count too."""
    assert State.DEGRADED == dataset_state(a_dataset(uncounted={"unreadable": 3}))


def test_grades() -> None:
    """Nobody has to act on a streaming dataset, somebody on a held one."""
    grades = [grade_of(state) for state in (State.STREAMING, State.CATCHUP, State.HELD)]
    assert [Grade.GOOD, Grade.WATCH, Grade.BAD] == grades


def saying(state: State, **more: Any) -> PeerStanding:
    """A peer's last word."""
    return PeerStanding(Standing(state.value, **more), 1)


@pytest.mark.parametrize(
    "state", [State.HELD, State.PAUSED, State.INCONSISTENT, State.REDO, State.BEHIND, State.CATCHUP, State.DEGRADED]
)
def test_what_a_connected_peer_says_is_true_of_the_pair(state: State) -> None:
    """Held, paused or broken there is so here; once the link is down it is disconnected, whatever was said."""
    assert state == dataset_state(a_dataset(peers=(a_peer(told=saying(state)),)))
    gone = a_peer(connected=False, mode="", told=saying(state))
    assert State.DISCONNECTED == dataset_state(a_dataset(peers=(gone,)))


@pytest.mark.parametrize("state", [State.FENCED, State.UNCONFIRMED, State.DISCONNECTED, State.RECONCILING])
def test_what_concerns_a_peer_alone_is_no_state_of_the_pair(state: State) -> None:
    """What a peer says of its own links, and of work that harms nobody, leaves the pair as it is."""
    assert State.STREAMING == dataset_state(a_dataset(peers=(a_peer(told=saying(state)),)))


def test_the_state_that_a_peer_is_told_is_not_its_own_word() -> None:
    """What is said of a dataset depends on nothing that peers say: else two nodes would tell each other for ever."""
    facts = a_dataset(peers=(a_peer(told=saying(State.HELD)), a_peer(name="gamma", connected=False)), unconfirmed=True)
    assert State.STREAMING == own_state(facts)


def test_a_pause_of_sending_is_no_lost_peer() -> None:
    """Paused here, or as the primary said last before it ended the call, until that is over."""
    away = {"connected": False, "mode": ""}
    assert State.PAUSED == dataset_state(a_dataset(peers=(a_peer(**away),), pauses=(Pause("send", None),)))
    told = saying(State.PAUSED, pauses=(Pause("send", 100),))
    assert State.PAUSED == dataset_state(a_dataset(peers=(a_peer(**away, told=told),), time_ns=99))
    assert State.DISCONNECTED == dataset_state(a_dataset(peers=(a_peer(**away, told=told),), time_ns=100))
    applies = saying(State.PAUSED, pauses=(Pause("apply", None),))
    assert State.DISCONNECTED == dataset_state(a_dataset(peers=(a_peer(**away, told=applies),)))


@pytest.mark.parametrize(
    ("until", "state"), [(NOW - 1, State.STREAMING), (NOW + 1, State.PAUSED), (None, State.PAUSED)]
)
def test_a_pause_there_is_over_at_its_hour(until: int | None, state: State) -> None:
    """A peer's word that it is paused counts as long as the pause that it told of."""
    told = PeerStanding(Standing("paused", pauses=(Pause("apply", until),)), NOW - MINUTE)
    assert state == dataset_state(a_dataset(peers=(a_peer(told=told),), time_ns=NOW))
