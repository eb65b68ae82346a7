"""The one word for a dataset."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from agent.core.problem import Severity
from agent.status.derive import dataset_state
from agent.status.facts import FIRST_SYNC, SyncFacts
from agent.status.state import Grade, Role, State, grade_of
from fakes.api_fakes import a_dataset, a_peer, a_problem

#: What makes each state true, worst first.
SIGNS: dict[State, dict[str, Any]] = {
    State.FENCED: {"role": Role.FENCED},
    State.REWOUND: {"rewound": True},
    State.UNCONFIRMED: {"unconfirmed": True},
    State.INCONSISTENT: {"inconsistent": True},
    State.REDO: {"redo": True},
    State.HELD: {"hold": "the source is empty"},
    State.PAUSED: {"paused_until": {"send": None}},
    State.FIRST_SYNC: {"sync": SyncFacts(FIRST_SYNC)},
    State.DISCONNECTED: {"peers": (a_peer(connected=False, mode=""), a_peer(mode="catchup"))},
    State.CATCHUP: {"peers": (a_peer(mode="catchup"),)},
    State.BEHIND: {"behind": True},
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
    """Of two states that are both true, the one that section 12 names first is shown."""
    assert worse == dataset_state(a_dataset(**{**SIGNS[better], **SIGNS[worse]}))


def test_the_public_names_are_those_of_the_contract() -> None:
    """Other programs rely on these strings and their order."""
    expected = (
        "fenced rewound unconfirmed inconsistent redo held paused first-sync disconnected catchup behind untracked "
        "degraded trial seeding reconciling streaming"
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
