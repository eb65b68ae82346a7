"""Until when a standby is in its first sync, as its own node knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber
from agent.node.measured.own_first_sync import OwnFirstSync
from agent.store.local import Local


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    with Local.open(str(tmp_path / "local.db")) as one:
        yield one


def _commit(number: int, *, consistent: bool) -> Commit:
    return Commit(CommitNumber(number), NOTHING, b"", 0, 0, consistent, 0, 0)


PART, WHOLE, LATER = _commit(3, consistent=False), _commit(4, consistent=True), _commit(6, consistent=True)


def _look(first: OwnFirstSync, newest: Commit | None, durable: int = 0, oldest: int | None = 4) -> None:
    first.look(newest, lambda: None if oldest is None else CommitNumber(oldest), CommitNumber(durable))


def _goes_on(first: OwnFirstSync, newest: Commit | None, applied: int) -> tuple[bool, bool]:
    return first.received, first.goes_on(newest, CommitNumber(applied))


def test_it_ends_when_what_was_received_is_applied(local: Local) -> None:
    """Parts that are applied end nothing, nor does the whole that is received; what came after that is not waited for."""
    first = OwnFirstSync(local)
    seen = [_goes_on(first, None, NOTHING), _goes_on(first, PART, NOTHING)]
    _look(first, PART, durable=3, oldest=None)
    seen.append(_goes_on(first, PART, 3))
    _look(first, LATER, durable=3)
    seen += [_goes_on(first, LATER, 3), _goes_on(first, LATER, 4)]
    assert [(False, True), (False, True), (False, True), (True, True), (True, False)] == seen


def test_nobody_waits_for_the_next_look(local: Local) -> None:
    """What was received and applied since the last one has ended it."""
    first = OwnFirstSync(local)
    assert [(False, True), (False, False)] == [_goes_on(first, WHOLE, 3), _goes_on(first, WHOLE, 4)]


def test_a_restart_before_it_is_applied_forgets_nothing(local: Local) -> None:
    """What is awaited is kept until it survives a crash as applied; then a standby that goes back is in no first sync."""
    _look(OwnFirstSync(local), WHOLE, durable=3)
    again = OwnFirstSync(local)
    _look(again, LATER, durable=3)
    assert [(True, True), (True, False)] == [_goes_on(again, LATER, 3), _goes_on(again, LATER, 6)]
    assert (True, True) == _goes_on(OwnFirstSync(local), LATER, 3)
    _look(again, LATER, durable=6)
    assert [(True, False)] * 2 == [_goes_on(again, LATER, 3), _goes_on(OwnFirstSync(local), LATER, 3)]


def test_where_nothing_stands_it_goes_on(local: Local) -> None:
    """The directory was made anew: whatever was before, nothing whole is there."""
    first = OwnFirstSync(local)
    _look(first, WHOLE, durable=4)
    assert [(True, True), (True, False)] == [_goes_on(first, WHOLE, NOTHING), _goes_on(first, WHOLE, 4)]


def test_a_standby_of_an_earlier_release_is_through(local: Local) -> None:
    """It kept that all was received, and nothing that is awaited."""
    local.set_value("consistent", b"yes")
    assert (True, False) == _goes_on(OwnFirstSync(local), LATER, 2)
