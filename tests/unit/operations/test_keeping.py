"""Which standby keeps what stands, who is asked next where one will not, and how seldom."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import pytest

from agent.core.clock import SystemClock
from agent.core.errors import HikaeError, Refused, TryAgain, Unreachable
from agent.core.forwarded import Forwarded
from agent.core.ids import CommitNumber, commit_number
from agent.core.problem import ProblemBoard
from agent.node.pauses import SEND, Pauses
from agent.operations.declaration import Json, Progress
from agent.operations.elsewhere.keeping import Keeper, KeepStandingRequest, next_keeper
from agent.operations.families import OPERATIONS
from agent.operations.running import DatasetCall, RunningAgent
from agent.status.facts import PeerFacts
from agent.stream.position import PositionBoard
from fakes.api_fakes import a_dataset

HAS, HAS_NOT = Keeper("beta", has_it=True, connected=True), Keeper("beta", connected=True)
NAME, NUMBER = "20261122T031500Z", commit_number(1, 70)
GONE = Unreachable("ask", "beta", "beta does not answer", "start it")


def gamma(**more: Any) -> Keeper:
    """The other one, as it is usually."""
    return Keeper("gamma", **({"has_it": True, "connected": True} | more))


@pytest.mark.parametrize(
    ("keepers", "rather", "waited", "asked"),
    [
        ((HAS,), "", 0.0, "beta"),
        ((HAS_NOT,), "", 9.0, None),
        ((HAS, gamma()), "", 0.0, "beta"),
        ((HAS, gamma()), "gamma", 0.0, "gamma"),
        ((HAS_NOT, gamma()), "", 0.0, "gamma"),
        ((HAS_NOT, gamma()), "beta", 0.0, None),
        ((HAS_NOT, gamma()), "beta", 3.0, "gamma"),
        ((Keeper("beta"), gamma()), "beta", 0.0, "gamma"),
        ((Keeper("beta", has_it=True), gamma()), "beta", 0.0, "gamma"),
        ((HAS_NOT, gamma(connected=False)), "", 0.0, None),
        ((HAS_NOT, gamma(connected=False)), "", 3.0, "gamma"),
        ((Keeper("beta", True, True, again_at=101.0), gamma()), "beta", 0.0, "gamma"),
        ((Keeper("beta", True, True, again_at=101.0),), "beta", 9.0, None),
        ((Keeper("beta", True, True, again_at=100.0),), "beta", 9.0, "beta"),
        ((Keeper("beta", True, True, failure=GONE), gamma()), "beta", 0.0, "gamma"),
        ((Keeper("beta", True, True, failure=GONE),), "beta", 9.0, None),
    ],
)
def test_who_is_asked(keepers: tuple[Keeper, ...], rather: str, waited: float, asked: str | None) -> None:
    """The one that is meant, as long as it may still have all soon; else whoever has it, and is there; now is 100 s."""
    assert asked == next_keeper(keepers, rather, waited, 100.0)


@dataclass
class _Ticket:
    """All is captured."""

    number: CommitNumber

    def wait(self, _seconds: float) -> CommitNumber:
        """At once."""
        return self.number


@dataclass
class _Replica:
    """What a standby said."""

    positions: PositionBoard = field(default_factory=PositionBoard)


@dataclass
class _Open:
    """A primary that is open, as far as it is asked; standbys ``with_it`` have all that was written."""

    standbys: tuple[str, ...]
    with_it: tuple[str, ...]

    def __post_init__(self) -> None:
        self.replicas = {name: _Replica() for name in self.standbys}
        for name in self.with_it:
            self.replicas[name].positions.durable(NUMBER)
        self.dataset, self.pump, self.reign = _Named(), self, _Reign()

    def barrier(self) -> _Ticket:
        """See ``Pump``."""
        return _Ticket(NUMBER)

    def facts(self) -> Any:
        """Nothing is held."""
        return a_dataset()


@dataclass
class _Reign:
    """No mark is in the way."""

    mark: None = None


@dataclass
class _Named:
    """A dataset as far as its name is asked for."""

    name: str = "web"


@dataclass
class _Member:
    """The dataset on its primary."""

    side: _Open

    def __post_init__(self) -> None:
        self.dataset, self.node, self.board, self.standings = _Named(), "alpha", ProblemBoard(), self
        self.pauses = Pauses(SystemClock())

    def primary(self) -> _Open:
        """Open."""
        return self.side

    def told(self, _peer: str) -> None:
        """None has said anything of itself."""

    def facts(self) -> Any:
        """All standbys are connected, and lack nothing."""
        return a_dataset(peers=tuple(PeerFacts(name, connected=True, owed=3) for name in self.side.standbys))


Answer = Callable[[str], Json]


def _kept(
    answer: Answer, side: _Open, node: str = "", timeout: float = 30.0, paused: bool = False
) -> tuple[Json, list[str]]:
    """What is answered, and who was asked, in turn."""
    asked = list[str]()

    def forward(peer: str, what: Forwarded, _told: Progress) -> object:
        asked.append(peer)
        assert ("generations-before", "web", {"note": "why"}) == (what.operation, what.dataset, what.arguments)
        return answer(peer)

    member = _Member(side)
    if paused:
        member.pauses.pause(SEND, None)
    nothing: Any = None
    agent = RunningAgent({}, nothing, nothing, nothing, nothing, forward, nothing, threading.Event())
    call = DatasetCall(agent, cast(Any, member), lambda _: None, "root")
    try:
        return OPERATIONS["keep-standing"].act(call, KeepStandingRequest("web", "why", node, timeout)), asked
    except HikaeError as error:
        error.args = (*error.args, asked)
        raise


def _takes(_peer: str, **more: Any) -> Json:
    return {"generation": NAME, "commit": NUMBER, "incomplete": 0} | more


def test_one_of_two_standbys_keeps_it() -> None:
    """The one that is meant; what it answers says where it is, and of what."""
    answer, asked = _kept(_takes, _Open(("beta", "gamma"), ("beta", "gamma")), "gamma")
    number = {"epoch": 1, "seq": 70}
    expected: Json = {"dataset": "web", "generation": NAME, "node": "gamma", "commit": number, "waited_for": number}
    assert (expected | {"incomplete": 0}, ["gamma"]) == (answer, asked)


def test_one_that_will_not_costs_nothing() -> None:
    """Whatever it says: the other one is asked at once, and the first is not asked again and again."""
    errors = (GONE, Refused("take", "web", "too many are kept"), TryAgain("take", "web", "one was taken a moment ago"))
    for error in errors:

        def answer(peer: str, error: HikaeError = error) -> Json:
            if peer == "beta":
                raise error
            return _takes(peer)

        found, asked = _kept(answer, _Open(("beta", "gamma"), ("beta", "gamma")), "beta")
        assert ("gamma", ["beta", "gamma"]) == (found["node"], asked)


def test_one_that_lacks_some_of_it_is_not_asked() -> None:
    """It is not waited for while another has all."""
    found, asked = _kept(_takes, _Open(("beta", "gamma"), ("gamma",)))
    assert ("gamma", ["gamma"]) == (found["node"], asked)


def test_one_that_took_one_a_moment_ago_is_not_asked_each_second() -> None:
    """Each question would be an event; here the time is over before it takes another."""

    def busy(_peer: str) -> Json:
        raise TryAgain("take", "web", "one was taken a moment ago")

    with pytest.raises(TryAgain, match="asked again soon") as raised:
        _kept(busy, _Open(("beta",), ("beta",)), timeout=1.0)
    assert ["beta"] == raised.value.args[-1]


def test_where_none_will_it_is_said_at_once_what_the_one_said_that_is_meant() -> None:
    """With its remedy."""
    refused = Refused("take", "web", "too many are kept", "expire some")

    def answer(peer: str) -> Json:
        raise GONE if peer == "beta" else refused

    with pytest.raises(Unreachable, match="beta does not answer; start it"):
        _kept(answer, _Open(("beta", "gamma"), ("beta", "gamma")), "beta")


def test_what_a_person_has_to_end_is_told_with_how() -> None:
    """Nothing of it would come by itself."""
    with pytest.raises(TryAgain, match=r"sending to beta is paused.*hikae resume web"):
        _kept(_takes, _Open(("beta",), ()), timeout=0.5, paused=True)


def test_what_it_lacks_is_told_also_by_an_earlier_release() -> None:
    """As far as the primary knows it; an answer that names none is no generation."""
    found, _ = _kept(lambda _: {"generation": NAME, "commit": commit_number(1, 5)}, _Open(("beta",), ("beta",)))
    assert ({"epoch": 1, "seq": 5}, {"epoch": 1, "seq": 70}, 3) == (
        found["commit"],
        found["waited_for"],
        found["incomplete"],
    )
    for more in ({"generation": ""}, {"generation": 7}, {"commit": "1.5"}, {"incomplete": None}):
        with pytest.raises(HikaeError, match="does not say which generation"):
            _kept(partial(_takes, **more), _Open(("beta",), ("beta",)))
