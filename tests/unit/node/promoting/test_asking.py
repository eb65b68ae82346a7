"""What the answers of other nodes say to a standby that is to become the primary."""

from __future__ import annotations

from typing import Any

import pytest

from agent.core.clock import ManualClock
from agent.core.commit import Commit
from agent.core.ids import EPOCH_LIMIT, NOTHING, commit_number
from agent.node.promoting.asking import Heard, KeptAnswers, NodeAnswer, judged, read_answer
from agent.roles.gates import OtherStandby

OURS = Commit(commit_number(3, 12), NOTHING, b"d" * 32, 1, 1, True, 10, 1234)
ANSWER = {"role": "standby", "epoch": 3, "commit": {"epoch": 3, "seq": 12}, "hears": False}


def said(
    node: str, role: str, epoch: int = 3, seq: int = 12, *, hears: bool = False, state: str = "streaming"
) -> NodeAnswer:
    """One node's answer."""
    return NodeAnswer(node, role, epoch, commit_number(epoch, seq), hears, state)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ((), Heard()),
        ((said("alpha", "primary"),), Heard("alpha answers: it is the primary, in epoch 3")),
        (
            (said("alpha", "primary", state="rewound"),),
            Heard("alpha answers: it is the primary, in epoch 3", stopped="rewound"),
        ),
        (
            (said("alpha", "primary", 2, state="rewound"), said("gamma", "primary", 4)),
            Heard("gamma answers: it is the primary, in epoch 4"),
        ),
        ((said("gamma", "primary", 4),), Heard("gamma answers: it is the primary, in epoch 4")),
        ((said("alpha", "primary", 2),), Heard()),
        ((said("alpha", "fenced"),), Heard()),
        ((said("gamma", "standby"),), Heard("", (OtherStandby("gamma", False, "3.12"),))),
        ((said("gamma", "standby", seq=13),), Heard("", (OtherStandby("gamma", True, "3.13"),))),
        (
            (said("gamma", "standby", hears=True),),
            Heard("gamma hears alpha, which does not answer this node", (OtherStandby("gamma", False, "3.12"),)),
        ),
        (
            (said("alpha", "standby", 4, hears=True),),
            Heard(
                "alpha follows another primary, in epoch 4, which does not reach this node",
                (OtherStandby("alpha", True, "4.12"),),
            ),
        ),
        (
            (said("gamma", "standby", 4, hears=True),),
            Heard(
                "gamma follows another primary, in epoch 4, which does not reach this node",
                (OtherStandby("gamma", True, "4.12"),),
            ),
        ),
    ],
)
def test_what_is_made_of_answers(found: tuple[NodeAnswer, ...], expected: Heard) -> None:
    """A primary of our epoch or a later one lives; one that another standby hears lives too; who has more is ahead."""
    assert expected == judged(found, "alpha", OURS, 3)


@pytest.mark.parametrize(
    "answer",
    [None, [], "", {}, {"epoch": 3}, {**ANSWER, "epoch": -1}, {**ANSWER, "epoch": EPOCH_LIMIT}, {**ANSWER, "role": 1}],
)
def test_what_nobody_says_is_no_answer(answer: object) -> None:
    """A node that lies is one that is silent."""
    assert read_answer("alpha", answer) is None


@pytest.mark.parametrize(
    ("more", "state"),
    [({}, ""), ({"state": 7}, ""), ({"state": "rewound"}, "rewound"), ({"state": "x" * 99}, "x" * 32)],
)
def test_a_state_that_is_not_said_is_none(more: dict[str, Any], state: str) -> None:
    """A release of before says none; a lie is cut short."""
    found = read_answer("alpha", {**ANSWER, **more})
    assert found is not None
    assert state == found.state


@pytest.mark.parametrize("commit", [None, [], {"epoch": 3}, {"epoch": 3, "seq": -1}, {"epoch": True, "seq": 1}])
def test_a_commit_that_cannot_be_is_none(commit: Any) -> None:
    """Who claims so is ahead of nobody."""
    found = read_answer("gamma", {**ANSWER, "commit": commit})
    assert found is not None
    assert NOTHING == found.newest


def test_answers_stand_for_a_while() -> None:
    """Within it nobody is asked anew; then somebody is."""
    clock, asked = ManualClock(0), []

    def ask() -> tuple[NodeAnswer, ...]:
        asked.append(1)
        return (said("beta", "standby"),)

    kept = KeptAnswers(clock)
    assert (said("beta", "standby"),) == kept.within(4.0, ask) == kept.within(4.0, ask)
    clock.advance(5.0)
    kept.within(4.0, ask)
    assert [1, 1] == asked


@pytest.mark.parametrize("alive", [said("alpha", "primary"), said("beta", "standby", hears=True)])
def test_a_primary_that_lived_is_asked_anew(alive: NodeAnswer) -> None:
    """Who looked at what a promotion would do while the primary lived is not told so once it has died."""
    answers = [(alive,), ()]
    kept = KeptAnswers(ManualClock(0))
    assert [(alive,), ()] == [kept.within(4.0, lambda: answers.pop(0)) for _ in range(2)]


def test_before_the_epoch_is_raised_all_are_asked_once_more() -> None:
    """Also within the time for which silence is believed; who is silent now is what it said a moment ago."""
    answers = [(said("gamma", "standby", seq=13),), (said("alpha", "primary"),)]
    clock = ManualClock(0)
    kept = KeptAnswers(clock)
    kept.within(4.0, lambda: answers.pop(0))
    assert ["alpha", "gamma"] == [one.node for one in kept.anew(4.0, lambda: (said("alpha", "primary"),))]
    clock.advance(5.0)
    assert ["alpha"] == [one.node for one in kept.anew(4.0, lambda: answers.pop(0))]


def test_answers_are_fresh_for_a_while() -> None:
    """Before the first question there are none."""
    clock = ManualClock()
    answers = KeptAnswers(clock)
    told = [answers.are_fresh(4.0)]
    answers.within(4.0, tuple)
    told.append(answers.are_fresh(4.0))
    clock.advance(4.5)
    assert [False, True, False] == [*told, answers.are_fresh(4.0)]
