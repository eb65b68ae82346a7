"""The gates of a promotion: each by itself, met and not met."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.config.values import Hook, Hooks, Promote
from agent.core.commit import Commit
from agent.core.hold import Hold
from agent.core.ids import NOTHING, commit_number
from agent.core.standing import Rehearsed, Verified
from agent.roles.gates import GATES, LastWord, OtherStandby, PrimarySeen, StandbyView, promotion_gates
from agent.status.promotion import unmet
from agent.steps.at_boot import BootSeen

NOW = 1_795_320_900 * 10**9
SECOND = 10**9
COMMIT = Commit(commit_number(3, 12), NOTHING, b"d" * 32, NOW, NOW, True, 10, 1234)
GONE = PrimarySeen("alpha", False, NOW - 60 * SECOND)
PROMOTABLE = StandbyView(
    "web",
    NOW,
    GONE,
    Promote(),
    Hooks(start=Hook(())),
    commit=COMMIT,
    word=LastWord(NOW - 60 * SECOND, 0.02),
    verified=Verified(NOW - 3600 * SECOND, True, False, 0),
    kept_since=NOW - 10 * 86400 * SECOND,
)


def test_a_standby_whose_primary_is_gone_may_be_promoted() -> None:
    """Each gate is met, has what was found, and asks for nothing."""
    gates = promotion_gates(PROMOTABLE)
    assert () == unmet(gates)
    assert len(GATES) == len({gate.name for gate in gates})
    assert [""] * len(gates) == [gate.remedy for gate in gates]
    assert all(gate.value and gate.limit for gate in gates)


MONTHLY = Promote(rehearsed_within=30 * 86400)


def rehearsed(days: int, *, ok: bool = True) -> Rehearsed:
    """A rehearsal so many days ago."""
    return Rehearsed(NOW - days * 86400 * SECOND, ok, COMMIT.number, 900, 0, "")


def test_a_rehearsal_that_is_asked_for() -> None:
    """One that went well within the time that is configured meets its gate."""
    view = replace(PROMOTABLE, promote=MONTHLY, rehearsed=rehearsed(29))
    assert () == unmet(promotion_gates(view))


@pytest.mark.parametrize(
    ("name", "more", "value"),
    [
        ("rehearsed", {"promote": MONTHLY}, "never"),
        ("rehearsed", {"promote": MONTHLY, "rehearsed": rehearsed(31)}, "went well 31"),
        ("rehearsed", {"promote": MONTHLY, "rehearsed": rehearsed(1, ok=False)}, "failed"),
        ("primary", {"primary": replace(GONE, connected=True)}, "alpha is connected"),
        ("primary", {"primary": replace(GONE, answered="alpha answers: primary of epoch 3")}, "alpha answers"),
        ("consistent", {"commit": None}, "nothing has been received"),
        ("consistent", {"commit": replace(COMMIT, consistent=False)}, "commit 3.12 is of a first sync"),
        ("seeding", {"seeding": "the vault has 40 %"}, "the vault has 40 %"),
        ("owed", {"owed": 1_200}, "1,200 files"),
        ("hold", {"hold": Hold("mass-deletion", "beta holds a mass deletion")}, "beta holds a mass deletion"),
        ("lag", {"word": None}, "alpha has not said"),
        ("lag", {"filled": True}, "a first sync is under way"),
        ("lag", {"word": LastWord(NOW, None)}, "alpha has not said"),
        ("lag", {"word": LastWord(NOW - 3600 * SECOND, 31.0)}, "31 s, as alpha said 1 h 0 min ago"),
        ("verified", {"verified": None}, "never; made 10 days 0 h ago"),
        ("verified", {"verified": None, "kept_since": 0}, "never"),
        ("verified", {"verified": Verified(NOW - 9 * 86400 * SECOND, True, True, 0)}, "equal 9 days 0 h ago"),
        ("verified", {"verified": Verified(NOW, False, True, 3)}, "3 differences"),
        ("ahead", {"others": (OtherStandby("gamma", True, "3.15"),)}, "gamma has 3.15"),
        ("clock", {"clock": "the clock of alpha is about a day ahead"}, "the clock of alpha"),
        ("hooks", {"hooks": Hooks()}, "no start hook is named"),
        ("hooks", {"missing": (("start", "/srv/start"),)}, "start runs /srv/start, which is not there"),
        ("boot", {"boot": BootSeen(("shop.service",), "", NOW)}, "shop.service would start at boot"),
        ("space", {"shortage": "the disk is full"}, "the disk is full"),
    ],
)
def test_what_is_not_so_is_one_gate_that_is_not_met(name: str, more: dict[str, Any], value: str) -> None:
    """Only that one, with what was found and what leads on."""
    found = unmet(promotion_gates(replace(PROMOTABLE, **more)))
    assert [name] == [gate.name for gate in found]
    assert (True, True) == (found[0].value.startswith(value), bool(found[0].remedy))


def test_a_program_that_before_promote_may_bring_is_judged_once_that_has_run() -> None:
    """Before that it is said and stands in nobody's way; afterwards, or where nothing may bring it, it is missing."""
    brought = replace(PROMOTABLE, hooks=Hooks(start=Hook(("/mnt/start",)), before_promote=Hook(("mount", "/mnt"))))
    lacks = replace(brought, missing=(("start", "/mnt/start"),))
    gates = {gate.name: gate for gate in promotion_gates(lacks)}
    assert (True, "") == (gates["hooks"].ok, gates["hooks"].remedy)
    assert "before before_promote has run" in gates["hooks"].value
    for view in (replace(lacks, prepared=True), replace(lacks, hooks=Hooks(start=Hook(("/mnt/start",))))):
        assert ["hooks"] == [gate.name for gate in unmet(promotion_gates(view))]


