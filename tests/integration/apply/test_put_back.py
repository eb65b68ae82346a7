"""A standby, or what is known of it, that is put back to an earlier time without the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.apply.applier import Applier
from agent.apply.loop import ApplyLoop
from agent.apply.results import ApplyPhase, Held, RootFailed, silent
from agent.core.clock import SystemClock
from agent.core.ids import NOTHING, ROOT, CommitNumber
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local
from fakes.apply_fakes import Crash, DiesAt, Rig, Tree, calls_of, rig
from fakes.eventually import eventually

PATIENCE = 30.0


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig on a filesystem in memory."""
    with rig(tmpfs_dir / "rig") as made:
        yield made


def _first(it: Rig) -> Tree:
    """A tree that is applied, by a process that came to its end."""
    tree = Tree.empty(it.store)
    for number in range(4):
        tree.file(ROOT, b"kept%d" % number, b"kept")
        tree.file(ROOT, b"changed%d" % number, b"v1")
    _applied(it, tree).close()
    return tree


def _applied(it: Rig, tree: Tree) -> Applier:
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    return applier


def _change(tree: Tree) -> Tree:
    """Files are written and deleted, and others appear."""
    tree.write(tree.at(b"changed0"), b"v2")
    tree.remove(ROOT, b"changed1")
    tree.file(ROOT, b"new", b"new")
    return tree


def _move_inside(source: Path, into: Path) -> None:
    """The directory ``into`` stays who it is; what it holds is exchanged."""
    for path in into.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(source, into, symlinks=True, dirs_exist_ok=True)


def _image(it: Rig) -> Path:
    """What the standby is now."""
    shutil.copytree(it.root, it.base / "image", symlinks=True)
    return it.base / "image"


def _state_is(it: Rig, directory: Path) -> None:
    """The catalog and the local facts are those in ``directory``."""
    it.local.close()
    it.catalog.close()
    it.local = Local.open(str(directory / "local.db"))
    it.catalog = Catalog.open(str(directory / "catalog.db"))


def _copy_state(it: Rig) -> Path:
    """A copy of the state, as of a process that has ended."""
    it.local.close()
    it.catalog.close()
    (it.base / "copy").mkdir()
    for path in it.base.glob("*.db*"):
        shutil.copy2(path, it.base / "copy")
    it.local = Local.open(str(it.base / "local.db"))
    it.catalog = Catalog.open(str(it.base / "catalog.db"))
    return it.base / "copy"


@pytest.mark.parametrize("ends", [Applier.close, Applier.checkpoint], ids=["stopped", "killed"])
def test_an_old_image_of_the_standby_is_made_equal(it: Rig, ends: Callable[[Applier], None]) -> None:
    """Nothing of what is known of it holds, and it is not called applied before it is."""
    tree = _first(it)
    image = _image(it)
    applier = _applied(it, _change(tree))
    ends(applier)
    it.dies(applier)
    _move_inside(image, it.root)
    second = it.applier()
    second.prepare()
    assert (NOTHING, True) == (second.applied, second.redoes)
    newest = it.catalog.newest()
    assert newest is not None
    second.converge(newest, silent)
    assert (tree.expected(), newest.number) == (it.seen(), second.applied)


def test_an_old_image_that_is_mounted_while_the_agent_runs(it: Rig) -> None:
    """The loop says that nothing is applied, compares, and says again what is."""
    tree = _first(it)
    image = _image(it)
    told: list[CommitNumber] = []
    loop = ApplyLoop(it.applier(), it.board, SystemClock(), calls_of(told.append), name="apply")
    loop.start()
    try:
        newest = it.commit(_change(tree)).number
        loop.notify(it.catalog.commits(CommitNumber(newest - 1), 1)[0])
        assert loop.wait_applied(newest, PATIENCE)
        eventually(lambda: loop.facts().checkpoint == newest)
        away = it.base / "away"
        it.root.rename(away)
        assert loop.wait_for(lambda facts: facts.phase is ApplyPhase.HELD, PATIENCE)
        _move_inside(image, away)
        away.rename(it.root)
        eventually(lambda: told[-3:] == [newest, NOTHING, newest] or None)
    finally:
        loop.close()
    assert tree.expected() == it.seen()


def test_an_old_copy_of_the_state_does_not_know_what_stands_there(it: Rig) -> None:
    """What was made and removed again since is not left lying about, whatever the old state says of its end."""
    tree = _first(it)
    before, seq, sealed = tree.copy(), it.seq, it.tree
    copy = _copy_state(it)
    _applied(it, _change(tree)).close()
    _state_is(it, copy)
    it.seq, it.tree = seq, sealed
    _applied(it, before).close()
    assert before.expected() == it.seen()


@pytest.mark.parametrize("steps", range(1, 6))
def test_an_old_copy_of_the_state_beside_a_run_that_was_cut_short(it: Rig, steps: int) -> None:
    """Before the first checkpoint after a clean end it is known as well."""
    tree = _first(it)
    before, seq, sealed = tree.copy(), it.seq, it.tree
    copy = _copy_state(it)
    applier = it.applier(DiesAt(steps))
    with pytest.raises(Crash):
        applier.converge(it.commit(_change(tree)), silent)
    it.dies(applier)
    _state_is(it, copy)
    it.seq, it.tree = seq, sealed
    _applied(it, before).close()
    assert before.expected() == it.seen()


def test_a_run_that_was_cut_short_is_no_other_time(it: Rig) -> None:
    """It goes on from its checkpoint, and does not compare everything."""
    tree = _first(it)
    applier = it.applier(DiesAt(2))
    commit = it.commit(_change(tree))
    with pytest.raises(Crash):
        applier.converge(commit, silent)
    it.dies(applier)
    second = it.applier()
    second.prepare()
    assert (commit.parent, True) == (second.applied, second.redoes)
    second.converge(commit, silent)
    assert tree.expected() == it.seen()


def test_a_standby_of_another_time_is_not_verified(it: Rig) -> None:
    """Before it was compared nothing true can be said of it."""
    tree = _first(it)
    image = _image(it)
    _applied(it, _change(tree)).close()
    _move_inside(image, it.root)
    second = it.applier()
    with pytest.raises(RootFailed):
        second.verify(deep=False)


def test_what_was_put_back_lets_no_hold_pass(it: Rig) -> None:
    """That the source was emptied is judged from what the standby equalled when that was known."""
    tree = _first(it)
    commit = it.commit(Tree.empty(it.store))
    (it.root / ".hikae" / "token").write_bytes(b"another time")
    before = it.seen()
    second = it.applier()
    with pytest.raises(Held):
        second.converge(commit, silent)
    assert (before, NOTHING) == (it.seen(), second.applied)
    second.accept(commit.number)
    second.converge(commit, silent)
    assert (Tree.empty(it.store).expected().keys(), tree.expected().keys()) == (it.seen().keys(), before.keys())


def test_what_was_put_back_waits_for_a_primary_that_begins_anew(it: Rig) -> None:
    """Nothing is moved aside for a first sync that is not through."""
    _first(it)
    (it.root / ".hikae" / "token").unlink()
    before = it.seen()
    second = it.applier()
    with pytest.raises(Held):
        second.converge(it.commit_anew(Tree.empty(it.store), consistent=False), silent)
    assert before == it.seen()
