"""How long a command waits, and which sentence ends it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from agent.core.errors import CalledOff, HikaeError, Refused, TryAgain
from agent.operations.patience import Obstacle, OpenedAnew, Patience

HELD = Obstacle("capture is held", "hikae accept d")


def _patience(timeout: float | None = None, stands: float = 0.0) -> tuple[Patience, list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    return Patience("wait", "d", timeout, told.append, threading.Event(), stands), told


def _nothing() -> None:
    """Nothing stands in the way."""


def _steps(*answers: HikaeError | int) -> Callable[[float], int]:
    """Each call gives or raises the next answer; the last one for ever."""
    left = list(answers)

    def step(_seconds: float) -> int:
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, HikaeError):
            raise answer
        return answer

    return step


def test_what_is_not_there_yet_is_waited_for_and_named() -> None:
    """Each answer that it is not there says what for."""
    patience, told = _patience()
    found = patience.until(_steps(TryAgain("wait", "", "beta has not said so"), 7), _nothing)
    assert (7, [{"phase": "wait", "waits_for": "beta has not said so"}]) == (found, told)


def test_the_time_is_told_as_it_was_given() -> None:
    """Not what was left of it at the last look, and with what it waited for."""
    patience, _ = _patience(timeout=0.05)
    with pytest.raises(TryAgain) as raised:
        patience.until(_steps(TryAgain("wait", "", "it is not captured yet")), _nothing)
    assert "not within 50 ms: it is not captured yet" == raised.value.reason


def test_an_obstacle_that_stands_ends_it() -> None:
    """Without any time limit, with its own sentence and remedy."""
    patience, _ = _patience()
    with pytest.raises(Refused) as raised:
        patience.until(_steps(TryAgain("wait", "", "it is not captured yet")), lambda: HELD)
    assert (HELD.sentence, HELD.remedy) == (raised.value.reason, raised.value.remedy)


def test_an_obstacle_that_goes_ends_nothing() -> None:
    """It has to stand for a while, without a gap; meanwhile it is what is waited for."""
    patience, told = _patience(stands=3600.0)
    met = [HELD, None]
    again = TryAgain("wait", "", "it is not captured yet")
    assert 7 == patience.until(_steps(again, again, 7), lambda: met.pop(0))
    assert [HELD.sentence, "it is not captured yet"] == [one["waits_for"] for one in told]


def test_what_was_called_off_is_asked_of_the_next_one() -> None:
    """At once, and as often as it happens: it does not spin on a ticket that nobody answers."""
    patience, _ = _patience()
    begun = time.monotonic()
    with pytest.raises(OpenedAnew):
        patience.until(_steps(CalledOff("wait", "", "capture stopped")), _nothing)
    assert time.monotonic() - begun < 30


def test_a_side_that_is_closed_is_not_waited_on() -> None:
    """Whatever it answers."""
    patience, _ = _patience()
    with pytest.raises(OpenedAnew):
        patience.until(_steps(TryAgain("wait", "", "no")), _nothing, still=lambda: False)


def test_the_end_of_the_agent_ends_it() -> None:
    """Also where nothing stands in the way."""
    stopping = threading.Event()
    stopping.set()
    patience = Patience("wait", "d", None, lambda _: None, stopping)
    with pytest.raises(TryAgain, match="the agent is stopping"):
        patience.until(_steps(TryAgain("wait", "", "no")), _nothing)
