"""What the published state answers load balancers."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from agent.core.hold import Hold
from agent.core.problem_codes import STANDBY_GONE
from agent.core.standing import Pause
from agent.status.facts import DatasetFacts
from agent.status.published import Json
from agent.status.state import Role
from agent.web.looking import StateLook
from agent.web.questions import Answer, RoleAsked, RoleQuestion, WrongQuestion, answer, question_of
from fakes.api_fakes import a_dataset, a_node, a_peer
from fakes.web_fakes import STANDBY, a_look

MET = {"name": "lag", "ok": True, "value": 0.4, "limit": 30, "measured": None, "remedy": ""}
ALIVE = MET | {"name": "primary", "ok": False, "value": "alpha is connected"}
FALLEN = MET | {"ok": False, "value": 42.0}


def _answered(question: RoleQuestion, *datasets: DatasetFacts, age: float = 0.5) -> tuple[int, str]:
    found = answer(a_look(a_node(*datasets), age), question)
    return found.code, found.body


def _with(promotion: Json, dataset: DatasetFacts = STANDBY) -> StateLook:
    look = a_look(a_node(dataset))
    assert look.value is not None
    datasets = [{**one, "promotion": promotion} for one in look.value["datasets"]]
    return StateLook({**look.value, "datasets": datasets}, 0.5)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, (200, "primary")),
        ({"unconfirmed": True}, (503, "unconfirmed")),
        ({"rewound": True}, (503, "rewound")),
        ({"role": Role.FENCED}, (503, "fenced")),
        ({"role": Role.STANDBY}, (503, "standby")),
        ({"role": Role.NONE}, (503, "none")),
    ],
)
def test_only_where_it_serves_is_a_primary(more: dict[str, Any], expected: tuple[int, str]) -> None:
    """A primary that is fenced, rewound or unconfirmed gets nobody, and says why."""
    assert expected == _answered(RoleQuestion(RoleAsked.PRIMARY, dataset="web"), a_dataset(**more))


def test_a_stale_state_answers_nobody() -> None:
    """Fifteen seconds after the agent's last word nothing is sent here any more, for any question."""
    codes = [_answered(RoleQuestion(asked), a_dataset(), age=age)[0] for asked in RoleAsked for age in (15.0, 15.1)]
    assert [200, 503, 503, 503, 503, 503] == codes
    assert "stale" == _answered(RoleQuestion(RoleAsked.PRIMARY), a_dataset(), age=16.0)[1]


def test_all_of_a_group_or_of_the_node_must_serve() -> None:
    """One dataset that does not serve keeps a load balancer from the group, and from the node, but not from others."""
    datasets = (
        a_dataset("web", group="shop"),
        a_dataset("db", group="shop", unconfirmed=True),
        a_dataset("log", group=None),
    )
    questions = [
        RoleQuestion(RoleAsked.PRIMARY, group="shop"),
        RoleQuestion(RoleAsked.PRIMARY),
        RoleQuestion(RoleAsked.PRIMARY, dataset="log"),
    ]
    assert [503, 503, 200] == [_answered(question, *datasets)[0] for question in questions]


def test_names_that_are_not_there_are_404() -> None:
    """A slip in a name is told apart from a node that does not serve; a node without datasets serves nothing."""
    unknown = [RoleQuestion(RoleAsked.PRIMARY, dataset="wbe"), RoleQuestion(RoleAsked.STANDBY, group="post")]
    assert [404, 404] == [_answered(question, a_dataset())[0] for question in unknown]
    assert (503, "none") == _answered(RoleQuestion(RoleAsked.PRIMARY))


@pytest.mark.parametrize(("seconds", "expected"), [(0.4, 200), (30.0, 200), (30.1, 503), (None, 503)])
def test_a_standby_may_be_late_by_what_was_asked(seconds: float | None, expected: int) -> None:
    """With ``max_lag`` a standby whose lag is larger, or not known, gets nobody; without it any lag will do."""
    look = _with({"gates": [], "loss": {"seconds": seconds}})
    assert expected == answer(look, RoleQuestion(RoleAsked.STANDBY, max_lag=30.0)).code
    assert 200 == answer(look, RoleQuestion(RoleAsked.STANDBY)).code


def test_the_lag_of_a_standby_that_hears_nobody_grows() -> None:
    """What was published stands until it changes; the time since then counts where no primary is connected."""
    gone, there = (a_peer(connected=one, mode="streaming" if one else "") for one in (False, True))
    codes = []
    for peer in (gone, there):
        look = _with({"gates": [], "loss": {"seconds": 8.0}}, replace(STANDBY, peers=(peer,)))
        codes.append(answer(replace(look, stood=25.0), RoleQuestion(RoleAsked.STANDBY, max_lag=30.0)).code)
    assert [503, 200] == codes


