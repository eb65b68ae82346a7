"""What is typed on one node and concerns another: which node is asked, and what that takes from a peer."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import HikaeError, NotFound, Refused, TryAgain, UsageError
from agent.core.forwarded import Forwarded, Told
from agent.generations.afar import FoundMoment, NamedMoment
from agent.node.member import Member
from agent.operations.declaration import (
    DatasetRequest,
    FromAfar,
    Json,
    Progress,
    Request,
    as_typed,
    dataset_operation,
)
from agent.operations.desk import OperatorDesk
from agent.operations.elsewhere.from_peers import PeersDesk
from agent.operations.families import OPERATIONS
from agent.operations.generations import GenerationsPinRequest
from agent.operations.journal import Caller
from agent.operations.running import RunningAgent
from agent.operations.upkeep.checking import GenerationsVerifyRequest
from agent.operations.verifying import VerifyRequest
from agent.operations.waiting import ReconcileRequest, WaitRequest
from agent.status.events import Event
from agent.status.state import Role


@dataclass
class Assigned:
    """Who is what."""

    primary: str = "alpha"
    standbys: tuple[str, ...] = ("beta",)


@dataclass
class OfTwo:
    """A dataset that two nodes or more share."""

    role: Role
    assigned: Assigned = field(default_factory=Assigned)
    keeps_history: bool = False

    def wait_for_a_try(self, seconds: float) -> None:
        """It is open."""


@dataclass(frozen=True, slots=True)
class NamesRequest(DatasetRequest[list[Json]]):
    """Answered with some objects."""

    ANSWER = list


@dataclass(frozen=True, slots=True)
class StampRequest(DatasetRequest[Json]):
    """Answered with an object."""

    label: str = ""


NAMES = dataset_operation(
    "names", NamesRequest, role=Role.STANDBY, long=True, changes=lambda _: False, afar=FromAfar()
)(lambda _call, _request: [])
STAMP = dataset_operation(
    "stamp",
    StampRequest,
    role=Role.STANDBY,
    long=True,
    changes=lambda request: request.label != "asked",
    afar=FromAfar(every=60),
)(lambda _call, _request: {})


@dataclass(frozen=True, slots=True)
class WhoRequest(DatasetRequest[Json]):
    """Answered with who is said to have typed it."""


WHO = dataset_operation("who", WhoRequest, role=Role.STANDBY, long=True, changes=lambda _: False, afar=FromAfar())(
    lambda call, _request: {"typist": call.typist}
)
OPERATIONS_HERE = {**OPERATIONS, "names": NAMES, "stamp": STAMP, "who": WHO}


class Elsewhere:
    """Other nodes: what each was asked, and what all answer."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Forwarded]] = []

    def forward(self, node: str, asked: Forwarded, told: Told) -> object:
        """See ``RunningAgent``."""
        told({"phase": asked.operation})
        self.asked.append((node, asked))
        return self.answer


def _no_moment(_node: str, named: NamedMoment) -> FoundMoment:
    raise NotFound("read a moment", named.dataset, "there is none")


def _agent(role: Role, elsewhere: Elsewhere, *standbys: str) -> RunningAgent:
    member = OfTwo(role, Assigned(standbys=standbys or ("beta",)))
    members = cast(Mapping[str, Member], {"web": member})
    return RunningAgent(
        members,
        dict,
        lambda _since, _limit: [],
        dict,
        lambda _name, _dry, _force: {},
        elsewhere.forward,
        _no_moment,
        threading.Event(),
    )


def test_it_is_passed_to_the_node_concerned_with_who_typed_it() -> None:
    """Arguments and typist arrive, and progress comes back."""
    elsewhere, said = Elsewhere({"seconds": 1.0}), list[Json]()
    desk = OperatorDesk(_agent(Role.STANDBY, elsewhere)).typed_by(Caller(4_000_000_000))
    assert {"seconds": 1.0} == desk.ask(WaitRequest("web", "applied", 3.0), said.append)
    asked = Forwarded("web", "wait", {"level": "applied", "timeout": 3.0}, "uid 4000000000")
    assert ([("alpha", asked)], [{"phase": "wait"}]) == (elsewhere.asked, said)


