"""What a peer asks for is read again, whatever the directories were called when they were opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.capture.files.read_back import TreeSource
from agent.core import chunks
from agent.core.chunks import ChunkRef
from agent.fs.confined import exchange
from fakes.capture_fakes import SlowReader, Station

SIZE = 1000


def swapped(root: Path) -> None:
    """Two directories change places."""
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        exchange(fd, b"a", fd, b"b")
    finally:
        os.close(fd)


def moved_over(root: Path) -> None:
    """One goes elsewhere, another takes its name."""
    (root / "a").rename(root / "elsewhere")
    (root / "b").rename(root / "a")


def put_below(root: Path) -> None:
    """One goes below another that takes its name."""
    (root / "b").rename(root / "c")
    (root / "a").rename(root / "c" / "a")
    (root / "c").rename(root / "a")


def deep(root: Path) -> None:
    """What changes places is the directory above."""
    for name in "ab":
        (root / name / "d").mkdir()
        (root / name / "f").rename(root / name / "d" / "f")


WAYS: list[Callable[[Path], None]] = [swapped, moved_over, put_below]


def ref_of(made: Station, path: bytes, content: bytes) -> ChunkRef:
    """A file of one chunk."""
    id = made.id_of(path)
    assert id is not None
    return ChunkRef(chunks.name_of(content), chunks.DATA, id, 0, SIZE)


@pytest.mark.parametrize("change", WAYS)
@pytest.mark.parametrize("prepare", [deep, lambda _: None], ids=["deep", "flat"])
def test_directories_that_change_places_before_they_are_captured(
    made: Station, root: Path, change: Callable[[Path], None], prepare: Callable[[Path], None]
) -> None:
    """What was opened meanwhile stands for another directory; once that is captured, all is read."""
    contents = {name: os.urandom(SIZE) for name in "ab"}
    for name, content in contents.items():
        (root / name).mkdir()
        (root / name / "f").write_bytes(content)
    prepare(root)
    made.synced()
    end = b"/d/f" if (root / "a" / "d").exists() else b"/f"
    refs = [ref_of(made, name.encode() + end, content) for name, content in contents.items()]
    source = TreeSource(str(root), made.catalog.reader())
    try:
        change(root)
        source.read(refs)
        made.reconcile()
        assert [] == made.mirror()
        assert list(contents.values()) == source.read(refs)
    finally:
        source.close()


def test_another_root_is_met_by_its_path(made: Station, root: Path) -> None:
    """The directory that was the root when the call began is somewhere else now."""
    content = os.urandom(SIZE)
    (root / "f").write_bytes(content)
    made.synced()
    refs = [ref_of(made, b"f", content)]
    source = TreeSource(str(root), made.catalog.reader())
    try:
        assert [content] == source.read(refs)
        root.rename(root.parent / "old")
        (root.parent / "old" / "f").write_bytes(b"x")
        root.mkdir()
        (root / "f").write_bytes(content)
        assert [content] == source.read(refs)
    finally:
        source.close()


def test_what_is_exchanged_between_look_and_read_is_read_the_next_time(made: Station, root: Path) -> None:
    """Someone is quick just there: between finding a directory and opening what stands in it."""
    contents = {name: os.urandom(SIZE) for name in "ab"}
    for name, content in contents.items():
        (root / name).mkdir()
        (root / name / "f").write_bytes(content)
    made.synced()
    refs = [ref_of(made, name.encode() + b"/f", content) for name, content in contents.items()]
    times = iter([True])

    def looked() -> None:
        if next(times, False):
            swapped(root)

    source = TreeSource(str(root), SlowReader(made.catalog.reader(), looked))
    try:
        source.read(refs)
        made.reconcile()
        assert list(contents.values()) == source.read(refs)
    finally:
        source.close()