@pytest.mark.parametrize(
    ("code", "way"),
    [
        (
            "mass-deletion",
            "hikae accept web if it is meant; or name a moment from before: hikae promote web --at MOMENT --force",
        ),
        ("lineage-waits", "it goes on by itself once alpha is through; or name a moment from before: "),
        ("standby-foreign", "move it away"),
        ("standby-in-use", "move it away"),
        ("standby-too-small", "move it away"),
        ("standby-path-missing", "move it away"),
    ],
)
def test_a_hold_is_ended_by_what_ends_it(code: str, way: str) -> None:
    """Accept is named where it ends the hold, an earlier moment where the place is right; else the hold's own remedy."""
    (gate,) = unmet(promotion_gates(replace(PROMOTABLE, hold=Hold(code, "it is held", "move it away"))))
    assert way == gate.remedy[: len(way)]
    past = "hikae" in way or "goes on" in way
    assert (past, past) == ("--at MOMENT" in gate.remedy, gate.or_moment)


@pytest.mark.parametrize("stopped", ["rewound", "fenced"])
def test_no_switchover_is_named_where_the_primary_serves_nothing(stopped: str) -> None:
    """What is so is said, and the way out that works there."""
    primary = replace(GONE, connected=True, answered="alpha answers: it is the primary, in epoch 3", stopped=stopped)
    (gate,) = unmet(promotion_gates(replace(PROMOTABLE, primary=primary)))
    assert f"alpha lives and is {stopped}: it serves nothing, and a switchover needs one that does" == gate.value
    way = "if this node is to go on: hikae promote web --force, then on alpha: hikae rejoin web"
    assert f"{way}; if alpha is: on alpha: hikae status says how" == gate.remedy


@pytest.mark.parametrize(
    "more",
    [
        {"word": LastWord(NOW - 86400 * SECOND, 29.0)},
        {"verified": None, "kept_since": NOW - 3600 * SECOND},
        {"others": (OtherStandby("gamma", False, "3.12"),)},
        {"primary": replace(GONE, at=None)},
        {"hooks": Hooks(start=Hook(("systemctl", "start", "shop")))},
    ],
)
def test_what_stands_in_no_way(more: dict[str, Any]) -> None:
    """A lag of before the primary's death, however long ago; a standby too young to be verified; a peer that is not ahead."""
    assert () == unmet(promotion_gates(replace(PROMOTABLE, **more)))


@pytest.mark.parametrize(
    ("boot", "value"),
    [
        (BootSeen((), "", NOW), "nothing starts by itself"),
        (BootSeen((), "what shop-start starts cannot be seen here", NOW), "what shop-start starts cannot be seen here"),
        (BootSeen(), "it was not looked at yet"),
    ],
)
def test_what_cannot_be_seen_is_not_claimed(boot: BootSeen, value: str) -> None:
    """Nor is it in the way; and when it was looked at is said."""
    [gate] = [one for one in promotion_gates(replace(PROMOTABLE, boot=boot)) if one.name == "boot"]
    assert (True, value, boot.at) == (gate.ok, gate.value, gate.measured)
