"""One call that a standby serves: a receiver that tells the standby when it begins and ends, what came, and what failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from agent.apply.loop import ApplyLoop
from agent.apply.writing.arriving import EarlyContent
from agent.config.values import Dataset
from agent.core.commit import CommitKind
from agent.core.dataset_kind import DatasetKind
from agent.core.errors import Damaged, DiskFull, HikaeError, StoreFailed, TryAgain
from agent.core.ids import CommitNumber
from agent.fs.reserve import ReserveReached, VaultLimitReached
from agent.node import meeting
from agent.node.context import SideContext
from agent.node.following.asked_barriers import AskedBarriers
from agent.node.following.errands import Errands
from agent.node.following.history_upkeep import HistoryUpkeep
from agent.node.following.receiving_room import ReceivingRoom
from agent.node.following.served_calls import ServedCalls
from agent.node.rejoining.rejoined import Rejoined
from agent.node.turn_taking import Turns
from agent.repair.lost_chunks import Mending
from agent.store.catalog.catalog import Catalog
from agent.store.vault.vault import Vault
from agent.stream.messages import Announce, Answers, AskBarrier, BarrierReached, Batch, Hello, Progress, SecondaryPart
from agent.stream.position import PositionBoard
from agent.stream.receiving.making import ReceivingContext
from agent.stream.receiving.presence import ChunksMissing
from agent.stream.receiving.receiver import Receiver


class Serving(Protocol):
    """Who serves the call (``node.standby.Standby``). By the call's thread."""

    dataset: Dataset
    vault: Vault
    mending: Mending
    board: PositionBoard
    turns: Turns
    room: ReceivingRoom
    early: EarlyContent
    calls: ServedCalls
    rejoined: Rejoined
    loop: ApplyLoop
    barriers: AskedBarriers
    errands: Errands
    upkeep: HistoryUpkeep

    @property
    def asks_first(self) -> bool:
        """Whether anything that the primary has may be here already."""
        ...

    def began(self, receiver: Receiver) -> None:
        """A call is served. Raises ``TryAgain`` when no more are."""
        ...

    def ended(self, receiver: Receiver) -> None:
        """It ended."""
        ...

    def met(self, hello: Hello, answers: Answers) -> None:
        """The primary has introduced itself, and this is what it is answered. Raises ``TryAgain``, ``Damaged``."""
        ...

    def announce(self, word: Announce) -> None:
        """The primary says what waits there."""
        ...

    def pace(self) -> None:
        """A batch came: in a first sync it may be ahead of the applier by so much only."""
        ...

    def stored(self) -> None:
        """There was room."""
        ...

    def full(self, error: HikaeError) -> None:
        """There is no room for what comes in; the peer tries again."""
        ...

    def failed(self, error: HikaeError) -> None:
        """The stores cannot go on: they are opened again (law 1)."""
        ...

    def mended(self, began: int, left: int) -> int:
        """The primary offered everything; ``left`` of the lost chunks did not come. What the call has to mend now."""
        ...

    def owed_moved(self) -> None:
        """What is owed has changed, or some of it came."""
        ...


@contextmanager
def told_to(standby: Serving) -> Iterator[None]:
    """What ends a call because of this node's own stores is told here; what ends it otherwise is no trouble of this node."""
    try:
        yield
    except (DiskFull, ReserveReached, VaultLimitReached) as error:
        standby.full(error)
        raise
    except ChunksMissing as error:
        standby.mending.forget(list(error.names), error.reason)
        raise
    except (StoreFailed, Damaged) as error:
        standby.failed(error)
        raise


class StandbyCall(Receiver):
    """See ``Receiver``; used as that."""

    def __init__(self, standby: Serving, hello: Hello, catalog: Catalog, context: SideContext) -> None:
        around = context.around
        self._mends = standby.mending.begin()
        lacking = self._mends > 0
        kind = DatasetKind(standby.dataset.kind)
        receiving = ReceivingContext(
            around.node,
            catalog,
            standby.vault,
            standby.board,
            around.clock,
            kind,
            context.standings,
            in_tree=standby.rejoined.filling,
            pace=context.pace,
        )
        super().__init__(hello, receiving, lacking=lacking, asks_first=standby.asks_first)
        self._standby = standby
        self._counted = 0

    def open(self) -> Answers:
        """See ``Receiver``."""
        self._standby.began(self)
        with told_to(self._standby):
            answers = super().open()
            self._standby.met(self._hello, answers)
        return meeting.introduced(answers, self._standby.dataset)

    def questions(self) -> Iterable[AskBarrier]:
        """See ``Receiver``."""
        return self._standby.barriers.due()

    def barrier_reached(self, barrier: BarrierReached) -> None:
        """See ``Receiver``."""
        self._standby.barriers.reached(barrier)

    def announced(self, word: Announce) -> None:
        """See ``Receiver``."""
        self._standby.announce(word)

    def progress(self) -> Progress:
        """See ``Receiver``; asked for at least each second."""
        self._standby.calls.require_open()
        if self._standby.mending.wants_call(self._mends):
            raise TryAgain(
                "serve a call", self.dataset, "chunks that were lost here are asked for again", "by the next call"
            )
        if self.rests:
            with told_to(self._standby):
                self._standby.errands.turn()
                self._standby.upkeep.turn()
        return super().progress()

    def sealed_one(self) -> None:
        """See ``Receiver``. A primary that sends one commit after the other leaves no other moment."""
        if self._standby.errands.wanted:
            self.flush()
            with told_to(self._standby):
                self._standby.errands.turn()

    def came_back(self, number: CommitNumber, alone: CommitNumber) -> None:
        """See ``Receiver``. What stood was its own, and is a generation: no brake has to save it."""
        self._standby.upkeep.hurry()  # from now on no moment before is to be read
        commit = self._catalog.commit_at(alone)
        if commit is not None and commit.provenance.kind is CommitKind.DIVERGENCE:
            self._standby.loop.let_pass(number)

    def content_came(self, token: int, came: Sequence[tuple[bytes, bytes | memoryview]]) -> None:
        """See ``Receiver``."""
        self._standby.early.came(token, came)

    def owed_moved(self) -> None:
        """See ``Receiver``."""
        self._standby.owed_moved()

    def mended(self, left: int) -> None:
        """See ``Receiver``."""
        self._mends = self._standby.mended(self._mends, left)

    def handle(self, batch: Batch) -> list[SecondaryPart]:
        """See ``Receiver``."""
        self._require_room()
        self._standby.pace()
        with told_to(self._standby), self._standby.turns.receiving():
            return super().handle(batch)

    def _require_room(self) -> None:
        """What was sealed before the reserve was reached is still made durable: that is what the reserve is for."""
        amount, self._counted = self.consumed - self._counted, self.consumed
        try:
            self._standby.room.require(amount)
        except (ReserveReached, VaultLimitReached):
            self.flush()
            raise

    def flush(self) -> None:
        """See ``Receiver``."""
        with told_to(self._standby):
            super().flush()
        self._standby.stored()

    def close(self) -> None:
        """See ``Receiver``."""
        try:
            super().close()
        finally:
            self._standby.early.gone()
            self._standby.barriers.call_ended()
            self._standby.ended(self)
