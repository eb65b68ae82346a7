"""Which directory a watcher takes for its root, whatever stands at the path meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.watch import fanotify, watched_root
from agent.watch.fanotify import FanotifyGroups
from agent.watch.hint import Watcher, no_further_names
from agent.watch.inotify import InotifyWatcher
from agent.watch.polling import PollingWatcher
from fakes.watch_fakes import SeenHints

LONG = 30.0
ANOTHER = "another directory stands in the root's place"

#: What makes a watcher, and what it asks which directory it is.
WATCHERS = [
    pytest.param(
        lambda path: FanotifyGroups(frozenset()).watcher(path, no_further_names),
        (fanotify, "open_root"),
        marks=pytest.mark.skipif(os.geteuid() != 0, reason="fanotify needs root"),
        id="fanotify",
    ),
    pytest.param(InotifyWatcher, (os.path, "realpath"), id="inotify"),
    pytest.param(lambda path: PollingWatcher(path, interval=60.0), (os.path, "realpath"), id="polling"),
]


@pytest.mark.parametrize(("make", "asked"), WATCHERS)
def test_a_path_that_leads_elsewhere_for_a_moment_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[str], Watcher], asked: tuple[object, str]
) -> None:
    """The watch began with what stood there in that moment, and nobody else would see that it hears of nothing."""
    root, named = tmp_path / "root", tmp_path / "named"
    for path in (root, tmp_path / "other"):
        path.mkdir()
    named.symlink_to(root)
    real = getattr(*asked)

    def look(path: str) -> object:
        if path != str(named):
            return real(path)
        named.unlink()
        named.symlink_to(tmp_path / "other")
        found = real(path)
        named.unlink()
        named.symlink_to(root)
        return found

    watcher = make(str(named))
    with monkeypatch.context() as then:
        then.setattr(*asked, look)
        watcher.start(SeenHints())
    try:
        assert ANOTHER == watcher.check()
        assert not watcher.barrier(0.0)
    finally:
        watcher.stop()


def test_a_look_at_the_root_takes_nothing_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that reads events finds it lost while another one looks at the root, which is well."""
    watcher = PollingWatcher(str(tmp_path), interval=60.0)
    watcher.start(SeenHints())

    def look(*_: object) -> None:
        watcher.lost = "reading events failed"

    try:
        with monkeypatch.context() as then:
            then.setattr(watched_root, "reason_lost", look)
            assert "reading events failed" == watcher.check()
        assert not watcher.barrier(0.0)
    finally:
        watcher.stop()
