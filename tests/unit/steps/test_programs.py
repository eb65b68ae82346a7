"""Programs of hooks that are not there."""

from __future__ import annotations

from agent.config.values import Hook, Hooks
from agent.steps.programs import missing_programs

HOOKS = Hooks(
    start=Hook(("/gone/start",)), after_promote=Hook(("/gone/notify",), on_failure="go-on"), stop=Hook(("true",))
)


def test_a_gate_asks_only_for_what_is_gone_on_without_by_nobody() -> None:
    """The doctor names both."""
    names = ("start", "after_promote", "stop", "probe")
    assert (("start", "/gone/start"), ("after_promote", "/gone/notify")) == missing_programs(HOOKS, names)
    assert (("start", "/gone/start"),) == missing_programs(HOOKS, names, needed=True)
