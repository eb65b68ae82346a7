"""One chunk: packed where it helps, opened within bounds, believed by its name."""

from __future__ import annotations

import os
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.chunks import DATA, MAX_CHUNK, PIECE, name_of, name_of_list
from agent.core.errors import WireError
from agent.store.vault.codec import RAW, ZSTD, StoredChunk, open_chunk, pack_chunk, unpack

TEXT = b"the same words again and again, as logs have them\n" * 2000


@given(
    st.one_of(
        st.binary(min_size=1, max_size=40_000),
        st.builds(lambda a, n: a * n, st.binary(min_size=1), st.integers(1, 999)),
    )
)
def test_opening_gives_what_was_packed(raw: bytes) -> None:
    """For any bytes, of both kinds."""
    for kind, name in ((DATA, name_of(raw)), (PIECE, name_of_list(raw))):
        packed = pack_chunk(name, kind, raw)
        assert (raw, len(raw)) == (open_chunk(packed), packed.raw_length)


@pytest.mark.parametrize(
    ("raw", "codec"),
    [(TEXT, ZSTD), (TEXT[:9000], ZSTD), (TEXT[:100], RAW), (os.urandom(100_000), RAW), (os.urandom(5000), RAW)],
    ids=["long text", "short text", "too short to gain", "long noise", "short noise"],
)
def test_only_what_shrinks_is_compressed(raw: bytes, codec: int) -> None:
    """A tenth at least, or it stays as it is."""
    packed = pack_chunk(name_of(raw), DATA, raw)
    assert codec == packed.codec
    assert len(packed.stored) <= (len(raw) if codec == RAW else 0.9 * len(raw))


def test_a_compressor_is_used_again() -> None:
    """One chunk after the other gives frames of their own."""
    first, second = pack_chunk(name_of(TEXT), DATA, TEXT), pack_chunk(name_of(TEXT), DATA, TEXT)
    assert first == second


def _bomb() -> bytes:
    """64 MiB of zeros in a few kilobytes."""
    return bytes(pack_chunk(b"", DATA, bytes(64 << 20)).stored)


GOOD = pack_chunk(name_of(TEXT), DATA, TEXT)
NOISE = StoredChunk(name_of(b"x" * 50), DATA, RAW, 50, b"x" * 50)


@pytest.mark.parametrize(
    "hostile",
    [
        GOOD._replace(name=name_of(b"another")),
        GOOD._replace(kind=PIECE),
        GOOD._replace(kind=9),
        GOOD._replace(codec=2),
        GOOD._replace(raw_length=len(TEXT) - 1),
        GOOD._replace(raw_length=len(TEXT) + 1),
        GOOD._replace(raw_length=0),
        GOOD._replace(raw_length=MAX_CHUNK + 1),
        GOOD._replace(raw_length=-1),
        GOOD._replace(stored=GOOD.stored[:-1]),
        GOOD._replace(stored=bytes(GOOD.stored) + b"x"),
        GOOD._replace(stored=bytes(GOOD.stored) * 2),
        GOOD._replace(stored=b"no frame at all"),
        GOOD._replace(stored=b""),
        GOOD._replace(stored=_bomb(), raw_length=MAX_CHUNK),
        NOISE._replace(stored=b"x" * 49),
        NOISE._replace(stored=b"y" * 50),
    ],
)
def test_what_is_not_its_name_is_refused(hostile: StoredChunk) -> None:
    """Wrong names, lengths, kinds, codecs, broken frames, bombs."""
    with pytest.raises(WireError):
        open_chunk(hostile)


def test_a_bomb_takes_no_more_memory_than_it_claims() -> None:
    """Decompression stops at the claimed length."""
    bomb = _bomb()
    tracemalloc.start()
    try:
        with pytest.raises(WireError):
            unpack(ZSTD, 1000, bomb)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
