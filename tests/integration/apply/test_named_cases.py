"""Cases with a name: each was once a bug somewhere."""

from __future__ import annotations

import gc
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.applier import Applier
from agent.apply.bounds import USUAL, ApplyLimits
from agent.apply.results import silent
from agent.apply.run.standing_entries import StandingEntries
from agent.core.ids import ROOT
from agent.core.rows import FLAG_APPEND, FLAG_IMMUTABLE
from fakes.apply_fakes import PAGE, Rig, Tree, rig

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig on a filesystem in memory."""
    with rig(tmpfs_dir / "rig") as made:
        yield made
        for path, _, names in os.walk(made.root):
            for name in (*names, "."):
                subprocess.run(["chattr", "-i", "-a", "-f", os.path.join(path, name)], check=False)


@pytest.fixture
def tree(it: Rig) -> Tree:
    """A small tree: ``d/e/f``, ``d/g``, ``h`` (two names with ``d/i``)."""
    tree = Tree.empty(it.store)
    d = tree.directory(ROOT, b"d")
    e = tree.directory(d, b"e")
    tree.file(e, b"f", b"f content")
    tree.file(d, b"g", b"g content")
    tree.link(d, b"i", tree.file(ROOT, b"h", b"h content"))
    return tree


def _apply(it: Rig, applier: Applier, tree: Tree) -> None:
    done = applier.converge(it.commit(tree), silent)
    assert 0 == done.failed
    assert tree.expected() == it.seen()


def _ino(it: Rig, path: str) -> int:
    return (it.root / path).lstat().st_ino


def test_a_run_that_is_over_holds_no_rows(it: Rig, tree: Tree) -> None:
    """A first sync makes hundreds of them before garbage is looked for."""
    gc.collect()
    gc.disable()
    try:
        _apply(it, it.applier(), tree)
        left = [one for one in gc.get_objects() if isinstance(one, StandingEntries)]
        assert [] == [one for one in left if one.wanted.rows or one.places or one.done]
    finally:
        gc.enable()


def test_a_renamed_directory_keeps_its_inodes(it: Rig, tree: Tree) -> None:
    """Nothing below it is touched."""
    applier = it.applier()
    _apply(it, applier, tree)
    before = (_ino(it, "d"), _ino(it, "d/e/f"))
    tree.move((ROOT, b"d"), (ROOT, b"elsewhere"))
    _apply(it, applier, tree)
    assert before == (_ino(it, "elsewhere"), _ino(it, "elsewhere/e/f"))


def test_parent_and_child_swap_places(it: Rig, tree: Tree) -> None:
    """``d/e`` becomes ``e/d``."""
    applier = it.applier()
    _apply(it, applier, tree)
    d = tree.names.pop((ROOT, b"d"))
    tree.names[ROOT, b"e"] = tree.names.pop((d, b"e"))
    tree.names[tree.names[ROOT, b"e"], b"d"] = d
    _apply(it, applier, tree)


def test_two_names_are_swapped(it: Rig, tree: Tree) -> None:
    """A file and a directory, in one commit, with no file rewritten."""
    applier = it.applier()
    _apply(it, applier, tree)
    ino = _ino(it, "h")
    tree.names[ROOT, b"h"], tree.names[ROOT, b"d"] = tree.names[ROOT, b"d"], tree.names[ROOT, b"h"]
    _apply(it, applier, tree)
    assert ino == _ino(it, "d")


def test_a_file_with_two_names_is_changed_in_place(it: Rig, tree: Tree) -> None:
    """Both names stay one inode."""
    applier = it.applier()
    _apply(it, applier, tree)
    ino = _ino(it, "h")
    tree.write(tree.at(b"h"), b"new content")
    _apply(it, applier, tree)
    assert (ino, ino) == (_ino(it, "h"), _ino(it, "d/i"))


def test_a_large_file_with_few_changes_is_changed_in_place(it: Rig, tree: Tree) -> None:
    """Only what differs is written; a file that changed all over is replaced."""
    applier = it.applier()
    chunk = 1 << 20
    runs = [bytes([n]) * chunk for n in range(USUAL.large // chunk + 1)]
    big = tree.file(ROOT, b"big", *runs)
    _apply(it, applier, tree)
    ino = _ino(it, "big")
    runs[3] = b"!" * chunk
    tree.write(big, *runs, b"more")
    done = applier.converge(it.commit(tree), silent)
    assert (ino, chunk + 4) == (_ino(it, "big"), done.bytes)
    assert tree.expected() == it.seen()
    tree.write(big, *(bytes([n + 100]) * chunk for n in range(USUAL.large // chunk + 1)))
    _apply(it, applier, tree)
    assert ino != _ino(it, "big")


def test_foreign_entries_are_moved_aside_and_reported(it: Rig, tree: Tree) -> None:
    """In the way of a new name, and in a directory that is removed."""
    applier = it.applier()
    _apply(it, applier, tree)
    (it.root / "new").write_text("somebody's")
    (it.root / "d" / "e" / "theirs").mkdir()
    (it.root / "d" / "e" / "theirs" / "deep").write_text("also theirs")
    tree.file(ROOT, b"new", b"ours")
    tree.remove(ROOT, b"d")
    done = applier.converge(it.commit(tree), silent)
    assert (0, 2) == (done.failed, done.displaced)
    assert tree.expected() == it.seen()
    aside = sorted((it.root / ".hikae/displaced").iterdir())
    assert ["new", "theirs"] == sorted(path.name.rpartition("-")[2] for path in aside)
    assert {"displaced"} == set(it.problems())
    for path in aside:
        subprocess.run(["rm", "-r", path], check=True)
    applier.prepare()
    assert [] == it.problems()


def test_an_equal_file_in_the_way_is_taken_over(it: Rig, tree: Tree) -> None:
    """Its inode stays, its metadata becomes ours, nothing is displaced."""
    applier = it.applier()
    _apply(it, applier, tree)
    (it.root / "new").write_text("the same")
    ino = _ino(it, "new")
    tree.file(ROOT, b"new", b"the same")
    _apply(it, applier, tree)
    assert (ino, []) == (_ino(it, "new"), it.problems())


def test_what_somebody_removed_here_is_built_anew(it: Rig, tree: Tree) -> None:
    """A directory that a change leads into, with all that is in it."""
    applier = it.applier()
    _apply(it, applier, tree)
    subprocess.run(["rm", "-r", it.root / "d"], check=True)
    tree.file(tree.at(b"d/e"), b"another", b"x")
    _apply(it, applier, tree)


def test_what_somebody_replaced_here_is_not_overwritten(it: Rig, tree: Tree) -> None:
    """A directory of theirs under our name is used, but a file of theirs is moved aside."""
    applier = it.applier()
    _apply(it, applier, tree)
    (it.root / "d" / "g").unlink()
    (it.root / "d" / "g").write_text("theirs")
    tree.file(tree.at(b"d"), b"g", b"a new one")
    done = applier.converge(it.commit(tree), silent)
    assert 1 == done.displaced
    assert tree.expected() == it.seen()


@needs_root
def test_immutable_and_append_only_do_not_stop_it(it: Rig, tree: Tree) -> None:
    """Flags are set last, lifted before a change, and stand again after it."""
    applier = it.applier()
    tree.alter(tree.at(b"h"), flags=FLAG_IMMUTABLE)
    tree.alter(tree.at(b"d/g"), flags=FLAG_APPEND)
    tree.alter(tree.at(b"d"), flags=FLAG_IMMUTABLE)
    _apply(it, applier, tree)
    tree.write(tree.at(b"h"), b"changed")
    tree.write(tree.at(b"d/g"), b"changed")
    tree.move((tree.at(b"d"), b"i"), (ROOT, b"i"))
    tree.file(tree.at(b"d"), b"new", b"n")
    _apply(it, applier, tree)
    tree.remove(ROOT, b"h")
    tree.move((ROOT, b"d"), (ROOT, b"D"))
    _apply(it, applier, tree)
    tree.remove(ROOT, b"D")
    tree.alter(tree.at(b"i"), flags=0)
    _apply(it, applier, tree)


def test_a_path_of_any_depth(it: Rig, tree: Tree) -> None:
    """Longer than a path may be: made, moved, and removed again."""
    applier = it.applier()
    at = ROOT
    for _ in range(60):
        at = tree.directory(at, b"x" * 200)
    tree.file(at, b"bottom", b"b")
    commit = it.commit(tree)
    assert 0 == applier.converge(commit, silent).failed
    assert applier.verify(deep=True).equal
    tree.move((ROOT, b"x" * 200), (tree.at(b"d"), b"y"))
    assert 0 == applier.converge(it.commit(tree), silent).failed
    assert applier.verify(deep=True).equal
    tree.remove(tree.at(b"d"), b"y")
    _apply(it, applier, tree)


def test_a_difference_that_does_not_fit_into_memory(it: Rig, tree: Tree) -> None:
    """Spilled to a file, it ends the same."""
    it.limits = ApplyLimits(keys=1000)
    applier = it.applier()
    for number in range(300):
        tree.link(tree.at(b"d"), b"l%d" % number, tree.file(tree.at(b"d/e"), b"%d" % number, b"%d" % number))
    _apply(it, applier, tree)
    tree.move((ROOT, b"d"), (ROOT, b"z"))
    for number in range(0, 300, 2):
        tree.remove(tree.at(b"z/e"), b"%d" % number)
    _apply(it, applier, tree)
    assert ["catalog.db", "local.db", "standby"] == sorted(
        path.name for path in it.base.iterdir() if not path.name.endswith(("-wal", "-shm"))
    )


def test_holes_stay_holes(it: Rig, tree: Tree) -> None:
    """In new files and in changed ones."""
    applier = it.applier()
    file = tree.file(ROOT, b"sparse", b"a" * PAGE, 10 * PAGE, b"b" * PAGE, 3 * PAGE)
    _apply(it, applier, tree)
    tree.link(ROOT, b"second name", file)
    tree.write(file, 8 * PAGE, b"c" * PAGE, PAGE, b"end")
    _apply(it, applier, tree)


def test_an_object_that_changes_its_type(it: Rig, tree: Tree) -> None:
    """No honest capture sends it, but it must end right: a file becomes a directory under the same id."""
    applier = it.applier()
    _apply(it, applier, tree)
    g = tree.at(b"d/g")
    tree.alter(g, mode=stat.S_IFDIR | 0o700, size=0, content=b"")
    tree.file(g, b"inside", b"x")
    _apply(it, applier, tree)
    tree.remove(g, b"inside")
    size, listed = tree.content(b"a file again")
    tree.alter(g, mode=stat.S_IFREG | 0o600, size=size, content=listed)
    _apply(it, applier, tree)


def test_a_clean_end_is_believed_and_a_crash_is_not(it: Rig, tree: Tree) -> None:
    """After ``close`` the next process trusts what stands; without it, it looks."""
    applier = it.applier()
    _apply(it, applier, tree)
    applier.close()
    tree.write(tree.at(b"d/g"), b"1")
    second = it.applier()
    assert not second.redoes
    _apply(it, second, tree)
    it.dies(second)
    third = it.applier()
    assert third.redoes
    assert third.converge(it.commit(tree), silent).redo


def test_an_empty_tree_is_applied_after_the_standby_had_rested(it: Rig) -> None:
    """Nobody places the root: its metadata is set although its directory was made, and let go of, before the first commit."""
    applier = it.applier()
    applier.prepare()
    applier.rest()
    _apply(it, applier, Tree.empty(it.store))
