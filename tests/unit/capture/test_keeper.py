"""A session is kept while what it captures stands."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from agent.capture.keeper import _SEEN, SessionKeeper
from agent.capture.ports import CaptureContext, Send, Session
from agent.core.clock import ManualClock
from agent.core.hold import Hold
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import ROOT_GONE, ROOT_REPLACED
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local

GONE = Hold(ROOT_GONE, "the root is not there", "mount it")
REPLACED = Hold(ROOT_REPLACED, "another directory stands there", "hikae accept web")


class Root:
    """What stands, and how often somebody looked; it opens sessions of it."""

    def __init__(self) -> None:
        self.hold: Hold | None = None
        self.looks = self.closed = self.accepted = 0

    def stands(self) -> bool:
        self.looks += 1
        return self.hold is None

    def close(self) -> None:
        self.closed += 1

    def open(self, send: Send, *, is_first: bool) -> Session | Hold:
        return self.hold or cast(Session, self)

    def accept(self) -> None:
        self.accepted += 1
        self.hold = None


class Kept:
    """A keeper over ``root``."""

    def __init__(self, stores: tuple[Catalog, Local]) -> None:
        self.root, self.board, self.clock = Root(), ProblemBoard(), ManualClock()
        context = CaptureContext("web", *stores, None, self.board, self.clock)
        self.keeper = SessionKeeper(context, self.root, lambda *_: None)

    def codes(self) -> list[str]:
        """What is said."""
        return [problem.code for problem in self.board.listed()[0]]


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """Nothing is open yet."""
    with Catalog.open(str(tmp_path / "catalog.db")) as catalog, Local.open(str(tmp_path / "local.db")) as local:
        return Kept((catalog, local))


def test_a_root_that_stood_is_not_looked_at_again_at_once(kept: Kept) -> None:
    """A short turn costs no system call for it."""
    assert not kept.keeper.is_standing()
    kept.keeper.open(accepted=False, is_first=True)
    assert [True] * 3 == [kept.keeper.is_standing() for _ in range(3)]
    assert 1 == kept.root.looks
    kept.clock.advance(_SEEN)
    assert (True, 2) == (kept.keeper.is_standing(), kept.root.looks)


@pytest.mark.parametrize("hold", [GONE, REPLACED])
def test_a_hold_is_said_until_the_root_is_back(kept: Kept, hold: Hold) -> None:
    """And the session of before is closed."""
    kept.keeper.open(accepted=False, is_first=False)
    kept.root.hold = hold
    assert None is kept.keeper.open(accepted=False, is_first=False)
    assert (1, hold, [hold.code]) == (kept.root.closed, kept.keeper.hold, kept.codes())
    kept.root.hold = None
    assert kept.keeper.open(accepted=False, is_first=False) is not None
    assert (None, []) == (kept.keeper.hold, kept.codes())


def test_what_the_operator_accepts_is_opened(kept: Kept) -> None:
    """Only what he was asked about: nothing is accepted by itself."""
    kept.root.hold = REPLACED
    kept.keeper.open(accepted=False, is_first=False)
    assert 0 == kept.root.accepted
    assert kept.keeper.open(accepted=True, is_first=False) is not None
    assert (1, []) == (kept.root.accepted, kept.codes())
