"""Rows of a commit together must be a device: chunks, of which the last alone is short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.chunks import DEVICE_CHUNK
from agent.core.errors import WireError
from agent.core.ids import ROOT, ChunkNumber, CommitNumber, ObjectId
from agent.core.rows import ChunkRow, NameRow, ObjectRow, Row, chunk_key, encode_chunk, name_key, object_key
from agent.stream.receiving.device_structure import DeviceStructure


class Chunks:
    """The lengths of a device's chunks by number, sealed and staged."""

    def __init__(self) -> None:
        self.sealed: dict[int, int] = {}
        self.staged: dict[int, int] = {}

    def last_chunk(self, at: CommitNumber | None = None) -> bytes | None:
        state = self.sealed if at is None else self.staged
        return encode_chunk(max(state), state[max(state)], bytes(32)) if state else None

    def is_a_device(self) -> bool:
        """Whether no chunk but the last is short."""
        return all(length == DEVICE_CHUNK for number, length in self.staged.items() if number != max(self.staged))


def commit(chunks: Chunks, structure: DeviceStructure, puts: dict[int, int], drops: set[int]) -> bool:
    """Whether a commit of these passes; it is sealed then, else withdrawn."""
    number = CommitNumber(7)
    rows = [ChunkRow(ChunkNumber(number), length, bytes(32)) for number, length in puts.items()]
    try:
        structure.check_types(rows)
        chunks.staged |= puts
        for gone in drops:
            del chunks.staged[gone]
        structure.look(number, rows, [chunk_key(gone) for gone in drops])
        structure.settle()
    except WireError:
        chunks.staged = dict(chunks.sealed)
        structure.withdrawn()
        return False
    chunks.sealed = dict(chunks.staged)
    return True


@given(st.data())
def test_what_passes_is_a_device_and_what_is_one_passes(data: st.DataObject) -> None:
    """Commits of any chunks, also after a whole new beginning, are taken just when the state after them has one end."""
    chunks = Chunks()
    structure = DeviceStructure(chunks)
    for _ in range(data.draw(st.integers(1, 6))):
        if data.draw(st.integers(0, 5)) == 0:
            chunks.staged = {}
            structure.begun_anew()
        drops = data.draw(st.sets(st.sampled_from(sorted(chunks.staged)), max_size=3)) if chunks.staged else set()
        numbers = st.sampled_from([number for number in range(1, 7) if number not in drops])
        puts = data.draw(st.dictionaries(numbers, st.sampled_from([DEVICE_CHUNK, DEVICE_CHUNK, 512]), max_size=3))
        after = Chunks()
        after.staged = {number: each for number, each in (chunks.staged | puts).items() if number not in drops}
        one_end = after.is_a_device()
        assert one_end == commit(chunks, structure, puts, drops)
        if not one_end:
            chunks.staged = dict(chunks.sealed)


@pytest.mark.parametrize("row", [ObjectRow(ObjectId(5), 0o100644, 0, 0, 0), NameRow(ROOT, b"a", ObjectId(5))])
def test_a_device_has_neither_objects_nor_names(row: Row) -> None:
    """A tree's rows are refused before they are staged."""
    with pytest.raises(WireError, match="in a device"):
        DeviceStructure(Chunks()).check_types([row])


@pytest.mark.parametrize("key", [object_key(5), name_key(ROOT, b"a")])
def test_a_device_drops_neither_objects_nor_names(key: bytes) -> None:
    """A tree's keys are refused."""
    with pytest.raises(WireError, match="of a device"):
        DeviceStructure(Chunks()).look(CommitNumber(1), (), [key])
