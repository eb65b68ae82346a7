"""What the start hook starts must not start at boot by itself: which units that are, and which of them do."""

from __future__ import annotations

from dataclasses import replace

from agent.config.resolve import resolve_dataset
from agent.config.schema import DatasetEntry
from agent.config.values import Hook, Hooks
from agent.core.clock import ManualClock
from agent.core.problem import ProblemBoard
from agent.steps.at_boot import BootLook, boot_seen


def test_what_a_look_finds() -> None:
    """Which units would start, and what cannot be said: of a program, and where no service manager answers."""
    said = {"shop": "enabled", "queue": "disabled", "odd": ""}
    hooks = (
        ("systemctl", "start", "shop", "queue"), ("systemctl", "start", "queue"), ("systemctl", "start", "odd"),
        ("shop-start",), (),
    )  # fmt: skip
    found = [boot_seen(Hook(words), said.__getitem__, 7) for words in hooks]
    assert [
        (("shop",), ""),
        ((), ""),
        ((), "systemd does not say whether odd would start at boot"),
        ((), "what shop-start starts cannot be seen here"),
        ((), ""),
    ] == [(one.units, one.unsaid) for one in found]


def test_another_hook_is_looked_at_at_once() -> None:
    """A configuration that was read again does not wait for the next look."""
    look = BootLook(ProblemBoard(), ManualClock(), lambda _: "enabled")
    entry = DatasetEntry("web", "/srv/web", "alpha", ("beta",))
    look.tick(resolve_dataset(entry, "alpha"))
    before = look.seen.units
    look.tick(resolve_dataset(replace(entry, hooks=Hooks(start=Hook(("systemctl", "start", "shop")))), "alpha"))
    assert ((), ("shop",)) == (before, look.seen.units)


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
