"""Files that were asked of ahead of time: at the end only what was open then, or was opened since, is asked of."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from agent.core.errors import CalledOff
from agent.fs.handles import handle_of_fd
from agent.watch.asked_before import MOST, AskedBefore, VoidAsking, asked_before
from fakes.eventually import eventually
from fakes.holding import holding
from fakes.idle import goes_on

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="what is opened is reported to root alone")
WRITES, READS = "f = open(p, 'r+b')", "f = open(p, 'rb')"


@pytest.fixture
def tree(tmpfs_dir: Path) -> Path:
    """A tree of three files, one of them our own, and one beside it, on a filesystem that nobody else opens anything on."""
    return _made(tmpfs_dir)


def _made(base: Path) -> Path:
    for place in ("tree/a/one", "tree/two", "tree/.hikae/own", "beside/other"):
        (base / place).parent.mkdir(parents=True, exist_ok=True)
        (base / place).write_bytes(b"content")
    return base / "tree"


@contextmanager
def _asked(tree: Path, most: int = MOST, holds: Callable[[bytes], bool] = lambda _: False) -> Iterator[AskedBefore]:
    found = AskedBefore(str(tree), holds, lambda: False, most)
    try:
        found.ask(goes_on)
        yield found
    finally:
        found.close()


@pytest.mark.parametrize("place", ["tmpfs_dir", "ext4_dir"])
def test_what_was_open_and_what_was_opened_since_is_told(request: pytest.FixtureRequest, place: str) -> None:
    """And nothing that was closed meanwhile, is read, stands beside or is our own."""
    tree = _made(request.getfixturevalue(place))
    with ExitStack() as held, ExitStack() as before:
        held.enter_context(holding(WRITES, tree / "a/one"))
        before.enter_context(holding(WRITES, tree / "two"))
        asked = held.enter_context(_asked(tree))
        before.close()
        for path in (tree / ".hikae/own", tree.parent / "beside/other"):
            held.enter_context(holding(WRITES, path))
        held.enter_context(holding(READS, tree / "two"))
        assert [str(tree / "a/one")] == asked.held(goes_on)
        held.enter_context(holding(WRITES, tree / "two"))
        assert sorted((str(tree / "a/one"), str(tree / "two"))) == sorted(asked.held(goes_on))


def test_what_is_new_is_told(tree: Path) -> None:
    """A file that nobody had asked of, in a directory that is as new."""
    with _asked(tree) as asked:
        (tree / "new").mkdir()
        with holding("f = open(p, 'wb')", tree / "new/file"):
            assert [str(tree / "new/file")] == asked.held(goes_on)


@pytest.mark.parametrize("way", ["os.rename(p, n)", "os.link(p, n)"], ids=["renamed", "linked"])
def test_what_came_in_from_elsewhere_is_told(tree: Path, way: str) -> None:
    """It was open before, below no name of the tree."""
    name, gate = tree / "in", tree.parent / "gate"
    os.mkfifo(gate)
    opened = f"n = {str(name)!r}; f = open(p, 'r+b'); print('has it', flush=True); open({str(gate)!r}).read(); "
    with holding(opened + way, tree.parent / "beside/other"), _asked(tree) as asked:
        assert [] == asked.held(goes_on)
        gate.write_bytes(b"")
        eventually(name.exists, 20)
        assert _told(asked)


def _told(asked: AskedBefore) -> bool:
    """Whether it names the file, or says that it does not know."""
    try:
        return bool(asked.held(goes_on))
    except VoidAsking:
        return True


def test_a_file_with_a_name_elsewhere_is_not_passed_over(tree: Path) -> None:
    """It was opened by a name beside the tree: it is known by its handle, or all are asked of."""
    os.link(tree / "two", tree.parent / "beside/link")
    fd = os.open(tree / "two", os.O_PATH)
    handle = handle_of_fd(fd)
    os.close(fd)
    knows = _asked(tree, holds=lambda one: one == handle)
    with _asked(tree) as asked, knows as knowing, holding(WRITES, tree.parent / "beside/link"):
        assert 1 == len(knowing.held(goes_on))
        assert _told(asked)


def test_what_stands_in_a_directory_that_is_renamed_is_asked_of_again(tree: Path) -> None:
    """It may have come from elsewhere with what is open in it; one that goes elsewhere is no matter."""
    beside = tree.parent / "beside"
    with holding(WRITES, beside / "other"), _asked(tree) as asked:
        with holding(f"os.rename(p, {str(tree.parent / 'c')!r})", tree / "a"):
            assert [] == asked.held(goes_on)
        with holding(f"os.rename(p, {str(tree / 'b')!r})", beside):
            assert [str(tree / "b/other")] == asked.held(goes_on)


def test_more_than_it_can_keep_makes_it_void(tree: Path) -> None:
    """Law 9: what is opened is the programs' to say, and there is a bound to it."""
    with _asked(tree, most=0) as asked, holding(READS, tree / "a/one"), pytest.raises(VoidAsking):
        asked.held(goes_on)


def test_it_ends_when_nobody_will_ask_any_more(tree: Path) -> None:
    """Its descriptors are given back by itself."""
    over = threading.Event()
    before = set(os.listdir("/proc/self/fd"))
    asked = AskedBefore(str(tree), lambda _: False, over.is_set)
    over.set()
    eventually(lambda: set(os.listdir("/proc/self/fd")) <= before, 20)
    with pytest.raises(VoidAsking):
        asked.held(goes_on)


def test_who_asks_may_be_called_off(tree: Path) -> None:
    """Between two directories; nothing goes on then."""

    def look() -> None:
        raise CalledOff("ask", "web", "the agent stops", "")

    with pytest.raises(CalledOff):
        asked_before(str(tree), lambda _: False, look, lambda: False)


def test_what_cannot_be_asked_ahead_is_not(tree: Path) -> None:
    """A place that reports nothing of what is opened."""
    assert None is asked_before("/proc/self", lambda _: False, lambda: None, lambda: False)
    found = asked_before(str(tree), lambda _: False, lambda: None, lambda: False)
    assert found is not None
    found.close()
