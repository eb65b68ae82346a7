"""What a rejoin waits for in its last step, and when it waits no longer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.core.hold import Hold
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import STANDBY_DISK_FULL
from agent.core.standing import Pause, PeerStanding, Standing
from agent.roles.rejoin.obstacle import PATIENCE, STANDS, FollowWait, Hindrance, hindrance
from agent.status.facts import DatasetFacts, PeerFacts
from agent.status.state import Role

BETA = PeerFacts("beta", connected=True)
HERE = DatasetFacts("web", "tree", None, Role.STANDBY, "/srv/web", "beta", ("alpha",), 2, peers=(BETA,), time_ns=1000)
FULL = Problem(STANDBY_DISK_FULL, Severity.ERROR, 1, b"", "no room", "free space")
IN_USE = Hold("standby-in-use", "it is mounted", "end that use; it goes on by itself")


def said(**more: Any) -> tuple[PeerFacts, ...]:
    """What the new primary says of itself, over a call that stands."""
    return (replace(BETA, told=PeerStanding(Standing("held", **more), 1)),)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, None),
        ({"hold": IN_USE}, Hindrance("it is held: it is mounted", IN_USE.remedy, lasts=True)),
        (
            {"hold": Hold("mass-deletion", "all is gone")},
            Hindrance("it is held: all is gone", "hikae accept web, if that is meant", lasts=True),
        ),
        (
            {"hold": Hold("lineage-waits", "not through", "it goes on by itself")},
            Hindrance("it is held: not through", "it goes on by itself", lasts=False),
        ),
        (
            {"pauses": (Pause("apply", None),)},
            Hindrance("applying is paused here", "hikae resume web", lasts=True),
        ),
        (
            {"pauses": (Pause("apply", 2000),)},
            Hindrance("applying is paused here", "hikae resume web", lasts=False),
        ),
        ({"problems": (FULL,)}, Hindrance("no room", "free space", lasts=True)),
        (
            {"peers": (replace(BETA, connected=False),), "problems": (FULL,)},
            Hindrance("no room", "free space", lasts=True),
        ),
        (
            {"peers": said(hold=Hold("source-emptied", "all is gone", "look"))},
            Hindrance("beta is held: all is gone", "on beta: look", lasts=True),
        ),
        (
            {"peers": said(pauses=(Pause("send", None),))},
            Hindrance("sending is paused on beta", "on beta: hikae resume web", lasts=True),
        ),
        (
            {"peers": (replace(BETA, connected=False),)},
            Hindrance(
                "beta is not connected",
                "it calls every few seconds; if it does not: hikae status on beta says why",
                lasts=False,
            ),
        ),
    ],
)
def test_what_stands_in_the_way(more: dict[str, Any], expected: Hindrance | None) -> None:
    """Here or on the new primary; what only a person ends goes before what ends by itself."""
    assert expected == hindrance(replace(HERE, **more))


LASTING = Hindrance("it is held: it is mounted", "end that use", lasts=True)


def test_what_lasts_ends_the_wait_with_the_way_out() -> None:
    """Once it has stood for a while; the sentence is told meanwhile."""
    wait = FollowWait("beta", 100.0)
    wait.look(LASTING, 100.0)
    assert "beta to bring it on: it is held: it is mounted" == wait.sentence
    assert not wait.is_over(100.0 + STANDS)
    wait.look(LASTING, 100.0 + STANDS)
    assert wait.is_over(100.0 + STANDS)
    assert (
        "beta has not brought it on yet, for it is held: it is mounted: end that use; "
        "it goes on by itself after that, and hikae status shows how far it is"
    ) == wait.outcome


def test_what_goes_by_itself_is_waited_for() -> None:
    """So long that a first answer is likely; what lasted and is gone counts from its next time on."""
    wait = FollowWait("beta", 100.0)
    wait.look(LASTING, 100.0)
    wait.look(replace(LASTING, lasts=False), 101.0)
    wait.look(LASTING, 100.0 + STANDS)
    assert not wait.is_over(100.0 + STANDS)
    wait.look(None, 101.0 + STANDS)
    assert (False, True) == (wait.is_over(100.0 + PATIENCE - 1), wait.is_over(100.0 + PATIENCE))
    assert "beta has not brought it on yet; it goes on by itself, and hikae status shows how far it is" == wait.outcome


def test_it_is_looked_for_once_a_second() -> None:
    """Not at each turn of the wait."""
    wait = FollowWait("beta", 100.0)
    assert wait.is_due(100.0)
    wait.look(None, 100.0)
    assert (False, True) == (wait.is_due(100.2), wait.is_due(101.0))
