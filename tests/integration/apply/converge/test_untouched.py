"""What `exclude` names on the standby, and what is mounted there, stays as it is and where it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent.apply.applier import Applier
from agent.apply.results import silent
from agent.capture.exclude import Rules
from agent.core.ids import ROOT
from fakes.apply_fakes import Rig, Tree, rig
from fakes.loop_image import can_mount, run
from fakes.mounts import needs_root, unanswered

RULES = Rules(["cache/", "*.tmp"])


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig on a filesystem in memory."""
    with rig(tmpfs_dir / "rig") as made:
        yield made


def _applier(it: Rig, *, adopt: bool = False) -> Applier:
    return it.applier(left_out=RULES.excluded, adopt=adopt)


def _displaced(it: Rig) -> list[str]:
    return os.listdir(it.root / ".hikae/displaced")


def test_a_tree_that_is_taken_over_keeps_them(it: Rig) -> None:
    """In a directory that is wanted and in one that is foreign; what else is foreign is displaced."""
    for name in ("app/session.tmp", "cache/deep/big", "old/deep/x.tmp", "old2/foreign"):
        path = it.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("the application's")
    tree = Tree.empty(it.store)
    tree.file(tree.directory(ROOT, b"app"), b"data", b"v1")
    applier = _applier(it, adopt=True)
    applier.converge(it.commit(tree), silent)
    for name in ("app/session.tmp", "cache/deep/big", "old/deep/x.tmp"):
        assert "the application's" == (it.root / name).read_text()
    assert (1, True) == (len(_displaced(it)), applier.verify(deep=True).equal)


def test_a_root_that_holds_nothing_else_is_empty(it: Rig) -> None:
    """It is taken although adopt is not written."""
    (it.root / "cache").mkdir(parents=True)
    tree = Tree.empty(it.store)
    tree.file(ROOT, b"f", b"x")
    assert 0 == _applier(it).converge(it.commit(tree), silent).failed


def test_a_directory_that_must_go_and_holds_some_stays(it: Rig) -> None:
    """It is said; what is ours in it goes; made again on the primary it is taken again."""
    tree = Tree.empty(it.store)
    outer = tree.directory(ROOT, b"outer")
    inner = tree.directory(outer, b"inner")
    tree.file(inner, b"ours", b"x")
    applier = _applier(it)
    applier.converge(it.commit(tree), silent)
    (it.root / "outer/inner/cache").mkdir()
    (it.root / "outer/inner/cache/theirs").write_text("y")
    tree.remove(ROOT, b"outer")
    tree.file(ROOT, b"another", b"z")
    assert 0 == applier.converge(it.commit(tree), silent).failed
    assert (["cache"], []) == (os.listdir(it.root / "outer/inner"), _displaced(it))
    told = {problem.path for problem in it.board.listed()[0] if problem.code == "excluded-stays"}
    assert ({b"outer", b"outer/inner"}, True) == (told, applier.verify(deep=True).equal)
    (it.root / "outer/inner/cache/theirs").rename(it.root / "outer/inner/cache/moved")
    applier.prepare()
    assert "excluded-stays" in it.problems()
    tree.file(tree.directory(tree.directory(ROOT, b"outer"), b"inner"), b"ours", b"again")
    applier.converge(it.commit(tree), silent)
    assert ("again", "y") == (
        (it.root / "outer/inner/ours").read_text(),
        (it.root / "outer/inner/cache/moved").read_text(),
    )
    assert applier.verify(deep=True).equal


def test_what_stayed_and_was_removed_is_said_no_more(it: Rig) -> None:
    """Within the next look at the standby."""
    tree = Tree.empty(it.store)
    tree.directory(ROOT, b"d")
    applier = _applier(it)
    applier.converge(it.commit(tree), silent)
    (it.root / "d/x.tmp").write_text("y")
    tree.remove(ROOT, b"d")
    tree.file(ROOT, b"f", b"x")
    applier.converge(it.commit(tree), silent)
    assert ["excluded-stays"] == it.problems()
    (it.root / "d/x.tmp").unlink()
    (it.root / "d").rmdir()
    applier.prepare()
    assert [] == it.problems()


