"""What the rows of a commit must be together, so that they describe a tree (law 6).

Rows are checked when they come, against the state that is being staged. What does not fit yet is looked at again
at the seal: rows of one commit may come in any order, and only the whole has to be right.
"""

from __future__ import annotations

import stat
from array import array
from collections.abc import Callable, Sequence
from typing import Protocol

from agent.core.errors import WireError
from agent.core.ids import NOTHING, ROOT, CommitNumber, ObjectId
from agent.core.rows import (
    CHUNK_TAG,
    ChunkRow,
    NameRow,
    ObjectRow,
    Row,
    file_type_of,
    key_is_object,
    object_id_of_key,
    tag_of_key,
)

_KINDS_MAX = 100_000
_NAMES_MAX = 200_000
_GONE_MAX = 8_000_000
_DEPTH_MAX = 100_000


class Staged(Protocol):
    """What is asked of the catalog; ``at`` a staged number shows the staged state."""

    def object(self, id: ObjectId, at: CommitNumber | None = None) -> bytes | None: ...

    def some_names(self, id: ObjectId, most: int, at: CommitNumber | None = None) -> list[tuple[ObjectId, bytes]]: ...

    def child(self, parent: ObjectId, name: bytes, at: CommitNumber | None = None) -> ObjectId | None: ...

    def has_children(self, parent: ObjectId, at: CommitNumber | None = None) -> bool: ...


class Structure:
    """Checks one commit after the other. Used by the catalog's writing thread.

    ``empty``: whether the catalog holds no row, so that every object is new until it is seen. ``look`` is called at every step of
    what may take long, and raises what is to end it."""

    def __init__(self, catalog: Staged, empty: bool, look: Callable[[], None]) -> None:
        self._catalog = catalog
        self._look = look
        self._number = NOTHING
        self._kinds: dict[ObjectId, int] = {}
        self._highest: int | None = ROOT - 1 if empty else None
        self._names: dict[tuple[ObjectId, bytes], ObjectId] = {}
        #: Directories that were just seen to hang below the root, and how deep, while the staged state stands still.
        self._depths: dict[ObjectId, int] = {}
        # Eight bytes each: whole trees are dropped at once, objects before their names.
        self._gone = array("Q")

    def check_types(self, rows: Sequence[Row]) -> None:
        """Before they are staged: a tree has objects and names, and an object's type never changes. Raises ``WireError``."""
        highest = self._highest
        for row in rows:
            if type(row) is ObjectRow:
                kind = row.mode & 0o170000
                if highest is None or row.id <= highest:
                    self._check_type(row.id, kind)
                else:
                    highest = row.id
                self._kinds[row.id] = kind
            elif type(row) is ChunkRow:
                raise _bad("a device's chunk in a tree")
        self._highest = highest
        if len(self._kinds) > _KINDS_MAX:
            self._kinds.clear()

    def look(self, number: CommitNumber, rows: Sequence[Row], drops: Sequence[bytes]) -> None:
        """After they are staged under ``number``: note what does not fit yet. Raises ``WireError`` when that is too
        much."""
        self._number = number
        self._depths.clear()
        if any(tag_of_key(key) == CHUNK_TAG for key in drops):
            raise _bad("a drop of a device's chunk in a tree")
        dropped = [object_id_of_key(key) for key in drops if key_is_object(key)]
        for object_id in dropped:
            self._kinds.pop(object_id, None)
        for row in rows:
            self._look()
            if type(row) is NameRow and not self._name_fits(row.parent, row.name, row.object):
                self._names[(row.parent, row.name)] = row.object
        self._gone.extend(object_id for object_id in dropped if self._still_named(object_id))
        if len(self._names) > _NAMES_MAX or len(self._gone) > _GONE_MAX:
            raise _bad("too many rows before those that they need")

    def settle(self) -> None:
        """Everything fits now, or ``WireError``."""
        self._depths.clear()
        for (parent, name), object_id in self._names.items():
            self._look()
            if not self._name_fits(parent, name, object_id):
                raise _bad(f"the name {name[:40]!r} that does not fit into the tree")
        for gone in self._gone:
            self._look()
            if self._still_named(ObjectId(gone)):
                raise _bad("a drop of an object that still has names or entries")
        self.forget_open()

    def forget_open(self) -> None:
        """The commit is sealed: nothing of it is open."""
        self._names.clear()
        self._depths.clear()
        del self._gone[:]

    def withdrawn(self) -> None:
        """The staged rows are void, and with them what was learned from them."""
        self.forget_open()
        self._kinds.clear()
        # What was seen is no longer known to be there, nor to be new.
        self._highest = None

    def with_content(self, rows: Sequence[Row]) -> Sequence[ObjectRow]:
        """Those that stand for content: regular files that are not empty."""
        return [row for row in rows if type(row) is ObjectRow and row.content and stat.S_ISREG(row.mode)]

    def begun_anew(self) -> None:
        """Every row ends with the commit that is to come, and with them what was learned from them."""
        self.withdrawn()

    def _check_type(self, object_id: ObjectId, kind: int) -> None:
        row = self._catalog.object(object_id)
        if row is not None and file_type_of(row) != kind:
            raise _bad("an object that changes its type")

    def _kind(self, object_id: ObjectId) -> int | None:
        kind = self._kinds.get(object_id)
        if kind is None:
            row = self._catalog.object(object_id, self._number)
            if row is None:
                return None
            kind = self._kinds[object_id] = file_type_of(row)
        return kind

    def _name_fits(self, parent: ObjectId, name: bytes, object_id: ObjectId) -> bool:
        if self._kind(parent) != stat.S_IFDIR:
            return False
        kind = self._kind(object_id)
        if kind == stat.S_IFDIR:
            return self._directory_fits(parent, name, object_id)
        return kind is not None

    def _directory_fits(self, parent: ObjectId, name: bytes, object_id: ObjectId) -> bool:
        """One name only, and not below itself. A directory without entries cannot close a circle."""
        if self._catalog.some_names(object_id, 2, self._number) != [(parent, name)]:
            return False
        return not self._catalog.has_children(object_id, self._number) or self._reaches_root(parent, object_id)

    def _reaches_root(self, start: ObjectId, without: ObjectId) -> bool:
        """The way up is gone once: a deep tree comes as a chain, each link of which would be followed to the top.

        What is on a circle never reaches the root, so what is remembered has not ``without`` above it, whose only name is
        in ``start``."""
        at, way = start, list[ObjectId]()
        while at != ROOT and at not in self._depths:
            self._look()
            names = self._catalog.some_names(at, 1, self._number) if at != without else []
            if not names or len(way) >= _DEPTH_MAX:
                return False
            way.append(at)
            at = names[0][0]
        depth = self._depths.get(at, 0) + len(way)
        if len(self._depths) > _KINDS_MAX:
            self._depths.clear()
        self._depths.update(zip(way, range(depth, 0, -1), strict=False))
        return depth <= _DEPTH_MAX

    def _still_named(self, object_id: ObjectId) -> bool:
        catalog, number = self._catalog, self._number
        return bool(catalog.some_names(object_id, 1, number)) or catalog.has_children(object_id, number)


def _bad(what: str) -> WireError:
    return WireError(
        "take a commit", "", f"the peer sent {what}", "the sender is faulty or hostile; nothing was stored"
    )
