"""Facts of a batch on their way to the local facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.capture.new_facts import NewFacts
from agent.core.ids import CommitNumber, ObjectId
from agent.store.local import FactsMark, Local, LocalRow

SYNCED = 1000


@pytest.mark.parametrize(("ctime", "clean", "believed"), [(900, True, True), (900, False, False), (1100, False, False)])
def test_a_sync_of_before_vouches_for_nothing_that_was_captured_since(
    tmp_path: Path, ctime: int, clean: bool, believed: bool
) -> None:
    """Not where the clock was set back, so that the stat is older than it; what capture found clean is."""
    with Local.open(str(tmp_path / "local.db")) as local:
        local.vouch(SYNCED, FactsMark(CommitNumber(1), b"d" * 32))
        facts = NewFacts(local, lambda _: b"")
        facts.set(LocalRow(ObjectId(5), b"handle", 1, ctime, 2, 3, clean, b""))
        local.write(*facts.to_write())
        found = local.get(ObjectId(5))
        assert found is not None
        assert believed == (found.clean and found.ctime == ctime)


def test_what_was_written_before_it_stays_vouched_for(tmp_path: Path) -> None:
    """As a standby writes it; and what is younger than the sync keeps its stat."""
    with Local.open(str(tmp_path / "local.db")) as local:
        local.write([LocalRow(ObjectId(6), b"old", 1, 900, 2, 3, False, b"")])
        local.vouch(SYNCED, FactsMark(CommitNumber(1), b"d" * 32))
        facts = NewFacts(local, lambda _: b"")
        facts.set(LocalRow(ObjectId(7), b"new", 1, 1100, 2, 3, False, b""))
        local.write(*facts.to_write())
        found = local.get_many([ObjectId(6), ObjectId(7)])
        assert [(900, True), (1100, False)] == [(found[ObjectId(id)].ctime, found[ObjectId(id)].clean) for id in (6, 7)]
