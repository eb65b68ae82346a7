"""A primary that lies in patches: each is refused or is just another chunk, and an honest call goes on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core import chunks, patch
from agent.core.chunks import MAX_CHUNK, PIECE, name_of
from agent.core.patch import PAGE, PatchRange, Runs, between
from agent.rpc.codec import decode_batch, encode_batch
from agent.store.vault.codec import PATCH, PATCH_ZSTD, pack_patch
from agent.store.vault.patch_chains import DEPTH_MAX, BaseUnknown
from agent.stream.messages import Data
from agent.stream.receiving.intake import refusal_of
from agent.stream.receiving.presence import ChunksMissing
from agent.stream.receiving.receiver import Receiver
from fakes.hostile import BASE, FILE, ONE, TWO, offer, opened, refused, seal, take, with_base
from fakes.idle import damaged_in
from fakes.stream_fakes import Secondary, file_row

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SIZE = 16 * PAGE
OLD = os.urandom(SIZE)
NEW = OLD[:PAGE] + os.urandom(PAGE) + OLD[2 * PAGE :]


@pytest.fixture
def secondary(tmp_path: Path) -> Iterator[Secondary]:
    """With an empty catalog and vault."""
    one = Secondary(tmp_path / "beta")
    yield one
    one.close()


def whole(raw: bytes) -> Data:
    """A chunk as it is."""
    return Data(b"\0", b"\0", [len(raw)], [len(raw)], raw)


def patched(raw: bytes, runs: Runs, kind: int = 0, length: int | None = None) -> Data:
    """A chunk as an honest patch, unless told otherwise."""
    packed = pack_patch(name_of(raw), kind, raw, runs)
    assert packed is not None
    return claimed(bytes(packed.stored), packed.codec, kind, len(raw) if length is None else length)


def claimed(stored: bytes, codec: int = PATCH, kind: int = 0, length: int = SIZE) -> Data:
    """Any bytes as a patch."""
    return Data(bytes([kind]), bytes([codec]), [length], [len(stored)], stored)


def forged(body: bytes, *bases: bytes) -> bytes:
    """A patch that nobody would write, with a check that is right."""
    names = bytes([len(bases)]) + b"".join(bases)
    return names + patch._check(names, body) + body


def copy(base: int, start: int, length: int) -> bytes:
    """An instruction."""
    return patch._COPY.pack(1, base, start, length)


HONEST = between(NEW, name_of(OLD), OLD)
NAME = name_of(OLD)
LIES = {
    "a base that is not here": claimed(forged(copy(0, 0, SIZE), name_of(b"nobody"))),
    "a range outside its base": claimed(forged(copy(0, 1, SIZE), NAME)),
    "a range far outside": claimed(forged(copy(0, (1 << 32) - 1, SIZE), NAME)),
    "a base that it has not": claimed(forged(copy(1, 0, SIZE), NAME)),
    "the same base twice": claimed(forged(copy(0, 0, 1) + copy(1, 0, SIZE - 1), NAME, NAME)),
    "a base that is not used": claimed(forged(copy(0, 0, SIZE), NAME, name_of(b"x"))),
    "too many bases": claimed(bytes([17]) + bytes(17 * 32 + 16)),
    "no base": claimed(bytes(17)),
    "another length": claimed(forged(copy(0, 0, SIZE), NAME), length=SIZE - 1),
    "too long a chunk": claimed(forged(copy(0, 0, SIZE) * 17, NAME), length=MAX_CHUNK + SIZE),
    "no length": claimed(forged(copy(0, 0, SIZE), NAME), length=0),
    "a wrong check": claimed(forged(copy(0, 0, SIZE), NAME)[:-1] + b"x"),
    "nothing": claimed(b""),
    "a list of chunks": claimed(forged(copy(0, 0, SIZE), NAME), kind=PIECE),
    "too many runs": claimed(forged(copy(0, 0, 1) * 5000, NAME), length=5000),
    "no frame": claimed(forged(copy(0, 0, SIZE), NAME), codec=PATCH_ZSTD),
    "a bomb": claimed(bytes([1]) + NAME + bytes(16) + zstd.compress(bytes(64 << 20)), codec=PATCH_ZSTD),
    "an unknown codec": claimed(forged(copy(0, 0, SIZE), NAME), codec=4),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_lies_in_patches_are_refused(secondary: Secondary, lie: Data) -> None:
    """Nothing of the batch is kept, and an honest call goes on from there."""
    receiver = with_base(secondary)
    take(receiver, whole(OLD))
    refused(secondary, receiver, lie)


def test_an_unknown_base_asks_for_the_call_to_be_made_again_soon() -> None:
    """Its code is that of a peer that is busy, not of one that needs a person."""
    assert "busy" == refusal_of(BaseUnknown(NAME)).code


def test_other_bytes_are_just_another_chunk(secondary: Secondary) -> None:
    """A name cannot be claimed: what is rebuilt is stored under its own, and a row that names another is not sealed."""
    receiver = with_base(secondary)
    other = NEW[:-1] + b"x"
    take(receiver, whole(OLD), patched(other, between(other, NAME, OLD)))
    row = file_row(FILE, chunks.encode_one(SIZE, name_of(NEW)), SIZE)
    rows = [*(one for one in BASE if one != BASE[3]), row]
    with pytest.raises(ChunksMissing):
        take(receiver, offer([row], (), TWO, ONE), seal(rows, 1, TWO, ONE))
    assert other == secondary.vault.read(name_of(other))


def test_an_honest_patch_makes_a_commit(secondary: Secondary) -> None:
    """Over the wire's own bytes; it is stored as the patch that came."""
    receiver = with_base(secondary)
    batch = decode_batch(encode_batch((whole(OLD), patched(NEW, HONEST))))
    take(receiver, *batch)
    assert (NEW, [0, 1]) == (secondary.vault.read(name_of(NEW)), secondary.vault.depths([NAME, name_of(NEW)]))


