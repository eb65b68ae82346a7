"""The history of a node that was promoted: where it ends, what is kept of it, and that nobody goes on with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from agent.capture.pump import Pump
from agent.config.values import Brake, Dataset, Generations, Keep
from agent.core.commit import Changes
from agent.core.errors import TryAgain
from agent.core.ids import ROOT, CommitNumber, Epoch, commit_number
from agent.core.problem import ProblemBoard
from agent.node.following.generations.generation_keeper import GenerationKeeper
from agent.node.reigning.own_history import GRACE, OwnHistory
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiring.expiry import ALL_HISTORY
from agent.store.vault.vault import Vault
from fakes.clocks import SetClock
from fakes.store_fakes import dir_row, header

CODE = "history-stopped"


@dataclass(frozen=True)
class FakeDataset:
    """What is read of one."""

    name: str = "web"
    primary: str = "alpha"
    standby: tuple[str, ...] = ("beta",)
    history: int = 86_400
    brake: Brake = Brake()
    generations: Generations = Generations(keep=Keep(last=1))


def _no_pump() -> Pump:
    raise AssertionError("nothing is asked of the pump")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """Two commits that were received."""
    with Catalog.open(str(tmp_path / "catalog.db")) as made:
        made.begin_epoch(Epoch(1, "alpha", b"a" * 16))
        for seq in (1, 2):
            made.write(Changes((dir_row(ROOT, seq),)), header(seq))
        yield made


@pytest.fixture
def clock() -> SetClock:
    """Moved by the test."""
    return SetClock()


@pytest.fixture
def past(catalog: Catalog, clock: SetClock, tmp_path: Path) -> Iterator[OwnHistory]:
    """Of beta, which was made the primary after them."""
    catalog.begin_epoch(Epoch(2, "beta", b"b" * 16))
    with ExitStack() as stack:
        vault = stack.enter_context(Vault.open(str(tmp_path / "vault"), catalog.pack_end()))
        yield OwnHistory(lambda: cast(Dataset, FakeDataset()), "beta", (catalog, vault), _no_pump, clock)


def test_it_ends_where_the_reign_begins(past: OwnHistory) -> None:
    """Status says from when until when every moment can be brought back."""
    facts = past.facts()
    assert facts is not None
    assert (commit_number(2, 0) - 1, True) == (past.until, facts.until_ns is not None)
    assert (facts.reaches_ns or 0) <= (facts.until_ns or 0)


def test_that_nobody_goes_on_is_told_once_it_lasts(past: OwnHistory, clock: SetClock) -> None:
    """A standby that was away for a moment is no news; one that follows again ends it."""
    board = ProblemBoard()
    past.tell(board, followed=False)
    clock.advance(GRACE - 1)
    past.tell(board, followed=False)
    assert not board.has(CODE)
    clock.advance(2)
    past.tell(board, followed=False)
    [problem] = board.listed()[0]
    assert (CODE, True) == (problem.code, "start the agent of alpha, and there: hikae rejoin web" in problem.remedy)
    past.tell(board, followed=True)
    assert not board.has(CODE)


def test_history_is_kept_whatever_peers_have(past: OwnHistory, catalog: Catalog) -> None:
    """Nothing goes that is younger than history, although the peer has all of it."""
    horizons = past.horizons()
    first = catalog.commits(commit_number(0, 0), 1)[0].number
    assert horizons.rows <= first


class FullDisk:
    """A keeper that cannot write."""

    def upkeep(self, _catalog: Catalog) -> CommitNumber:
        """See ``GenerationKeeper``."""
        raise TryAgain("expire history", "web", "no space left")


def test_a_full_disk_ends_nothing(past: OwnHistory) -> None:
    """What should go stays until there is room, and capture goes on."""
    past.keeper = cast(GenerationKeeper, FullDisk())
    assert ALL_HISTORY == past.horizons()