def test_lists_of_several_nodes_are_put_together() -> None:
    """What lists is asked of all; what has one answer has to be typed on one."""
    elsewhere = Elsewhere([{"a": 1}])
    desk = OperatorDesk(_agent(Role.PRIMARY, elsewhere, "beta", "gamma"))
    assert [{"a": 1}, {"a": 1}] == desk.ask(NamesRequest("web"))
    assert ["beta", "gamma"] == [node for node, _ in elsewhere.asked]
    with pytest.raises(Refused, match="beta or gamma can be meant"):
        desk.ask(VerifyRequest("web"))


def test_an_answer_of_another_kind_is_not_shown() -> None:
    """A peer answers what the operation declares."""
    desk = OperatorDesk(_agent(Role.STANDBY, Elsewhere(["no object"])))
    with pytest.raises(HikaeError, match="not what this version expects"):
        desk.ask(WaitRequest("web"))


def test_a_stop_of_the_node_ends_what_was_passed_on() -> None:
    """As it ends what is done here."""
    agent = _agent(Role.STANDBY, Elsewhere({}))
    agent.stopping.set()
    with pytest.raises(TryAgain, match="stopping"):
        OperatorDesk(agent).ask(WaitRequest("web"))


class Here:
    """The node's own desk."""

    def __init__(self) -> None:
        self.done: list[Request[Any]] = []

    def done_here(self, request: Request[Any], _progress: Progress, _peer: str = "", _typist: str = "") -> Any:
        """See ``DoneHere``."""
        self.done.append(request)
        return {}


def _peers_desk(here: Here, told: list[Event], clock: ManualClock, *standbys: str) -> PeersDesk:
    return PeersDesk(_agent(Role.STANDBY, Elsewhere({}), *standbys), here, told.append, clock, OPERATIONS_HERE)


@pytest.mark.parametrize(
    ("peer", "dataset", "operation", "arguments", "error"),
    [
        ("alpha", "web", "pause", {}, Refused),
        ("alpha", "web", "reload", {}, Refused),
        ("alpha", "web", "dataset-remove", {"name": "web"}, Refused),
        ("alpha", "web", "verify", {"repair": True}, Refused),
        ("alpha", "web", "verify", {"deep": "yes"}, UsageError),
        ("alpha", "web", "no such", {}, NotFound),
        ("alpha", "mail", "verify", {}, NotFound),
        ("gamma", "web", "verify", {}, NotFound),
    ],
)
def test_a_peer_is_not_given_what_it_may_not_have(
    peer: str, dataset: str, operation: str, arguments: Json, error: type[HikaeError]
) -> None:
    """Nothing is done, and nothing told, of what is not declared to come from afar, or of another's dataset."""
    here, told = Here(), list[Event]()
    with pytest.raises(error):
        _peers_desk(here, told, ManualClock()).answer(peer, Forwarded(dataset, operation, arguments, "x"), print)
    assert ([], []) == (here.done, told)


def test_the_dataset_is_that_of_the_request() -> None:
    """An argument of that name does not lead to another one."""
    here = Here()
    asked = Forwarded("web", "verify", {"dataset": "mail", "deep": True}, "x")
    _peers_desk(here, [], ManualClock()).answer("alpha", asked, print)
    assert [VerifyRequest("web", deep=True)] == here.done


def test_what_changes_something_is_told_with_who_typed_it_where() -> None:
    """What the typist is called cannot forge a line."""
    told = list[Event]()
    desk = _peers_desk(Here(), told, ManualClock())
    desk.answer("alpha", Forwarded("web", "stamp", {"label": "release"}, "ann (uid 7)\nroot"), print)
    assert ["ann (uid 7)\\nroot on alpha typed: stamp web (label=release)"] == [event.message for event in told]


def test_who_typed_it_reaches_what_is_done_as_another_nodes_word() -> None:
    """Marked as said by that node, short, and without anything that a terminal obeys."""
    agent, told = _agent(Role.STANDBY, Elsewhere({})), list[Event]()
    desk = PeersDesk(agent, OperatorDesk(agent), told.append, ManualClock(), OPERATIONS_HERE)
    typists = ("root (uid 0)", "a\nb", "x" * 9_000, "")
    called = [desk.answer("alpha", Forwarded("web", "who", {}, typist), print) for typist in typists]
    said = ["alpha says: root (uid 0)", "alpha says: a\\nb", "alpha says: " + "x" * 200 + "…", "alpha"]
    assert [{"typist": one} for one in said] == called


