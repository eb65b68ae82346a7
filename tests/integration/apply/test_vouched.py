"""What a checkpoint's sync makes certain: a node that becomes primary need not read what it wrote itself (law 5)."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.apply.results import silent
from agent.core.clock import ManualClock
from agent.core.ids import ROOT, ObjectId
from agent.fs.durable import has_silent_stores
from agent.store.doubt import doubt_what_may_be_older, facts_mark
from agent.store.local import Signature
from fakes.apply_fakes import PAGE, Chance, Rig, Tree, rig


@pytest.fixture
def it(ext4_dir: Path) -> Iterator[Rig]:
    """A rig whose clock is a minute ahead: what is written now is older than the next sync by more than any grain."""
    with rig(ext4_dir / "rig") as made:
        made.clock = ManualClock(time.time_ns() + 60_000_000_000)
        root = os.open(ext4_dir, os.O_RDONLY)
        silent = has_silent_stores(root)
        os.close(root)
        if silent:
            pytest.skip("the directory for temporary files is on a filesystem in memory")
        yield made


def believed(it: Rig, tree: Tree) -> dict[ObjectId, Signature]:
    """The signatures that a primary would believe of what stands, after it opened its stores."""
    doubt_what_may_be_older(it.local, it.catalog)
    found = it.local.signatures(tree.objects)
    return {id: one for id, one in found.items() if one[6] and one[2:6] == stands(it, tree, id)}


def stands(it: Rig, tree: Tree, id: ObjectId) -> tuple[int, int, int, int] | None:
    """Inode, ctime, mtime and size of what is at an object's first name."""
    path = b""
    at = id
    while at != ROOT:
        at, name = next(place for place, child in sorted(tree.names.items()) if child == at)
        path = name + b"/" + path if path else name
    try:
        st = os.lstat(os.path.join(os.fsencode(it.root), path))
    except FileNotFoundError:
        return None
    return st.st_ino, st.st_ctime_ns, st.st_mtime_ns, st.st_size


def test_all_that_was_written_is_believed_after_a_checkpoint(it: Rig, rng: random.Random) -> None:
    """Every type of object, directories too, and none before."""
    tree = Chance(rng).evolve(Tree.empty(it.store), 60)
    applier = it.applier()
    commit = it.commit(tree)
    applier.converge(commit, silent)
    assert not any(one[6] for one in it.local.signatures(tree.objects).values())
    applier.checkpoint()
    assert set(tree.objects) == set(believed(it, tree))
    assert facts_mark(commit) == it.local.mark()


def test_what_is_written_after_the_checkpoint_is_not(it: Rig) -> None:
    """Until the next one; and what the catalog is ahead by is doubted, whatever stands."""
    tree = Tree.empty(it.store)
    still, changes = tree.file(ROOT, b"still", b"1"), tree.file(ROOT, b"changes", b"2")
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    applier.checkpoint()
    tree.write(changes, b"three")
    it.commit(tree)
    assert {ROOT, still} == set(believed(it, tree))


def test_of_what_was_written_within_the_grain_of_the_sync_nothing_is_believed(it: Rig) -> None:
    """A later change could carry the same time."""
    it.clock = ManualClock(time.time_ns() - 60_000_000_000)
    tree = Tree.empty(it.store)
    tree.file(ROOT, b"file", b"1")
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    applier.checkpoint()
    assert {} == believed(it, tree)


def test_what_somebody_changed_is_another_stat(it: Rig) -> None:
    """It is read then, and nothing else is."""
    tree = Tree.empty(it.store)
    same, other = tree.file(ROOT, b"same", b"1"), tree.file(ROOT, b"other", b"2")
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    applier.checkpoint()
    st = (it.root / "other").stat()
    (it.root / "other").write_bytes(b"3")
    os.utime(it.root / "other", ns=(0, st.st_mtime_ns))
    assert {ROOT, same} == set(believed(it, tree)) - {other}
    assert other not in believed(it, tree)


def test_an_older_version_of_what_is_owed_is_not_believed(it: Rig) -> None:
    """It stands for a row that it does not equal."""
    tree = Tree.empty(it.store)
    still, owed = tree.file(ROOT, b"still", b"1"), tree.file(ROOT, b"owed", b"2")
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    applier.checkpoint()
    tree.write(owed, b"three")
    applier.converge(it.commit_short(tree, owed), silent)
    applier.checkpoint()
    assert {ROOT, still} == set(believed(it, tree))


def test_the_version_before_of_a_late_file_is_not_believed(it: Rig) -> None:
    """A large file that is still being written, aside of what stands."""
    tree = Tree.empty(it.store)
    still, late = tree.file(ROOT, b"still", b"1"), tree.file(ROOT, b"late", *[b"a" * (1 << 20)] * 17)
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    applier.checkpoint()
    tree.write(late, *[bytes([n]) * (1 << 20) for n in range(65, 99)])
    commit = it.commit(tree)
    applier.converge(commit, silent, has_newer=lambda: True)
    assert applier.unfinished
    applier.checkpoint()
    assert {ROOT, still} == set(believed(it, tree))
    applier.converge(commit, silent)
    applier.checkpoint()
    assert {ROOT, still, late} == set(believed(it, tree))


def test_no_stat_vouches_on_a_filesystem_in_memory(tmpfs_dir: Path) -> None:
    """A store to mapped memory moves no time there, whatever was synced."""
    with rig(tmpfs_dir / "rig") as it:
        it.clock = ManualClock(time.time_ns() + 60_000_000_000)
        tree = Tree.empty(it.store)
        tree.file(ROOT, b"file", b"1" * PAGE)
        applier = it.applier()
        applier.converge(it.commit(tree), silent)
        applier.checkpoint()
        assert {} == believed(it, tree)


def _renamed(it: Rig, tree: Tree, id: ObjectId) -> None:
    tree.names = {(ROOT, b"moved") if child == id else place: child for place, child in tree.names.items()}


def _linked(it: Rig, tree: Tree, id: ObjectId) -> None:
    tree.names[ROOT, b"second"] = id


def _given_a_mode(it: Rig, tree: Tree, id: ObjectId) -> None:
    tree.objects[id] = tree.objects[id]._replace(mode=0o100600)


def _written_in_part(it: Rig, tree: Tree, id: ObjectId) -> None:
    tree.write(id, *BIG[:-1], b"z" * PAGE)


BIG = [bytes([n]) * PAGE for n in range(65, 97)]


@pytest.mark.parametrize("change", [_renamed, _linked, _given_a_mode, _written_in_part])
@pytest.mark.parametrize("by_somebody", [False, True])
def test_what_somebody_changed_is_not_believed_after_we_touched_it(
    it: Rig, change: Callable[[Rig, Tree, ObjectId], None], by_somebody: bool
) -> None:
    """Our own change gives it another stat, which says nothing of what it holds; what nobody else changed stays believed."""
    tree = Tree.empty(it.store)
    file = tree.file(ROOT, b"file", *BIG)
    tree.objects[file] = tree.objects[file]._replace(mode=0o100644)
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    applier.checkpoint()
    if by_somebody:
        path = it.root / "file"
        st = path.stat()
        with path.open("r+b") as opened:
            opened.write(b"foreign")
        os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))
    change(it, tree, file)
    applier.converge(it.commit(tree), silent)
    applier.checkpoint()
    assert ({ROOT} if by_somebody else {ROOT, file}) == set(believed(it, tree))
