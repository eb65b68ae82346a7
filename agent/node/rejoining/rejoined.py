"""A standby that was the primary: its vault is filled from its tree, and no moment from before is offered meanwhile or later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import structlog

from agent.adopt.filling.fill_mark import OWNER, fill_floor, forget_floor
from agent.adopt.filling.filling import Filling, FillingStores
from agent.core.clock import Clock
from agent.core.ids import NOTHING, CommitNumber, ObjectId, is_local
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import SEEDING_LOST
from agent.node.rejoining.lacking import PATHS, Lacking, read_lacking, write_lacking
from agent.status.text import shown
from agent.store.catalog.catalog import Catalog

#: So many paths are told with the problem.
_NAMED = 20
_log = structlog.get_logger("node")
_WHY = "files were changed here before the vault had what stood in them"


class Rejoined:
    """Of one standby. ``home``: where its state lies; ``missed`` is told why the primary is to be asked for chunks again. Any
    thread, but for :meth:`look`."""

    def __init__(
        self,
        dataset: str,
        home: Path,
        stores: FillingStores,
        board: ProblemBoard,
        clock: Clock,
        *,
        missed: Callable[[str], None],
    ) -> None:
        self._dataset = dataset
        self._home = home
        self._reader = stores.reader
        self._local = stores.local
        self._board = board
        self._clock = clock
        self._missed = missed
        self._lock = threading.Lock()
        self._lacking = read_lacking(home)
        self.filling = Filling(stores, self._not_whole)
        self._commit = self.filling.commit
        if self._commit in self._lacking:
            self._tell(self._lacking[self._commit])

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
            known = self._lacking.get(self._commit, Lacking())
            with self._reader() as rows:
                # Of a device, and of most beyond the first, no path is asked for.
                named = PATHS - len(known.paths)
                paths = [rows.path_of(id, self._commit) or rows.path_of(id) for id in ids[:named]]
            found = known.with_more(zip_longest(ids, paths))
            self._lacking[self._commit] = found
            try:
                write_lacking(self._home, self._lacking)
            except OSError as error:
                _log.warning("what a divergence lacks is not kept", path=str(self._home), reason=str(error))
        self._tell(found)
        self._missed(_WHY)

    def _tell(self, found: Lacking) -> None:
        first = found.paths[:_NAMED]
        named = ", ".join(shown(path) for path in first) or "their names are not known"
        message = f"{found.count:,} {_WHY}: {named}"
        with self._reader() as rows:
            known = (one.label or one.name for one in rows.generations() if one.number == self._commit)
            kept = next(known, "")
        see = f"; hikae generations show {self._dataset} {kept} says what that lacks" if kept else ""
        remedy = f"what the primary still has is fetched again{see}"
        path = first[0] if first else b""
        self._board.put(Problem(SEEDING_LOST, Severity.WARNING, self._clock.now_ns(), path, message, remedy))

    def _note_losses(self, catalog: Catalog) -> None:
        """The generations of what stood here lack them."""
        with self._lock:
            counts = {commit: one.count for commit, one in self._lacking.items()}
        if not counts:
            return
        short = [one for one in catalog.generations() if one.incomplete < counts.get(one.number, 0)]
        if short:
            catalog.keep_generations([replace(one, incomplete=counts[one.number]) for one in short])
