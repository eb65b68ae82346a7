"""What became private is closed before anything comes into it, or it moves to where others are."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.results import silent
from agent.core.ids import ROOT
from fakes.apply_fakes import Rig, Tree, rig

#: Steps by which something appears, or moves.
_PLACING = ("create", "link", "rename", "mkdir", "patch")


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig on a filesystem in memory."""
    with rig(tmpfs_dir / "rig") as made:
        yield made


class Modes:
    """A step that notes the mode that a path has whenever something is about to be placed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[int] = []

    def __call__(self, what: str) -> None:
        if what in _PLACING and self.path.exists():
            self.seen.append(stat.S_IMODE(self.path.stat().st_mode))


def test_a_directory_that_became_private_is_closed_first(it: Rig) -> None:
    """What comes into it was never anybody else's to read."""
    tree = Tree.empty(it.store)
    inside = tree.directory(ROOT, b"d")
    step = Modes(it.root / "d")
    applier = it.applier(step)
    applier.converge(it.commit(tree), silent)
    step.seen.clear()
    tree.alter(inside, mode=0o40700)
    tree.file(inside, b"secret", b"a secret")
    applier.converge(it.commit(tree), silent)
    assert {0o700} == set(step.seen)
    assert tree.expected() == it.seen()


def test_a_directory_that_is_opened_is_opened_last(it: Rig) -> None:
    """What leaves it is nobody's before it has left."""
    tree = Tree.empty(it.store)
    inside = tree.directory(ROOT, b"d")
    tree.alter(inside, mode=0o40700)
    tree.file(inside, b"secret", b"a secret")
    step = Modes(it.root / "d")
    applier = it.applier(step)
    applier.converge(it.commit(tree), silent)
    step.seen.clear()
    tree.move((inside, b"secret"), (ROOT, b"elsewhere"))
    tree.alter(inside, mode=0o40755)
    applier.converge(it.commit(tree), silent)
    assert {0o700} == set(step.seen)
    assert tree.expected() == it.seen()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
@pytest.mark.parametrize("private", [{"mode": 0o100600}, {"uid": 1234}, {"mode": 0o100755, "gid": 1234}])
def test_a_file_that_became_private_moves_as_a_private_one(it: Rig, private: dict[str, int]) -> None:
    """At its public place it never stands as anybody's to read, by its old mode or for its old owner."""
    tree = Tree.empty(it.store)
    hidden = tree.directory(ROOT, b"d")
    tree.alter(hidden, mode=0o40700)
    file = tree.file(hidden, b"secret", b"a secret", mode=0o644)
    seen: list[tuple[int, int, int]] = []

    def step(what: str) -> None:
        public = it.root / "public"
        if public.exists():
            st = public.stat()
            seen.append((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)))

    applier = it.applier(step)
    applier.converge(it.commit(tree), silent)
    tree.move((hidden, b"secret"), (ROOT, b"public"))
    tree.alter(file, **private)
    applier.converge(it.commit(tree), silent)
    row = tree.objects[file]
    allowed = {(row.uid, row.gid, 0o700), (row.uid, row.gid, 0o600), (row.uid, row.gid, stat.S_IMODE(row.mode))}
    assert (True, set()) == (bool(seen), set(seen) - allowed)
    assert tree.expected() == it.seen()


def test_a_directory_moves_and_becomes_private_at_once(it: Rig) -> None:
    """It is closed where it stood, and is as wanted where it is to be."""
    tree = Tree.empty(it.store)
    inside = tree.directory(ROOT, b"d")
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    moved = tree.directory(ROOT, b"e")
    tree.move((ROOT, b"d"), (moved, b"d"))
    tree.alter(inside, mode=0o40700)
    tree.file(inside, b"secret", b"a secret")
    applier.converge(it.commit(tree), silent)
    assert tree.expected() == it.seen()
