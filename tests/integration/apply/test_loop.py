"""The applying thread: newest wins, pauses, holds that clear by themselves, verify between two converges."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from agent.apply.applier import Applier
from agent.apply.loop import LOOK_AGAIN_SECONDS, ApplyLoop
from agent.apply.results import ApplyFacts, ApplyPhase, VerifyReport, silent
from agent.apply.stopping import ApplyStopped
from agent.core.clock import ManualClock, SystemClock
from agent.core.errors import Refused, TryAgain
from agent.core.ids import NOTHING, ROOT, CommitNumber
from agent.store.local import Local
from fakes.apply_fakes import Rig, Tree, calls_of, rig
from fakes.eventually import eventually

PATIENCE = 30.0


class Seen:
    """What was published, and waiting for facts to become so."""

    def __init__(self) -> None:
        self.applied: list[CommitNumber] = []

    def __call__(self, number: CommitNumber) -> None:
        self.applied.append(number)


@contextmanager
def _loop(it: Rig, seen: Seen) -> Iterator[ApplyLoop]:
    loop = ApplyLoop(it.applier(), it.board, SystemClock(), calls_of(seen), name="apply")
    loop.start()
    try:
        yield loop
    finally:
        loop.close()


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig on a filesystem in memory."""
    with rig(tmpfs_dir / "rig") as made:
        yield made


class FailsOnce:
    """Local facts of which the next checkpoint cannot be written, as on a full disk."""

    def __init__(self, local: Local) -> None:
        self._local = local
        self.failed = False

    def set_value(self, key: str, value: bytes, durable: bool = False) -> None:
        if key == "checkpoint" and not self.failed:
            self.failed = True
            raise TryAgain("write the local facts", "local.db", "the disk is full")
        self._local.set_value(key, value, durable)

    def __getattr__(self, name: str) -> Any:  # Any: whatever the local facts have
        return getattr(self._local, name)


class TakesLong:
    """An applier whose verify takes longer than a look at what is held waits for."""

    def __init__(self, applier: Applier, clock: ManualClock) -> None:
        self._applier = applier
        self._clock = clock

    def verify(self, **how: Any) -> VerifyReport:  # Any: whatever a verify is told
        found = self._applier.verify(**how)
        self._clock.advance(LOOK_AGAIN_SECONDS + 1)
        return found

    def __getattr__(self, name: str) -> Any:  # Any: whatever the applier has
        return getattr(self._applier, name)


def _tree(it: Rig) -> Tree:
    tree = Tree.empty(it.store)
    tree.file(ROOT, b"a", b"a")
    return tree


def _until(loop: ApplyLoop, phase: ApplyPhase) -> None:
    assert loop.wait_for(lambda facts: facts.phase is phase, PATIENCE)


def test_a_notified_commit_is_applied_and_published(it: Rig) -> None:
    """And the end leaves a checkpoint that the next process believes."""
    seen, tree = Seen(), _tree(it)
    with _loop(it, seen) as loop:
        commit = it.commit(tree)
        loop.notify(commit)
        assert loop.wait_applied(commit.number, PATIENCE)
        assert tree.expected() == it.seen()
    assert ([commit.number], commit.number, False) == (seen.applied, it.applier().applied, it.applier().redoes)


def test_it_goes_from_the_applied_to_the_newest(it: Rig) -> None:
    """What came while it was paused is one step."""
    seen, tree = Seen(), _tree(it)
    with _loop(it, seen) as loop:
        loop.pause()
        _until(loop, ApplyPhase.PAUSED)
        commit = it.commit(tree)
        for number in range(5):
            tree.file(ROOT, b"%d" % number, b"x")
            commit = it.commit(tree)
            loop.notify(commit)
        assert (NOTHING, commit.number) == (loop.facts().applied, loop.facts().target)
        loop.resume()
        assert loop.wait_applied(commit.number, PATIENCE)
    assert [commit.number] == seen.applied


def test_a_directory_that_is_not_empty_is_looked_at_again(it: Rig) -> None:
    """Even before the first commit; emptied, it goes on by itself."""
    it.root.mkdir()
    (it.root / "precious").touch()
    tree = _tree(it)
    with _loop(it, Seen()) as loop:
        _until(loop, ApplyPhase.HELD)
        assert ["standby-not-empty"] == it.problems()
        commit = it.commit(tree)
        loop.notify(commit)
        (it.root / "precious").unlink()
        assert loop.wait_applied(commit.number, PATIENCE)
    assert (tree.expected(), []) == (it.seen(), it.problems())


def test_a_held_commit_is_accepted(it: Rig) -> None:
    """Nothing to accept is refused; accepting the emptied source removes what is left."""
    tree = _tree(it)
    with _loop(it, Seen()) as loop:
        first = it.commit(tree)
        loop.notify(first)
        assert loop.wait_applied(first.number, PATIENCE)
        with pytest.raises(Refused):
            loop.accept()
        tree.remove(ROOT, b"a")
        second = it.commit(tree)
        loop.notify(second)
        _until(loop, ApplyPhase.HELD)
        held = loop.facts().hold
        assert ("held", True) == (held and held.code, "became empty" in (held.sentence if held else ""))
        assert second.number == loop.accept()
        assert loop.wait_applied(second.number, PATIENCE)
    assert (tree.expected(), []) == (it.seen(), it.problems())


