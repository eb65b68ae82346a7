"""What only the polling watcher does."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

from agent.watch.hint import Hint, Look
from agent.watch.polling import PollingWatcher
from fakes.watch_fakes import SeenHints

LONG = 30.0


def test_scans_without_being_asked(tmp_path: Path) -> None:
    """A change is found by the next scan."""
    told = threading.Event()
    watcher = PollingWatcher(str(tmp_path), interval=0.01)
    watcher.start(lambda _: told.set())
    try:
        (tmp_path / "file").touch()
        assert told.wait(LONG)
    finally:
        watcher.stop()


def test_a_renamed_tree_is_one_hint_and_what_changed_in_it(tmp_path: Path) -> None:
    """What only moved along is left out; what was written below on the way is not."""
    (tmp_path / "old/sub").mkdir(parents=True)
    for name in ("same", "changed"):
        (tmp_path / "old/sub" / name).touch()
    watcher, seen = PollingWatcher(str(tmp_path), interval=60.0), SeenHints()
    watcher.start(seen)
    try:
        (tmp_path / "old").rename(tmp_path / "new")
        (tmp_path / "new/sub/changed").write_bytes(b"x")
        assert watcher.barrier(LONG)
        assert Hint(b"new", Look.ENTRY, b"", b"old") in seen.hints
        assert Hint(b"new/sub/changed", Look.ENTRY, b"", b"old/sub/changed") in seen.hints
        assert [] == seen.at(b"new/sub/same") + seen.at(b"new/sub")
    finally:
        watcher.stop()


def test_a_write_that_keeps_size_and_mtime(tmp_path: Path) -> None:
    """ctime tells."""
    path = tmp_path / "file"
    path.write_bytes(b"a")
    was = path.stat().st_mtime_ns
    watcher, seen = PollingWatcher(str(tmp_path), interval=60.0), SeenHints()
    watcher.start(seen)
    try:
        path.write_bytes(b"b")
        os.utime(path, ns=(was, was))
        assert watcher.barrier(LONG)
        assert [Hint(b"file", Look.ENTRY)] == list(dict.fromkeys(seen.hints))
    finally:
        watcher.stop()


def test_trees_deeper_than_the_interpreter_recurses(tmp_path: Path) -> None:
    """1,500 levels are no error, although names past a path of 4,096 bytes cannot be seen."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    watcher, seen = PollingWatcher(str(tmp_path), interval=60.0), SeenHints()
    watcher.start(seen)
    try:
        (tmp_path.joinpath(*["d"] * 1400) / "file").touch()
        assert watcher.barrier(LONG)
        assert seen.covers(b"d/" * 1400 + b"file")
    finally:
        watcher.stop()
        # pytest's own clean-up would not get down there.
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


def test_a_failing_sink_is_said(tmp_path: Path) -> None:
    """The scanning thread may not die unseen."""
    watcher = PollingWatcher(str(tmp_path), interval=60.0)

    def sink(_: object) -> None:
        raise RuntimeError("the pump is gone")

    watcher.start(sink)
    (tmp_path / "file").touch()
    assert not watcher.barrier(LONG)
    assert "listing the tree failed: RuntimeError: the pump is gone" == watcher.lost
    watcher.stop()
