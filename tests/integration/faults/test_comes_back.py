"""The old primary comes back while its standby is promoted, in each step of that: never two that are writable in one epoch, and
the promotion comes to its end, or to a refusal where nothing has changed yet and nobody forced it.

`make test` holds a few steps at their beginning, others each time; `make soak PART=comes-back` each, also behind it, and around
the record of the role."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from agent.roles.promotion.steps import KIND, TABLE
from fakes.agents import UNBRAKED, Pair, pair
from fakes.eventually import eventually
from fakes.held_steps import HeldSteps
from fakes.hook_log import HookLog
from fakes.promotable import lacks_only
from fakes.trees import differences

SOAK = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
STEPS = [one.name for one in TABLE]
#: The record of the role is written in this one.
ROLE = "role"
_AROUND = ("begun", "acted") if SOAK else ("begun",)
_OF_ROLE = ("unrecorded", "recorded") if SOAK else ("recorded",)
MOMENTS = [(step, when) for step in STEPS for when in (*_AROUND, *(_OF_ROLE if step == ROLE else ()))]
#: While it is held there the standby is one, and its primary is heard.
BEFORE = [one for one in MOMENTS if STEPS.index(one[0]) < STEPS.index(ROLE) or one == (ROLE, "begun")]


@contextmanager
def _held(step: str, when: str) -> Iterator[tuple[Pair, HookLog, HeldSteps]]:
    """Alpha is dead, and had something that it never sent; what is typed on beta is going to be held there."""
    with pair(UNBRAKED) as both:
        log = HookLog(both)
        held = HeldSteps(both.beta, both.home(both.beta), KIND, step, when)
        for number in range(10):
            (both.source / f"f{number}").write_text(f"first {number}")
        both.begin()
        eventually(lambda: ["alpha start 1"] == log.ran())
        # How far behind it is, the primary has said then, too.
        lacks_only(both.beta, "primary")
        both.alpha.kill()
        both.beta.connected(False)
        log.clear()
        (both.source / "only alpha").write_text("never sent")
        yield both, log, held


def _comes_back(both: Pair, log: HookLog, *, heard: bool) -> None:
    """``heard``: beta still answers as its standby, so that nothing keeps it from serving; else nothing lets it serve."""
    both.alpha.start()
    both.alpha.up()
    if heard:
        eventually(lambda: both.alpha.look().get("serving") and "alpha start 1" in log.ran())
    else:
        eventually(lambda: both.alpha.look().get("state") in ("unconfirmed", "fenced"))


@pytest.mark.parametrize("number", range(len(MOMENTS) if SOAK else 3))
def test_it_comes_back_in_a_promotion_by_force(number: int, rng: random.Random) -> None:
    """The promotion ends, and beta alone serves; alpha is fenced, its application ended where it had begun, and it says what
    leads out of that, which does; what it alone had is kept."""
    step, when = MOMENTS[number] if SOAK else rng.choice(MOMENTS)
    heard = (step, when) in BEFORE
    with _held(step, when) as (both, log, held):
        typed = both.beta.typed("promote", "web", "--force", "--yes")
        held.is_held()
        _comes_back(both, log, heard=heard)
        held.go_on()
        assert 0 == typed.wait(90)
        problem = both.alpha.told("fenced", "beta was made the primary, in epoch 2")
        assert "hikae rejoin web" in problem["remedy"]
        looks = {agent.name: agent.look() for agent in both.agents}
        assert [("fenced", False, 1), ("primary", True, 2)] == [
            (look["role"], look["serving"], look["epoch"]) for look in looks.values()
        ]
        both.alpha.json("rejoin", "web", "--yes")
        assert ({1: {"alpha"}} if heard else {}) | {2: {"beta"}} == log.started()
        assert ["alpha on_fenced 1"] == log.ran("on_fenced")
        (both.target / "after").write_text("beta")
        both.beta.wait()
        assert [] == differences(str(both.source), str(both.target))
        if not (both.target / "only alpha").exists():
            eventually(lambda: both.alpha.look()["seeding"] is False)
            to = both.base / "back"
            assert 0 == both.alpha.run("restore", "web", "--generation", "divergence", "--to", str(to)).returncode
            assert "never sent" == (to / "only alpha").read_text()


@pytest.mark.parametrize(("step", "when"), BEFORE if SOAK else BEFORE[-1:])
def test_it_comes_back_in_a_promotion_that_nobody_forced(step: str, when: str) -> None:
    """Whatever was found when it was typed, the primary is asked once more before the epoch is raised: it is refused, and beta
    follows the primary, which serves in the epoch that it had."""
    with _held(step, when) as (both, log, held):
        typed = both.beta.typed("promote", "web", "--yes")
        held.is_held()
        _comes_back(both, log, heard=True)
        held.go_on()
        said, _ = typed.communicate(timeout=90)
        assert (3, True) == (typed.returncode, "primary: alpha " in said), said
        both.alpha.wait()
        assert [] == differences(str(both.source), str(both.target))
        assert [("primary", 1), ("standby", 1)] == [(one.look()["role"], one.look()["epoch"]) for one in both.agents]
        assert {1: {"alpha"}} == log.started()
