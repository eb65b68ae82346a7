"""Any root is made equal to any commit that can be read, back and forth, and the standby beside it notices nothing."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.apply.bounds import USUAL, ApplyLimits
from agent.apply.converger import AnyRoot, converge_root
from agent.apply.output.directory import Handling, no_step, open_output
from agent.apply.ports import NOTHING_EARLY, NothingAdopted, no_patch, nothing_left_out
from agent.apply.results import Applied, RootFull, silent
from agent.apply.run.one_run import Means
from agent.apply.writing.file_content import told_lost
from agent.core.chunks import DATA
from agent.core.commit import Commit
from agent.core.ids import ROOT
from agent.core.problem import ProblemBoard
from agent.fs.confined import open_root
from agent.store.local import Local
from agent.store.vault.codec import pack_chunk
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from fakes.apply_fakes import PAGE, Chance, Crash, DiesAt, Rig, Tree, rig
from fakes.trees import Seen, snapshot


@dataclass
class Beside:
    """Another root with facts of its own, for the catalog and the chunks of a rig. Each converge is of a new process."""

    it: Rig
    limits: ApplyLimits = USUAL
    vault: Vault | None = None
    board: ProblemBoard = field(default_factory=ProblemBoard)

    def __post_init__(self) -> None:
        self.path = self.it.base / "beside"
        self.path.mkdir()

    def to(self, commit: Commit, step: Callable[[str], None] = no_step) -> Applied:
        """Make it equal to a commit."""
        vault = self.vault
        read, patch_of = (self.it.store.read, no_patch) if vault is None else (vault.read, vault.patch_of)
        means = Means(
            told_lost(read, lambda: None), patch_of, NOTHING_EARLY, nothing_left_out, lambda: None,
            self.board, self.it.clock, self.limits,
        )  # fmt: skip
        output = open_output(
            str(self.path),
            open_root(str(self.path)),
            Handling("the directory", step, NothingAdopted(), str(self.it.base)),
        )
        with (
            closing(output),
            closing(self.it.catalog.reader()) as view,
            Local.open(str(self.it.base / "beside.db")) as facts,
        ):
            return converge_root(AnyRoot(output, view, facts, means), commit)

    def seen(self) -> dict[bytes, Seen]:
        return snapshot(str(self.path))

    def problems(self) -> list[str]:
        return [problem.code for problem in self.board.listed()[0]]


@contextmanager
def living_standby(it: Rig, commit: Commit) -> Iterator[None]:
    """A standby that equals the newest commit before, and without a redo after; nothing in it moved."""
    applier = it.applier()
    applier.converge(commit, silent)
    applier.checkpoint()
    before = it.seen(), {path: os.lstat(path).st_ctime_ns for path in it.root.rglob("*")}
    yield
    assert before == (it.seen(), {path: os.lstat(path).st_ctime_ns for path in it.root.rglob("*")})
    again = applier.converge(commit, silent)
    assert (commit.number, 0, False) == (again.number, again.entries, again.redo)


def history(it: Rig, rng: random.Random, length: int = 6) -> list[tuple[Commit, Tree]]:
    """Commits, each with the tree that it says."""
    chance, tree = Chance(rng), Tree.empty(it.store)
    found = []
    for _ in range(length):
        tree = chance.evolve(tree, 12)
        found.append((it.commit(tree), tree))
    return found


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig on a filesystem in memory."""
    with rig(tmpfs_dir / "rig") as made:
        yield made


@pytest.mark.parametrize("round", range(12))
def test_an_empty_directory_equals_any_commit_in_any_order(it: Rig, seed: int, round: int) -> None:
    """Only the first way is long: the others go by the difference, and believe what stands."""
    rng = random.Random(seed + round)
    past = history(it, rng)
    beside = Beside(it)
    with living_standby(it, past[-1][0]):
        for count, (commit, tree) in enumerate(rng.sample(past, len(past))):
            done = beside.to(commit)
            assert (commit.number, 0, False, 0) == (done.number, done.failed, done.redo, done.displaced), count
            assert tree.expected() == beside.seen()
        assert [] == beside.problems()


