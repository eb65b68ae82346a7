"""What each fact means: pure, no disk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from agent.config.values import Hook, Hooks, ProbeHook
from agent.doctor.certified import CertificateFacts, judge_certificates
from agent.doctor.configured import ConfigurationFacts, judge_configuration
from agent.doctor.devices import DeviceFound, judge_devices
from agent.doctor.diagnosis import Condition, Diagnosis, diagnoses_json, good, worst_first
from agent.doctor.kernel import KernelFacts, WatchFound, judge_kernel
from agent.doctor.peers import PeerFound, judge_peers
from agent.doctor.programs import HookFound, ProgramFacts, judge_programs
from agent.doctor.rights import PathRights, judge_rights
from agent.doctor.running_agent import AgentFound, judge_agent
from agent.doctor.space import PlaceFound, judge_places
from agent.doctor.timed import judge_clock
from agent.doctor.units import judge_units, unit_found
from agent.fs.reserve import FreeSpace
from agent.watch.blocks.outlook import TrackingOutlook

NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 10**9
DAY = 86_400 * 10**9
GIB = 1 << 30
NOTHING_TO_DO = Hooks(start=Hook(()), stop=Hook(()), probe=ProbeHook(()))
#: What is mounted before may bring what runs after.
BROUGHT = replace(NOTHING_TO_DO, before_promote=Hook(("mount",)))
ALL_THERE = KernelFacts(True, (), systemd=True, overlay=True, namespaces=(), walls="", fuse=True)


def told(found: Iterable[Diagnosis]) -> list[tuple[str, str]]:
    """Name and condition of each that is not good."""
    return [(one.name, one.condition.value) for one in found if one.condition is not Condition.GOOD]


def test_the_worst_is_told_first_and_decides() -> None:
    """Errors, warnings, what was not looked at, notes, good ones; ok is false where somebody is asked for."""
    rows = [
        good("a", "good"),
        Diagnosis("b", Condition.INFO, "note"),
        Diagnosis("c", Condition.ERROR, "bad\x1b[31m", "type it"),
        Diagnosis("d", Condition.UNKNOWN, "not seen"),
    ]
    assert ["c", "d", "b", "a"] == [one.name for one in worst_first(rows)]
    value = diagnoses_json("alpha", rows)
    assert (False, "alpha") == (value["ok"], value["node"])
    assert "\x1b" not in value["findings"][0]["message"]
    assert diagnoses_json("", [rows[0], rows[1], rows[3]])["ok"]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (CertificateFacts("alpha", NOW, until=NOW + 200 * DAY, authority_until=NOW + 900 * DAY), []),
        (CertificateFacts("alpha", NOW, until=NOW + 9 * DAY), [("certificate", "warning")]),
        (CertificateFacts("alpha", NOW, ("it has expired",), until=NOW - DAY), [("certificate", "error")]),
        (CertificateFacts("alpha", NOW, authority_until=NOW + 100 * DAY), [("authority", "warning")]),
        (CertificateFacts("alpha", NOW, authority_until=NOW - DAY), [("authority", "error")]),
        (CertificateFacts("alpha", NOW, list_until=NOW - DAY), [("revoked-list", "warning")]),
        (CertificateFacts("alpha", NOW, authority_keys=("/pki/ca.key",)), [("ca-key", "warning")]),
        (CertificateFacts("alpha", NOW, unreadable=("/pki/alpha.key",)), [("certificate", "unknown")]),
    ],
)
def test_certificates(facts: CertificateFacts, expected: list[tuple[str, str]]) -> None:
    """What ends soon, has ended, is not believed, lies where it must not, or could not be seen."""
    assert expected == told(judge_certificates(facts))


def test_configuration() -> None:
    """Each mistake and warning is one; who may write the file is root."""
    facts = ConfigurationFacts("/a.toml", None, ("no", "nor"), ("hm",), "", ("/a.toml",))
    expected = [("configuration", word) for word in ("error", "error", "warning", "error")]
    assert expected == told(judge_configuration(facts))
    unseen = ConfigurationFacts("/a.toml", None, unreadable="/a.toml")
    assert [("configuration", "unknown")] == told(judge_configuration(unseen))


def test_clock() -> None:
    """One that nobody keeps is told; one before this release was made is wrong."""
    assert [[], [("clock", "info")], [("clock", "unknown")], [("clock", "error")]] == [
        told(judge_clock(now, kept)) for now, kept in ((NOW, True), (NOW, False), (NOW, None), (0, True))
    ]


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (PathRights("/s", "state", 0o077, 0o40700, 0), []),
        (PathRights("/s", "state", 0o077, 0o40750, 0), [("rights", "warning")]),
        (PathRights("/s", "state", 0o077, 0o40700, 1000), [("rights", "warning")]),
        (PathRights("/t", "token", 0o027, 0o100640, 0), []),
        (PathRights("/t", "token", 0o027, 0o100644, 0), [("rights", "warning")]),
        (PathRights("/t", "token", 0o027), []),
        (PathRights("/t", "token", 0o027, denied=True), [("rights", "unknown")]),
    ],
)
def test_rights(found: PathRights, expected: list[tuple[str, str]]) -> None:
    """Open to others, another's, absent, not to be looked at."""
    assert expected == told(judge_rights((found,), 0))


