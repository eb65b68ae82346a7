"""A primary that was taken over cannot make a device's standby keep what no device is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.chunks import DEVICE_CHUNK, DEVICE_CHUNKS_MAX
from agent.core.errors import WireError
from agent.core.ids import NOTHING, ROOT, CommitNumber
from agent.core.rows import chunk_key, decode_chunk, encode_chunk, encode_name, name_key, object_key
from agent.stream.messages import Seal
from agent.stream.receiving.receiver import Receiver
from fakes.device import DeviceSecondary
from fakes.hostile import FILE, ONE, TWO, data, offer, opened, seal, take
from fakes.stream_fakes import directory_row

WHOLE = b"w" * DEVICE_CHUNK
NAME = chunks.name_of(WHOLE)
FIRST = encode_chunk(1, DEVICE_CHUNK, NAME)


@pytest.fixture
def standby(tmp_path: Path) -> Iterator[DeviceSecondary]:
    one = DeviceSecondary(tmp_path / "beta")
    yield one
    one.close()


def _sealed(rows: list[bytes], count: int, number: CommitNumber = ONE, parent: CommitNumber = NOTHING) -> Seal:
    """An honest seal for the device of these rows."""
    honest = seal(rows, count, number, parent, entries=len(rows))
    return replace(honest, bytes=sum(decode_chunk(row).length for row in rows))


def _with_first(standby: DeviceSecondary) -> Receiver:
    """A receiver that has taken a device of one chunk."""
    receiver = opened(standby)
    take(receiver, data(WHOLE), offer([FIRST]), _sealed([FIRST], 1))
    return receiver


@pytest.mark.parametrize("number", [0, DEVICE_CHUNKS_MAX + 1, 1 << 63, (1 << 64) - 1])
def test_no_chunk_lies_where_no_device_reaches(standby: DeviceSecondary, number: int) -> None:
    """As a row and as a drop: before the first, behind the last that there can be, and where a signed number ends."""
    for puts, drops in (([encode_chunk(number, DEVICE_CHUNK, NAME)], []), ([], [chunk_key(number)])):
        _refused(standby, puts, drops)


@pytest.mark.parametrize("length", [0, DEVICE_CHUNK + 1, (1 << 32) - 1])
def test_no_chunk_is_empty_or_too_long(standby: DeviceSecondary, length: int) -> None:
    """It would lie over the next one, or nowhere."""
    _refused(standby, [encode_chunk(2, length, NAME)], [])


@pytest.mark.parametrize("row", [directory_row(ROOT), encode_name(ROOT, b"a", FILE)])
def test_no_row_of_a_tree_is_taken(standby: DeviceSecondary, row: bytes) -> None:
    """Neither an object nor a name."""
    _refused(standby, [row], [])


@pytest.mark.parametrize("key", [object_key(FILE), name_key(ROOT, b"a")])
def test_no_row_of_a_tree_is_dropped(standby: DeviceSecondary, key: bytes) -> None:
    """Neither an object nor a name."""
    _refused(standby, [], [key])


def test_a_short_chunk_has_none_behind_it(standby: DeviceSecondary) -> None:
    """A device has one end, however honest the rest of the commit is."""
    receiver = _with_first(standby)
    puts = [encode_chunk(2, 512, chunks.name_of(WHOLE[:512])), encode_chunk(3, DEVICE_CHUNK, NAME)]
    with pytest.raises(WireError, match="a short chunk that is not the last of its device"):
        take(receiver, data(WHOLE[:512]), offer(puts, (), TWO, ONE), _sealed([FIRST, *puts], 2, TWO, ONE))


def _newest(standby: DeviceSecondary) -> CommitNumber:
    commit = standby.catalog.newest()
    return NOTHING if commit is None else commit.number


def _refused(standby: DeviceSecondary, puts: list[bytes], drops: list[bytes]) -> None:
    """The commit is refused before it is sealed, and what is kept is as before."""
    receiver = _with_first(standby) if standby.catalog.newest() is None else opened(standby)
    before = standby.digest()
    with pytest.raises(WireError):
        take(receiver, offer(puts, drops, TWO, ONE))
    receiver.close()
    assert (ONE, before) == (_newest(standby), standby.digest())


def test_the_last_chunk_that_there_can_be_is_taken(standby: DeviceSecondary) -> None:
    """Its end is a number that every store holds."""
    receiver = _with_first(standby)
    far = encode_chunk(DEVICE_CHUNKS_MAX, DEVICE_CHUNK, NAME)
    take(receiver, offer([far], (), TWO, ONE), _sealed([FIRST, far], 1, TWO, ONE))
    with standby.catalog.reader() as reader:
        assert far == reader.last_chunk(TWO)
