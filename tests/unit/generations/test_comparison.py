"""What lies between two moments, path by path."""

from __future__ import annotations

import random
import stat
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.core.commit import Changes
from agent.core.ids import ROOT, CommitNumber
from agent.core.rows import ObjectRow, name_key, object_key
from agent.generations.comparing.change import Change, ChangeKind, differing
from agent.generations.comparing.comparison import changes_between
from agent.store.catalog.catalog import Catalog
from fakes.idle import goes_on
from fakes.kept_trees import KeptTrees
from fakes.store_fakes import begun, dir_row, file_row, header, name_row, number

ADDED, CHANGED, MOVED, DELETED = ChangeKind.ADDED, ChangeKind.CHANGED, ChangeKind.MOVED, ChangeKind.DELETED


@dataclass
class Node:
    """An entry of a tree that differences are applied to."""

    row: ObjectRow | None
    children: dict[bytes, Node] = field(default_factory=dict)

    def at(self, path: bytes) -> Node:
        """What stands at a path below."""
        node = self
        for name in path.split(b"/") if path != b"." else ():
            node = node.children[name]
        return node

    def paths(self, prefix: bytes = b"") -> Iterable[tuple[bytes, ObjectRow | None]]:
        """Everything below."""
        for name, child in self.children.items():
            yield prefix + name, child.row
            yield from child.paths(prefix + name + b"/")


def applied(old: dict[bytes, ObjectRow], changes: list[Change]) -> dict[bytes, ObjectRow | None]:
    """The tree that a difference makes of another, by its words alone."""
    top = Node(None)
    for path in sorted(old):
        parent, _, name = path.rpartition(b"/")
        top.at(parent or b".").children[name] = Node(old[path])
    taken = {one.source: top.at(one.source) for one in changes if one.kind is MOVED and one.source is not None}
    for path in sorted([*taken, *(one.path for one in changes if one.kind is DELETED)], key=len, reverse=True):
        parent, _, name = path.rpartition(b"/")
        del top.at(parent or b".").children[name]
    for one in sorted(changes, key=lambda one: one.path.split(b"/")):
        parent, _, name = one.path.rpartition(b"/")
        if one.kind is ADDED:
            assert name not in top.at(parent or b".").children
            top.at(parent or b".").children[name] = Node(one.new)
        elif one.kind is MOVED and one.source is not None:
            assert name not in top.at(parent or b".").children
            top.at(parent or b".").children[name] = taken[one.source]
    for one in changes:
        if one.kind is CHANGED:
            top.at(one.path).row = one.new
    return dict(top.paths())


def is_like(one: ObjectRow | None, other: ObjectRow) -> bool:
    """Whether nothing that is told differs."""
    return one is not None and not differing(one, other)


@pytest.mark.parametrize("part", range(6))
def test_a_difference_makes_one_tree_of_the_other(tmp_path: Path, seed: int, part: int) -> None:
    """Whatever is moved, swapped, linked and built anew: what is told is enough, and told once."""
    chance = random.Random(seed * 100 + part)
    with Catalog.open(str(tmp_path / "catalog.db")) as catalog:
        history = KeptTrees(catalog, chance)
        history.run(60)
        moments = history.readable()
        with catalog.reader() as reader:
            for _ in range(25):
                a, b = chance.choice(moments), chance.choice(moments)
                changes = list(changes_between(reader, a, b, goes_on))
                result, new = applied(history.tree(a), changes), history.tree(b)
                linked = {one.path for one in changes if one.kind is CHANGED and one.names > 1}
                ids = {new[path].id for path in linked}
                assert sorted(new) == sorted(result)
                assert [] == [path for path in new if not is_like(result[path], new[path]) and new[path].id not in ids]
                assert [] == [one for one in changes if one.kind is CHANGED and not one.differs]


