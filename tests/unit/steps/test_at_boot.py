"""What the start hook starts must not start at boot by itself: which units that are, and which of them do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.config.resolve import resolve_dataset
from agent.config.schema import DatasetEntry
from agent.config.values import Hook, Hooks
from agent.core.clock import ManualClock
from agent.core.problem import ProblemBoard
from agent.steps.at_boot import BootLook, started_units


@pytest.mark.parametrize(
    ("words", "units"),
    [
        (("systemctl", "start", "shop"), ("shop",)),
        (("/usr/bin/systemctl", "--no-block", "start", "shop", "queue.service"), ("shop", "queue.service")),
        (("systemctl", "restart", "shop"), ("shop",)),
        (("systemctl", "stop", "shop"), ()),
        (("systemctl",), ()),
        (("shop-start", "start", "shop"), ()),
        ((), ()),
    ],
)
def test_the_units_that_a_hook_starts(words: tuple[str, ...], units: tuple[str, ...]) -> None:
    """As far as its words say so; a hook that is not there starts none."""
    assert (units, ()) == (started_units(Hook(words)), started_units(None))


def test_an_enabled_unit_is_told_until_it_is_disabled() -> None:
    """A look every few minutes; where no service manager answers nothing is told."""
    said = {"shop": "enabled"}
    board, clock = ProblemBoard(), ManualClock()
    look = BootLook(board, clock, lambda unit: said.get(unit, ""))
    entry = replace(
        DatasetEntry("web", "/srv/web", "alpha", ("beta",)),
        hooks=Hooks(start=Hook(("systemctl", "start", "shop", "q"))),
    )
    told = []
    for _ in range(3):
        look.tick(resolve_dataset(entry, "alpha"))
        told.append([one.remedy.partition(":")[0] for one in board.listed()[0]])
        said["shop"] = "disabled"
        clock.advance(200)
    assert [["systemctl disable shop"], ["systemctl disable shop"], []] == told
