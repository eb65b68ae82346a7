"""Steps of a rejoin."""

from __future__ import annotations

from typing import cast

from agent.roles.rejoin.steps import TABLE, RejoinWorld
from agent.steps.hooks import HookFailed, HookResult
from agent.steps.record import StepsRecord


class FailingHooks:
    """A world whose hooks fail, and would end any list of steps."""

    def run_hook(self, name: str) -> HookResult:
        raise HookFailed(HookResult(name, "it ended with 1", "no such service", 1, 0.1), "web", "hikae hook")


def test_a_hook_that_fails_at_its_end_keeps_no_standby_from_following() -> None:
    """It is a standby by then; what the hook said stands in the step's result."""
    act = next(step.act for step in TABLE if step.name == "after-demote")
    outcome = act(cast(RejoinWorld, FailingHooks()), StepsRecord("rejoin", 0, {}, {"demoted": True}))
    assert "it ended with 1" in outcome.result
