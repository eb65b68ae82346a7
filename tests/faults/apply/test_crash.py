"""The process dies at any action, once or twice, with or without newer commits: redo ends in the newest tree."""

from __future__ import annotations

import os
import random
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.apply.output.directory import HALF_MADE
from agent.apply.ports import CatalogView
from agent.apply.results import silent
from agent.core.ids import ROOT
from agent.store.local import Local
from fakes.apply_fakes import Chance, Crash, DiesAt, Rig, Tree, rig


def _start(it: Rig, chance: Chance, rng: random.Random) -> Tree:
    """A standby that equals a first tree, with a checkpoint or only in memory."""
    tree = chance.evolve(Tree.empty(it.store), rng.choice((0, 10, 30)))
    commit = it.commit(tree)
    applier = it.applier()
    applier.converge(commit, silent)
    applier.checkpoint()
    if rng.random() < 0.5:
        tree = chance.evolve(tree, 10)
        applier.converge(it.commit(tree), silent)
    it.dies(applier)
    return tree


def _run_until(it: Rig, number: int) -> bool:
    """Converge in a new process that dies at an action; whether it died."""
    applier = it.applier(DiesAt(number))
    newest = it.catalog.newest()
    assert newest is not None
    try:
        applier.converge(newest, silent)
    except Crash:
        return True
    finally:
        it.dies(applier)
    return False


@pytest.mark.parametrize("round", range(12))
def test_redo_after_a_crash_at_every_action(tmpfs_dir: Path, seed: int, round: int) -> None:
    """Whatever action was the last, a new process makes the standby equal to the newest commit."""
    number, died = 1, True
    while died:
        rng = random.Random(f"{seed}-{round}")
        with rig(tmpfs_dir / f"{number}") as it:
            chance = Chance(rng)
            tree = chance.evolve(_start(it, chance, rng), 12)
            it.commit(tree)
            died = _run_until(it, number)
            _finish(it, tree)
        number += rng.choice((1, 2, 3))


@pytest.mark.parametrize("round", range(60))
def test_crashes_in_a_row_with_newer_commits_between(tmpfs_dir: Path, seed: int, round: int) -> None:
    """What was half-created is renamed, changed or deleted by later commits, and the redo dies too."""
    rng = random.Random(seed * 1000 + round)
    with rig(tmpfs_dir / "rig") as it:
        chance = Chance(rng)
        tree = _start(it, chance, rng)
        for _ in range(rng.randint(1, 4)):
            tree = chance.evolve(tree, rng.choice((5, 12, 25)))
            it.commit(tree)
            if not _run_until(it, rng.randint(1, 60)) and rng.random() < 0.5:
                break
        if rng.random() < 0.5:
            tree = chance.evolve(tree, 8)
            it.commit(tree)
        _finish(it, tree)


def test_what_is_in_a_directory_that_is_taken_for_another_is_ours(tmpfs_dir: Path) -> None:
    """It was made, not noted down, and another has its name by now: what was made in it is no stranger's."""
    number, died = 0, True
    while died:
        number += 1
        with rig(tmpfs_dir / f"{number}") as it:
            tree = Tree.empty(it.store)
            first = tree.directory(ROOT, b"name")
            tree.add(tree.directory(first, b"below"), b"link", stat.S_IFLNK | 0o777, content=b"nowhere")
            it.commit(tree)
            died = _run_until(it, number)
            tree.move((ROOT, b"name"), (ROOT, b"elsewhere"))
            tree.directory(tree.directory(ROOT, b"name"), b"another")
            it.commit(tree)
            _run_until(it, 1)
            tree.remove(ROOT, b"elsewhere")
            it.commit(tree)
            _finish(it, tree)


def test_what_is_in_a_directory_that_goes_as_another_is_ours(tmpfs_dir: Path) -> None:
    """As above, and nothing of that name is wanted any more."""
    number, died = 0, True
    while died:
        number += 1
        with rig(tmpfs_dir / f"{number}") as it:
            tree = Tree.empty(it.store)
            first = tree.directory(ROOT, b"name")
            tree.add(first, b"link", stat.S_IFLNK | 0o777, content=b"nowhere")
            it.commit(tree)
            died = _run_until(it, number)
            tree.move((ROOT, b"name"), (ROOT, b"elsewhere"))
            tree.move((ROOT, b"elsewhere"), (tree.directory(ROOT, b"name"), b"turned"))
            it.commit(tree)
            _run_until(it, 1)
            tree.remove(ROOT, b"name")
            it.commit(tree)
            _finish(it, tree)


class Asked:
    """A catalog that counts who asks it for names."""

    def __init__(self, view: CatalogView) -> None:
        self.view = view
        self.count = 0

    def __getattr__(self, verb: str) -> Any:
        self.count += verb in ("names_of", "child")
        return getattr(self.view, verb)