def test_what_is_to_be_seldom_is_taken_once_in_a_while() -> None:
    """From each peer: one that asks all the time keeps no other from it."""
    here, clock = Here(), ManualClock()
    desk, asked = _peers_desk(here, [], clock, "beta", "gamma"), Forwarded("web", "stamp", {}, "x")
    desk.answer("gamma", asked, print)
    desk.answer("alpha", asked, print)
    clock.advance(59)
    with pytest.raises(TryAgain, match="once in 60 s"):
        desk.answer("alpha", asked, print)
    clock.advance(2)
    desk.answer("alpha", asked, print)
    assert 3 == len(here.done)


def test_a_question_may_come_at_any_time() -> None:
    """What only says what would be done, before it is done, costs no minute."""
    here = Here()
    desk = _peers_desk(here, [], ManualClock())
    for label in ("asked", "good", "asked"):
        desk.answer("alpha", Forwarded("web", "stamp", {"label": label}, "x"), print)
    assert ["asked", "good", "asked"] == [cast(StampRequest, one).label for one in here.done]


def test_what_is_to_be_typed_there_is_not_passed_on() -> None:
    """What is declared to be typed on the other node stays here, and says so."""
    elsewhere = Elsewhere({})
    with pytest.raises(Refused, match=r"on beta: hikae verify web"):
        OperatorDesk(_agent(Role.PRIMARY, elsewhere)).ask(VerifyRequest("web", repair=True))
    assert [] == elsewhere.asked


class Refusing(Here):
    """A desk to which every label but one is wrong."""

    def done_here(self, request: Request[Any], _progress: Progress, _peer: str = "", _typist: str = "") -> Any:
        """See ``DoneHere``."""
        if isinstance(request, StampRequest) and request.label != "good":
            raise Refused("stamp", request.dataset, "another one has that label")
        return super().done_here(request, _progress)


def test_what_was_refused_may_be_typed_anew_at_once() -> None:
    """A wrong label costs no minute; what was done does, and it is said how much of it is left."""
    here, clock = Refusing(), ManualClock()
    desk = _peers_desk(here, [], clock)
    for label, said in (("taken", "has that label"), ("taken", "has that label"), ("good", ""), ("taken", "in 55 s")):
        clock.advance(5)
        told = Forwarded("web", "stamp", {"label": label}, "x")
        with pytest.raises(HikaeError, match=said) if said else nullcontext():
            desk.answer("alpha", told, print)
    assert [StampRequest("web", "good")] == here.done


def test_what_was_refused_is_told_so() -> None:
    """Told before it is done, and once more."""
    told = list[Event]()
    with pytest.raises(Refused):
        _peers_desk(Refusing(), told, ManualClock()).answer(
            "alpha", Forwarded("web", "stamp", {"label": "x"}, "ann"), print
        )
    typed = "ann on alpha typed: stamp web (label=x)"
    assert [typed, f"{typed}: refused (exit code 3): another one has that label"] == [one.message for one in told]


def test_what_is_to_be_typed_elsewhere_is_said_whole() -> None:
    """With what stood after the dataset, as a shell takes it."""
    desk = OperatorDesk(_agent(Role.PRIMARY, Elsewhere({})))
    with pytest.raises(Refused, match=r"on beta: hikae generations pin web 'a b'$"):
        desk.ask(GenerationsPinRequest("web", "a b"))
    with pytest.raises(Refused, match=r"on beta: hikae generations verify web$"):
        desk.ask(GenerationsVerifyRequest("web"))


@pytest.mark.parametrize(
    ("request_", "typed"),
    [
        (ReconcileRequest("web"), "hikae reconcile web"),
        (ReconcileRequest("web", checksum=True), "hikae reconcile web --checksum"),
        (GenerationsVerifyRequest("web", "G1"), "hikae generations verify web G1"),
    ],
)
def test_what_is_to_be_typed_elsewhere_asks_for_the_same(request_: DatasetRequest[Any], typed: str) -> None:
    """Whoever types it there gets what was asked for here."""
    assert typed == as_typed(request_)
