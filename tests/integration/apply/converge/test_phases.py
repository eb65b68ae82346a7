"""The standby equals the commit, whatever both were before: real directories, real catalogs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from agent.apply.results import silent
from fakes.apply_fakes import Chance, Tree, rig


@pytest.mark.parametrize("round", range(30))
def test_any_history_of_commits_ends_in_the_newest_tree(tmpfs_dir: Path, seed: int, round: int) -> None:
    """From empty through random commits, each applied or skipped: apply(a, diff(a, b)) == b."""
    rng = random.Random(seed + round)
    with rig(tmpfs_dir / "rig") as it:
        chance = Chance(rng)
        applier = it.applier()
        tree = Tree.empty(it.store)
        for _ in range(4):
            tree = chance.evolve(tree, rng.choice((3, 15, 40)))
            commit = it.commit(tree)
            if rng.random() < 0.25:
                continue
            done = applier.converge(commit, silent)
            assert (commit.number, 0, 0) == (done.number, done.failed, done.displaced)
            assert tree.expected() == it.seen()
        assert [] == [code for code in it.problems() if code != "metadata-not-permitted"]
