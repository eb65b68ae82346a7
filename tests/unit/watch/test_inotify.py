"""What only the inotify watcher does."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.observers.inotify_c import CallbackId, Mask, WatchCallback, WatchDescriptor

from agent.fs.confined import exchange
from agent.watch.hint import Hint, Look
from agent.watch.inotify import InotifyWatcher, _Outbox, _Reader, _Tree
from fakes.watch_fakes import SeenHints

LONG = 30.0


class ScarceReader(_Reader):
    """A descriptor with few watches, as under a low ``max_user_watches``."""

    def __init__(self, room: int) -> None:
        super().__init__(lambda: None, self.failures().append)
        self.room = room

    @staticmethod
    def failures() -> list[str]:
        """Where failures would go; none is expected."""
        return []

    def _add_callback(self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId) -> WatchDescriptor:
        if len(self._watch_for_wd) >= self.room:
            raise OSError(errno.ENOSPC, "inotify watch limit reached")
        return super()._add_callback(path, mask, callback, id_)


@pytest.fixture
def scarce() -> Iterator[ScarceReader]:
    """Room for three watches."""
    reader = ScarceReader(3)
    reader.start()
    yield reader
    reader.stop()
    reader.join()


def test_directories_without_a_watch_are_known_and_tried_again(scarce: ScarceReader, tmp_path: Path) -> None:
    """Each is to be walked, counted as missed, and watched once there is room."""
    for name in ("a", "b", "c/d"):
        (tmp_path / name).mkdir(parents=True)
    outbox = _Outbox()
    tree = _Tree(scarce, os.fsencode(tmp_path), outbox)
    directories = {b"", b"a", b"b", b"c", b"c/d"}
    assert 3 == tree.watched()
    missed = {hint.path for hint in outbox.hints}
    assert {Look.SUBTREE} == {hint.look for hint in outbox.hints}
    assert (2, len(missed)) == (len(directories) - tree.watched(), len(tree.missed))
    assert [] == tree.watch_missed()
    scarce.room = 100
    assert missed == set(tree.watch_missed())
    assert (5, {}) == (tree.watched(), tree.missed)


def test_the_problem_is_named(tmp_path: Path) -> None:
    """It says what to raise; without missed directories there is none."""
    watcher = InotifyWatcher(str(tmp_path))
    watcher.start(SeenHints())
    try:
        assert None is watcher.problem
        assert watcher._tree is not None
        watcher._tree.missed[b"x"] = None
        assert "fs.inotify.max_user_watches" in str(watcher.problem)
        watcher.check()
        assert None is watcher.problem
    finally:
        watcher.stop()


def test_every_directory_is_watched(tmp_path: Path) -> None:
    """As many watches as a walk finds directories, also after trees came, moved, left and were deleted."""
    root = tmp_path / "root"
    (root / "a/b/c").mkdir(parents=True)
    (root / "x/y").mkdir(parents=True)
    watcher = InotifyWatcher(str(root))
    watcher.start(SeenHints())
    try:
        (root / "new/deep/tree").mkdir(parents=True)
        (root / "a").rename(root / "new/a")
        (root / "x").rename(tmp_path / "out")
        (root / "new/deep/tree").rmdir()
        # Two barriers: the second half of a rename may come with the next read, so what left is dropped after that.
        assert [True, True] == [watcher.barrier(LONG), watcher.barrier(LONG)]
        assert sum(1 for _ in os.walk(root)) == watcher.watched
    finally:
        watcher.stop()


def test_a_barrier_creates_nothing(tmp_path: Path) -> None:
    """Nothing in the tree, and nothing elsewhere where a link stands for the private directory."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    root.mkdir()
    elsewhere.mkdir()
    (root / ".hikae").symlink_to(elsewhere)
    watcher, seen = InotifyWatcher(str(root)), SeenHints()
    watcher.start(seen)
    try:
        assert watcher.barrier(LONG)
        assert ([], [".hikae"], []) == (list(elsewhere.iterdir()), [one.name for one in root.iterdir()], seen.hints)
    finally:
        watcher.stop()


def test_a_barrier_that_nobody_asked_about_passes_as_well(tmp_path: Path) -> None:
    """It is set once, and may be asked about later and again."""
    watcher, seen = InotifyWatcher(str(tmp_path)), SeenHints()
    watcher.start(seen)
    try:
        (tmp_path / "file").touch()
        one = watcher.set_barrier()
        assert watcher.barrier(LONG)
        assert (True, True) == (one(0.0), one(0.0))
        assert {b"file"} == {hint.path for hint in seen.hints}
    finally:
        watcher.stop()
    assert one(0.0) is None


