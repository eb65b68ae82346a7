"""Which loss of chunks is being mended, and what the problem says meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.clock import ManualClock
from agent.core.errors import NotFound
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import VAULT_DAMAGED
from agent.repair.lost_chunks import AGAIN_AFTER, Mending
from agent.store.local import Local
from agent.store.vault.codec import pack_chunk
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault

RAW = b"some content"
NAME = chunks.name_of(RAW)


class Stores:
    """A vault with one chunk, local facts, a board and a clock."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.local = Local.open(str(directory / "local.db"))
        self.board = ProblemBoard()
        self.clock = ManualClock()
        self.end = PackEnd(0, 0)
        self.vault = Vault.open(str(directory / "vault"), self.end)
        self.vault.add([pack_chunk(NAME, chunks.DATA, RAW)], [RAW])
        self.end = self.vault.sync()

    def mending(self) -> Mending:
        """As a standby makes it when it is opened."""
        return Mending(self.vault, self.local, "alpha", self.board, clock=self.clock)

    def reopen(self) -> None:
        """The vault again, without what it had in memory."""
        self.vault.close()
        self.vault = Vault.open(str(self.directory / "vault"), self.end)

    def close(self) -> None:
        """Give everything back."""
        self.vault.close()
        self.local.close()


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    one = Stores(tmp_path)
    yield one
    one.close()


def test_a_whole_vault_asks_for_nothing(stores: Stores) -> None:
    """No loss, no problem, no call because of it."""
    mending = stores.mending()
    assert (RAW, 0, False) == (mending.read(NAME), mending.begin(), mending.wants_call(0))
    assert not stores.board.has(VAULT_DAMAGED)


def test_a_chunk_that_is_not_there_is_a_loss(stores: Stores) -> None:
    """The reader is told, a call is wanted, and all is well once everything came."""
    mending = stores.mending()
    stores.vault.forget([NAME])
    with pytest.raises(NotFound):
        mending.read(NAME)
    assert (True, True) == (stores.board.has(VAULT_DAMAGED), mending.wants_call(0))
    began = mending.begin()
    assert not mending.wants_call(began)
    assert mending.ended(began, 0)
    assert (False, 0) == (stores.board.has(VAULT_DAMAGED), mending.begin())


def test_a_loss_outlives_a_restart(stores: Stores) -> None:
    """It is still told, and still to be mended, by the next process."""
    stores.mending().lost("an early end")
    stores.board.clear(VAULT_DAMAGED)
    again = stores.mending()
    assert (True, True) == (again.begin() > 0, stores.board.has(VAULT_DAMAGED))


def test_packs_that_are_gone_are_a_loss(stores: Stores) -> None:
    """What opening the vault finds is told at once."""
    stores.vault.close()
    shutil.rmtree(stores.directory / "vault")
    stores.reopen()
    assert stores.mending().begin() > 0


def test_a_loss_during_the_mending_is_mended_by_the_next_call(stores: Stores) -> None:
    """Names that were offered before it was noticed do not count for it."""
    mending = stores.mending()
    mending.lost("one")
    began = mending.begin()
    mending.lost("another")
    assert (False, True) == (mending.ended(began, 0), mending.wants_call(began))


def test_what_cannot_be_had_now_is_asked_for_later(stores: Stores) -> None:
    """Its file may be captured meanwhile; until then the problem stands and says why."""
    mending = stores.mending()
    mending.lost("one")
    began = mending.begin()
    assert not mending.ended(began, 3)
    assert not mending.wants_call(began)
    stores.clock.advance(AGAIN_AFTER + 1)
    assert mending.wants_call(began)
    problems, _ = stores.board.listed()
    assert ["3 were asked for" in one.message for one in problems] == [True]


def test_a_call_that_asks_again_is_let_come_to_its_end(stores: Stores) -> None:
    """However long ago the one before was: else each would be cut off at once, and nothing would ever arrive."""
    mending = stores.mending()
    mending.lost("one")
    assert not mending.ended(mending.begin(), 3)
    stores.clock.advance(AGAIN_AFTER + 1)
    began = mending.begin()
    mending.lost("another, found meanwhile")
    stores.clock.advance(10 * AGAIN_AFTER)
    assert not mending.wants_call(began)
    assert (False, True) == (mending.ended(began, 0), mending.wants_call(began))
    began = mending.begin()
    assert (False, True, False) == (mending.wants_call(began), mending.ended(began, 0), mending.wants_call(0))


def test_a_damaged_chunk_in_use_is_forgotten_at_the_next_call(stores: Stores) -> None:
    """What an offer in flight relies on stays until that has ended."""
    mending = stores.mending()
    stores.vault.pin([NAME], "a call")
    mending.forget([NAME], "it is not what its name says")
    assert [] == stores.vault.missing([NAME])
    stores.vault.unpin("a call")
    assert mending.begin() > 0
    assert [NAME] == stores.vault.missing([NAME])