def test_a_hold_stands_and_can_be_accepted_while_paused(it: Rig) -> None:
    """A pause does not hide it; once accepted it is told no more, and resuming applies it."""
    seen = Seen()
    with _loop(it, seen) as loop:
        tree = _tree(it)
        first = it.commit(tree)
        loop.notify(first)
        assert loop.wait_applied(first.number, PATIENCE)
        tree.remove(ROOT, b"a")
        second = it.commit(tree)
        loop.notify(second)
        _until(loop, ApplyPhase.HELD)
        loop.pause()
        _until(loop, ApplyPhase.PAUSED)
        assert (True, ["held"]) == (loop.facts().hold is not None, it.problems())
        assert second.number == loop.accept()
        assert (None, []) == (loop.facts().hold, it.problems())
        loop.resume()
        assert loop.wait_applied(second.number, PATIENCE)


def test_a_hold_stands_after_a_verify_that_took_long(it: Rig) -> None:
    """Longer than until the next look at what is held: it is told all the time, or this node would say one thing and its peer
    another."""
    clock, holds = ManualClock(), list[bool]()
    slow = cast(Applier, TakesLong(it.applier(), clock))
    loop = ApplyLoop(slow, it.board, clock, calls_of(Seen()), name="apply")
    loop.start()
    try:
        tree = _tree(it)
        first = it.commit(tree)
        loop.notify(first)
        assert loop.wait_applied(first.number, PATIENCE)
        tree.remove(ROOT, b"a")
        loop.notify(it.commit(tree))
        _until(loop, ApplyPhase.HELD)
        assert loop.verify(deep=False, progress=silent).equal

        # Each word of the loop from here on; it looks at what is held once more, since the time of that is past.
        def is_enough(facts: ApplyFacts) -> bool:
            holds.append(facts.hold is not None)
            return len(holds) > 2

        assert loop.wait_for(is_enough, PATIENCE)
        assert {True} == set(holds)
    finally:
        loop.close()


def test_what_failed_is_tried_again(it: Rig) -> None:
    """A chunk that is repaired."""
    tree = _tree(it)
    with _loop(it, Seen()) as loop:
        it.store.lost.add(it.store.keep(b"a"))
        commit = it.commit(tree)
        loop.notify(commit)
        assert loop.wait_for(lambda facts: facts.problem != "", PATIENCE)
        it.store.lost.clear()
        loop.retry()
        assert loop.wait_applied(commit.number, PATIENCE)
        assert loop.wait_for(lambda facts: facts.problem == "", PATIENCE)
    assert [] == it.problems()


def test_verify_runs_in_between_and_ends_with_the_loop(it: Rig) -> None:
    """Its result comes back to whoever asked; after the end it is refused."""
    tree = _tree(it)
    with _loop(it, Seen()) as loop:
        commit = it.commit(tree)
        loop.notify(commit)
        assert loop.wait_applied(commit.number, PATIENCE)
        reports = []
        asking = threading.Thread(target=lambda: reports.append(loop.verify(deep=True, progress=silent)))
        asking.start()
        asking.join()
        assert [(True, commit.number)] == [(report.equal, report.number) for report in reports]
    with pytest.raises(Refused):
        loop.verify(deep=False, progress=silent)


def test_a_converge_that_takes_too_long_is_given_up_at_the_end(it: Rig) -> None:
    """The loop ends within its grace, and the next process makes of what stands what is wanted."""
    tree, begun, on = _tree(it), threading.Event(), threading.Event()

    def step(_what: str) -> None:
        begun.set()
        assert on.wait(PATIENCE)

    applier = it.applier(step)
    loop = ApplyLoop(applier, it.board, it.clock, calls_of(lambda _: None), name="apply")
    loop.start()
    commit = it.commit(tree)
    loop.notify(commit)
    assert begun.wait(PATIENCE)
    loop.leave(grace=0.0)
    on.set()
    loop.close()
    assert (True, [], NOTHING) == (it.seen() != tree.expected(), it.problems(), applier.applied)
    again = it.applier()
    again.converge(commit, silent)
    assert tree.expected() == it.seen()


def test_a_verify_that_takes_too_long_is_given_up_at_the_end(it: Rig) -> None:
    """At its next entry."""
    applier = it.applier()
    applier.converge(it.commit(_tree(it)), silent)
    applier.ending.begin(0.0)
    with pytest.raises(ApplyStopped):
        applier.verify(deep=False)


def test_what_it_equals_is_published_although_our_store_failed_once(it: Rig) -> None:
    """What is known here is lost, so all is looked at, which ends with a checkpoint: where that fails the standby is equal all
    the same, and it is told."""
    seen, tree = Seen(), _tree(it)
    first = it.applier()
    first.converge(it.commit(tree), silent)
    first.close()
    known, lost = it.local, Local.open(str(it.base / "lost.db"))
    failing = FailsOnce(lost)
    it.local = cast(Local, failing)
    tree.file(ROOT, b"b", b"b")
    commit = it.commit(tree)
    with _loop(it, seen) as loop:
        loop.notify(commit)
        eventually(lambda: commit.number in seen.applied)
    it.local = known
    lost.close()
    assert (True, [commit.number]) == (failing.failed, seen.applied)


def test_a_verify_says_that_it_waits_and_ends_with_who_asked(it: Rig) -> None:
    """A converge runs for long: whoever asks is told each half second; once nobody is there any more it is called off."""
    begun, on = threading.Event(), threading.Event()

    def step(_what: str) -> None:
        begun.set()
        assert on.wait(PATIENCE)

    told: list[int] = []

    def waits() -> None:
        told.append(1)
        if len(told) == 2:
            raise ConnectionError

    loop = ApplyLoop(it.applier(step), it.board, it.clock, calls_of(lambda _: None), name="apply")
    loop.start()
    try:
        loop.notify(it.commit(_tree(it)))
        assert begun.wait(PATIENCE)
        with pytest.raises(ConnectionError):
            loop.verify(deep=False, progress=silent, waits=waits)
        on.set()
        assert loop.verify(deep=False, progress=silent).equal
    finally:
        on.set()
        loop.close()
    assert 2 == len(told)
