"""Who may be asked what: the desk finds the dataset and looks at the role before anything is done."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import NotFound, Refused, TryAgain, Unreachable
from agent.core.forwarded import Forwarded, Told
from agent.core.problem import ProblemBoard
from agent.generations.afar import FoundMoment, NamedMoment
from agent.node.member import Member
from agent.node.pauses import Pauses
from agent.node.primary import Primary
from agent.operations.configuring import ReloadRequest
from agent.operations.declaration import DatasetRequest
from agent.operations.desk import OperatorDesk
from agent.operations.holding import AcceptRequest, ResyncRequest
from agent.operations.pausing import PauseRequest, ResumeRequest
from agent.operations.reading import MOST_EVENTS, EventsRequest
from agent.operations.running import RunningAgent
from agent.operations.verifying import VerifyRequest
from agent.operations.waiting import WaitRequest
from agent.status.facts import DatasetFacts
from agent.status.state import Role
from fakes.api_fakes import a_dataset


@dataclass
class Named:
    """Names, as a dataset and an assignment have them."""

    name: str = "web"
    primary: str = "alpha"
    standbys: tuple[str, ...] = ("beta",)


@dataclass
class ClosedMember:
    """A dataset that is not open."""

    role: Role
    dataset: Named = field(default_factory=Named)
    assigned: Named = field(default_factory=Named)
    side: None = None
    pauses: Pauses = field(default_factory=lambda: Pauses(ManualClock()))
    board: ProblemBoard = field(default_factory=ProblemBoard)
    steered: int = 0
    node: str = "alpha"

    def facts(self) -> DatasetFacts:
        """See ``Member``."""
        return a_dataset(role=self.role, peers=())

    def wait_for_a_try(self, seconds: float) -> None:
        """See ``Member``; it was tried."""

    def primary(self) -> Primary:
        """See ``Member``."""
        raise TryAgain("use the dataset", "web", "it is not running now")

    def steer(self) -> None:
        """See ``Member``."""
        self.steered += 1


def _nobody(node: str, _asked: Forwarded, _told: Told) -> object:
    raise Unreachable("ask the peer", node, "nobody is there")


def _no_moment(_node: str, named: NamedMoment) -> FoundMoment:
    raise NotFound("read a moment", named.dataset, "there is none")


def _desk(role: Role) -> tuple[OperatorDesk, ClosedMember, list[tuple[int, int]]]:
    member, asked = ClosedMember(role), list[tuple[int, int]]()

    def events(since: int, limit: int) -> list[dict[str, Any]]:
        asked.append((since, limit))
        return []

    members = cast(Mapping[str, Member], {"web": member})
    agent = RunningAgent(
        members,
        lambda: {"datasets": []},
        events,
        lambda: {"files": ["a"]},
        lambda _name, _dry, _force: {},
        _nobody,
        _no_moment,
        threading.Event(),
    )
    return OperatorDesk(agent), member, asked


def test_what_the_role_does_not_allow_is_refused() -> None:
    """With the node on which it is to be typed, and what: what changes a standby is not passed on."""
    desk, _, _ = _desk(Role.PRIMARY)
    with pytest.raises(Refused) as refused:
        desk.ask(VerifyRequest("web", repair=True))
    assert "on beta: hikae verify web" == refused.value.remedy


def test_an_unknown_dataset_is_not_found() -> None:
    """What the node has is named."""
    desk, _, _ = _desk(Role.PRIMARY)
    with pytest.raises(NotFound, match="this node has: web"):
        desk.ask(PauseRequest("mail"))


def test_a_pause_is_of_what_the_node_does() -> None:
    """Each side stands still with its own activity; the other's is refused and nothing is paused."""
    for role, own, other in ((Role.PRIMARY, "send", "apply"), (Role.STANDBY, "apply", "send")):
        desk, member, _ = _desk(role)
        with pytest.raises(Refused):
            desk.ask(PauseRequest("web", other))  # type: ignore[arg-type]  # both are activities
        assert ({}, 0) == (dict(member.pauses.until_ns()), member.steered)
        assert {"dataset": "web", "paused": {own: None}} == desk.ask(PauseRequest("web"))
        answer = desk.ask(ResumeRequest("web"))
        assert (None, [("alpha", own)]) == (answer["paused"], [(one["node"], one["what"]) for one in answer["ended"]])
        assert (2, []) == (member.steered, desk.ask(ResumeRequest("web"))["ended"])


@pytest.mark.parametrize("request_", [AcceptRequest("web"), ResyncRequest("web")])
def test_a_dataset_that_is_not_open_is_asked_again(request_: DatasetRequest[Any]) -> None:
    """Nothing can be decided of what is not running; a later call may."""
    desk, _, _ = _desk(Role.STANDBY)
    with pytest.raises(TryAgain, match="not running now"):
        desk.ask(request_)


def test_a_stop_ends_what_waits() -> None:
    """A wait for a dataset that does not open ends with the agent."""
    desk, _, _ = _desk(Role.PRIMARY)
    desk.stop()
    with pytest.raises(TryAgain):
        desk.ask(WaitRequest("web"))


def test_what_is_asked_of_the_node_needs_no_dataset() -> None:
    """Events come at most so many at once."""
    desk, _, asked = _desk(Role.PRIMARY)
    assert ([], {"files": ["a"]}) == (desk.ask(EventsRequest(3, 10**9)), desk.ask(ReloadRequest()))
    assert [(3, MOST_EVENTS)] == asked
