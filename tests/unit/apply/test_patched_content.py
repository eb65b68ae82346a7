"""A file is changed in place by the literal bytes of patches, where those are of what stands there."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

import pytest

from agent.apply.results import ChunkLost
from agent.apply.writing import file_content
from agent.apply.writing.in_place import overwrites
from agent.apply.writing.writer import ContentWriter
from agent.chunking.difference import Differences
from agent.core import chunks
from agent.core.chunks import DATA, Chunk, name_of
from agent.core.ids import ObjectId
from agent.core.patch import PAGE, Patch, PatchRange, Runs, between, head_and_body, parse
from agent.core.rows import ObjectRow

SIZE = 16 * PAGE
OLD = [random.Random(seed).randbytes(SIZE) for seed in range(3)]


def row(raws: list[bytes]) -> ObjectRow:
    """A file of these chunks."""
    listed = chunks.encode(Chunk(DATA, len(raw), name_of(raw)) for raw in raws)
    return ObjectRow(ObjectId(1), stat.S_IFREG | 0o644, 0, 0, 0, 0, sum(map(len, raws)), 0, (), listed)


class Store:
    """Chunks and patches; counts what is read."""

    def __init__(self, *raws: bytes) -> None:
        self.chunks = {name_of(raw): raw for raw in raws}
        self.patches: dict[bytes, Patch] = {}
        self.reads: list[bytes] = []

    def read(self, name: bytes) -> bytes:
        if name not in self.chunks:
            raise ChunkLost("apply", name.hex(), "it is lost")
        self.reads.append(name)
        return self.chunks[name]

    def patched(self, raw: bytes, runs: Runs) -> None:
        """This chunk is stored as a patch."""
        self.patches[name_of(raw)] = parse(*head_and_body(runs, raw), len(raw))


def changed(raw: bytes, page: int) -> bytes:
    """One page is another."""
    return raw[: page * PAGE] + bytes(PAGE) + raw[(page + 1) * PAGE :]


def differing(old: list[bytes], new: list[bytes], store: Store) -> Differences:
    """What differs between two files."""
    return Differences(row(old).content, row(new).content, store.read)


def few_differ(new: list[bytes], store: Store, few: int) -> bool:
    """Whether that little differs from the file that stands."""
    size = sum(map(len, OLD))
    return file_content.few_bytes_differ(differing(OLD, new, store), size, store.patches.get, few)


def applied(path: Path, old: list[bytes], new: list[bytes], store: Store) -> int:
    """Change the file in place; bytes written. It must be as wanted then."""
    path.write_bytes(b"".join(old))
    fd = os.open(path, os.O_RDWR)
    try:
        written = file_content.patch(fd, differing(old, new, store), sum(map(len, new)), store.read, store.patches.get)
    finally:
        os.close(fd)
    assert b"".join(new) == path.read_bytes()
    return written


def test_only_literal_pages_are_written(tmpfs_dir: Path) -> None:
    """No chunk is read for it."""
    new = [changed(OLD[0], 3), OLD[1], changed(OLD[2], 15)]
    store = Store()
    for was, raw in zip(OLD, new, strict=True):
        if was != raw:
            store.patched(raw, between(raw, name_of(was), was))
    assert (2 * PAGE, []) == (applied(tmpfs_dir / "file", OLD, new, store), store.reads)


@pytest.mark.parametrize("how", ["whole", "another base", "moved", "two bases"])
def test_a_patch_of_something_else_is_read_whole(tmpfs_dir: Path, how: str) -> None:
    """What stands in its place is not what it is made of, so the chunk is needed."""
    raw = OLD[2][PAGE:] + OLD[1][:PAGE] if how != "another base" else changed(OLD[2], 1)
    store = Store(raw)
    here, there = name_of(OLD[1]), name_of(OLD[2])
    if how == "another base":
        store.patched(raw, between(raw, there, OLD[2]))
    elif how == "moved":
        store.patched(raw, (PatchRange(there, PAGE, SIZE - PAGE), PatchRange(b"", 0, PAGE)))
    elif how == "two bases":
        store.patched(raw, (PatchRange(there, PAGE, SIZE - PAGE), PatchRange(here, 0, PAGE)))
    assert SIZE == applied(tmpfs_dir / "file", OLD, [OLD[0], raw, OLD[2]], store)
    assert {name_of(raw)} == set(store.reads)


def test_a_lost_chunk_leaves_the_file_as_it_was(tmpfs_dir: Path) -> None:
    """Although another chunk would come from a patch."""
    new = [changed(OLD[0], 3), changed(OLD[1], 3), OLD[2]]
    store = Store()
    store.patched(new[0], between(new[0], name_of(OLD[0]), OLD[0]))
    with pytest.raises(ChunkLost):
        applied(tmpfs_dir / "file", OLD, new, store)
    assert b"".join(OLD) == (tmpfs_dir / "file").read_bytes()


def of_many_stretches(count: int) -> tuple[list[bytes], list[bytes], Store]:
    """So many chunks before and after, and the patches between: each changes every second byte."""
    old = [bytes([n]) * PAGE for n in range(count)]
    new = [bytes(n if at % 2 else n + 100 for at in range(PAGE)) for n in range(count)]
    store = Store()
    for was, raw in zip(old, new, strict=True):
        runs = [run for at in range(0, PAGE, 2) for run in (PatchRange(b"", 0, 1), PatchRange(name_of(was), at + 1, 1))]
        store.patched(raw, tuple(runs))
    return old, new, store


def test_what_is_kept_of_patches_is_bounded_by_their_stretches(tmpfs_dir: Path) -> None:
    """Thousands of stretches of a byte each take far more memory than their bytes: few are kept ahead of the writing."""
    asked: list[bytes] = []
    raws, new, store = of_many_stretches(80)

    def patch_of(name: bytes) -> Patch | None:
        asked.append(name)
        return store.patches.get(name)

    path = tmpfs_dir / "file"
    path.write_bytes(b"".join(raws))
    fd = os.open(path, os.O_RDWR)
    try:
        steps = file_content.patching(ContentWriter(fd), differing(raws, new, store), 80 * PAGE, store.read, patch_of)
        next(steps)
        assert len(asked) == (32 << 20) // (2048 * 321 + 256) + 1
        assert 80 * 2048 == 2048 + sum(steps)
    finally:
        os.close(fd)
    assert b"".join(new) == path.read_bytes()


@pytest.mark.parametrize(("count", "held"), [(16, True), (17, False)])
def test_a_small_file_of_very_many_stretches_is_written_anew(tmpfs_dir: Path, count: int, held: bool) -> None:
    """They are held in memory, all of them: 32,768 are, however few bytes they write."""
    old, new, store = of_many_stretches(count)
    (tmpfs_dir / "file").write_bytes(b"".join(old))
    fd = os.open(tmpfs_dir / "file", os.O_RDWR)
    try:
        found = overwrites(fd, row(old), row(new), store.read, store.patches.get, 1 << 30)
    finally:
        os.close(fd)
    assert (held, count * 2048 if held else 0) == (found is not None, len(found or ()))


def test_few_bytes_differ_where_patches_say_so() -> None:
    """All chunks changed: whole ones count whole, patches by what is literal; no more are asked for than is needed."""
    new = [changed(raw, 3) for raw in OLD]
    store = Store()
    assert not few_differ(new, store, 3 * SIZE - 1)
    assert few_differ(new, store, 3 * SIZE)
    for was, raw in zip(OLD, new, strict=True):
        store.patched(raw, between(raw, name_of(was), was))
    assert not few_differ(new, store, 3 * PAGE - 1)
    assert few_differ(new, store, 3 * PAGE)


def test_what_is_added_at_the_end_is_nothing_that_differs(tmpfs_dir: Path) -> None:
    """A file that grew to ten times its size is not written anew."""
    added = [bytes([n]) * SIZE for n in range(100, 127)]
    new, store = [*OLD, *added], Store(*added)
    assert few_differ(new, store, 0)
    assert 27 * SIZE == applied(tmpfs_dir / "file", OLD, new, store)
