"""Who may be writing a dataset: what was asked ahead is kept for a while, and says the same as asking all."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import CalledOff
from agent.fs.writers import processes
from agent.fs.writers.processes import Writer
from agent.node.kinds.writing import KEPT, WritersHere
from fakes.eventually import eventually
from fakes.holding import holding
from fakes.idle import goes_on

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what is opened is reported to root alone")
WRITES = "f = open(p, 'r+b')"


class _Counted:
    """How often it was looked whether to go on: at each directory of which is asked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@contextmanager
def _here(tree: Path, clock: ManualClock) -> Iterator[WritersHere]:
    tree.mkdir()
    for name in ("one", "two"):
        (tree / name).write_bytes(b"content")
    found = WritersHere(str(tree), lambda _: False, clock, is_device=False)
    try:
        yield found
    finally:
        found.close()


def _threads() -> set[str]:
    return {one.name for one in threading.enumerate()}


@pytest.mark.parametrize("ahead", [False, True])
def test_who_writes_is_found_whether_it_was_asked_ahead(tmpfs_dir: Path, ahead: bool) -> None:
    """Who began before, and who began since; nobody once both have ended."""
    tree = tmpfs_dir / "tree"
    with _here(tree, ManualClock()) as here:
        with holding(WRITES, tree / "one") as first:
            if ahead:
                here.ask_ahead(goes_on)
            with holding(WRITES, tree / "two") as second:
                assert {first, second} == {one.process for one in here.found(goes_on)}
        assert [] == here.found(goes_on)


def test_what_was_asked_ahead_is_not_asked_again_at_once(tmpfs_dir: Path) -> None:
    """The gate of a command and its step ask soon after each other; later all is asked anew, and nothing is kept meanwhile."""
    clock, look = ManualClock(), _Counted()
    with _here(tmpfs_dir / "tree", clock) as here:
        here.ask_ahead(look)
        once = look.count
        here.ask_ahead(look)
        here.found(goes_on)
        assert once == look.count
        clock.advance(KEPT + 1)
        eventually(lambda: not any(one.startswith("hikae-openings") for one in _threads()), 20)
        here.ask_ahead(look)
        assert 2 * once == look.count


@pytest.mark.parametrize("ahead", [False, True])
def test_asking_ends_where_the_agent_is_to_end(tmpfs_dir: Path, monkeypatch: pytest.MonkeyPatch, ahead: bool) -> None:
    """In the middle of the tree, also of what was moved since it was asked ahead; and it can be asked again."""
    tree = tmpfs_dir / "tree"
    monkeypatch.setattr(processes, "_looked_into", lambda *_: ([], [Writer(1, "init", "")]))
    looked: list[int] = []

    def ends() -> None:
        looked.append(1)
        if len(looked) == 3:
            raise CalledOff("test", "web", "the agent stops", "")

    with _here(tree, ManualClock()) as here:
        (tree / "old/a/b/c/d").mkdir(parents=True)
        if ahead:
            here.ask_ahead(goes_on)
            with holding(f"os.rename(p, {str(tree / 'new')!r})", tree / "old"):
                pass
        with pytest.raises(CalledOff):
            here.found(ends)
        assert 3 == len(looked)
        assert [] == here.found(goes_on)
