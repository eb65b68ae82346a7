"""The changes of role of a dataset are kept, durably, in order and bounded, whatever a power cut left of the last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.roles.journal import ROLES, RoleChange, RoleJournal, kind_of

PROMOTED = RoleChange(
    5, "promote", "standby", "primary", 3, 3 << 40 | 7, 0, "root (uid 0)", "alpha burns", "ann", ("a", "b"),
    ({"name": "gates", "ms": 3, "result": "all are met"},), lost_sizes=(3, 7),
)  # fmt: skip


def never() -> int:
    """The commit of who has none."""
    return 0


def test_a_change_is_read_back(tmp_path: Path) -> None:
    """Whole, by the next agent too; given twice, as after a crash, it is kept once."""
    journal = RoleJournal(tmp_path / ROLES)
    empty = journal.changes()
    journal.add(PROMOTED)
    journal.add(PROMOTED)
    again = RoleJournal(tmp_path / ROLES)
    again.add(PROMOTED)
    assert ([], [PROMOTED], PROMOTED) == (empty, again.changes(), again.newest)


def test_what_changed_by_itself_is_kept_once(tmp_path: Path) -> None:
    """Role or epoch; what it was is what it was before."""
    journal = RoleJournal(tmp_path / ROLES)
    for role, epoch in (("standby", 1), ("standby", 1), ("standby", 2), ("primary", 3), ("fenced", 3), ("primary", 5)):
        journal.observe(role, epoch, never, epoch)
    assert [
        ("began", "", "standby", 1),
        ("follows", "standby", "standby", 2),
        ("serves", "standby", "primary", 3),
        ("fenced", "primary", "fenced", 3),
        ("serves", "fenced", "primary", 5),
    ] == [(one.kind, one.before, one.after, one.epoch) for one in journal.changes()]


@pytest.mark.parametrize("torn", [b'{"time": 5, "ki', b"\xff\xfe", b"7", b'{"time": "x"}'])
def test_a_torn_line_is_passed_over(tmp_path: Path, torn: bytes) -> None:
    """What was before it and what comes after it is read."""
    path = tmp_path / ROLES
    RoleJournal(path).add(PROMOTED)
    path.write_bytes(path.read_bytes() + torn)
    RoleJournal(path).observe("fenced", 3, never, 9)
    assert ["promote", "fenced"] == [one.kind for one in RoleJournal(path).changes()]


def test_it_does_not_grow_for_ever(tmp_path: Path) -> None:
    """The newest are kept."""
    journal = RoleJournal(tmp_path / ROLES, most=4_000)
    for epoch in range(1, 200):
        journal.observe("standby", epoch, never, epoch)
    epochs = [one.epoch for one in journal.changes()]
    assert (True, list(range(epochs[0], 200))) == ((tmp_path / ROLES).stat().st_size <= 4_000, epochs)


def test_what_was_typed_outlives_what_happened_by_itself(tmp_path: Path) -> None:
    """A node that has this one meet one epoch after the other pushes out none of it; texts have an end."""
    journal = RoleJournal(tmp_path / ROLES, 20_000)
    long = replace(PROMOTED, time=6, reason="x" * 60_000)
    for one in (PROMOTED, long):
        journal.add(one)
    for epoch in range(300):
        journal.observe("standby", epoch, never, epoch)
    kept = RoleJournal(tmp_path / ROLES).changes()
    assert ([PROMOTED, replace(long, reason="x" * 1024)], 299) == (kept[:2], kept[-1].epoch)
    assert (tmp_path / ROLES).stat().st_size <= 20_000


def test_a_full_disk_stops_no_change(tmp_path: Path) -> None:
    """It is logged; the role changes all the same."""
    journal = RoleJournal(tmp_path / "nowhere" / ROLES)
    journal.add(PROMOTED)
    assert [] == journal.changes()


def test_a_new_reign_of_the_same_node_is_an_epoch() -> None:
    """And a state that is an old copy has its own word."""
    assert ("epoch", "rewound") == (kind_of("primary", "primary"), kind_of("primary", "rewound"))