def test_stop_ends_a_barrier(tmp_path: Path) -> None:
    """Nobody waits for a watcher that is gone."""
    watcher, seen = InotifyWatcher(str(tmp_path)), SeenHints()
    watcher.start(seen)
    assert watcher.barrier(LONG)
    seen.hold()
    (tmp_path / "file").touch()
    assert seen.entered.wait(LONG)
    passed: list[bool] = []
    begun = time.monotonic()
    asking = threading.Thread(target=lambda: passed.append(watcher.barrier(LONG)))
    asking.start()
    stopping = threading.Thread(target=watcher.stop)
    stopping.start()
    seen.release()
    stopping.join()
    asking.join()
    assert time.monotonic() - begun < LONG
    assert 1 == len(passed)


def test_a_failing_sink_is_said(tmp_path: Path) -> None:
    """The reader thread may not die unseen."""
    watcher = InotifyWatcher(str(tmp_path))

    def sink(_: object) -> None:
        raise RuntimeError("the pump is gone")

    watcher.start(sink)
    (tmp_path / "file").touch()
    assert not watcher.barrier(LONG)
    assert "reading events failed: RuntimeError: the pump is gone" == watcher.lost
    watcher.stop()


def test_a_moved_directory_that_comes_back(tmp_path: Path) -> None:
    """Out, changed, and in again elsewhere: it is walked and watched under its new name."""
    root = tmp_path / "root"
    (root / "dir/sub").mkdir(parents=True)
    watcher, seen = InotifyWatcher(str(root)), SeenHints()
    watcher.start(seen)
    try:
        (root / "dir").rename(tmp_path / "out")
        (tmp_path / "out").rename(root / "back")
        assert watcher.barrier(LONG)
        assert seen.covers(b"dir")
        assert Hint(b"back", Look.SUBTREE) in seen.hints
        seen.clear()
        (root / "back/sub/file").touch()
        assert watcher.barrier(LONG)
        assert {b"back/sub/file"} == {hint.path for hint in seen.hints}
    finally:
        watcher.stop()


def test_making_the_private_directory_is_a_change_of_the_root(tmp_path: Path) -> None:
    """Whoever makes it moves the root's times: before the barrier is passed, the root is told of."""
    seen: list[Hint] = []
    watcher = InotifyWatcher(str(tmp_path))
    watcher.start(seen.extend)
    try:
        (tmp_path / ".hikae").mkdir()
        assert watcher.barrier(10)
        assert Hint(b"", Look.ENTRY) in seen
    finally:
        watcher.stop()


def test_exchanged_directories_are_told_by_their_new_names(tmp_path: Path) -> None:
    """The kernel tells an exchange as two moves of directories that are both watched; later events must not be mixed up."""
    for name in ("one", "two"):
        (tmp_path / name / f"in {name}").mkdir(parents=True)
    seen: list[Hint] = []
    watcher = InotifyWatcher(str(tmp_path))
    watcher.start(seen.extend)
    root = os.open(tmp_path, os.O_RDONLY)
    try:
        exchange(root, b"one", root, b"two")
        assert watcher.barrier(LONG)
        seen.clear()
        (tmp_path / "one/in two/x").touch()
        (tmp_path / "two/in one/y").touch()
        assert watcher.barrier(LONG)
        assert {b"one/in two/x", b"two/in one/y"} == {hint.path for hint in seen}
    finally:
        os.close(root)
        watcher.stop()


def test_a_root_that_was_away_is_lost(tmp_path: Path) -> None:
    """Also when it is back: meanwhile another stood at its path, by which its directories are found. Begun again it is whole."""
    root, other = tmp_path / "root", tmp_path / "other"
    for path in (root, other):
        path.mkdir()
    watcher, seen = InotifyWatcher(str(root)), SeenHints()
    watcher.start(seen)
    at = os.open(tmp_path, os.O_RDONLY)
    try:
        seen.hold()
        (root / "file").touch()
        assert seen.entered.wait(LONG)
        for _ in range(2):
            exchange(at, b"root", at, b"other")
        seen.release()
        assert not watcher.barrier(LONG)
        assert "the root directory was moved, and came back" == watcher.check()
        watcher.start(seen)
        assert (True, None) == (watcher.barrier(LONG), watcher.check())
    finally:
        os.close(at)
        watcher.stop()


def test_what_is_renamed_above_or_below_the_root_does_not_lose_it(tmp_path: Path) -> None:
    """Neither directories that are moved in it, nor one that it stands in, moved and back, are a reason to begin again."""
    root = tmp_path / "above/root"
    (root / "dir/sub").mkdir(parents=True)
    watcher, seen = InotifyWatcher(str(root)), SeenHints()
    watcher.start(seen)
    try:
        (root / "dir").rename(root / "moved")
        (root / "moved").rename(root / "dir")
        (tmp_path / "above").rename(tmp_path / "was")
        (tmp_path / "was").rename(tmp_path / "above")
        root.chmod(0o700)
        assert (True, None) == (watcher.barrier(LONG), watcher.check())
    finally:
        watcher.stop()
