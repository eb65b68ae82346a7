"""Which directory is written into: only ours, and never a bare mount point."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from agent.apply.applier import Applier
from agent.apply.results import Held, silent
from agent.core.ids import ROOT
from fakes.apply_fakes import Rig, Tree, rig


def _tree(it: Rig) -> Tree:
    tree = Tree.empty(it.store)
    tree.file(tree.directory(ROOT, b"d"), b"f", b"content")
    return tree


def _held(applier: Applier) -> str:
    with pytest.raises(Held) as caught:
        applier.prepare()
    return caught.value.code


def test_a_directory_that_is_not_empty_is_refused_and_untouched(tmpfs_dir: Path) -> None:
    """Until somebody empties it; then it is taken."""
    with rig(tmpfs_dir / "rig") as it:
        it.root.mkdir()
        (it.root / "precious").write_text("data")
        before = it.seen()
        applier = it.applier()
        assert "standby-not-empty" == _held(applier)
        assert [f"{it.root} is not empty; nothing in it was touched"] == [one.message for one in it.board.listed()[0]]
        assert (before, ["precious"], ["standby-not-empty"]) == (it.seen(), os.listdir(it.root), it.problems())
        (it.root / "precious").unlink()
        applier.prepare()
        assert [] == it.problems()
        tree = _tree(it)
        applier.converge(it.commit(tree), silent)
        assert tree.expected() == it.seen()


def test_a_new_filesystem_with_lost_and_found_is_empty(tmpfs_dir: Path) -> None:
    """As mkfs leaves it."""
    with rig(tmpfs_dir / "rig") as it:
        (it.root / "lost+found").mkdir(parents=True)
        it.applier().prepare()
        assert [] == it.problems()


def test_a_missing_path_is_created_where_its_parent_is(tmpfs_dir: Path) -> None:
    """And named as a problem where that is missing too."""
    with rig(tmpfs_dir / "rig") as it:
        it.root = it.base / "not" / "there"
        applier = it.applier()
        assert "standby-path-missing" == _held(applier)
        it.root.parent.mkdir()
        applier.prepare()
        assert ([], True) == (it.problems(), it.root.is_dir())


def test_an_unmounted_or_replaced_standby_is_never_written_into(tmpfs_dir: Path) -> None:
    """The apply waits until it is back, in the same process or the next."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = _tree(it)
        applier.converge(it.commit(tree), silent)
        applier.checkpoint()
        away = it.base / "away"
        it.root.rename(away)
        with pytest.raises(Held, match=re.escape(f"the standby's directory {it.root} is gone")) as gone:
            applier.prepare()
        assert "standby-gone" == gone.value.code
        it.root.mkdir()
        assert "standby-replaced" == _held(applier)
        assert f"another directory stands at {it.root}, where the standby was; " in it.board.listed()[0][0].message
        it.dies(applier)
        tree.file(ROOT, b"later", b"x")
        commit = it.commit(tree)
        second = it.applier()
        with pytest.raises(Held):
            second.converge(commit, silent)
        assert [] == os.listdir(it.root)
        it.root.rmdir()
        away.rename(it.root)
        second.converge(commit, silent)
        assert (tree.expected(), []) == (it.seen(), it.problems())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another owner")
def test_a_private_directory_of_somebody_else_is_not_used(tmpfs_dir: Path) -> None:
    """A link, a file, or another user's directory under our name."""
    with rig(tmpfs_dir / "rig") as it:
        it.root.mkdir()
        outside = it.base / "outside"
        outside.mkdir()
        private = it.root / ".hikae"
        private.symlink_to(outside)
        applier = it.applier()
        assert "standby-unsafe" == _held(applier)
        private.unlink()
        private.mkdir()
        os.chown(private, 1234, 1234)
        assert "standby-unsafe" == _held(applier)
        private.rmdir()
        applier.prepare()
        assert ([], []) == (os.listdir(outside), it.problems())


def test_what_is_not_known_any_more_waits_until_the_primary_has_been_through(tmpfs_dir: Path) -> None:
    """Both databases are gone, on both nodes: the first commits of another epoch hold a part of what stands. Nothing is taken
    for a stranger's, also after a restart, and all of it stays where it is."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = _tree(it)
        tree.file(ROOT, b"g", b"g")
        applier.converge(it.commit(tree), silent)
        applier.close()
        ino, stood = (it.root / "d" / "f").stat().st_ino, it.root
    (tmpfs_dir / "new").mkdir()
    stood.rename(tmpfs_dir / "new" / "standby")
    with rig(tmpfs_dir / "new") as it:
        tree, part = _tree(it), Tree.empty(it.store)
        part.file(ROOT, b"g", b"g")
        tree.file(ROOT, b"g", b"g")
        before, begun = it.seen(), it.commit_anew(part, consistent=False)
        for _ in range(2):
            applier = it.applier()
            with pytest.raises(Held):
                applier.converge(begun, silent)
            assert (before, ["adopt-waits"]) == (it.seen(), it.problems())
            applier.close()
        done = it.applier().converge(it.commit(tree), silent)
        assert (0, 0, 0) == (done.bytes, done.displaced, done.failed)
        assert (tree.expected(), ino, []) == (it.seen(), (it.root / "d" / "f").stat().st_ino, it.problems())


def test_lost_local_facts_cost_only_time(tmpfs_dir: Path) -> None:
    """The standby is known by its mark, and taken over without being rewritten."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = _tree(it)
        commit = it.commit(tree)
        applier.converge(commit, silent)
        applier.close()
        ino = (it.root / "d" / "f").stat().st_ino
        (it.base / "other").mkdir()
        it.local.close()
        it.local = type(it.local).open(str(it.base / "other" / "local.db"))
        second = it.applier()
        done = second.converge(commit, silent)
        assert (0, 0, 0) == (done.bytes, done.displaced, done.failed)
        assert (tree.expected(), ino) == (it.seen(), (it.root / "d" / "f").stat().st_ino)
        tree.move((ROOT, b"d"), (ROOT, b"e"))
        assert not second.converge(it.commit(tree), silent).redo
        assert tree.expected() == it.seen()
