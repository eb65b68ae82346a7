"""The primary lost its catalog: every object is new to us, and nothing is rewritten."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.apply.results import Held, silent
from agent.core.ids import ROOT, ObjectId, object_id
from fakes.apply_fakes import Chance, Crash, DiesAt, Rig, Tree, rig


def _renumbered(tree: Tree, epoch: int) -> Tree:
    """The same tree, captured anew: every object but the root has another id."""
    ids: dict[ObjectId, ObjectId] = {ROOT: ROOT}
    for count, id in enumerate(sorted(tree.objects, reverse=True), 1):
        ids.setdefault(id, object_id(epoch, count))
    made = tree.copy()
    made.epoch, made.counter = epoch, len(ids) + 1
    made.objects = {ids[id]: row._replace(id=ids[id]) for id, row in tree.objects.items()}
    made.names = {(ids[parent], name): ids[id] for (parent, name), id in tree.names.items()}
    return made


def _inodes(it: Rig) -> dict[str, tuple[int, int]]:
    """Inode and mtime by path."""
    found = {}
    for path in it.root.rglob("*"):
        if ".hikae" not in path.parts:
            st = path.lstat()
            found[str(path)] = (st.st_ino, st.st_mtime_ns)
    return found


@pytest.mark.parametrize("round", range(6))
def test_no_file_is_rewritten(tmpfs_dir: Path, seed: int, round: int) -> None:
    """Same inodes, same times, no byte written, no chunk read; and the next commits are ordinary ones."""
    chance = Chance(random.Random(seed + round))
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = chance.evolve(Tree.empty(it.store), 60)
        applier.converge(it.commit(tree), silent)
        tree = chance.evolve(tree, 20)
        applier.converge(it.commit(tree), silent)
        before, it.store.reads = _inodes(it), 0
        tree = _renumbered(tree, 2)
        done = applier.converge(it.commit_anew(tree), silent)
        assert (0, 0, 0, 0) == (done.bytes, done.displaced, done.failed, it.store.reads)
        assert (tree.expected(), before) == (it.seen(), _inodes(it))
        tree = chance.evolve(tree, 20)
        done = applier.converge(it.commit(tree), silent)
        assert (False, 0, tree.expected()) == (done.redo, done.displaced, it.seen())


def test_an_inconsistent_beginning_waits(tmpfs_dir: Path) -> None:
    """The old standby stays until the new lineage has been through once."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = Tree.empty(it.store)
        tree.file(ROOT, b"a", b"a")
        tree.file(ROOT, b"b", b"b")
        old = it.commit(tree)
        applier.converge(old, silent)
        applier.checkpoint()
        before = it.seen()
        part = _renumbered(tree, 2)
        whole = part.copy()
        part.remove(ROOT, b"b")
        with pytest.raises(Held):
            applier.converge(it.commit_anew(part, consistent=False), silent)
        assert (before, ["lineage-waits"], old.number) == (it.seen(), it.problems(), applier.applied)
        done = applier.converge(it.commit(whole), silent)
        assert (whole.expected(), [], 0) == (it.seen(), it.problems(), done.bytes)


@pytest.mark.parametrize("round", range(25))
def test_a_changed_tree_and_crashes_on_the_way(tmpfs_dir: Path, seed: int, round: int) -> None:
    """The source went on while the catalog was lost; the agent dies in the middle, before or after; newer commits come."""
    _crashes_on_the_way(tmpfs_dir, random.Random(seed * 100 + round))


@pytest.mark.parametrize("known", [154838280817])
def test_crashes_that_went_wrong_once(tmpfs_dir: Path, known: int) -> None:
    """A directory waited in ``.hikae/m`` when the agent died, and another one stood at its name, which is not taken for it."""
    _crashes_on_the_way(tmpfs_dir, random.Random(known))


def _crashes_on_the_way(tmpfs_dir: Path, rng: random.Random) -> None:
    chance = Chance(rng)
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = chance.evolve(Tree.empty(it.store), 40)
        applier.converge(it.commit(tree), silent)
        applier.checkpoint()
        it.dies(applier)
        if rng.random() < 0.5:
            tree = chance.evolve(tree, 10)
            _dies_during(it, tree, rng, anew=False)
        tree = _renumbered(chance.evolve(tree, rng.choice((0, 10))), 2)
        _dies_during(it, tree, rng, anew=True)
        if rng.random() < 0.5:
            tree = chance.evolve(tree, 10)
            _dies_during(it, tree, rng, anew=False)
        newest = it.catalog.newest()
        assert newest is not None
        done = it.applier().converge(newest, silent)
        assert (0, tree.expected()) == (done.failed, it.seen())


def _dies_during(it: Rig, tree: Tree, rng: random.Random, *, anew: bool) -> None:
    commit = it.commit_anew(tree) if anew else it.commit(tree)
    applier = it.applier(DiesAt(rng.randint(1, 40)))
    try:
        applier.converge(commit, silent)
    except Crash:
        pass
    it.dies(applier)