def test_the_remedy_for_rights_takes_nothing_else_away() -> None:
    """The mode to type is the one that stands there without what others may."""
    [one] = judge_rights((PathRights("/s", "state", 0o077, 0o42755, 0),), 0)
    assert "chmod 2700 /s" == one.remedy


@pytest.mark.parametrize(
    ("watch", "privileged", "expected"),
    [
        (WatchFound("web", "fanotify", "all"), True, []),
        (WatchFound("web", "inotify", "no marks"), True, [("watch", "info")]),
        (WatchFound("web", "inotify", "needs root"), False, [("watch", "unknown")]),
        (WatchFound("web", refused="no"), True, [("watch", "error")]),
        (WatchFound("web", absent=True), True, []),
    ],
)
def test_watches(watch: WatchFound, privileged: bool, expected: list[tuple[str, str]]) -> None:
    """Fanotify is best, what stands in for it is a note, what was asked for and cannot be had an error."""
    facts = KernelFacts(privileged, (watch,), True, True, (), "", True)
    assert expected == told(judge_kernel(facts))


def test_only_what_is_configured_is_asked_of_the_kernel() -> None:
    """A kernel without anything is no fault where nothing needs it; where it does, it is."""
    bare = KernelFacts(True, (), False, False, ("net",), "no table", False)
    assert [("systemd", "info"), ("fuse", "info")] == told(judge_kernel(bare))
    needed = KernelFacts(True, (), False, False, ("net",), "no table", False, True, True)
    expected = [("systemd", "info"), ("rehearsal", "warning"), ("fuse", "info")]
    assert expected == told(judge_kernel(needed))
    assert [] == told(judge_kernel(ALL_THERE))


@pytest.mark.parametrize(("fuse", "loops"), [(True, True), (False, True), (True, False)])
def test_a_rehearsal_of_a_device_takes_fuse_and_loop_devices(fuse: bool, loops: bool) -> None:
    """And no overlayfs: each that is missing is named."""
    facts = KernelFacts(True, (), True, False, (), "", fuse, loops=loops, rehearses_devices=True)
    said = " ".join(one.message for one in judge_kernel(facts) if one.name == "rehearsal")
    expected = (fuse, loops, False)
    assert expected == ("/dev/fuse" not in said, "/dev/loop-control" not in said, "overlayfs" in said)


