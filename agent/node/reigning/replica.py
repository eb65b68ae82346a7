"""One standby as its primary knows it: where it is, how late, how fast it may be sent to, and what it owes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing

from agent.config.values import Limits
from agent.core.clock import Clock
from agent.core.ids import CommitNumber, epoch_of
from agent.node.measured.first_sync import FirstSync
from agent.node.measured.lag import LagMeter
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local
from agent.stream.position import PositionBoard
from agent.stream.sending.pace import Pace

#: The name of the local fact that says in which epoch a peer followed last.
_FOLLOWED = "followed:"


class Replica:
    """Made for each standby when its primary is opened. Any thread.

    ``limits``: how fast may be sent now; ``moved`` is called when the standby has come further."""

    def __init__(
        self,
        name: str,
        catalog: Catalog,
        local: Local,
        clock: Clock,
        *,
        limits: Callable[[], Limits],
        moved: Callable[[], None],
    ) -> None:
        self.name = name
        self.positions = PositionBoard()
        self.received, self.applied = LagMeter(clock), LagMeter(clock)
        self.first_sync = FirstSync(name, self.positions, catalog.oldest_consistent(), catalog.newest, local=local)
        self.pace = Pace(limits, self.first_sync, clock)
        #: How many files it owes, and the paths of the first.
        self.owed: tuple[int, Sequence[bytes]] = (0, ())
        self._catalog = catalog
        self._clock = clock
        self._moved = moved
        self._local = local
        self._epoch = catalog.lineage[-1].number if catalog.lineage else 0
        #: Whether it has had a commit of this reign: a node whose time is over has not, before it rejoins.
        self.followed = local.value(_FOLLOWED + name) == self._reign()
        newest = catalog.newest()
        if newest is not None:
            for meter in (self.received, self.applied):
                meter.found(newest.number, (clock.now_ns() - newest.time) / 1e9)
        self.positions.watch(self._came_further)

    def _came_further(self) -> None:
        position = self.positions.position
        self._measure(self.received, position.durable)
        self._measure(self.applied, position.applied)
        self.first_sync.keep()
        if not self.followed and epoch_of(position.durable) >= self._epoch:
            self.followed = True
            self._local.note_value(_FOLLOWED + self.name, self._reign())
        self._moved()

    def _reign(self) -> bytes:
        return str(self._epoch).encode()

    def _measure(self, meter: LagMeter, number: CommitNumber) -> None:
        """Tell the meter where the standby is; what it lacks from before this opening, or once more, is looked up once."""
        if not meter.unsure and not meter.had_more_than(number):
            meter.reached(number)
            return
        with closing(self._catalog.reader()) as reader:
            lacking = reader.commits(number, 1)
        age = (self._clock.now_ns() - lacking[0].time) / 1e9 if lacking else None
        meter.begins(number, age)
