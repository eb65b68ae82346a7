"""An emptied source, a mass deletion or rewriting holds the apply, and accepting goes on."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agent.apply.results import Held, silent
from agent.config.values import Brake
from agent.core.commit import CommitKind, Provenance
from agent.core.ids import ROOT
from fakes.apply_fakes import Rig, Tree, rig


def test_an_emptied_source_is_held_until_accepted(tmpfs_dir: Path) -> None:
    """Nothing is removed; the acceptance survives a restart and lets exactly this emptying pass."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = Tree.empty(it.store)
        tree.file(ROOT, b"a", b"a")
        applier.converge(it.commit(tree), silent)
        before = it.seen()
        tree.remove(ROOT, b"a")
        commit = it.commit(tree)
        for _ in range(2):
            with pytest.raises(Held, match="became empty"):
                applier.converge(commit, silent)
        assert (before, ["held"]) == (it.seen(), it.problems())
        applier.accept(commit.number)
        it.dies(applier)
        tree.alter(ROOT, mode=tree.objects[ROOT].mode & ~0o7)
        second = it.applier()
        second.converge(it.commit(tree), silent)
        assert (tree.expected(), []) == (it.seen(), it.problems())
        tree.file(ROOT, b"b", b"b")
        second.converge(it.commit(tree), silent)
        tree.remove(ROOT, b"b")
        with pytest.raises(Held):
            second.converge(it.commit(tree), silent)


def test_a_refilled_source_ends_the_hold(tmpfs_dir: Path) -> None:
    """By itself."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier()
        tree = Tree.empty(it.store)
        tree.file(ROOT, b"a", b"a")
        applier.converge(it.commit(tree), silent)
        full = tree.copy()
        tree.remove(ROOT, b"a")
        with pytest.raises(Held):
            applier.converge(it.commit(tree), silent)
        done = applier.converge(it.commit(full), silent)
        assert (full.expected(), [], 0) == (it.seen(), it.problems(), done.bytes)


def wide(it: Rig, epoch: int = 1) -> Tree:
    """A tree of ten directories with twenty files each."""
    tree = Tree.empty(it.store, epoch)
    for one in range(10):
        directory = tree.directory(ROOT, b"d%d" % one)
        for two in range(20):
            tree.file(directory, b"f%d" % two, b"%d/%d" % (one, two))
    return tree


def prune(tree: Tree, count: int) -> None:
    """Remove so many files."""
    for place in [place for place in sorted(tree.names) if place[0] != ROOT][:count]:
        tree.remove(*place)


def test_a_mass_deletion_is_held_until_accepted_and_the_next_one_anew(tmpfs_dir: Path) -> None:
    """What was applied before counts; the hold outlives a restart and the window; accepting begins afresh, durably."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier(brake=Brake())
        tree = wide(it)
        applier.converge(it.commit(tree), silent)
        prune(tree, 60)
        applier.converge(it.commit(tree), silent)
        before = it.seen()
        prune(tree, 10)
        commit = it.commit(tree)
        with pytest.raises(Held, match=r"70 of 210 entries deleted since \d\d:\d\d") as held:
            applier.converge(commit, silent)
        assert ("mass-deletion", "hikae accept web if it is meant") == (held.value.code, held.value.remedy)
        applier.close()
        it.clock.advance(3600)
        tree.file(ROOT, b"an hour later", b"x")
        commit = it.commit(tree)
        second = it.applier(brake=Brake())
        for _ in range(2):
            with pytest.raises(Held, match="70 of 210"):
                second.converge(commit, silent)
        assert (before, ["mass-deletion"]) == (it.seen(), it.problems())
        second.accept(commit.number)
        it.dies(second)
        third = it.applier(brake=Brake())
        third.converge(commit, silent)
        assert (tree.expected(), []) == (it.seen(), it.problems())
        prune(tree, 42)
        third.converge(it.commit(tree), silent)
        prune(tree, 1)
        with pytest.raises(Held, match="43 of 141 entries deleted"):
            third.converge(it.commit(tree), silent)


def test_files_that_come_back_end_a_hold(tmpfs_dir: Path) -> None:
    """Under their old names, as other objects: nothing is deleted any more, and the same content is no rewriting."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier(brake=Brake())
        tree = wide(it)
        applier.converge(it.commit(tree), silent)
        kept = tree.copy()
        prune(tree, 150)
        with pytest.raises(Held):
            applier.converge(it.commit(tree), silent)
        for place, id in sorted(kept.names.items()):
            if place not in tree.names:
                row = kept.objects[id]
                tree.add(*place, row.mode, size=row.size, content=row.content)
        applier.converge(it.commit(tree), silent)
        assert (tree.expected(), []) == (it.seen(), it.problems())


def test_a_mass_rewriting_is_held(tmpfs_dir: Path) -> None:
    """Half of the files may be rewritten, one more may not; what was deleted or added beside them changes nothing."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier(brake=Brake())
        tree = wide(it)
        applier.converge(it.commit(tree), silent)
        files = sorted(id for id, row in tree.objects.items() if stat.S_ISREG(row.mode))
        for id in files[:100]:
            tree.write(id, b"other %d" % id)
        applier.converge(it.commit(tree), silent)
        tree.write(files[100], b"one more")
        with pytest.raises(Held, match="101 of 200 files rewritten") as held:
            applier.converge(it.commit(tree), silent)
        assert ("mass-rewriting", ["mass-rewriting"]) == (held.value.code, it.problems())


