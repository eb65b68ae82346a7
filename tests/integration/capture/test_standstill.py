"""A moment that is asked for and cannot be had: the reason is told, no change is lost, and the next one is captured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.capture.access.image import ImageLimits
from agent.capture.access.standstill import StandstillLimits
from agent.core.commit import Quiesced
from agent.core.errors import CalledOff, NotPermitted, TryAgain
from agent.fs.thaw_guard import FreezeFailed
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import WAIT, Wiring, station

ONCE = StandstillLimits(tries=2, between=0.01)


class CalmGuard:
    """Freezes nothing, in a tree that nobody changes but ``before``; ``fails`` is raised instead. Satisfies ``Freezing``."""

    def __init__(self, fails: Exception | None = None, before: Callable[[], None] = lambda: None) -> None:
        self.fails = fails
        self.before = before
        self.times = 0

    @contextmanager
    def frozen(self, root_fd: int, path: str, seconds: float) -> Iterator[None]:
        """See ``Freezing``."""
        self.times += 1
        if self.fails is not None:
            raise self.fails
        self.before()
        yield


def test_what_waits_is_in_the_moment(tmp_path: Path) -> None:
    """What was hinted at is captured with the moment, also what is larger than any small file; without a change too there is a
    commit that says so."""
    root = tmp_path / "root"
    root.mkdir()
    with station(root, tmp_path / "state") as made:
        made.synced()
        (root / "new" / "deep").mkdir(parents=True)
        (root / "new" / "deep" / "file").write_bytes(b"x" * 100_000)
        (root / "large").write_bytes(bytes(range(256)) * 80_000)
        made.pump.hint([Hint(b"new", Look.SUBTREE), Hint(b"large", Look.ENTRY)])
        numbers = [made.pump.stand_still(CalmGuard(), "root").wait(WAIT).number for _ in range(2)]
        assert [] == made.mirror()
        assert numbers == [commit.number for commit in made.outlet.commits[-2:]]
        assert [Quiesced.CRASH] * 2 == [commit.provenance.reached for commit in made.outlet.commits[-2:]]


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        (ImageLimits(bytes=1000), "too much changes at once"),
        (ImageLimits(objects=2), "too much changes at once"),
        (ImageLimits(directories=1), "too many directories change at once"),
        (ImageLimits(seconds=-1), "what changes takes too long to read"),
    ],
)
def test_too_much(tmp_path: Path, limits: ImageLimits, told: str) -> None:
    """More than an image may have is no moment; the changes are captured as always."""
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    with station(root, tmp_path / "state") as made:
        made.synced()

        def change() -> None:
            (root / "inner" / "file").write_bytes(b"x" * 2000)
            made.pump.hint([Hint(b"inner/file", Look.ENTRY)])

        guard = CalmGuard(before=change)
        asked = made.pump.stand_still(guard, "root", StandstillLimits(limits, tries=2, between=0.01))
        with pytest.raises(TryAgain, match=f"in 2 tries: {told}"):
            asked.wait(WAIT)
        made.pump.barrier().wait(WAIT)
        assert ([], 2) == (made.mirror(), guard.times)


def test_refused(tmp_path: Path) -> None:
    """A filesystem that cannot be frozen is tried again a few times, a missing privilege is not."""
    root = tmp_path / "root"
    root.mkdir()
    busy = CalmGuard(FreezeFailed("freeze", "root", "another program has frozen it"))
    barred = CalmGuard(NotPermitted("freeze", "root", "the privilege is missing"))
    with station(root, tmp_path / "state") as made:
        made.synced()
        with pytest.raises(TryAgain, match="in 2 tries: another program has frozen it"):
            made.pump.stand_still(busy, "root", ONCE).wait(WAIT)
        with pytest.raises(NotPermitted):
            made.pump.stand_still(barred, "root", ONCE).wait(WAIT)
        assert (2, 1) == (busy.times, barred.times)


def test_a_watcher_that_does_not_tell(tmp_path: Path) -> None:
    """Without the watcher's word on what the kernel has queued there is no moment."""
    root = tmp_path / "root"
    root.mkdir()
    silent = {"silent": False}
    wiring = Wiring(set_barrier=lambda: lambda _: None if silent["silent"] else True)
    with station(root, tmp_path / "state", wiring=wiring) as made:
        made.synced()
        silent["silent"] = True
        with pytest.raises(TryAgain, match="the watcher did not tell in time"):
            made.pump.stand_still(CalmGuard(), "root", ONCE).wait(WAIT)
        silent["silent"] = False


def test_capture_stops(tmp_path: Path) -> None:
    """Who waits for a moment is told when capture stops, and who asks afterwards at once."""
    root = tmp_path / "root"
    root.mkdir()
    with station(root, tmp_path / "state") as made:
        made.synced()
        never = made.pump.stand_still(CalmGuard(), "root", StandstillLimits(hints=-1))
        made.pump.stop()
        for asked in (never, made.pump.stand_still(CalmGuard(), "root")):
            with pytest.raises(CalledOff):
                asked.wait(WAIT)