@pytest.mark.parametrize("round", range(12))
def test_cut_short_on_the_way_to_one_commit_it_goes_to_another(it: Rig, seed: int, round: int) -> None:
    """What the first way left is found, wherever the second leads; nothing is taken for a stranger's."""
    rng = random.Random(seed + round)
    past = history(it, rng)
    beside = Beside(it, limits=ApplyLimits(large=2, slice=1))
    beside.to(past[0][0])
    for _ in range(8):
        try:
            beside.to(rng.choice(past)[0], DiesAt(rng.randint(1, 60)))
        except Crash:
            pass
        if rng.random() < 0.5:
            commit, tree = rng.choice(past)
            done = beside.to(commit)
            assert (commit.number, 0, 0) == (done.number, done.failed, done.displaced)
            assert tree.expected() == beside.seen()


def test_a_directory_that_nobody_knows_is_compared_whole(it: Rig, rng: random.Random) -> None:
    """What equals stays, what differs gives way and is told, what is missing is made."""
    tree = Tree.empty(it.store)
    tree.file(tree.directory(ROOT, b"d"), b"same", b"1" * PAGE)
    tree.file(tree.at(b"d"), b"other", b"2")
    tree.file(ROOT, b"missing", b"3")
    old = it.commit(tree)
    now = tree.copy()
    now.remove(ROOT, b"d")
    with living_standby(it, it.commit(now)):
        beside = Beside(it)
        beside.to(old)
        (it.base / "beside.db").unlink()
        shutil.rmtree(beside.path / ".hikae")
        (beside.path / "d" / "other").write_bytes(b"changed")
        (beside.path / "missing").unlink()
        (beside.path / "stranger").write_bytes(b"!")
        same = (beside.path / "d" / "same").stat().st_ino
        done = beside.to(old)
        assert (old.number, 0, 2) == (done.number, done.failed, done.displaced)
        assert tree.expected() == beside.seen()
        assert same == (beside.path / "d" / "same").stat().st_ino
        assert ["displaced"] == sorted(set(beside.problems()))


def test_what_somebody_changed_since_is_not_believed_where_a_run_was_cut_short(it: Rig) -> None:
    """A commit in which nothing changed is no way out: the doubt stands until a run comes to its end."""
    tree = Tree.empty(it.store)
    file = tree.file(ROOT, b"file", b"1" * PAGE)
    first = it.commit(tree)
    now = tree.copy()
    now.write(file, b"2" * PAGE)
    second = it.commit(now)
    beside = Beside(it)
    beside.to(first)
    with pytest.raises(Crash):
        beside.to(second, DiesAt(2))
    done = beside.to(first)
    assert (first.number, True) == (done.number, done.redo)
    assert tree.expected() == beside.seen()
    assert first.number == beside.to(first).number


def test_the_chunks_come_from_a_vault(it: Rig, rng: random.Random) -> None:
    """Catalog and vault are all that it takes."""
    past = history(it, rng, 4)
    with Vault.open(str(it.base / "vault"), PackEnd(0, 0)) as vault:
        stored = it.store.stored
        vault.add([pack_chunk(name, DATA, data) for name, data in stored.items()], list(stored.values()))
        vault.sync()
        beside = Beside(it, vault=vault)
        for commit, tree in rng.sample(past, len(past)):
            done = beside.to(commit)
            assert (commit.number, 0) == (done.number, done.failed)
            assert tree.expected() == beside.seen()


def test_a_lineage_that_began_anew_lies_between(it: Rig, rng: random.Random) -> None:
    """Every object has another id then: what equals stays, in both directions."""
    chance = Chance(rng)
    old_tree = chance.evolve(Tree.empty(it.store), 25)
    old = it.commit(old_tree)
    new_tree = Tree.empty(it.store, epoch=2)
    new_tree.file(ROOT, b"f", b"1")
    new = it.commit_anew(new_tree)
    beside = Beside(it)
    for commit, tree in ((old, old_tree), (new, new_tree), (old, old_tree)):
        done = beside.to(commit)
        assert (commit.number, 0) == (done.number, done.failed)
        assert tree.expected() == beside.seen()


def test_what_goes_wrong_with_the_root_is_told_of_the_root(it: Rig) -> None:
    """Not of a standby: it is another directory that is full."""
    tree = Tree.empty(it.store)
    tree.file(ROOT, b"file", b"1")
    commit = it.commit(tree)

    def full(_: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RootFull) as caught:
        Beside(it).to(commit, full)
    assert "free room on the directory's filesystem; it goes on by itself" == caught.value.remedy
