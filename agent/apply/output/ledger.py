"""Which object on the standby is which: local facts, with what this run learned and did not store yet on top."""

from __future__ import annotations

import os

from agent.apply.ports import LocalFacts
from agent.core.ids import ObjectId
from agent.store.local import LocalRow, Signature

BATCH = 1000


class Ledger:
    """Handle → object id and back. Rows are stored in batches; a crash loses the last batch, and redo finds out again."""

    def __init__(self, local: LocalFacts, batch: int = BATCH) -> None:
        self._local = local
        self._batch = batch
        self._pending: dict[ObjectId, LocalRow | None] = {}
        self._handles: dict[bytes, ObjectId] = {}
        self._former: dict[bytes, ObjectId] = {}
        #: Of what was looked for last, as it is stored: what follows is asked about it.
        self._seen: Signature | None = None

    def handle_of(self, id: ObjectId) -> bytes | None:
        """The handle that the object had when it was last placed."""
        if id in self._pending:
            row = self._pending[id]
            return (row.handle or None) if row else None
        stored = self._local.get(id)
        return (stored.handle or None) if stored else None

    def row_of(self, id: ObjectId) -> LocalRow | None:
        """Everything that is known of the object."""
        return self._pending[id] if id in self._pending else self._local.get(id)

    def id_of(self, handle: bytes) -> ObjectId | None:
        """The object that has this handle, None for what we did not place."""
        id = self._handles.get(handle)
        if id is not None:
            return id
        seen = self._local.signature_of(handle)
        if seen is None or seen[0] in self._pending:
            return None
        self._seen = seen
        return seen[0]

    def record(self, id: ObjectId, handle: bytes, st: os.stat_result, unkept: int = 0) -> None:
        """The object stands there now, with this stat (taken after the last change). ``unkept``: see
        ``apply.output.unkept``."""
        self._put(LocalRow(id, handle, st.st_ino, st.st_ctime_ns, st.st_mtime_ns, st.st_size, False, b"", unkept))

    def is_as_noted(self, id: ObjectId, st: os.stat_result) -> bool:
        """Whether this is the stat with which the object was noted down last: else somebody else has changed it since."""
        seen = self._seen
        known = seen if seen is not None and seen[0] == id and id not in self._pending else self.row_of(id)
        if known is None:
            return False
        return known[2:6] == (st.st_ino, st.st_ctime_ns, st.st_mtime_ns, st.st_size)

    def doubt(self, id: ObjectId) -> None:
        """The object may hold anything: its stat vouches for nothing until it is compared or made anew."""
        known = self.row_of(id)
        if known is not None:
            self._put(known._replace(ctime=0))

    def left_out(self, id: ObjectId, unkept: int) -> None:
        """The object is not there as it is wanted, and cannot be; an older version of it may stand, whose stat vouches for
        nothing."""
        known = self.row_of(id) or LocalRow(id, b"", 0, 0, 0, 0, False, b"")
        self._put(known._replace(ctime=0, unkept=known.unkept | unkept))

    def _put(self, row: LocalRow) -> None:
        old = self._pending.get(row.id)
        if old is not None and old.handle != row.handle:
            self._handles.pop(old.handle, None)
        self._pending[row.id] = row
        if row.handle:
            self._handles[row.handle] = row.id
        if len(self._pending) >= self._batch:
            self.flush()

    def supersede(self, id: ObjectId, handle: bytes) -> None:
        """The object gets another inode; this one may still stand at further names of it."""
        if len(self._former) >= self._batch:
            self._former.clear()
        self._former[handle] = id

    def former(self, handle: bytes) -> ObjectId | None:
        """The object that this inode was until a moment ago."""
        return self._former.get(handle)

    def forget(self, id: ObjectId) -> None:
        """The object is gone, or its handle stands for another now."""
        old = self._pending.get(id)
        if old is not None and self._handles.get(old.handle) == id:
            del self._handles[old.handle]
        self._pending[id] = None
        if len(self._pending) >= self._batch:
            self.flush()

    def flush(self) -> None:
        """Store what was learned."""
        if not self._pending:
            return
        puts = [row for row in self._pending.values() if row is not None]
        self._seen = None
        self._local.write(puts, [id for id, row in self._pending.items() if row is None])
        self._pending.clear()
        self._handles.clear()
