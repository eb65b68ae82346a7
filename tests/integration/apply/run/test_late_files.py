"""Large files are written in steps: what is newer is applied in between, and nothing is believed that is not whole."""

from __future__ import annotations

import errno
import random
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.apply.applier import Applier
from agent.apply.bounds import ApplyLimits
from agent.apply.loop import ApplyLoop
from agent.apply.results import Held, silent
from agent.config.values import Brake
from agent.core.clock import SystemClock
from agent.core.ids import NOTHING, ROOT, CommitNumber, ObjectId
from fakes.apply_fakes import PAGE, Chance, Crash, DiesAt, Rig, Tree, calls_of, rig

MORE = [bytes([65 + number]) * PAGE for number in range(8)]


#: Every file of two bytes is large, and every chunk a step.
SMALL = ApplyLimits(large=2, slice=1)


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig on a filesystem in memory, where every file is large."""
    with rig(tmpfs_dir / "rig") as made:
        made.limits = SMALL
        yield made


def always() -> bool:
    return True


class Grown:
    """A file of eight pages and a small one, both on the standby, and a commit by which the file has doubled, begun."""

    def __init__(self, it: Rig, applier: Applier | None = None) -> None:
        self.it = it
        self.tree = Tree.empty(it.store)
        self.big = self.tree.file(ROOT, b"big", *[bytes([n]) * PAGE for n in range(8)])
        self.small = self.tree.file(ROOT, b"small", b"1")
        self.applier = applier or it.applier()
        self.first = self.apply(newer=False)
        self.write(*[bytes([n]) * PAGE for n in range(8)], *MORE)
        self.number = self.apply()

    def write(self, *runs: bytes) -> None:
        self.tree.write(self.big, *runs)

    def apply(self, *, newer: bool = True) -> CommitNumber:
        """Commit the tree and converge, with something newer at every look or never."""
        done = self.applier.converge(
            self.it.commit(self.tree), silent, has_newer=(lambda: True) if newer else (lambda: False)
        )
        assert 0 == done.failed
        return done.number

    def stands(self) -> tuple[int, bytes]:
        """How many pages of the large file are on the standby as they are to be, and what the small one holds."""
        pages = (self.it.root / "big").read_bytes()
        wanted = b"".join([bytes([n]) * PAGE for n in range(8)] + MORE)
        right = sum(pages[at : at + PAGE] == wanted[at : at + PAGE] for at in range(0, len(wanted), PAGE))
        return right, (self.it.root / "small").read_bytes()

    def ends(self) -> None:
        """Nothing newer any more: all becomes equal."""
        commit = self.it.catalog.newest()
        assert commit is not None
        done = self.applier.converge(commit, silent)
        assert (commit.number, 0, 0) == (done.number, done.failed, done.displaced)
        assert (commit.number, False) == (self.applier.applied, self.applier.unfinished)
        assert self.tree.expected() == self.it.seen()
        assert [] == self.it.problems()


def test_a_small_edit_overtakes_a_growing_file(it: Rig) -> None:
    """And ``applied`` says nothing that is not so."""
    grown = Grown(it)
    assert (grown.first, grown.first) == (grown.number, grown.applier.applied)
    assert grown.applier.unfinished
    grown.tree.write(grown.small, b"2")
    assert grown.first == grown.apply()
    pages, words = grown.stands()
    assert b"2" == words
    assert 8 < pages < 16
    grown.ends()


@pytest.mark.parametrize(
    "runs",
    [[*MORE], [b"?" * PAGE], [], [bytes([n]) * PAGE for n in range(8)], [*MORE, *MORE, b"end"]],
    ids=["other", "one", "empty", "as it was", "longer"],
)
def test_a_file_that_changes_again_meanwhile(it: Rig, runs: list[bytes]) -> None:
    """It becomes one whole version, then the next."""
    grown = Grown(it)
    grown.write(*runs)
    grown.apply()
    grown.ends()


def test_a_file_that_became_private_is_written_aside(it: Rig) -> None:
    """Who may read the old one reads nothing of the new one, however long it takes to write."""
    grown = Grown(it)
    grown.ends()
    was = (it.root / "big").read_bytes()
    grown.tree.alter(grown.big, mode=0o100600)
    grown.write(*[bytes([n]) * PAGE for n in range(8)], *MORE, b"a secret")
    with (it.root / "big").open("rb") as reader:
        grown.apply()
        grown.ends()
        assert was == reader.read()


def test_a_version_goes_with_its_own_mode(it: Rig) -> None:
    """A secret that is written aside while the next version is anybody's to read is not given to anybody."""
    grown = Grown(it)
    grown.ends()
    seen: list[tuple[int, bytes]] = []
    secret = b"secret!!" * (PAGE // 8)
    grown.tree.alter(grown.big, mode=0o100600)
    grown.write(*[secret] * 3)
    grown.apply()
    grown.tree.alter(grown.big, mode=0o100644)
    grown.write(b"public!!" * (PAGE // 8))
    for n in range(12):
        grown.tree.write(grown.small, b"%d" % n)
        grown.apply()
        file = it.root / "big"
        seen.append((file.stat().st_mode & 0o777, file.read_bytes()[:PAGE]))
    grown.ends()
    assert [] == [mode for mode, page in seen if page == secret and mode != 0o600]
    assert secret in [page for _, page in seen]


def test_a_file_that_changes_all_over_is_replaced_at_the_end(it: Rig) -> None:
    """Until then the old one stands there whole."""
    grown = Grown(it)
    grown.ends()
    was = (it.root / "big").read_bytes()
    grown.write(*[b"%d" % n * PAGE for n in range(20)])
    grown.apply()
    for n in range(5):
        grown.tree.write(grown.small, b"%d" % n)
        grown.apply()
        assert was == (it.root / "big").read_bytes()
    grown.ends()


def test_it_is_removed_meanwhile(it: Rig) -> None:
    """Nothing is left of it."""
    grown = Grown(it)
    grown.tree.remove(ROOT, b"big")
    grown.apply()
    assert not (it.root / "big").exists()
    grown.ends()


def test_it_gets_other_names_and_metadata_meanwhile(it: Rig) -> None:
    """It is found where it stands now."""
    grown = Grown(it)
    inside = grown.tree.directory(ROOT, b"d")
    grown.tree.move((ROOT, b"big"), (inside, b"moved"))
    grown.tree.alter(grown.big, mode=0o100600, mtime=grown.tree.tick())
    grown.apply()
    assert (it.root / "d" / "moved").exists()
    grown.tree.link(ROOT, b"linked", grown.big)
    grown.apply()
    grown.ends()


def test_somebody_removes_it_here_meanwhile(it: Rig) -> None:
    """It is built anew."""
    grown = Grown(it)
    (it.root / "big").unlink()
    grown.ends()


@pytest.mark.parametrize("checkpoint", [False, True], ids=["without", "with a checkpoint"])
@pytest.mark.parametrize("ends", [False, True], ids=["it dies", "it ends"])
def test_a_new_process_believes_nothing_of_it(it: Rig, checkpoint: bool, ends: bool) -> None:
    """Also where the checkpoint lies behind the commit that changed it."""
    grown = Grown(it)
    grown.tree.write(grown.small, b"2")
    grown.apply()
    if checkpoint:
        grown.applier.checkpoint()
        assert grown.first == grown.applier.checkpointed_at
    if ends:
        grown.applier.close()
    it.dies(grown.applier)
    grown.applier = it.applier()
    assert grown.applier.redoes
    assert grown.first == grown.applier.applied or not (checkpoint or ends)
    grown.ends()
    grown.applier.close()
    it.dies(grown.applier)
    again = it.applier()
    assert (False, grown.applier.applied) == (again.redoes, again.applied)


def test_a_chunk_that_is_lost_leaves_the_rest(it: Rig) -> None:
    """And once it is there again, all becomes equal."""
    grown = Grown(it)
    last = next(name for name, data in it.store.stored.items() if data == MORE[-1])
    data = it.store.stored.pop(last)
    grown.tree.write(grown.small, b"2")
    done = grown.applier.converge(it.commit(grown.tree), silent)
    assert (grown.first, 1) == (done.number, done.failed)
    assert ["chunk-damaged"] == it.problems()
    assert b"2" == grown.stands()[1]
    it.store.stored[last] = data
    grown.ends()


def test_a_hold_begins_behind_a_whole_commit(it: Rig) -> None:
    """The standby equals the commit before the one that is held."""
    grown = Grown(it, it.applier(brake=Brake(deleted=0.3, rewritten=0.5, window=900, min_entries=1)))
    stands, kept = grown.applier.stands, grown.tree.copy()
    grown.tree.remove(ROOT, b"small")
    grown.tree.remove(ROOT, b"big")
    with pytest.raises(Held):
        grown.applier.converge(it.commit(grown.tree), silent, has_newer=always)
    assert (stands, False) == (grown.applier.applied, grown.applier.unfinished)
    assert kept.expected() == it.seen()


def test_verify_finishes_first(it: Rig) -> None:
    """It never tells of a difference that is only work in progress."""
    grown = Grown(it)
    assert grown.applier.verify(deep=True).equal
    grown.ends()


def test_more_files_than_are_remembered(it: Rig) -> None:
    """Those beyond are written at once."""
    it.limits = replace(SMALL, late=2)
    applier, tree = it.applier(), Tree.empty(it.store)
    ids = [tree.file(ROOT, b"%d" % n, b"a" * PAGE) for n in range(5)]
    applier.converge(it.commit(tree), silent)
    for id in ids:
        tree.write(id, b"a" * PAGE, b"b" * PAGE, b"c" * PAGE)
    applier.converge(it.commit(tree), silent, has_newer=always)
    assert 3 <= sum((it.root / f"{n}").stat().st_size == 3 * PAGE for n in range(5)) < 5
    applier.converge(it.commit(tree), silent)
    assert tree.expected() == it.seen()


def test_a_filesystem_without_nameless_files(it: Rig) -> None:
    """What would be written aside is written at once."""

    def none(_: int) -> int:
        raise OSError(errno.EOPNOTSUPP, "no such thing here")

    it.make_nameless = none
    grown = Grown(it)
    grown.ends()
    grown.write(*[b"%d" % n * PAGE for n in range(20)])
    number = grown.apply()
    assert number == grown.applier.stands
    grown.ends()


@pytest.mark.parametrize("round", range(40))
def test_any_history_with_steps_crashes_and_checkpoints_between(tmpfs_dir: Path, seed: int, round: int) -> None:
    """Whatever was left half-written and whoever went on, the newest commit stands there at the end."""
    rng = random.Random(seed + round)
    with rig(tmpfs_dir / "rig") as it:
        it.limits = SMALL
        chance = Chance(rng)
        applier = it.applier()
        tree = chance.evolve(Tree.empty(it.store), 20)
        commit = it.commit(tree)
        for _ in range(12):
            files = [id for id, row in sorted(tree.objects.items()) if row.size]
            tree = chance.evolve(tree, rng.choice((1, 3, 9)))
            _grow(tree, rng, [id for id in files if id in tree.objects])
            commit = it.commit(tree)
            try:
                assert 0 == applier.converge(commit, silent, has_newer=lambda: rng.random() < 0.7).failed
                if rng.random() < 0.2:
                    applier.checkpoint()
                if rng.random() < 0.1:
                    applier.close()
                    raise Crash("closed")
            except Crash:
                it.dies(applier)
                applier = it.applier(DiesAt(rng.randint(20, 200)))
            assert applier.applied <= applier.stands <= commit.number
        it.dies(applier)
        done = it.applier().converge(commit, silent)
        assert (commit.number, 0, 0) == (done.number, done.failed, done.displaced)
        assert tree.expected() == it.seen()


def _grow(tree: Tree, rng: random.Random, files: list[ObjectId]) -> None:
    """Files of several chunks, changed in a few of them or all, or longer."""
    for id in rng.sample(files, min(2, len(files))):
        kept = [bytes([n]) * PAGE for n in range(rng.choice((1, 6)))]
        tree.write(id, *kept, *(rng.randbytes(PAGE) for _ in range(rng.randint(1, 6))))


def test_the_loop_finishes_and_tells_once(it: Rig) -> None:
    """Commits that come while a large file is written; paused, what has begun is finished."""
    tree, told, all_done = Tree.empty(it.store), [], threading.Event()
    big = tree.file(ROOT, b"big", b"a" * PAGE)
    small = tree.file(ROOT, b"small", b"0")

    def published(number: CommitNumber) -> None:
        told.append(number)
        if number == last:
            all_done.set()

    last = NOTHING
    loop = ApplyLoop(it.applier(), it.board, SystemClock(), calls_of(published), name="apply")
    loop.start()
    try:
        for n in range(1, 11):
            tree.write(big, *[bytes([k]) * PAGE for k in range(20 * n)])
            tree.write(small, b"%d" % n)
            commit = it.commit(tree)
            last = commit.number if n == 10 else NOTHING
            loop.notify(commit)
        assert all_done.wait(30)
        loop.pause()
        assert tree.expected() == it.seen()
        assert sorted(set(told)) == told
        facts = loop.facts()
        assert (last, last, "") == (facts.applied, facts.stands, facts.problem)
    finally:
        loop.close()