def told(catalog: Catalog, a: CommitNumber, b: CommitNumber) -> list[tuple[str, bytes, bytes | None, tuple[str, ...]]]:
    """What is said of two moments."""
    with catalog.reader() as reader:
        return [(one.kind.value, one.path, one.source, one.differs) for one in changes_between(reader, a, b, goes_on)]


def test_each_kind_of_change_is_told_as_people_name_it(tmp_path: Path) -> None:
    """A moved directory is one move, a file saved by rename is changed, a directory whose entries changed is not."""
    with begun(str(tmp_path / "catalog.db")) as catalog:
        first = [dir_row(2), file_row(3), file_row(4), file_row(5), file_row(6), file_row(9), dir_row(10), file_row(11)]
        names = [(1, b"d", 2), (2, b"in", 3), (1, b"saved", 4), (1, b"gone", 5), (1, b"grows", 6), (1, b"x", 9)]
        names += [(1, b"type", 10), (1, b"y", 11)]
        catalog.write(Changes((*first, *(name_row(*one) for one in names))), header(2))
        second = [dir_row(ROOT, 9), dir_row(2, 9), file_row(6, 7), file_row(7), file_row(8), file_row(12)]
        moved = [(1, b"e", 2), (1, b"saved", 7), (1, b"new", 8), (1, b"x", 11), (1, b"y", 9), (1, b"type", 12)]
        moved += [(1, b"link", 3)]
        drops = (name_key(ROOT, b"d"), name_key(ROOT, b"gone"), object_key(4), object_key(5), object_key(10))
        catalog.write(Changes((*second, *(name_row(*one) for one in moved)), drops), header(3))
        expected = [
            ("moved", b"e", b"d", ()),
            ("deleted", b"gone", None, ()),
            ("changed", b"grows", None, ("content",)),
            ("added", b"link", None, ()),
            ("added", b"new", None, ()),
            ("changed", b"saved", None, ("content",)),
            ("changed", b"type", None, ("type", "content", "mode")),
            ("moved", b"x", b"y", ()),
            ("moved", b"y", b"x", ()),
        ]
        assert expected == told(catalog, number(2), number(3))
        back = Counter(kind for kind, *_ in told(catalog, number(3), number(2)))
        assert {"moved": 3, "deleted": 2, "changed": 3, "added": 1} == dict(back)


def test_a_tree_that_was_built_anew_is_told_by_what_differs(tmp_path: Path) -> None:
    """Other objects at the same paths are no change where they are alike."""
    with begun(str(tmp_path / "catalog.db")) as catalog:
        old_names, new_names = [(1, b"t", 2), (2, b"s", 3), (3, b"f", 4)], [(1, b"t", 6), (6, b"s", 7), (7, b"f", 8)]
        old = [dir_row(2), dir_row(3), file_row(4, salt=b"x"), *(name_row(*one) for one in old_names)]
        catalog.write(Changes(tuple(old)), header(2))
        alike = bytearray(file_row(4, salt=b"x"))
        alike[2:10] = (8).to_bytes(8, "big")
        new = [dir_row(6, 9), dir_row(7, 9), bytes(alike), *(name_row(*one) for one in new_names)]
        new += [file_row(9), name_row(7, b"g", 9)]
        drops = [object_key(2), object_key(3), object_key(4), name_key(2, b"s"), name_key(3, b"f")]
        catalog.write(Changes(tuple(new), tuple(drops)), header(3))
        assert [("added", b"t/s/g", None, ())] == told(catalog, number(2), number(3))


def test_the_root_and_what_it_is_called(tmp_path: Path) -> None:
    """The root has no name: it is told as a dot."""
    with begun(str(tmp_path / "catalog.db")) as catalog:
        row = bytearray(dir_row(ROOT))
        row[10:14] = (stat.S_IFDIR | 0o700).to_bytes(4, "big")
        catalog.write(Changes((bytes(row),)), header(2))
        assert [("changed", b".", None, ("mode",))] == told(catalog, number(1), number(2))
