"""What a node remembers of a device's chunks."""

from __future__ import annotations

import os

from agent.chunking.device_prints import chunk_print, is_known_chunk, is_of, pages_between, whole_print
from agent.core.chunks import DEVICE_CHUNK, name_of
from agent.core.patch import PAGE, PatchRange

SEED = 7


def kept(data: bytes) -> bytes:
    """The print of a chunk, as it is kept."""
    return whole_print(chunk_print(data, SEED), name_of(data), data, SEED)


def test_a_print_is_of_one_chunk() -> None:
    """It vouches for the chunk that it names, and for no other that stands there: an older one is believed nothing."""
    data, other = os.urandom(DEVICE_CHUNK), os.urandom(DEVICE_CHUNK)
    found = chunk_print(data, SEED)
    asked = [
        (kept(data), name_of(data)),
        (kept(data), name_of(other)),
        (kept(other), name_of(data)),
        (b"", name_of(data)),
    ]
    assert [True, False, False, False] == [is_known_chunk(one, found, name) for one, name in asked]


def test_only_pages_that_differ_travel() -> None:
    """The others are copied from the chunk of before, neighbours as one."""
    before = os.urandom(DEVICE_CHUNK)
    after = bytearray(before)
    after[2 * PAGE + 5] ^= 1
    runs = pages_between(kept(before), kept(bytes(after)), name_of(before), DEVICE_CHUNK)
    name = name_of(before)
    expected = (
        PatchRange(name, 0, 2 * PAGE),
        PatchRange(b"", 0, PAGE),
        PatchRange(name, 3 * PAGE, DEVICE_CHUNK - 3 * PAGE),
    )
    assert expected == runs


def test_nothing_is_made_of_what_is_not_known() -> None:
    """Of another chunk, of one of another length, or where no page is the same."""
    before, after = os.urandom(DEVICE_CHUNK), os.urandom(DEVICE_CHUNK)
    short = before[: 3 * PAGE]
    assert ((), (), ()) == (
        pages_between(kept(before), kept(after), name_of(before), DEVICE_CHUNK),
        pages_between(kept(before), kept(after), name_of(after), DEVICE_CHUNK),
        pages_between(kept(short), kept(before), name_of(short), DEVICE_CHUNK),
    )
    assert (True, False) == (is_of(kept(before), name_of(before)), is_of(kept(before), name_of(after)))
