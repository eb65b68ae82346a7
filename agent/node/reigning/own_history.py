"""The history that a primary has of its own: what it received while it was a standby. It is read, pinned and expired as on a
standby, by the same rules; nothing is added to it before this node is a standby again.

::

    operation ─→ OwnHistory.errands ─→ the pump's thread, between two commits ─→ GenerationKeeper
    pruning   ─→ horizons           ─→ GenerationKeeper.upkeep: the clock moves on, what no rule keeps goes
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from agent.config.values import Dataset
from agent.core.clock import Clock, boot_id
from agent.core.errors import TryAgain
from agent.core.kept import HistoryFacts
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import HISTORY_STOPPED
from agent.generations.local_time import time_text
from agent.generations.moments import Moment
from agent.node.following.generations.generation_keeper import GenerationKeeper, RetentionTicks
from agent.node.reigning.captures import Captures
from agent.roles.received import received_until, require_received
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiring.expiry import ALL_HISTORY, Horizons
from agent.store.catalog.reader import CatalogReader
from agent.store.vault.vault import Vault

#: A standby that is away for less, in seconds, is not said to keep nothing.
GRACE = 60.0
ResultT = TypeVar("ResultT")


class PumpErrands:
    """What other threads want done with the catalog's writing side: the pump does it, between two commits."""

    def __init__(self, pump: Callable[[], Captures]) -> None:
        self._pump = pump

    def run(self, _operation: str, action: Callable[[Catalog], ResultT]) -> ResultT:
        """Have ``action`` done; what it returned or raised. Raises ``CalledOff`` when capture ends before it came to it."""
        return self._pump().between_commits(action, then_ends=False)


class OwnHistory:
    """Of one primary that has a vault. ``dataset``: as it is configured now; ``pump``: looked up at each use."""

    def __init__(
        self,
        dataset: Callable[[], Dataset],
        node: str,
        stores: tuple[Catalog, Vault],
        pump: Callable[[], Captures],
        clock: Clock,
    ) -> None:
        self._catalog, self.vault = stores
        self._dataset = dataset
        self._node = node
        self._clock = clock
        self._alone_since: float | None = None
        self.errands = PumpErrands(pump)
        self.keeper = GenerationKeeper(RetentionTicks(clock, boot_id()), dataset)
        self.keeper.look(self._catalog)
        #: The newest commit whose content the vault has.
        self.until = received_until(self._catalog.lineage, node)
        last = self._catalog.commit_up_to(self.until)
        self._until_ns = last.time if last is not None else None

    @property
    def dataset(self) -> Dataset:
        """As it is configured now."""
        return self._dataset()

    def reader(self) -> CatalogReader:
        """For another thread, which closes it."""
        return self._catalog.reader()

    def facts(self) -> HistoryFacts | None:
        """For status, as it was when it was looked at last; past history there are generations alone."""
        found = self.keeper.history
        if found is None or self._until_ns is None:
            return found
        reaches = found.reaches_ns if (found.reaches_ns or 0) <= self._until_ns else None
        return replace(found, reaches_ns=reaches, until_ns=self._until_ns)

    def horizons(self) -> Horizons:
        """How far rows and commits are kept: for all of history, whatever peers have. What no rule keeps any more goes; nothing
        does while the disk is full. By the pump's thread, which owns the catalog."""
        try:
            wanted = self.keeper.upkeep(self._catalog)
        except TryAgain:
            return ALL_HISTORY
        return Horizons(wanted, wanted)

    def require(self, moment: Moment) -> None:
        """Its vault has the content of that moment. Raises ``NotFound``."""
        require_received(moment, self.until, self._node, self._others())

    def _others(self) -> list[str]:
        dataset = self._dataset()
        return [name for name in (dataset.primary, *dataset.standby) if name != self._node]

    def tell(self, board: ProblemBoard, *, followed: bool) -> None:
        """Say that nobody keeps the history of what is written now, once that lasts. ``followed``: a standby is connected."""
        now = self._clock.monotonic()
        if followed:
            self._alone_since = None
            board.clear(HISTORY_STOPPED)
            return
        self._alone_since = now if self._alone_since is None else self._alone_since
        if now - self._alone_since >= GRACE:
            board.put(self._stopped())

    def _stopped(self) -> Problem:
        last = f"; the last that can be brought back is of {time_text(self._until_ns)}" if self._until_ns else ""
        message = f"nobody keeps the history of what is written here, since no standby follows{last}"
        where, name = " or ".join(self._others()), self._dataset().name
        remedy = f"start the agent of {where}, and there: hikae rejoin {name}; it keeps history from then on"
        return Problem(HISTORY_STOPPED, Severity.WARNING, self._clock.now_ns(), b"", message, remedy)