def test_a_redo_asks_of_a_directory_no_more_where_many_commits_may_have_left_something(tmpfs_dir: Path) -> None:
    """What is in directories that were not noted down is asked for by each moment only where something unknown stands."""
    asked = []
    for commits in (2, 60):
        with rig(tmpfs_dir / f"{commits}") as it:
            tree = Tree.empty(it.store)
            for number in range(60):
                tree.directory(tree.directory(ROOT, b"%d" % number), b"below")
                if number % (60 // commits) == 0:
                    it.commit(tree)
            it.commit(tree)
            assert not _run_until(it, 1_000_000)
            it.local.write([], sorted(tree.objects))
            newest, view = it.catalog.newest(), Asked(it.catalog.reader())
            assert newest is not None
            assert 0 == it.applier(reader=lambda view=view: view).converge(newest, silent).failed  # type: ignore[misc]
            assert tree.expected() == it.seen()
            asked.append(view.count)
    assert asked[1] < 2 * asked[0], asked


@pytest.mark.skipif(os.getuid() != 0, reason="owners need root")
def test_what_was_made_for_another_owner_is_ours_until_he_has_it(tmpfs_dir: Path) -> None:
    """A new directory, cut short, is given to somebody else by the next commit: where others may write, too, nothing is
    displaced."""
    number, died = 0, True
    while died:
        number += 1
        with rig(tmpfs_dir / f"{number}") as it:
            tree = Tree.empty(it.store)
            tree.alter(ROOT, mode=stat.S_IFDIR | 0o1777)
            it.commit(tree)
            assert not _run_until(it, 1_000_000)
            made = tree.directory(ROOT, b"made")
            tree.file(tree.directory(made, b"below"), b"file", b"x")
            it.commit(tree)
            died = _run_until(it, number)
            tree.alter(made, uid=1000, gid=1000)
            it.commit(tree)
            standing = it.root / "made"
            # Once it has the owner of before, it may be anybody's who moved it there.
            if not standing.exists() or stat.S_IMODE(standing.stat().st_mode) == HALF_MADE:
                _finish(it, tree)


def _finish(it: Rig, tree: Tree) -> None:
    newest = it.catalog.newest()
    assert newest is not None
    applier = it.applier()
    done = applier.converge(newest, silent)
    assert (newest.number, 0) == (done.number, done.failed)
    assert tree.expected() == it.seen()
    assert [] == it.problems()


@pytest.mark.parametrize("round", range(10))
def test_facts_that_a_power_cut_took_leave_nothing_behind(tmpfs_dir: Path, seed: int, round: int) -> None:
    """The standby was written out, what we knew of it was not: all is recognized, and no object has a name too many."""
    rng = random.Random(seed * 1000 + round)
    with rig(tmpfs_dir / "rig") as it:
        chance = Chance(rng)
        tree = chance.evolve(_start(it, chance, rng), 40)
        it.commit(tree)
        assert not _run_until(it, 1_000_000)
        it.local.write([], rng.sample(sorted(tree.objects), len(tree.objects) // 2))
        _finish(it, tree)
        report = it.opened[-1].verify(deep=True)
        assert ([], True) == (list(report.differences), report.equal)


@contextmanager
def _then_forgotten(it: Rig) -> Iterator[None]:
    """A kill takes back what was noted down meanwhile."""
    it.local.close()
    facts = [it.base / name for name in ("local.db", "local.db-wal")]
    kept = {one: one.read_bytes() for one in facts if one.exists()}
    it.local = Local.open(str(it.base / "local.db"))
    yield
    it.local.close()
    for one in facts:
        one.unlink(missing_ok=True)
    for one, held in kept.items():
        one.write_bytes(held)
    it.local = Local.open(str(it.base / "local.db"))


def test_what_is_in_a_directory_that_has_the_place_of_a_known_one_is_ours(tmpfs_dir: Path) -> None:
    """By an attempt before, the known one stood there: it is taken apart as that, and what is in it was made as another's."""
    with rig(tmpfs_dir / "rig") as it:
        tree = Tree.empty(it.store)
        tree.file(tree.directory(ROOT, b"old"), b"kept", b"x")
        it.commit(tree)
        _run_until(it, 1_000_000)
        with _then_forgotten(it):
            tree.move((ROOT, b"old"), (ROOT, b"new"))
            inner = tree.directory(tree.directory(ROOT, b"old"), b"inner")
            linked = tree.file(inner, b"file", b"y")
            tree.link(ROOT, b"link", linked)
            it.commit(tree)
            _run_until(it, 1_000_000)
        tree.remove(ROOT, b"old")
        it.commit(tree)
        _finish(it, tree)
        report = it.opened[-1].verify(deep=True)
        assert ([], True) == (list(report.differences), report.equal)


@pytest.mark.parametrize("round", range(30))
def test_facts_that_a_kill_took_back_leave_the_tree_equal(tmpfs_dir: Path, seed: int, round: int) -> None:
    """Several commits were applied, of the last ones nothing is known any more, and what is wanted is newer still."""
    rng = random.Random(seed * 1000 + round)
    with rig(tmpfs_dir / "rig") as it:
        chance = Chance(rng)
        tree = _start(it, chance, rng)
        with _then_forgotten(it):
            for _ in range(rng.randint(1, 6)):
                tree = chance.evolve(tree, rng.choice((5, 15, 25)))
                it.commit(tree)
                _run_until(it, rng.choice((1_000_000, rng.randint(1, 60))))
        tree = chance.evolve(tree, rng.choice((0, 8, 25)))
        newest, applier = it.commit(tree), it.applier()
        assert 0 == applier.converge(newest, silent).failed
        assert tree.expected() == it.seen()
        report = applier.verify(deep=True)
        assert ([], True) == (list(report.differences), report.equal)
