"""The table of what each event does in each role: it has every state, and keeps what must never be."""

from __future__ import annotations

import pytest

from agent.status.state import Role, State
from house.roles_table import EVENTS, NEVER, REFUSED, STATES, STAYS, after, state_of

CELLS = [(state, event) for state in STATES for event in EVENTS]
#: By whose word alone a node comes to serve.
_LET_SERVE = {
    "`hikae promote`",
    "`hikae serve --alone`",
    "`hikae accept`",
    "beta and gamma answer that they know of no later epoch",
    "beta says that it stands at another state",
    "beta hands over, in epoch 3, at the very state",
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_what_it_is_called(state: str) -> None:
    """The events by which it is made lead to it."""
    node = STATES[state].make()
    node.look()
    assert state == state_of(node)


def test_every_role_and_every_state_of_one_is_there() -> None:
    """A role, or a state that comes of one, that is added is to have its column."""
    assert {Role.PRIMARY, Role.STANDBY} == {one.make().role for one in STATES.values()}
    of_roles = {State.FENCED, State.REWOUND, State.UNCONFIRMED}
    assert of_roles == {one for one in State if one.value in STATES}


def test_a_node_serves_by_these_words_alone() -> None:
    """Whatever else comes, whoever did not serve does not."""
    found = {event for state, event in CELLS if "**serving**" in after(state, event)}
    assert found <= _LET_SERVE
    assert found == _LET_SERVE


def test_what_is_met_ends_a_reign_and_no_word_of_a_peer_begins_one_after_it() -> None:
    """A higher epoch of who speaks, or an equal number of another's, ends that of a primary that serves, at once."""
    higher = [one for one in EVENTS if "calls, in epoch 3" in one or "calls, in epoch 4" in one]
    for state in ("unconfirmed", "serving", "switching over"):
        assert {"**fenced**"} == {after(state, event).split(",")[0] for event in higher}
        assert after(state, "beta calls, in an epoch 2 of its own, and sends").startswith("**fenced, apart**")
    for state in ("fenced", "fenced, apart", "rewound", "fenced by hand"):
        assert not [one for one in EVENTS if "hikae" not in one and "**serving**" in after(state, one)]


def test_every_cell_says_something() -> None:
    """And every state has an event that leads out of it."""
    for state in STATES:
        cells = [after(state, event) for event in EVENTS]
        assert all(cells)
        assert [one for one in cells if not one.startswith((NEVER, REFUSED, STAYS, f"**{state}**"))]