def test_limits_that_were_raised_end_a_hold(tmpfs_dir: Path) -> None:
    """The configuration was read again: what it permits now is applied, without an accept."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier(brake=Brake())
        tree = wide(it)
        applier.converge(it.commit(tree), silent)
        prune(tree, 150)
        commit = it.commit(tree)
        with pytest.raises(Held, match="deleted since"):
            applier.converge(commit, silent)
        applier.holds.brake = Brake(deleted=0.9)
        applier.converge(commit, silent)
        assert (tree.expected(), []) == (it.seen(), it.problems())


def test_a_first_sync_is_not_held(tmpfs_dir: Path) -> None:
    """What comes and goes before the first consistent commit is no loss, nor is what a standby that was empty never had."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier(brake=Brake())
        tree = wide(it)
        for consistent in (False, False, True):
            applier.converge(it.commit(tree, consistent=consistent), silent)
            prune(tree, 50)
        prune(tree, 50)
        commit = it.commit(tree)
        with pytest.raises(Held):
            applier.converge(commit, silent)
    with rig(tmpfs_dir / "late") as it:
        tree = wide(it)
        it.commit(tree)
        prune(tree, 150)
        it.applier(brake=Brake()).converge(it.commit(tree), silent)
        assert tree.expected() == it.seen()


def test_a_new_lineage_is_held_only_when_most_is_gone(tmpfs_dir: Path) -> None:
    """All objects are others then: the same tree passes, a tenth of it is held until it is accepted."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier(brake=Brake())
        tree = wide(it)
        applier.converge(it.commit(tree), silent)
        again = wide(it, 2)
        applier.converge(it.commit_anew(again), silent)
        assert again.expected() == it.seen()
        prune(again, 180)
        commit = it.commit_anew(again)
        with pytest.raises(Held, match="started anew with 30 entries; the standby keeps its 210"):
            applier.converge(commit, silent)
        applier.accept(commit.number)
        applier.converge(commit, silent)
        assert (again.expected(), []) == (it.seen(), it.problems())


def test_what_came_while_the_apply_was_paused_is_judged_whole(tmpfs_dir: Path) -> None:
    """However long ago the deletion was: nothing of it is on the standby yet."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier(brake=Brake())
        tree = wide(it)
        applier.converge(it.commit(tree), silent)
        prune(tree, 100)
        it.commit(tree)
        it.clock.advance(3600)
        tree.file(ROOT, b"an hour later", b"x")
        it.commit(tree)
        it.clock.advance(3600)
        tree.file(ROOT, b"two hours later", b"x")
        commit = it.commit(tree)
        with pytest.raises(Held, match="100 of 210 entries deleted"):
            applier.converge(commit, silent)


def test_a_way_back_to_what_is_held_here_passes(tmpfs_dir: Path) -> None:
    """However much it takes away; a state that nobody knows here, and a deletion that follows, do not."""
    back = Provenance(CommitKind.ROLLBACK)
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier(brake=Brake())
        few = wide(it)
        applier.converge(it.commit(few), silent)
        it.clock.advance(3600)
        many = few.copy()
        for one in range(400):
            many.file(ROOT, b"f%d" % one, b"%d" % one)
        applier.converge(it.commit(many), silent)
        it.clock.advance(3600)
        other = many.copy()
        for one in range(300):
            other.remove(ROOT, b"f%d" % one)
        with pytest.raises(Held, match="deleted"):
            applier.converge(it.commit(other, made=back), silent)
        applier.converge(it.commit(many), silent)
        applier.converge(it.commit(few, made=back), silent)
        assert (few.expected(), []) == (it.seen(), it.problems())
        applier.converge(it.commit(many), silent)
        it.commit(few, made=back)
        more = few.copy()
        more.file(ROOT, b"b", b"b")
        applier.converge(it.commit(more), silent)
        assert (more.expected(), []) == (it.seen(), it.problems())


def test_what_it_has_been_once_is_not_held_again(tmpfs_dir: Path) -> None:
    """A standby that an operator brought back goes on over what had passed by and by; what comes after that is judged."""
    with rig(tmpfs_dir / "rig") as it:
        applier = it.applier(brake=Brake())
        tree = wide(it)
        full = stood = it.commit(tree)
        applier.converge(full, silent)
        for _ in range(2):
            it.clock.advance(3600)
            prune(tree, 40)
            stood = it.commit(tree)
            applier.converge(stood, silent)
        applier.converge(full, silent, unheld=True)
        assert full.number == applier.applied
        applier.close()
        it.clock.advance(3600)
        second = it.applier(brake=Brake())
        with pytest.raises(Held):
            second.converge(it.commit(tree), silent)
        second.holds.let_pass(stood.number)
        second.converge(it.commit(tree), silent)
        assert (tree.expected(), []) == (it.seen(), it.problems())
