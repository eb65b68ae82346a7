"""A verify in slices, between which the applier goes on, answers for what stands at its end."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.apply.applier import Applier
from agent.apply.bounds import USUAL, VerifyLimits
from agent.apply.loop import ApplyLoop
from agent.apply.results import Applied, ApplyProgress, VerifyReport, silent
from agent.apply.verifying.queue import VerifyOrder
from agent.apply.verifying.verification import Asked, Verification
from agent.core.ids import ROOT, CommitNumber
from fakes.apply_fakes import PAGE, Chance, Rig, Tree, calls_of, rig
from fakes.eventually import eventually

PATIENCE = 60.0
#: Each slice is one step long.
STEPWISE = VerifyLimits(slice=0.0)


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig whose verifies take one step at a time."""
    with rig(tmpfs_dir / "rig") as made:
        made.limits = replace(USUAL, verify=STEPWISE)
        yield made


def _wide(it: Rig, directories: int = 6) -> Tree:
    tree = Tree.empty(it.store)
    for number in range(directories):
        below = tree.directory(ROOT, b"d%d" % number)
        for name in (b"x", b"y", b"z"):
            tree.file(below, name, b"%d " % number + name)
    return tree


def _through(
    applier: Applier, between: Callable[[int], object] = lambda _: None, *, deep: bool = False, repair: bool = False
) -> tuple[VerifyReport, int]:
    """The report, and how many slices it took; ``between`` is called after each."""
    verification, slices = applier.verification(deep=deep, progress=silent, repair=repair), 0
    while (report := verification.turn()) is None:
        slices += 1
        assert slices < 100_000
        between(slices)
    return report, slices


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("round", range(12))
def test_whatever_changes_meanwhile_the_answer_is_of_the_end(it: Rig, seed: int, round: int, deep: bool) -> None:
    """Commits that move, replace and remove anything come between the slices: nothing is foreign, missing or different."""
    chance = Chance(random.Random(seed * 100 + round))
    tree = chance.evolve(_wide(it), 30)
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    done: list[Applied] = []

    def goes_on(slices: int) -> None:
        nonlocal tree
        if len(done) < 15 and chance.rng.random() < 0.2:
            tree = chance.evolve(tree, 5)
            done.append(applier.converge(it.commit(tree), silent))

    report, _ = _through(applier, goes_on, deep=deep)
    assert ((), 0, True, applier.applied) == (report.differences, report.more, report.equal, report.number)


@pytest.mark.parametrize("after", [1, 8, 15, 25])
def test_what_the_applier_changed_is_looked_at_again(it: Rig, after: int) -> None:
    """A file that was found equal, is then written by a converge, and damaged: wherever the walk is."""
    tree = _wide(it)
    applier = it.applier()
    applier.converge(it.commit(tree), silent)

    def damage(slices: int) -> None:
        if slices == after:
            tree.write(tree.at(b"d0/y"), b"newer")
            applier.converge(it.commit(tree), silent)
            (it.root / "d0/y").chmod(0o600)

    report, _ = _through(applier, damage)
    assert [(b"d0/y", "mode")] == [(one.path, one.what) for one in report.differences]


def test_a_difference_that_a_converge_mends_is_none(it: Rig) -> None:
    """It was true of an earlier commit."""
    tree = _wide(it)
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    (it.root / "d0/x").chmod(0o600)

    def mend(slices: int) -> None:
        if slices == 20:
            tree.alter(tree.at(b"d0/x"), mode=0o100600)
            applier.converge(it.commit(tree), silent)

    report, _ = _through(applier, mend)
    assert ((), True, applier.applied) == (report.differences, report.equal, report.number)


def test_each_difference_is_one_from_the_commit_that_stands_at_the_end(it: Rig) -> None:
    """One that was found beside an earlier commit is looked at again, though no converge touched the place."""
    tree = _wide(it)
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    for name in ("x", "y"):
        (it.root / "d0" / name).chmod(0o600)

    def goes_on(slices: int) -> None:
        if slices == 20:
            tree.write(tree.at(b"d5/z"), b"newer")
            applier.converge(it.commit(tree), silent)
            (it.root / "d0/x").chmod(0o644)

    report, _ = _through(applier, goes_on)
    assert ([b"d0/y"], applier.applied) == ([one.path for one in report.differences], report.number)


def test_what_is_moved_to_where_the_walk_has_been_is_not_passed_over(it: Rig) -> None:
    """A directory that goes from the end of the tree to its beginning, with a damaged file in it."""
    tree = _wide(it)
    deep = tree.directory(tree.at(b"d5"), b"deep")
    tree.file(deep, b"hurt", b"as it should be")
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    (it.root / "d5/deep/hurt").chmod(0o600)

    def move(slices: int) -> None:
        if slices == 15:
            tree.move((tree.at(b"d5"), b"deep"), (tree.at(b"d0"), b"a"))
            applier.converge(it.commit(tree), silent)

    report, _ = _through(applier, move)
    assert [(b"d0/a/hurt", "mode")] == [(one.path, one.what) for one in report.differences]


