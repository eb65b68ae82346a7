"""An emptied source holds the apply, and accepting goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.apply.facts import Held
from agent.core.ids import ROOT
from fakes.apply_fakes import Tree, rig


def test_an_emptied_source_is_held_until_accepted(tmpfs_dir: Path) -> None:
    """Nothing is removed; the acceptance survives a restart and lets exactly this emptying pass."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = Tree.empty(it.store)
        tree.file(ROOT, b"a", b"a")
        applier.converge(it.commit(tree))
        before = it.seen()
        tree.remove(ROOT, b"a")
        commit = it.commit(tree)
        for _ in range(2):
            with pytest.raises(Held, match="became empty"):
                applier.converge(commit)
        assert (before, ["held"]) == (it.seen(), it.problems())
        applier.accept(commit.number)
        it.dies(applier)
        tree.alter(ROOT, mode=tree.objects[ROOT].mode & ~0o7)
        second = it.applier()
        second.converge(it.commit(tree))
        assert (tree.expected(), []) == (it.seen(), it.problems())
        tree.file(ROOT, b"b", b"b")
        second.converge(it.commit(tree))
        tree.remove(ROOT, b"b")
        with pytest.raises(Held):
            second.converge(it.commit(tree))


def test_a_refilled_source_ends_the_hold(tmpfs_dir: Path) -> None:
    """By itself."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = Tree.empty(it.store)
        tree.file(ROOT, b"a", b"a")
        applier.converge(it.commit(tree))
        full = tree.copy()
        tree.remove(ROOT, b"a")
        with pytest.raises(Held):
            applier.converge(it.commit(tree))
        done = applier.converge(it.commit(full))
        assert (full.expected(), [], 0) == (it.seen(), it.problems(), done.bytes)
