"""What is in a file, beside the version that the batch has."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.capture.batch import TreeBatch
from agent.capture.files.contents import FileContents
from agent.core import chunks
from agent.core.chunks import HOLE
from agent.core.errors import Damaged
from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow, decode_object, encode_object
from agent.store.local import Local
from agent.store.pieces import KeptPieces
from fakes.promoted import CountedReads
from fakes.store_fakes import begun

ID = ObjectId(7)


class Reading:
    """A batch over empty stores, and how its files are read."""

    def __init__(self, batch: TreeBatch, pieces: KeptPieces) -> None:
        self.reads = CountedReads()
        self.contents = FileContents(batch, pieces, 42, self.reads)


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Reading]:
    """Of a dataset of which nothing is known."""
    with begun(str(tmp_path / "catalog.db")) as catalog, Local.open(str(tmp_path / "local.db")) as local:
        yield Reading(TreeBatch(catalog, local), KeptPieces(catalog, None))


def chunk_list(reading: Reading, path: Path, was: bytes | None = None) -> bytes:
    """Of the file as it is now; ``was``: its row."""
    fd = os.open(path, os.O_RDONLY)
    try:
        content, _, _ = reading.contents.read_whole(ID, was, fd, os.fstat(fd).st_size)
    finally:
        os.close(fd)
    return content.chunks


def test_every_byte_is_read_once_and_an_empty_file_not_at_all(reading: Reading, tmp_path: Path) -> None:
    """Of a file with holes only what is data."""
    (tmp_path / "empty").touch()
    assert (b"", 0) == (chunk_list(reading, tmp_path / "empty"), reading.reads.bytes)
    (tmp_path / "file").write_bytes(os.urandom(100_000))
    chunk_list(reading, tmp_path / "file")
    assert 100_000 == reading.reads.bytes


def test_a_file_with_a_hole_is_listed_with_it(reading: Reading, tmp_path: Path) -> None:
    """It costs nothing to read."""
    with open(tmp_path / "sparse", "wb") as file:
        file.truncate(1 << 20)
    kinds = [entry.kind for entry in chunks.decode(chunk_list(reading, tmp_path / "sparse"))]
    assert ([HOLE], 0) == (kinds, reading.reads.bytes)


def test_what_did_not_change_keeps_its_names(reading: Reading, tmp_path: Path) -> None:
    """Also without prints, as of an object that another node captured."""
    (tmp_path / "file").write_bytes(os.urandom(300_000))
    listed = chunk_list(reading, tmp_path / "file")
    row = encode_object(ObjectRow(ID, 0o100644, 0, 0, 0, 0, 300_000, 0, (), listed))
    assert listed == decode_object(row).content == chunk_list(reading, tmp_path / "file", row)


def test_a_part_that_was_lost_is_named(reading: Reading, tmp_path: Path) -> None:
    """With where it was looked for."""
    (tmp_path / "file").write_bytes(os.urandom(1000))
    listed = chunks.encode([chunks.Chunk(chunks.PIECE, 1000, b"n" * 32)])
    row = encode_object(ObjectRow(ID, 0o100644, 0, 0, 0, 0, 1000, 0, (), listed))
    with pytest.raises(Damaged, match="neither the catalog nor the vault"):
        chunk_list(reading, tmp_path / "file", row)
