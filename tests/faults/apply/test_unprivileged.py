"""Without privilege: directories that may not be written into are opened for the moment, owners are told of."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.results import silent
from agent.core.ids import ROOT
from fakes.apply_fakes import Chance, Crash, DiesAt, Tree, rig

NOBODY = 65534


@pytest.fixture
def nobody(tmpfs_dir: Path) -> Iterator[Path]:
    """A directory of an ordinary user, whom this process is meanwhile."""
    if os.geteuid() != 0:
        yield tmpfs_dir
        return
    with rig(tmpfs_dir / "warm") as it:
        # Whatever is imported late is imported now: an ordinary user may not reach this Python's files.
        it.applier().converge(it.commit(_lock(Chance(random.Random(1)).evolve(Tree.empty(it.store), 9))), silent)
    groups = os.getgroups()
    os.chown(tmpfs_dir, NOBODY, NOBODY)
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    yield tmpfs_dir
    os.seteuid(0)
    os.setegid(0)
    os.setgroups(groups)


def _lock(tree: Tree) -> Tree:
    """Our own objects, readable, and directories that may not be written into."""
    for id, row in tree.objects.items():
        bits = {stat.S_IFDIR: 0o555, stat.S_IFLNK: 0o777}.get(row.kind, 0o444)
        tree.alter(id, mode=row.kind | bits, uid=os.geteuid(), gid=os.getegid())
    return tree


def _without_nodes(tree: Tree) -> Tree:
    for place, id in list(tree.names.items()):
        if id in tree.objects and tree.objects[id].kind == stat.S_IFCHR:
            tree.names.pop(place)
            tree.objects = {i: row for i, row in tree.objects.items() if i != id or id in tree.names.values()}
    if not tree.names:
        tree.file(ROOT, b"never empty", b"x")
    return tree


@pytest.mark.parametrize("round", range(8))
def test_read_only_directories_are_no_obstacle(nobody: Path, seed: int, round: int) -> None:
    """Changed, moved, removed, with a crash on the way; each is as it should be again at the end."""
    rng = random.Random(seed + round)
    chance = Chance(rng)
    with rig(nobody / "rig") as it:
        tree = _lock(_without_nodes(chance.evolve(Tree.empty(it.store), 25)))
        it.applier().converge(it.commit(tree), silent)
        tree = _lock(_without_nodes(chance.evolve(tree, 15)))
        commit = it.commit(tree)
        dying = it.applier(DiesAt(rng.randint(1, 40)))
        try:
            dying.converge(commit, silent)
        except Crash:
            pass
        it.dies(dying)
        done = it.applier().converge(commit, silent)
        assert (0, tree.expected(), []) == (done.failed, it.seen(), it.problems())
        for directory, _, _ in os.walk(it.root):
            os.chmod(directory, 0o700)


def test_an_owner_that_may_not_be_given_is_a_warning(nobody: Path) -> None:
    """One problem for all of them; content is there, and the commit counts as applied."""
    with rig(nobody / "rig") as it:
        tree = Tree.empty(it.store)
        for number in range(5):
            tree.alter(tree.file(ROOT, b"%d" % number, b"x"), uid=0, gid=0)
        commit = it.commit(tree)
        assert commit.number == it.applier().converge(commit, silent).number
        assert ["metadata-not-permitted"] == it.problems()
        assert 5 == len(list(it.root.glob("[0-9]")))