@pytest.mark.parametrize(
    ("outlook", "primary", "expected"),
    [
        (TrackingOutlook("blocktrace"), True, []),
        (TrackingOutlook("blocktrace", doubt="md0 is made of other disks"), True, [("watch", "info")]),
        (TrackingOutlook("events", doubt="not where"), True, [("watch", "info")]),
        (TrackingOutlook("blocktrace", "this kernel has no tracefs", "md0"), False, [("watch", "error")]),
        (TrackingOutlook(), True, [("device", "error")]),
        (TrackingOutlook(), False, []),
    ],
)
def test_devices(outlook: TrackingOutlook, primary: bool, expected: list[tuple[str, str]]) -> None:
    """A device whose changes cannot be noticed is an error, one that only the primary needs is asked for there."""
    assert expected == told(judge_devices([DeviceFound("vm", "/dev/sdb", outlook, primary)]))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (ProgramFacts("web", NOTHING_TO_DO), []),
        (ProgramFacts("web", Hooks()), [("hooks", "warning"), ("hooks", "warning"), ("hooks", "info")]),
        (ProgramFacts("web", NOTHING_TO_DO, (HookFound("start", "x", missing=True),)), [("hooks", "error")]),
        (ProgramFacts("web", BROUGHT, (HookFound("start", "x", missing=True),)), [("hooks", "warning")]),
        (ProgramFacts("web", BROUGHT, (HookFound("stop", "x", missing=True),)), [("hooks", "error")]),
        (ProgramFacts("web", NOTHING_TO_DO, (HookFound("start", "x", open_to_others=True),)), [("hooks", "error")]),
        (ProgramFacts("web", NOTHING_TO_DO, (), ("shop",)), [("boot", "warning")]),
        (ProgramFacts("web", NOTHING_TO_DO, (), (), ("shop",)), [("hooks", "error")]),
        (
            ProgramFacts("web", Hooks(start=Hook(("a",)), stop=Hook(("b",)), probe=ProbeHook(("c",)))),
            [("hooks", "warning")],
        ),
    ],
)
def test_programs(facts: ProgramFacts, expected: list[tuple[str, str]]) -> None:
    """Not named, missing, another's to change, started at boot, unknown to systemd, and nothing that stops it when fenced."""
    assert expected == told(judge_programs(facts))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled"}, []),
        ({"LoadState": "not-found"}, [("unit", "warning")]),
        ({"LoadState": "masked", "ActiveState": "inactive"}, [("unit", "error")]),
        ({"LoadState": "loaded", "ActiveState": "failed", "UnitFileState": "enabled"}, [("unit", "error")]),
        (
            {"LoadState": "loaded", "ActiveState": "inactive", "UnitFileState": "disabled", "NeedDaemonReload": "yes"},
            [("unit", "warning")] * 3,
        ),
        ({}, [("unit", "unknown")]),
    ],
)
def test_units(said: dict[str, str], expected: list[tuple[str, str]]) -> None:
    """Not there, masked, failed, stopped, not at boot, changed since, not told."""
    assert expected == told(judge_units([unit_found("hikae.service", said)]))


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (PlaceFound("/s", "state", True, "/s", FreeSpace("/s", 50 * GIB, 100 * GIB)), []),
        (PlaceFound("/s", "state", True, "/s", FreeSpace("/s", GIB // 2, 100 * GIB)), [("space", "error")]),
        (PlaceFound("/s", "state", True, "/s", FreeSpace("/s", 2 * GIB, 100 * GIB)), [("space", "warning")]),
        (
            PlaceFound("/s", "state", True, "/s", FreeSpace("/s", 50 * GIB, 100 * GIB), (5, 1_000)),
            [("space", "warning")],
        ),
        (PlaceFound("/s", "state", True, "/s", magic=0x01021994), [("state", "warning")]),
        (PlaceFound("/s", "state", True, "/s", magic=0x6969), [("state", "warning")]),
        (PlaceFound("/t", "tree", False, "/t", magic=0x01021994), []),
        (PlaceFound("/s", "state", True), [("space", "unknown")]),
    ],
)
def test_places(place: PlaceFound, expected: list[tuple[str, str]]) -> None:
    """Full, nearly full, without inodes, in memory, on a network, not to be looked at."""
    assert expected == told(judge_places([place]))


def test_peers() -> None:
    """Reached with certificates, without, and not."""
    peers = [
        PeerFound("b", "b:1", believed=True),
        PeerFound("c", "c:1", believed=False),
        PeerFound("d", "d:1", True, "gone", "start it"),
    ]
    assert [("peer", "unknown"), ("peer", "error")] == told(judge_peers(peers))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (AgentFound("1"), []),
        (AgentFound("0"), [("agent", "warning")]),
        (AgentFound("1", errors=1, warnings=2), [("agent", "warning")]),
        (AgentFound(silent="no agent is running"), [("agent", "warning")]),
    ],
)
def test_the_agent(found: AgentFound, expected: list[tuple[str, str]]) -> None:
    """Of this release, of the one before, with problems, silent."""
    assert expected == told(judge_agent(found, "1"))


def test_every_diagnosis_that_asks_for_somebody_says_what_to_do() -> None:
    """A finding without a remedy helps nobody at three in the morning (warnings of the configuration have theirs within)."""
    rows = [
        *judge_certificates(CertificateFacts("a", NOW, ("x",), ("y",), NOW, NOW, NOW, ("k",))),
        *judge_units([unit_found("hikae.service", {"LoadState": "not-found"})]),
        *judge_agent(AgentFound(silent="x"), "1"),
        *judge_programs(ProgramFacts("web", Hooks(), (HookFound("start", "x", True, True),), ("u",), ("v",))),
        *judge_clock(0, kept=False),
    ]
    lacking = [one.message for one in rows if one.asks_for_somebody and not one.remedy and one.name != "revoked-list"]
    assert [] == lacking
