"""A root that is watched, lost, and watched again."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NoReturn

import pytest

from agent.config.values import WatchKind
from agent.core.clock import ManualClock
from agent.core.problem import ProblemBoard
from agent.node.reigning import root_watch
from agent.node.reigning.root_watch import RootWatch
from agent.watch.fanotify import FanotifyGroups
from agent.watch.hint import Hint, Look, never_passes
from agent.watch.mounts import MountsBelow
from fakes.watch_fakes import SeenHints


class Bench:
    """A root that is to be watched by looking at it: no privilege, no event."""

    def __init__(self, root: Path, kind: WatchKind = "polling", groups: FanotifyGroups | None = None) -> None:
        self.root, self.seen = root, SeenHints()
        self.board, self.clock = ProblemBoard(), ManualClock()
        self.watch = RootWatch(str(root), kind, groups or FanotifyGroups(), lambda _: False, hint=self.seen)

    def tick(self) -> list[str]:
        """A second passes; what is said then."""
        self.watch.tick(self.board, self.clock)
        return [problem.message for problem in self.board.listed()[0]]

    @property
    def asked_for_all(self) -> bool:
        """Whether everything is to be looked at."""
        return any(hint.path == b"" and hint.look is Look.SUBTREE for hint in self.seen.hints)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A root that does not stand yet."""
    return Bench(tmp_path / "root")


def test_a_root_that_comes_later_is_watched_and_looked_at(bench: Bench) -> None:
    """Until then it is said, and no barrier passes."""
    bench.watch.start()
    assert bench.watch.set_barrier() is never_passes
    assert ["the tree is not fully watched"] == [said.partition(":")[0] for said in bench.tick()]
    bench.root.mkdir()
    bench.tick()
    assert (True, True) == (bench.watch.watcher is not None, bench.asked_for_all)
    bench.watch.close()


def test_what_stands_at_the_start_is_not_looked_at_for_the_watch(bench: Bench) -> None:
    """The pump's first walk does that; nothing may have been missed."""
    bench.root.mkdir()
    bench.watch.start()
    assert (True, False) == (bench.watch.watcher is not None, bench.asked_for_all)
    bench.watch.close()


def test_no_barrier_passes_over_another_root(bench: Bench, tmp_path: Path) -> None:
    """The watcher sees the directory that it began with, and another one stands at the path."""
    bench.root.mkdir()
    bench.watch.start()
    assert bench.watch.set_barrier() is not never_passes
    bench.root.rename(tmp_path / "was")
    bench.root.mkdir()
    assert bench.watch.set_barrier() is never_passes
    bench.watch.close()


class Exchanging(FanotifyGroups):
    """Says that fanotify cannot be used, and has the root exchanged meanwhile, once."""

    def refusal(self, root: str) -> OSError | None:
        """See ``FanotifyGroups``."""
        was = Path(f"{root} was")
        if not was.exists():
            Path(root).rename(was)
            Path(root).mkdir()
        return PermissionError(errno.EPERM, "not permitted")


def test_a_root_that_is_exchanged_while_the_watch_begins_is_watched_a_second_later(tmp_path: Path) -> None:
    """The watcher began with the new one, which nobody compared: a barrier passes again, and all is looked at."""
    bench = Bench(tmp_path / "root", "auto", Exchanging())
    bench.root.mkdir()
    bench.watch.start()
    assert bench.watch.set_barrier() is never_passes
    bench.tick()
    assert (True, True) == (bench.watch.set_barrier() is not never_passes, bench.asked_for_all)
    bench.watch.close()


class Mounted(MountsBelow):
    """Something was mounted below, once."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self._hints = [Hint(b"below", Look.SUBTREE)]

    def changed(self) -> list[Hint]:
        """See ``MountsBelow``."""
        hints, self._hints = self._hints, []
        return hints


def test_a_watch_that_ended_for_a_mount_and_cannot_begin_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was stopped is not taken for one that watches."""

    def refuse(*_: object) -> NoReturn:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(root_watch, "MountsBelow", Mounted)
    bench = Bench(tmp_path, "inotify")
    bench.watch.start()
    with monkeypatch.context() as then:
        then.setattr(root_watch, "choose", refuse)
        assert ["the tree is not fully watched: too many open files"] == bench.tick()
    assert (None, never_passes) == (bench.watch.in_force, bench.watch.set_barrier())
    assert [] == bench.tick()
    assert (True, True) == (bench.watch.set_barrier()(30.0), bench.asked_for_all)
    bench.watch.close()
