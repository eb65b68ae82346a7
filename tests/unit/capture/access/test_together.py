"""One freeze of several sources: all meet, one thread freezes for all, and what fails for one is a moment of none."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from agent.capture.access.together import JointFreeze, NotTogether, TogetherLimits
from agent.core.errors import HikaeError, TryAgain
from agent.fs.thaw_guard import CannotFreeze, FreezeFailed, FreezeRoot

PATIENT = TogetherLimits(meet=60.0)
WEB, DISK = (3, "/web"), (4, "/disk")


class CountingGuard:
    """Freezes nothing, and tells what it was asked for. ``before`` and ``after`` are raised. Satisfies ``FreezingDisks``."""

    def __init__(self, before: HikaeError | None = None, after: HikaeError | None = None) -> None:
        self.before, self.after = before, after
        self.asked: list[tuple[list[FreezeRoot], float]] = []

    @contextmanager
    def frozen(self, root_fd: int, path: str, seconds: float) -> Iterator[None]:
        """See ``Freezing``."""
        with self.all_frozen([(root_fd, path)], seconds):
            yield

    @contextmanager
    def all_frozen(self, roots: Sequence[FreezeRoot], seconds: float) -> Iterator[None]:
        """See ``FreezingDisks``."""
        self.asked.append((list(roots), seconds))
        if self.before is not None:
            raise self.before
        yield
        if self.after is not None:
            raise self.after


def as_given(roots: Iterable[FreezeRoot]) -> list[FreezeRoot]:
    """In a fixed order, whoever came first."""
    return sorted(roots)


def joint_of(guard: CountingGuard, limits: TogetherLimits = PATIENT) -> JointFreeze:
    """Of two sources."""
    return JointFreeze(guard, ("web", "disk"), limits, as_given)


def come(joint: JointFreeze, name: str, roots: Sequence[FreezeRoot], seconds: float, seen: list[str]) -> str:
    """What one pump does, and that it reads; why there was no moment, "" where there was."""
    seat = joint.seat(name)
    try:
        seat.meet()
        with seat.all_frozen(roots, seconds):
            seen.append(name)
    except NotTogether as error:
        return error.reason
    return ""


def both(joint: JointFreeze, seen: list[str]) -> list[str]:
    """Both pumps, side by side."""
    with ThreadPoolExecutor(2) as pool:
        coming = [
            pool.submit(come, joint, "web", [WEB], 5.0, seen),
            pool.submit(come, joint, "disk", [DISK], 3.0, seen),
        ]
        return [one.result(60) for one in coming]


def test_one_freeze_holds_all() -> None:
    """By the shorter deadline; each reads while all stand still, and it is told for how long they did."""
    guard, seen = CountingGuard(), list[str]()
    joint = joint_of(guard)
    said = both(joint, seen)
    assert (["", ""], ["disk", "web"]) == (said, sorted(seen))
    assert ([([WEB, DISK], 3.0)], None, True) == (guard.asked, joint.failure, joint.stood > 0)


@pytest.mark.parametrize(
    "error",
    [
        FreezeFailed("freeze", "/disk", "another program has frozen it already"),
        CannotFreeze("freeze", "/disk", "its filesystem cannot be frozen"),
    ],
)
def test_what_cannot_be_frozen_is_a_moment_of_none(error: HikaeError) -> None:
    """Nobody reads, each is told why, and the error itself is there for who asked."""
    seen = list[str]()
    joint = joint_of(CountingGuard(before=error))
    said = both(joint, seen)
    assert ([error.reason] * 2, [], error) == (said, seen, joint.failure)


def test_what_did_not_stand_still_to_the_end_is_a_moment_of_none() -> None:
    """The deadline came first: all have read, and nobody's counts."""
    seen = list[str]()
    late = FreezeFailed("keep frozen", "/web", "the deadline came first, and it was thawed")
    said = both(joint_of(CountingGuard(after=late)), seen)
    assert ([late.reason] * 2, ["disk", "web"]) == (said, sorted(seen))


def test_nobody_waits_for_long_for_one_that_does_not_come() -> None:
    """Who is late is named, nothing was frozen, and he is turned away when he comes."""
    guard, seen = CountingGuard(), list[str]()
    joint = joint_of(guard, TogetherLimits(meet=0.01))
    first = come(joint, "web", [WEB], 5.0, seen)
    second = come(joint, "disk", [DISK], 5.0, seen)
    assert "disk was not ready within 0.01 s: many changes, or a look at all of it, go on" == first == second
    assert ([], []) == (guard.asked, seen)


def test_who_waits_is_let_go_when_it_is_called_off() -> None:
    """At once, whatever the limits are."""
    joint, done = joint_of(CountingGuard()), Future[str]()
    waiting = threading.Thread(target=lambda: done.set_result(come(joint, "web", [WEB], 5.0, [])))
    waiting.start()
    joint.call_off(TryAgain("take", "shop", "web is being closed"))
    assert "web is being closed" == done.result(60)
    waiting.join()


def test_a_moment_that_is_over_takes_nobody_in() -> None:
    """One who comes a second time goes on by himself."""
    joint = joint_of(CountingGuard())
    both(joint, [])
    assert "its moment is over" == come(joint, "web", [WEB], 5.0, [])


def test_where_nothing_can_be_frozen_each_reads_at_the_same_time() -> None:
    """Devices that are used without a filesystem tell by themselves whether they were written."""
    guard = CountingGuard()
    joint = joint_of(guard)
    with ThreadPoolExecutor(2) as pool:
        said = [pool.submit(come, joint, name, [], 5.0, []) for name in ("web", "disk")]
    assert (["", ""], []) == ([one.result(60) for one in said], guard.asked)
