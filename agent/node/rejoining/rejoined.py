"""A standby that was the primary: its vault is filled from its tree, and no moment from before is offered meanwhile or later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.adopt.filling.fill_mark import OWNER, fill_floor, forget_floor
from agent.adopt.filling.filling import Filling, FillingStores
from agent.core.clock import Clock
from agent.core.ids import NOTHING, CommitNumber, ObjectId, is_local
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import SEEDING_LOST
from agent.status.text import shown
from agent.store.catalog.catalog import Catalog

_PATHS = 20
_WHY = "files were changed here before the vault had what stood in them"


class Rejoined:
    """Of one standby. ``missed`` is told why the primary is to be asked for chunks again. Any thread, but for :meth:`look`."""

    def __init__(
        self, stores: FillingStores, board: ProblemBoard, clock: Clock, *, missed: Callable[[str], None]
    ) -> None:
        self._reader = stores.reader
        self._local = stores.local
        self._board = board
        self._clock = clock
        self._missed = missed
        self._lock = threading.Lock()
        self._lost: set[ObjectId] = set()
        self.filling = Filling(stores, self._not_whole)
        self._commit = self.filling.commit

    def close(self) -> None:
        """Give the readers back."""
        self.filling.close()

    def look(self, catalog: Catalog) -> CommitNumber:
        """From where on moments can be read, once a commit of the new primary is here; ``NOTHING``: history says so alone. By who
        holds the catalog's writing side, between two commits."""
        self._note_losses(catalog)
        if not self.filling.at_work:
            catalog.let_go(OWNER)
        newest, floor = catalog.newest(), fill_floor(self._local)
        if newest is None or is_local(newest.number):
            return NOTHING
        if floor != NOTHING and catalog.horizon() >= floor:
            forget_floor(self._local)
        return floor

    def _not_whole(self, ids: Sequence[ObjectId]) -> None:
        """These were changed by somebody before they were copied."""
        with self._lock:
            self._lost.update(ids)
        with self._reader() as rows:
            paths = [rows.path_of(id, self._commit) or rows.path_of(id) for id in ids[:_PATHS]]
        named = ", ".join(shown(path) for path in paths if path)
        message = f"{len(self._lost):,} {_WHY}: {named}"
        remedy = "what the primary still has is fetched again; generations show says what the divergence lacks"
        self._board.put(Problem(SEEDING_LOST, Severity.WARNING, self._clock.now_ns(), paths[0] or b"", message, remedy))
        self._missed(_WHY)

    def _note_losses(self, catalog: Catalog) -> None:
        """The generations of what stood here lack them."""
        with self._lock:
            count = len(self._lost)
        if not count or self._commit == NOTHING:
            return
        short = [one for one in catalog.generations() if one.number == self._commit and one.incomplete < count]
        if short:
            catalog.keep_generations([replace(one, incomplete=count) for one in short])