def test_such_a_directory_in_the_way_of_a_file(it: Rig) -> None:
    """The file is left out and told; the rest goes on; it comes once the way is free."""
    tree = Tree.empty(it.store)
    tree.directory(ROOT, b"d")
    applier = _applier(it)
    applier.converge(it.commit(tree), silent)
    (it.root / "d/x.tmp").write_text("y")
    tree.remove(ROOT, b"d")
    tree.file(ROOT, b"d", b"a file now")
    tree.file(ROOT, b"other", b"z")
    target = it.commit(tree)
    assert (target.number, 0) == ((done := applier.converge(target, silent)).number, done.failed)
    assert ("y", "z") == ((it.root / "d/x.tmp").read_text(), (it.root / "other").read_text())
    assert (True, True) == ("in-the-way" in it.problems(), applier.verify(deep=True).equal)
    (it.root / "d/x.tmp").unlink()
    (it.root / "d").rmdir()
    assert applier.verify(deep=False, repair=True).equal
    assert (b"a file now", False) == ((it.root / "d").read_bytes(), "in-the-way" in it.problems())


def test_what_is_excluded_from_now_on_stays(it: Rig) -> None:
    """The primary drops it from the dataset; the copy is the application's of this node then."""
    tree = Tree.empty(it.store)
    tree.file(ROOT, b"x.tmp", b"copy")
    applier = _applier(it)
    applier.converge(it.commit(tree), silent)
    tree.remove(ROOT, b"x.tmp")
    tree.file(ROOT, b"f", b"x")
    applier.converge(it.commit(tree), silent)
    assert (b"copy", True) == ((it.root / "x.tmp").read_bytes(), applier.verify(deep=True).equal)


@pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="only root may mount")
def test_a_mount_is_not_touched(it: Rig) -> None:
    """In a directory that must go, and where a directory is wanted."""
    tree = Tree.empty(it.store)
    tree.directory(tree.directory(ROOT, b"goes"), b"deep")
    applier = _applier(it)
    applier.converge(it.commit(tree), silent)
    (it.root / "wanted").mkdir()
    mounts = [it.root / "goes/deep", it.root / "wanted"]
    try:
        for where in mounts:
            run("mount", "-t", "tmpfs", "none", str(where))
            (where / "theirs").write_text("y")
        tree.remove(ROOT, b"goes")
        tree.file(tree.directory(ROOT, b"wanted"), b"ours", b"x")
        tree.file(ROOT, b"other", b"z")
        target = it.commit(tree)
        assert (target.number, 0) == ((done := applier.converge(target, silent)).number, done.failed)
        assert [["theirs"], ["theirs"]] == [os.listdir(where) for where in mounts]
        assert ({"excluded-stays", "in-the-way"}, True) == (set(it.problems()), applier.verify(deep=True).equal)
    finally:
        for where in mounts:
            run("umount", str(where))


@needs_root
@pytest.mark.parametrize("trusted", [True, False])
def test_a_mount_that_never_answers_holds_nothing_up(it: Rig, trusted: bool) -> None:
    """In a directory that must go, where one is wanted, and where none is: it is any other mount, by what the kernel knows."""
    tree = Tree.empty(it.store)
    tree.directory(tree.directory(ROOT, b"goes"), b"deep")
    tree.directory(ROOT, b"stays")
    applier = _applier(it)
    applier.converge(it.commit(tree), silent)
    for name in ("wanted", "other"):
        (it.root / name).mkdir()
    with ExitStack() as stack:
        for name in ("goes/deep", "wanted", "other", "stays"):
            stack.enter_context(unanswered(it.root / name))
        tree.remove(ROOT, b"goes")
        tree.file(tree.directory(ROOT, b"wanted"), b"ours", b"x")
        tree.file(tree.at(b"stays"), b"inside", b"x")
        tree.file(ROOT, b"file", b"z")
        target = it.commit(tree)
        if not trusted:
            it.dies(applier)
            applier = _applier(it)
        applier.converge(target, silent)
        assert b"z" == (it.root / "file").read_bytes()
        assert {"excluded-stays", "in-the-way"} <= set(it.problems())
        applier.verify(deep=True)
