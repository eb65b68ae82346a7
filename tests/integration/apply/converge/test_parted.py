"""Further names of objects of the tree: a repair and a redo part from them, and who made them keeps what is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from agent.apply.applier import Applier
from agent.apply.results import silent
from agent.core.chunks import name_of
from agent.core.ids import ROOT
from fakes.apply_fakes import Crash, DiesAt, Rig, Tree, rig


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A standby with ``a``, which is ``d/b`` too, and ``c``."""
    with rig(tmpfs_dir / "rig") as made:
        yield made


@pytest.fixture
def tree(it: Rig) -> Tree:
    return _tree(it)


def _tree(it: Rig) -> Tree:
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


def _aside(it: Rig, *paths: str) -> Path:
    """A directory that was set aside, in which files of the standby have a further name."""
    inside = it.root / ".hikae/displaced/20261201T000000Z-1-d"
    inside.mkdir()
    for path in paths:
        os.link(it.root / path, inside / Path(path).name)
    return inside


def _was_killed(applier: Applier, act: Callable[[], object]) -> bool:
    try:
        act()
    except Crash:
        return True
    finally:
        applier.rest()
    return False


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


@pytest.mark.parametrize("repair", [False, True])
def test_what_is_killed_while_it_parts_is_found_again(tmpfs_dir: Path, repair: bool) -> None:
    """No commit changed the file, so that nothing else leads the next redo to it; and what is written later is at each name."""
    number, died = 0, True
    while died:
        number += 1
        with rig(tmpfs_dir / f"{number}") as it:
            tree = _tree(it)
            applier = _made(it, tree)
            applier.checkpoint()
            it.dies(applier)
            if repair:
                os.link(it.root / "a", it.base / "outside")
            else:
                _aside(it, "a")
            tree.write(tree.at(b"c"), b"newer")
            newest, applier = it.commit(tree), it.applier(DiesAt(number))
            act = (
                partial(applier.verify, deep=True, repair=True) if repair else partial(applier.converge, newest, silent)
            )
            died = _was_killed(applier, act)
            it.dies(applier)
            applier = it.applier()
            assert 0 == applier.converge(newest, silent).failed
            assert tree.expected() == it.seen()
            assert repair or applier.verify(deep=True).equal
            tree.write(tree.at(b"a"), b"later")
            done = applier.converge(it.commit(tree), silent)
            assert (0, 0, tree.expected()) == (done.failed, done.displaced, it.seen())


def test_what_was_parted_before_a_kill_is_whole(it: Rig, tree: Tree) -> None:
    """Of very many those alone are looked at again that were in hand."""
    first, last = tree.directory(ROOT, b"first"), tree.directory(ROOT, b"last")
    for number in range(1010):
        tree.file(first if number < 1005 else last, b"%d" % number, b"x")
    applier = _made(it, tree)
    applier.checkpoint()
    it.dies(applier)
    _aside(it, *(f"first/{number}" for number in range(1005)), *(f"last/{number}" for number in range(1005, 1010)))
    tree.write(tree.at(b"c"), b"newer")
    newest, applier = it.commit(tree), it.applier(DiesAt(2025))
    assert _was_killed(applier, lambda: applier.converge(newest, silent))
    it.dies(applier)
    applier = it.applier()
    assert 0 == applier.converge(newest, silent).failed
    assert tree.expected() == it.seen()
    assert applier.verify(deep=True).equal


def test_a_lost_chunk_stops_no_redo_that_only_parts(it: Rig, tree: Tree) -> None:
    """The file is as it should be: it keeps its further name, and that is told."""
    applier = _made(it, tree)
    aside = _aside(it, "a")
    it.store.lost.add(name_of(b"first"))
    applier = _redone(it, applier, tree)
    assert not applier.redoes
    assert ["displaced", "further-names"] == it.problems()
    assert (it.root / "a").samefile(aside / "a")
    it.store.lost.clear()
    applier = _redone(it, applier, tree)
    assert ["displaced"] == it.problems()
    assert _is_parted(it, aside / "a", b"first")


def test_what_could_not_be_parted_is_told_until_it_is(it: Rig, tree: Tree) -> None:
    """Over a redo that has nothing to do with it, and over a start; no more once the further name is gone."""
    applier = _made(it, tree)
    outside = it.base / "outside"
    os.link(it.root / "a", outside)
    it.store.lost.add(name_of(b"first"))
    applier.verify(deep=False, repair=True)
    applier.checkpoint()
    assert ["further-names"] == it.problems()
    applier = _redone(it, applier, tree)
    assert ["further-names"] == it.problems()
    applier.checkpoint()
    it.board.forget_all()
    applier = it.applier()
    applier.prepare()
    assert ["further-names"] == it.problems()
    tree.link(ROOT, b"third", tree.at(b"a"))
    newest = it.commit(tree)
    applier.prepare()
    assert ["further-names"] == it.problems()  # that the newest commit has one more makes it no wanted one
    assert 0 == applier.converge(newest, silent).failed
    outside.unlink()
    applier.verify(deep=False, repair=True)
    assert [] == it.problems()


def test_a_name_that_somebody_removed_hides_no_further_one(it: Rig, tree: Tree) -> None:
    """The file has as many names as it should, and one of them is not in the tree."""
    applier = _made(it, tree)
    applier.checkpoint()
    aside = _aside(it, "a")
    (it.root / "d/b").unlink()
    applier = _redone(it, applier, tree)
    assert applier.verify(deep=True).equal
    assert _is_parted(it, aside / "a", b"first")


def test_what_somebody_puts_there_while_a_file_is_parted_is_set_aside_by_the_next_redo(it: Rig, tree: Tree) -> None:
    """It is not taken for a file that only keeps its further name."""
    applier = _made(it, tree)
    applier.checkpoint()
    it.dies(applier)
    aside = _aside(it, "a")
    tree.write(tree.at(b"c"), b"newer")
    newest = it.commit(tree)
    stands, made, done = it.root / "a", it.root / ".hikae/t/new", it.base / "done"

    def put(what: str) -> None:
        """Once, while it is being made anew."""
        if what == "rename" and made.exists() and made.read_bytes() == b"first" and not done.exists():
            stands.unlink()
            stands.mkdir()
            done.touch()

    applier = it.applier(put)
    assert 1 == applier.converge(newest, silent).failed
    assert 0 == applier.converge(newest, silent).failed
    assert tree.expected() == it.seen()
    assert _is_parted(it, aside / "a", b"first")
