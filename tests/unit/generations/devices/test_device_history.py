"""What is asked of a device's history as a whole: is it all there, what is only one generation's, what lies between two."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core import chunks
from agent.core.chunks import DEVICE_CHUNK
from agent.core.ids import CommitNumber
from agent.generations.checking import ChunkCheck, every_name, hurt_by
from agent.generations.comparing.change import ChangeKind
from agent.generations.comparing.extents import ChangedExtent, extents_between
from agent.generations.own_bytes import OwnBytes, own_bytes
from agent.repair.lost_files import lost_files
from agent.store.catalog.generation import Cause, Generation
from agent.store.catalog.kept import KeptCommit
from agent.store.vault.pack import HEADER_SIZE
from fakes.idle import goes_on
from fakes.kept_device import KeptDevice, some_image
from fakes.store_fakes import expire

_SIZE = 6 * DEVICE_CHUNK


@pytest.fixture
def kept(tmpfs_dir: Path) -> Iterator[KeptDevice]:
    """Nothing yet."""
    with KeptDevice.make(tmpfs_dir) as made:
        yield made


def test_a_damaged_chunk_is_named_by_its_bytes(kept: KeptDevice, rng: random.Random) -> None:
    """Every chunk of every moment is read, and what is lost is told with the generations that need it."""
    lost = rng.randbytes(DEVICE_CHUNK)
    first = kept.put(some_image(lost, DEVICE_CHUNK, size=_SIZE))
    kept.put(some_image(rng.randbytes(DEVICE_CHUNK), DEVICE_CHUNK, size=_SIZE))
    generation = Generation("G", first, 1, 1, Cause.DEMAND)
    kept.vault.forget([chunks.name_of(lost)])
    check = ChunkCheck(kept.vault, lambda _: None, every_name)
    with kept.catalog.reader() as reader:
        check.run(reader, None)
        (hurt,) = hurt_by(check.damaged, kept.vault, reader, [generation], goes_on)
        gone = lost_files(reader, kept.vault, [generation], lambda: None)
    assert (chunks.name_of(lost), (b"bytes 65,536 to 131,072",), ("G",)) == (hurt.name, hurt.paths, hurt.generations)
    assert (2 * DEVICE_CHUNK, 1, {"G": 1}) == (check.checked_bytes, gone.chunks, gone.files)


def test_what_only_one_generation_has_is_its_own(kept: KeptDevice, rng: random.Random) -> None:
    """Beyond history: the chunks that neither neighbour names, as they lie in the packs."""
    same = rng.randbytes(DEVICE_CHUNK)
    taken: list[CommitNumber] = []
    for _ in range(3):
        image = some_image(same, 0, size=_SIZE)[:DEVICE_CHUNK] + rng.randbytes(DEVICE_CHUNK) + bytes(4 * DEVICE_CHUNK)
        taken.append(kept.put(image))
        kept.catalog.keep([KeptCommit(taken[-1], "generation")])
    expire(kept.catalog, taken[-1])
    with kept.catalog.reader() as reader:
        own = own_bytes(reader, kept.vault, taken)
    alone = OwnBytes(DEVICE_CHUNK + HEADER_SIZE, DEVICE_CHUNK)
    assert {taken[0]: alone, taken[1]: alone, taken[2]: OwnBytes(0, 0)} == own


def test_extents_say_what_lies_between_two_moments(kept: KeptDevice, rng: random.Random) -> None:
    """Neighbours alike are one; zeros that came and went are told apart; in the other direction it is the other way round."""
    a, b = rng.randbytes(2 * DEVICE_CHUNK), rng.randbytes(2 * DEVICE_CHUNK)
    tail = bytes(DEVICE_CHUNK - 100) + b"x" * 100
    old = kept.put(a + bytes(3 * DEVICE_CHUNK) + tail)
    new = kept.put(b + bytes(DEVICE_CHUNK) + a + tail[:-1] + b"y")
    gone = kept.put(bytes(2 * DEVICE_CHUNK) + bytes(DEVICE_CHUNK) + a + tail)
    with kept.catalog.reader() as reader:

        def between(one: CommitNumber, other: CommitNumber) -> list[tuple[ChangeKind, int, int]]:
            found = extents_between(reader, one, other, lambda: None)
            return [(kind, start // DEVICE_CHUNK, end // DEVICE_CHUNK) for kind, start, end in found]

        changed, added, deleted = ChangeKind.CHANGED, ChangeKind.ADDED, ChangeKind.DELETED
        assert [(changed, 0, 2), (added, 3, 5), (changed, 5, 6)] == between(old, new)
        assert [(changed, 0, 2), (deleted, 3, 5), (changed, 5, 6)] == between(new, old)
        assert [(deleted, 0, 2), (added, 3, 5)] == between(old, gone)
        assert [] == list(extents_between(reader, new, new, lambda: None))


def test_extents_of_what_only_came_are_in_order(kept: KeptDevice, rng: random.Random) -> None:
    """However many commits brought them, the last place first."""
    image = bytearray(some_image(b"x", 0, size=_SIZE))
    image[-1] = 1
    first = last = kept.put(bytes(image))
    for at in (4, 2, 3):
        image[at * DEVICE_CHUNK : (at + 1) * DEVICE_CHUNK] = rng.randbytes(DEVICE_CHUNK)
        last = kept.put(bytes(image))
    with kept.catalog.reader() as reader:
        found = list(extents_between(reader, first, last, lambda: None))
    assert [ChangedExtent(ChangeKind.ADDED, 2 * DEVICE_CHUNK, 5 * DEVICE_CHUNK)] == found
