"""Content of a large new file ahead of its commit: written as it comes, given its name by the commit, or thrown away."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agent.apply.applier import Applier
from agent.apply.results import silent
from agent.apply.writing.arriving import CROWDED, FORGOTTEN, TOO_MANY, EarlyContent
from agent.core.chunks import HOLE, Chunk, name_of
from agent.core.errors import Refused
from agent.core.ids import ROOT
from fakes.apply_fakes import Rig, Tree, rig

MIB = 1 << 20


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig on a filesystem in memory, whose appliers take what came early."""
    with rig(tmpfs_dir / "rig") as made:
        made.early = EarlyContent(lambda: None, made.clock.monotonic)
        yield made
        made.early.close()


@pytest.fixture
def early(it: Rig) -> EarlyContent:
    """What came."""
    assert isinstance(it.early, EarlyContent)
    return it.early


def pieces(count: int, salt: int = 0) -> list[bytes]:
    return [bytes([salt, number]) * (MIB // 2) for number in range(count)]


def named(chunks: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return [(name_of(chunk), chunk) for chunk in chunks]


def begun(it: Rig) -> tuple[Applier, Tree]:
    """An applier after its first commit: it believes what stands, and takes what came early."""
    applier, tree = it.applier(), Tree.empty(it.store)
    tree.file(ROOT, b"small", b"first")
    applier.converge(it.commit(tree), silent)
    return applier, tree


def open_files() -> int:
    gc.collect()  # what an earlier test has left open goes at no other moment
    return len(os.listdir("/proc/self/fd"))


def until_written(early: EarlyContent, it: Rig) -> None:
    it.root.mkdir(exist_ok=True)
    fd = os.open(it.root, os.O_RDONLY)
    try:
        while early.step(lambda: fd):
            pass
    finally:
        os.close(fd)


def test_the_commit_only_gives_it_its_name(it: Rig, early: EarlyContent) -> None:
    """Of the content nothing is read again, in a directory that is new and in one that was there."""
    applier, tree = begun(it)
    for token, (parent, salt) in enumerate(((ROOT, 1), (tree.directory(ROOT, b"new"), 2)), 1):
        content = pieces(40, salt)
        early.came(token, named(content[:25]))
        assert applier.write_early()
        early.came(token, named(content[25:]))
        tree.file(parent, b"large", *content)
        it.store.lost.update(name_of(run) for run in content)
    # Parts of their lists of chunks are read, none of their content.
    applier.converge(it.commit(tree), silent)
    assert tree.expected() == it.seen()
    assert early.take([], lambda: -1) == -1, "both were taken"


@pytest.mark.parametrize(
    "differs",
    [
        lambda content: [*content[:5], 4096, *content[5:]],
        lambda content: [*content[1:], content[0]],
        lambda content: content[:-1],
        lambda content: [*content, b"one more"],
    ],
    ids=["a hole", "another order", "less", "more"],
)
def test_a_row_that_says_something_else(
    it: Rig, early: EarlyContent, differs: Callable[[list[bytes]], list[bytes | int]]
) -> None:
    """What came is not what was committed: it is written as any file is."""
    applier, tree = begun(it)
    content = pieces(20)
    early.came(1, named(content))
    tree.file(ROOT, b"large", *differs(content))
    applier.converge(it.commit(tree), silent)
    assert tree.expected() == it.seen()
    assert it.store.reads > 0


def test_a_commit_does_not_wait_for_the_next_file(it: Rig) -> None:
    """Whose content comes as fast as it is written."""
    more = named(pieces(1, 9)) * 8
    came = 0

    def and_more_comes() -> float:
        nonlocal came
        came += 1
        if came < 200:
            coming.came(2, more)
        return 0.0

    coming = EarlyContent(lambda: None, and_more_comes)
    it.early = coming
    applier, tree = begun(it)
    content = pieces(20)
    coming.came(1, named(content))
    tree.file(ROOT, b"large", *content)
    applier.converge(it.commit(tree), silent)
    assert tree.expected() == it.seen()
    assert 0 < came < 10
    coming.close()


def test_what_comes_too_fast_is_given_up(it: Rig, early: EarlyContent) -> None:
    """The rest of that file is not gathered, and its memory is free at once; the next one is written again."""
    piece = named([bytes(MIB)])
    early.came(1, piece * (TOO_MANY // MIB + 1))
    early.came(1, piece)
    early.wait(0.0)
    until_written(early, it)
    assert early.take([Chunk(HOLE, 1)], lambda: -1) == -1
    before = open_files()
    early.came(2, piece * (CROWDED // MIB + 1))
    until_written(early, it)
    assert open_files() == before + 1


def test_nothing_stays_open_for_nobody(it: Rig, early: EarlyContent) -> None:
    """When the call ends, when no commit comes for long, and of too many the oldest."""
    before = open_files()
    early.came(1, named(pieces(1)))
    until_written(early, it)
    assert open_files() == before + 1
    early.gone()
    until_written(early, it)
    assert open_files() == before
    early.came(1, named(pieces(1)))
    until_written(early, it)
    it.clock.advance(FORGOTTEN + 1)
    until_written(early, it)
    assert open_files() == before
    for token in range(1, 30):
        early.came(token, named(pieces(1)))
        until_written(early, it)
    assert open_files() < before + 15
    early.close()
    assert open_files() == before


def test_a_standby_that_is_not_there(early: EarlyContent) -> None:
    """Somebody else says so; here it is only given up."""

    def held() -> int:
        raise Refused("apply", "/standby", "it is gone")

    early.came(1, named(pieces(2)))
    while early.step(held):
        pass
    early.came(1, named(pieces(2)))
    assert not early.step(held)