def test_a_standby_that_is_no_whole_state_gets_nobody() -> None:
    """Reads are not sent to a half state."""
    states = [replace(STANDBY, inconsistent=True), replace(STANDBY, redo=True), replace(STANDBY, role=Role.PRIMARY)]
    rows = [_answered(RoleQuestion(RoleAsked.STANDBY, dataset="mail"), one) for one in states]
    assert [(503, "inconsistent"), (503, "redo"), (503, "primary")] == rows


AWAY = (a_peer(connected=False, mode=""),)
GONE = Hold(STANDBY_GONE, "the standby's directory /srv/mail is gone")


@pytest.mark.parametrize(
    ("more", "why"),
    [
        pytest.param({"first_sync": True}, "first-sync", id="received, and not applied"),
        pytest.param(
            {"first_sync": True, "pauses": (Pause("apply", None, ""),)}, "first-sync", id="applying is paused"
        ),
        pytest.param({"first_sync": True, "peers": AWAY}, "first-sync", id="its primary is gone in the first sync"),
        pytest.param({"first_sync": True, "hold": GONE}, "first-sync", id="held in the first sync"),
        pytest.param({"hold": GONE}, "held", id="its directory is gone"),
        pytest.param({"opened": False, "peers": AWAY}, "not-open", id="not open"),
        pytest.param({"peers": AWAY}, "not-whole", id="anything else"),
    ],
)
def test_a_worse_state_does_not_hide_that_it_is_not_whole(more: dict[str, Any], why: str) -> None:
    """What goes by the name of another state is as unfit for readers, with any lag; one that is whole is fit in each of them."""
    questions = [RoleQuestion(RoleAsked.STANDBY, dataset="mail", max_lag=lag) for lag in (None, 3600.0)]
    assert [(503, why)] * 2 == [_answered(one, replace(STANDBY, whole=False, **more)) for one in questions]
    more |= {"first_sync": False, "opened": True}
    assert (200, "standby") == _answered(questions[0], replace(STANDBY, **more))


@pytest.mark.parametrize(("gates", "code"), [([MET], 200), ([MET, ALIVE], 200), ([MET, FALLEN], 503), ([], 503)])
def test_promotable_shows_each_gate(gates: list[Json], code: int) -> None:
    """Every gate is told with value and remedy. A primary that lives makes none unfit; no gates yet do."""
    found = answer(_with({"gates": gates}), RoleQuestion(RoleAsked.PROMOTABLE, dataset="mail"))
    assert (code, gates, code == 200) == (found.code, (said := json.loads(found.body))["gates"], said["promotable"])


def test_a_primary_is_not_promotable() -> None:
    """Whatever its gates say."""
    found = answer(_with({"gates": [MET]}, a_dataset()), RoleQuestion(RoleAsked.PROMOTABLE, dataset="web"))
    assert (503, False) == (found.code, json.loads(found.body)["promotable"])


@pytest.mark.parametrize(
    ("asked", "parameters"),
    [
        (RoleAsked.PRIMARY, {"max_lag": ["30s"]}),
        (RoleAsked.STANDBY, {"lag": ["30s"]}),
        (RoleAsked.STANDBY, {"max_lag": ["30s", "1s"]}),
        (RoleAsked.STANDBY, {"max_lag": ["30"]}),
        (RoleAsked.STANDBY, {"max_lag": ["-1s"]}),
        (RoleAsked.STANDBY, {"max_lag": [""]}),
        (RoleAsked.STANDBY, {"max_lag": ["１s"]}),
        (RoleAsked.STANDBY, {"max_lag": ["\x1b[2J"]}),
    ],
)
def test_wrong_parameters_are_refused_in_words(asked: RoleAsked, parameters: dict[str, list[str]]) -> None:
    """A parameter that is not known, twice there or no duration is never passed over; what came is shown harmlessly."""
    with pytest.raises(WrongQuestion) as raised:
        question_of(asked, parameters)
    assert (True, True) == (len(str(raised.value)) > 20, str(raised.value).isprintable())


def test_durations_are_read() -> None:
    """As the contract has them."""
    read = [question_of(RoleAsked.STANDBY, {"max_lag": [text]}).max_lag for text in ("250ms", "1.5s", "2m", "1h")]
    assert [0.25, 1.5, 120.0, 3600.0] == read


def test_an_answer_is_one_word() -> None:
    """Nothing of names, paths or reasons stands on the port that everybody may ask."""
    assert Answer(200, "primary") == answer(a_look(a_node(a_dataset())), RoleQuestion(RoleAsked.PRIMARY))