def test_a_base_in_the_same_part_serves(secondary: Secondary) -> None:
    """Order within a part is the order in which things are there."""
    receiver = with_base(secondary)
    first, second = whole(OLD), patched(NEW, HONEST)
    take(
        receiver,
        Data(
            first.kinds + second.kinds,
            first.codecs + second.codecs,
            [*first.raw_lengths, *second.raw_lengths],
            [*first.stored_lengths, *second.stored_lengths],
            bytes(first.payload) + bytes(second.payload),
        ),
    )
    assert NEW == secondary.vault.read(name_of(NEW))


def test_no_chain_grows_beyond_its_bound(secondary: Secondary) -> None:
    """Whatever the primary sends: the receiver decides how deep patches lie."""
    receiver = with_base(secondary)
    take(receiver, whole(OLD))
    raws = [OLD]
    for number in range(3 * DEPTH_MAX):
        at = number % 16 * PAGE
        raw = raws[-1][:at] + os.urandom(PAGE) + raws[-1][at + PAGE :]
        take(receiver, patched(raw, between(raw, name_of(raws[-1]), raws[-1])))
        raws.append(raw)
    assert DEPTH_MAX >= max(depth or 0 for depth in secondary.vault.depths([name_of(raw) for raw in raws]))
    assert raws == [secondary.vault.read(name_of(raw)) for raw in raws]


def test_a_patch_of_itself_is_nothing_new(secondary: Secondary) -> None:
    """No ring can be made: what is there is not stored again."""
    receiver = with_base(secondary)
    take(receiver, whole(OLD), patched(NEW, HONEST))
    take(receiver, patched(OLD, between(OLD, name_of(NEW), NEW)), patched(NEW, (PatchRange(name_of(NEW), 0, SIZE),)))
    assert [0, 1] == secondary.vault.depths([NAME, name_of(NEW)])
    assert [] == damaged_in(secondary.vault)


def test_a_damaged_base_is_told_by_name(secondary: Secondary) -> None:
    """As soon as a commit lacks what was made of it: so that it is given up, and what needs it comes whole."""
    receiver: Receiver = with_base(secondary)
    take(receiver, whole(OLD))
    secondary.vault._recent.drop(NAME)
    place = secondary.vault._index.place(NAME)
    assert place is not None
    pack = secondary.directory / "vault" / "packs" / f"{place.pack:08}.pack"
    with pack.open("r+b") as file:
        file.seek(place.offset + 1000)
        file.write(b"damage")
    take(receiver, patched(NEW, HONEST))
    row = file_row(FILE, chunks.encode_one(SIZE, name_of(NEW)), SIZE)
    rows = [*(one for one in BASE if one != BASE[3]), row]
    with pytest.raises(ChunksMissing) as caught:
        take(receiver, offer([row], (), TWO, ONE), seal(rows, 1, TWO, ONE))
    assert (NAME,) == caught.value.names
    receiver.close()
    after = opened(secondary)
    assert NAME == secondary.vault.lose([NAME])[0]
    take(after, whole(NEW))
    after.close()
    assert NEW == secondary.vault.read(name_of(NEW))