def test_a_file_that_changes_faster_than_it_is_read_is_named(it: Rig) -> None:
    """It is left out of the claim, and nothing waits for it for ever."""
    tree = _wide(it)
    big = tree.file(ROOT, b"log", *[bytes([one]) * PAGE for one in range(40)])
    applier = it.applier()
    applier.converge(it.commit(tree), silent)

    def writes(slices: int) -> None:
        if slices % 20 == 0 and slices < 2000:
            tree.write(big, *[bytes([one + slices // 20 % 50]) * PAGE for one in range(40)])
            applier.converge(it.commit(tree), silent)

    report, _ = _through(applier, writes, deep=True)
    assert ((b"log",), True) == (report.changing, report.equal)


def test_more_changes_than_are_held_begin_it_anew(it: Rig) -> None:
    """And it comes to its end all the same."""
    it.limits = replace(USUAL, verify=replace(STEPWISE, changed=2))
    tree = _wide(it)
    applier = it.applier()
    applier.converge(it.commit(tree), silent)

    def storm(slices: int) -> None:
        if slices == 10:
            for number in range(12):
                tree.file(ROOT, b"new%d" % number, b"x")
            applier.converge(it.commit(tree), silent)

    report, slices = _through(applier, storm)
    assert (True, applier.applied, 6 + 18 + 12) == (report.equal, report.number, report.checked_entries)
    assert slices > 10


def test_a_repair_is_looked_at_in_slices_too(it: Rig) -> None:
    """What was mended is counted."""
    applier = it.applier()
    applier.converge(it.commit(_wide(it)), silent)
    (it.root / "d3/x").chmod(0o600)
    (it.root / "d4/foreign").touch()
    report, _ = _through(applier, repair=True)
    # Both directories' times went with it, or not: what is left is nothing.
    assert ((), True, True) == (report.differences, report.equal, report.repaired >= 2)


def test_the_loop_applies_between_two_slices(it: Rig) -> None:
    """A commit that comes while a verify is under way is applied after the slice, not after the verify."""
    tree = _wide(it)
    seen: list[CommitNumber] = []
    loop = ApplyLoop(it.applier(), it.board, it.clock, calls_of(seen.append), name="apply")
    loop.start()
    try:
        first = it.commit(tree)
        loop.notify(first)
        assert loop.wait_applied(first.number, PATIENCE)
        tree.file(ROOT, b"newer", b"x")
        second = it.commit(tree)
        at: list[CommitNumber] = []
        told: list[bool] = []

        def progress(_: ApplyProgress) -> None:
            at.append(loop.facts().applied)
            told.append(loop.verify_progress() is not None)
            loop.notify(second)

        report = loop.verify(deep=False, progress=progress)
        assert ([first.number], {second.number}) == (at[:1], set(at[1:]))
        assert (second.number, True) == (report.number, report.equal)
        # While it is under way status says how far it is; then no more.
        assert ({True}, True) == (set(told[1:]), eventually(lambda: loop.verify_progress() is None))
    finally:
        loop.close()


def test_a_verify_without_hurry_rests_between_its_slices(it: Rig) -> None:
    """So many times as long as a slice took: by the clock, which stands still, none is due before it is moved on."""
    it.limits = replace(USUAL, verify=VerifyLimits(slice=1.0, share=3.0))
    applier = it.applier()
    applier.converge(it.commit(_wide(it)), silent)

    ticking = [0.0]

    def clock() -> float:
        ticking[0] += 0.25
        return ticking[0]

    verification = Verification(Asked(False, silent), applier.moment, clock, it.limits.verify)
    assert (None, 6.0) == (verification.turn(), verification.rest_after(2.0))


def test_two_verifies_take_turns(it: Rig) -> None:
    """One that was typed does not wait for the end of one by schedule."""
    tree = _wide(it)
    loop = ApplyLoop(it.applier(), it.board, it.clock, calls_of(lambda _: None), name="apply")
    loop.start()
    try:
        commit = it.commit(tree)
        loop.notify(commit)
        assert loop.wait_applied(commit.number, PATIENCE)
        order: list[str] = []
        low = loop.begin_verify(VerifyOrder(False, False, True, lambda _: order.append("low")))
        assert loop.verify(deep=False, progress=lambda _: order.append("typed")).equal
        assert (True, True) == (low.result(PATIENCE).equal, "low" in order[: order.index("typed") + 2])
    finally:
        loop.close()
