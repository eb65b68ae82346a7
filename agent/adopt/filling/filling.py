"""A vault is filled from the tree that stands beside it: in slices by whoever has a moment, and ahead of what is to change.

The receiving thread asks :meth:`Filling.before` for the objects of each part of a commit: what the tree alone has of them is in
the vault before the commit is, so the applying thread may do what it likes. An object whose content stays what it was stays
where it is. The applying thread fills the rest, step by step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import structlog

from agent.adopt.filling.device_chunks import DeviceChunks
from agent.adopt.filling.fill_mark import FillMark, fill_mark, set_fill_mark
from agent.adopt.filling.object_copier import ObjectCopier
from agent.adopt.filling.tree_objects import TreeObjects
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.rows import content_of, size_of
from agent.store.catalog.reader import CatalogReader
from agent.store.local import Local
from agent.store.pieces import KeptPieces
from agent.store.vault.vault import Vault

#: How long one step takes, seconds, and of how many objects it is at most.
STEP_SECONDS = 0.05
_STEP_OBJECTS = 500
#: Seconds between two times that the cursor is kept: a crash copies so much again.
KEPT_EVERY = 1.0
#: So many objects that are not whole are remembered, for a person.
LOST_MAX = 1000
_log = structlog.get_logger("adopt")


@dataclass(frozen=True, slots=True)
class FillingStores:
    """What is filled, from what. ``root``: the tree, or where it ``is_device`` the device; ``reader`` opens the catalog for one
    thread."""

    root: str
    vault: Vault
    local: Local
    reader: Callable[[], CatalogReader]
    is_device: bool = False


class _Side:
    """What one thread copies with."""

    def __init__(self, stores: FillingStores, commit: CommitNumber, look: Callable[[], None]) -> None:
        self.rows = stores.reader()
        pieces = KeptPieces(self.rows, stores.vault)
        self._is_device = stores.is_device
        tree = TreeObjects(stores.root, self.rows, stores.local, commit)
        files = DeviceChunks(stores.root) if stores.is_device else tree
        self.copier = ObjectCopier(stores.vault, files, pieces, look)

    def after(self, cursor: ObjectId, at: CommitNumber) -> list[tuple[ObjectId, bytes]]:
        """The next objects, or chunks of a device, whose content is to fill the vault, with their rows."""
        if not self._is_device:
            return self.rows.objects_after(cursor, at, _STEP_OBJECTS)
        return [(ObjectId(number), row) for number, row in self.rows.chunks_after(cursor, at, _STEP_OBJECTS)]

    def close(self) -> None:
        self.rows.close()


class Filling:
    """See the module. Closed by who closes the stores. ``lost`` is told of objects that are not as they were, and are to be had
    nowhere else here."""

    def __init__(self, stores: FillingStores, lost: Callable[[Sequence[ObjectId]], None]) -> None:
        self._stores = stores
        self._lost = lost
        self._mark = fill_mark(stores.local)
        self._receiving: _Side | None = None
        self._stepping: _Side | None = None
        self._ahead: set[ObjectId] = set()
        self._kept_at = time.monotonic()
        self._total = self._total_of()

    def _total_of(self) -> int:
        if self._mark is None:
            return 0
        with self._stores.reader() as rows:
            commit = rows.commit_at(self._mark.commit)
            return commit.bytes if commit is not None else 0

    def close(self) -> None:
        """Give all readers back; safe to call twice."""
        for side in (self._receiving, self._stepping):
            if side is not None:
                side.close()
        self._receiving = self._stepping = None

    # --- any thread

    @property
    def at_work(self) -> bool:
        """Whether the vault lacks anything that the tree has."""
        return self._mark is not None

    @property
    def commit(self) -> CommitNumber:
        """What the tree was when it began: no moment before it can be read; ``NOTHING`` where nothing is filled."""
        mark = self._mark
        return mark.commit if mark is not None else NOTHING

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes of content that were passed, of how many."""
        mark = self._mark
        return (mark.bytes if mark is not None else self._total), self._total

    # --- the receiving thread

    def before(
        self, puts: Iterable[tuple[ObjectId, bytes]], drops: Iterable[ObjectId], look: Callable[[], None]
    ) -> Collection[ObjectId]:
        """These objects are about to have the content ``(id, content)``, or to be no more: what the tree alone has of them is in
        the vault, durable with its next sync. Those whose content stays what it is in the tree. Raises as ``ObjectCopier``."""
        mark = self._mark
        if mark is None:
            return ()
        side = self._receiving = self._receiving or _Side(self._stores, mark.commit, lambda: None)
        stay: set[ObjectId] = set()
        lost: list[ObjectId] = []
        for id, content in (*puts, *((id, b"") for id in drops)):
            if id <= mark.cursor or id in self._ahead:
                continue
            look()
            row = side.rows.holder(id, mark.commit)
            if row is None:
                continue
            if content and content_of(row) == content:
                stay.add(id)
                continue
            if side.copier.copy(id, row):
                lost.append(id)
            self._ahead.add(id)
        if lost:
            self._lost(lost)
        return stay

    def holds(self, id: ObjectId, content: bytes) -> bool:
        """Whether the tree has this content under this object, where it stays. For the receiving thread."""
        return bool(self.before([(id, content)], (), lambda: None)) if self.is_to_come(id) else False

    def is_to_come(self, id: ObjectId) -> bool:
        """Whether the object lies before the cursor still."""
        mark = self._mark
        return mark is not None and id > mark.cursor and id not in self._ahead

    # --- the applying thread

    def step(self) -> bool:
        """A little work, if there is any; whether there is more. Raises as ``ObjectCopier``."""
        mark = self._mark
        if mark is None:
            return False
        side = self._stepping = self._stepping or _Side(self._stores, mark.commit, lambda: None)
        until, lost = time.monotonic() + STEP_SECONDS, list[ObjectId]()
        objects = side.after(mark.cursor, mark.commit)
        passed = 0
        cursor = mark.cursor
        for id, row in objects:
            if side.copier.copy(id, row):
                lost.append(id)
            cursor, passed = id, passed + size_of(row)
            if time.monotonic() >= until:
                break
        self._stores.vault.sync()
        if lost:
            self._lost(lost)
        self._pass(replace(mark, cursor=cursor, bytes=mark.bytes + passed) if objects else None)
        return self._mark is not None

    def _pass(self, mark: FillMark | None) -> None:
        now = time.monotonic()
        if mark is None or now - self._kept_at >= KEPT_EVERY:
            # No commit says yet how far the packs are durable, and an opening cuts what nobody knows of: first the packs' end,
            # then that the vault has it. Else the only copy would go with the next commit that changes the tree.
            self._stores.vault.note_end()
            set_fill_mark(self._stores.local, mark, durable=mark is None)
            self._kept_at = now
        self._mark = mark
        if mark is None:
            self._ahead.clear()
            _log.info("the vault holds all that the tree had when this node rejoined")
