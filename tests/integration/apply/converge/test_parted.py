"""Further names of objects of the tree: a repair and a redo part from them, and who made them keeps what is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.applier import Applier
from agent.apply.results import silent
from agent.core.ids import ROOT
from fakes.apply_fakes import Rig, Tree, rig


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A standby with ``a``, which is ``d/b`` too, and ``c``."""
    with rig(tmpfs_dir / "rig") as made:
        yield made


@pytest.fixture
def tree(it: Rig) -> Tree:
    tree = Tree.empty(it.store)
    tree.link(tree.directory(ROOT, b"d"), b"b", tree.file(ROOT, b"a", b"first"))
    tree.file(ROOT, b"c", b"other")
    return tree


def _made(it: Rig, tree: Tree) -> Applier:
    applier = it.applier()
    assert 0 == applier.converge(it.commit(tree), silent).failed
    return applier


def _redone(it: Rig, applier: Applier, tree: Tree) -> Applier:
    """A new process, which believes nothing, after one that made a further commit and was killed."""
    it.dies(applier)
    tree.write(tree.at(b"c"), b"newer")
    newest, applier = it.commit(tree), it.applier()
    assert applier.redoes
    assert 0 == applier.converge(newest, silent).failed
    assert tree.expected() == it.seen()
    return applier


def _is_parted(it: Rig, path: Path, content: bytes) -> bool:
    own, its = (it.root / "a").stat(), path.stat()
    return own.st_ino != its.st_ino and (2, 1) == (own.st_nlink, its.st_nlink) and content == path.read_bytes()


def test_a_repair_parts_from_a_name_outside_of_the_standby(it: Rig, tree: Tree) -> None:
    """Until then a verify tells it, and a change of content in place would be seen there."""
    applier, outside = _made(it, tree), it.base / "outside"
    os.link(it.root / "a", outside)
    found = applier.verify(deep=True)
    assert {"links"} == {one.what for one in found.differences}
    assert applier.verify(deep=True, repair=True).equal
    assert tree.expected() == it.seen()
    assert _is_parted(it, outside, b"first")


def test_a_repair_of_more_than_are_listed_parts_from_all(it: Rig, tree: Tree) -> None:
    """As by ``cp -al`` of the standby to a place beside it."""
    many = it.limits.differences + 5
    for number in range(many):
        tree.file(ROOT, b"f%d" % number, b"x")
    applier = _made(it, tree)
    for number in range(many):
        os.link(it.root / f"f{number}", it.base / f"beside{number}")
    assert not applier.verify(deep=False).equal
    assert applier.verify(deep=False, repair=True).equal


def test_a_redo_parts_from_what_was_set_aside(it: Rig, tree: Tree) -> None:
    """However deep the name is, and through whatever else stands there."""
    applier = _made(it, tree)
    inner = it.root / ".hikae/displaced/20261201T000000Z-1-d/inner"
    inner.mkdir(parents=True)
    os.mkfifo(inner / "fifo")
    os.link(it.root / "a", inner / "kept")
    applier = _redone(it, applier, tree)
    assert applier.verify(deep=True).equal
    assert _is_parted(it, inner / "kept", b"first")


def test_what_stood_in_a_tree_that_was_taken_over_keeps_its_names(it: Rig, tree: Tree) -> None:
    """Copies of links beside a tree are how some keep history: a redo must not write all of it anew."""
    (it.root / "d").mkdir(parents=True)
    (it.root / "a").write_bytes(b"first")
    os.link(it.root / "a", it.root / "d/b")
    (it.root / "daily.1").mkdir()
    os.link(it.root / "a", it.root / "daily.1/a")
    applier = it.applier(adopt=True)
    assert 1 == applier.converge(it.commit(tree), silent).displaced
    (aside,) = (it.root / ".hikae/displaced").iterdir()
    assert aside.name.startswith("adopted-")
    before = (aside / "a").stat().st_nlink
    _redone(it, applier, tree)
    assert before == (aside / "a").stat().st_nlink == (it.root / "a").stat().st_nlink == 3
