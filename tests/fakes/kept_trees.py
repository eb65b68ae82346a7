"""Random histories of trees, kept and expired, with all their states: the model of finding and comparing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.core.commit import Changes
from agent.core.ids import ROOT, CommitNumber, ObjectId, object_id
from agent.core.rows import (
    ObjectRow,
    decode_name,
    decode_object,
    is_object,
    name_key,
    object_id_of_key,
    object_key,
    parent_and_name_of_key,
)
from fakes.kept_histories import KeptHistory
from fakes.store_fakes import dir_row, file_row, name_row

Rows = dict[bytes, bytes]
_NAMES = [b"a", b"b", b"c", b"a-b"]


@dataclass
class KeptTrees(KeptHistory):
    """As ``KeptHistory``, but each state is a tree: files with hard links, directories that are moved, replaced, swapped."""

    ids: list[int] = field(default_factory=lambda: [100])

    def tree(self, at: CommitNumber) -> dict[bytes, ObjectRow]:
        """What stood where at a moment; the root is not in it."""
        return dict(_walked(self.model.states[at], ROOT, b""))

    def _changes(self) -> Changes:
        rows = dict(self.model.staged)
        rows.setdefault(object_key(ROOT), dir_row(ROOT))
        for _ in range(self.chance.randrange(5)):
            acts = [self._create, self._create, self._write, self._move, self._link, self._remove, self._swap]
            self.chance.choice(acts)(rows)
            _drop_unreached(rows)
        puts = [row for key, row in rows.items() if self.model.staged.get(key) != row]
        return Changes(tuple(puts), tuple(key for key in self.model.staged if key not in rows))

    def _create(self, rows: Rows) -> None:
        parent, name = self._place(rows)
        id = object_id(1, self.ids[0])
        self.ids[0] += 1
        # A few contents only: what is made anew may be as it was.
        rows[object_key(id)] = dir_row(id) if self.chance.random() < 0.5 else _like(id, self.chance.randrange(3))
        rows[name_key(parent, name)] = name_row(parent, name, id)

    def _write(self, rows: Rows) -> None:
        objects = [decode_object(row) for row in rows.values() if is_object(row)]
        one = self.chance.choice(objects)
        is_dir = dir_row(one.id)[2:14] == rows[object_key(one.id)][2:14]
        rows[object_key(one.id)] = (
            dir_row(one.id, self.chance.randrange(3)) if is_dir else _like(one.id, self.chance.randrange(3))
        )

    def _move(self, rows: Rows) -> None:
        names = _names(rows)
        if not names:
            return
        parent, name = self.chance.choice(sorted(names))
        id = names[parent, name]
        target = self._place(rows)
        if target[0] in _below(rows, id) or names.get(target) == id:
            return
        if target in names and parent in _below(rows, names[target]):
            return
        del rows[name_key(parent, name)]
        rows[name_key(*target)] = name_row(*target, id)

    def _link(self, rows: Rows) -> None:
        files = [place for place, id in _names(rows).items() if decode_object(rows[object_key(id)]).size]
        parent, name = self._place(rows)
        if files and name_key(parent, name) not in rows:
            id = _names(rows)[self.chance.choice(sorted(files))]
            rows[name_key(parent, name)] = name_row(parent, name, id)

    def _remove(self, rows: Rows) -> None:
        names = sorted(_names(rows))
        if names:
            del rows[name_key(*self.chance.choice(names))]

    def _swap(self, rows: Rows) -> None:
        names = _names(rows)
        if len(names) < 2:
            return
        (one, other) = self.chance.sample(sorted(names), 2)
        a, b = names[one], names[other]
        if one[0] in _below(rows, b) or other[0] in _below(rows, a):
            return
        rows[name_key(*one)], rows[name_key(*other)] = name_row(*one, b), name_row(*other, a)

    def _place(self, rows: Rows) -> tuple[ObjectId, bytes]:
        directories = [id for id in _below(rows, ROOT) if not decode_object(rows[object_key(id)]).size]
        return self.chance.choice(sorted(directories)), self.chance.choice(_NAMES)


def _like(id: ObjectId, which: int) -> bytes:
    """One of three contents, whatever the object."""
    row = bytearray(file_row(1, 5 + which))
    row[2:10] = id.to_bytes(8, "big")
    return bytes(row)


def _names(rows: Rows) -> dict[tuple[ObjectId, bytes], ObjectId]:
    found = {}
    for key, row in rows.items():
        if not is_object(row):
            found[parent_and_name_of_key(key)] = decode_name(row).object
    return found


def _below(rows: Rows, top: ObjectId) -> set[ObjectId]:
    """An object, and all that is below it."""
    found = {top}
    for (parent, _), id in _names(rows).items():
        if parent == top:
            found |= _below(rows, id)
    return found


def _drop_unreached(rows: Rows) -> None:
    """What no name leads to any more goes."""
    stays = _below(rows, ROOT)
    for key in [key for key, row in rows.items() if is_object(row) and object_id_of_key(key) not in stays]:
        del rows[key]
    for place in _names(rows):
        if place[0] not in stays:
            del rows[name_key(*place)]


def _walked(rows: Rows, directory: ObjectId, prefix: bytes) -> Iterator[tuple[bytes, ObjectRow]]:
    for (parent, name), id in _names(rows).items():
        if parent == directory:
            yield prefix + name, decode_object(rows[object_key(id)])
            yield from _walked(rows, id, prefix + name + b"/")
