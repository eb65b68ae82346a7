"""Local facts as they will be after the batch that is being gathered."""

from __future__ import annotations

from collections.abc import Callable

from agent.chunking.stat_trust import RACY
from agent.core.ids import ObjectId
from agent.store.local import Local, LocalRow, Signature


class NewFacts:
    """The facts of one batch, laid over those that are kept. Belongs to the pump's thread. ``object_row``: the row of a live
    object, in that batch.

    ``rows`` and ``handles`` are the batch's to put a new file's fact into; None: that of an object that is gone."""

    def __init__(self, local: Local, object_row: Callable[[ObjectId], bytes | None]) -> None:
        self.rows: dict[ObjectId, LocalRow | None] = {}
        self.handles: dict[bytes, ObjectId] = {}
        self._local = local
        self._object_row = object_row

    def __bool__(self) -> bool:
        """Whether any wait to be written."""
        return bool(self.rows)

    def begin(self) -> None:
        """Begin with none: the batch's facts were written, or are forgotten."""
        self.rows.clear()
        self.handles.clear()

    def fact(self, id: ObjectId) -> LocalRow | None:
        """What this machine knows of an object."""
        if id in self.rows:
            return self.rows[id]
        return self._local.get(id)

    def signatures(self, ids: list[ObjectId]) -> dict[ObjectId, Signature]:
        """The same for many, without prints."""
        found = self._local.signatures(ids)
        if not self.rows:
            return found
        for id in ids:
            if id in self.rows:
                fact = self.rows[id]
                if fact is None:
                    found.pop(id, None)
                else:
                    found[id] = (fact.id, fact.handle, fact.ino, fact.ctime, fact.mtime, fact.size, fact.clean)
        return found

    def by_handle(self, handle: bytes) -> ObjectId | None:
        """The live object with this handle."""
        id = self.handles.get(handle)
        if id is None:
            id = self._local.by_handle(handle)
            if id is None:
                return None
            if id in self.rows:
                fact = self.rows[id]
                if fact is None or fact.handle != handle:
                    return None
        return id if self._object_row(id) is not None else None

    def set(self, fact: LocalRow) -> None:
        """What was seen of an object."""
        self.rows[fact.id] = fact
        self.handles[fact.handle] = fact.id

    def drop(self, id: ObjectId) -> None:
        """An object is gone."""
        fact = self.rows.get(id)
        if fact is not None and self.handles.get(fact.handle) == id:
            del self.handles[fact.handle]
        self.rows[id] = None

    def to_write(self) -> tuple[list[LocalRow], list[ObjectId]]:
        """Facts to put, and ids to drop. A fact that was found not to be clean is not so by the sync of a time when this was a
        standby either: the clock may have been set back since."""
        puts = [fact for fact in self.rows.values() if fact is not None]
        vouched = self._local.vouched
        if vouched:
            puts = [
                fact._replace(ctime=RACY) if fact.ctime < vouched and fact.ctime and not fact.clean else fact
                for fact in puts
            ]
        return puts, [id for id, fact in self.rows.items() if fact is None]
