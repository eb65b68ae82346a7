"""Short messages are packed over a call, come out as they were, and nothing that a peer makes up opens to much."""

from __future__ import annotations

import random
import sys
from contextlib import suppress

import pytest

from agent.core.errors import WireError
from agent.core.ids import CommitNumber
from agent.rpc.codec import decode_batch, encode_batch
from agent.rpc.short_messages import SHORT, Packing, Unpacking
from agent.rpc.wire import replication_pb2 as pb
from agent.stream.messages import Batch, Data, Heartbeat, Offer, Seal

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def a_change(seq: int, row: bytes, content: bytes) -> Batch:
    """What one small change says."""
    number, parent = CommitNumber(1 << 40 | seq), CommitNumber(1 << 40 | seq - 1)
    data = Data(b"\0", b"\0", [len(content)], [len(content)], content)
    seal = Seal(number, parent, seq, True, bytes(32), 5, 6, 0, 1)
    return (data, Offer(0, number, parent, row), seal)


def test_what_was_packed_comes_out_as_it_was(rng: random.Random) -> None:
    """Short and long, with chunks and without, in the order of the call."""
    packing, unpacking = Packing(), Unpacking()
    batches: list[Batch] = [
        a_change(seq, rng.randbytes(200), rng.randbytes(rng.randrange(1, 6000))) for seq in range(1, 30)
    ]
    batches += [(Heartbeat(1.5),), (*a_change(40, b"r", b"a"), *a_change(41, b"s", b"bcd"))]
    assert batches == [decode_batch(unpacking.unpack(packing.pack(encode_batch(batch)))) for batch in batches]


def test_a_change_costs_what_is_new_in_it(rng: random.Random) -> None:
    """Of a row that was said before, what differs; of content, all."""
    packing, row = Packing(), rng.randbytes(300)
    sizes = [
        len(packing.pack(encode_batch(a_change(seq, row + bytes([seq]), rng.randbytes(100))))) for seq in range(1, 6)
    ]
    assert max(sizes[1:]) < 190
    assert sizes[0] > 400


def test_the_sizes_of_messages_tell_nothing_of_content(rng: random.Random) -> None:
    """Who writes into his file what stands in another's sees no shorter message."""
    known, other, sizes = rng.randbytes(500), rng.randbytes(500), []
    for before in (known, other):
        packing = Packing()
        packing.pack(encode_batch(a_change(1, b"row", before)))
        sizes.append(len(packing.pack(encode_batch(a_change(2, b"row", known)))))
    assert sizes[0] == sizes[1]


def packed_of(block: bytes, beside: bytes = b"") -> bytes:
    """A message with that block."""
    return pb.ReplicateRequest(packed=block, beside=beside).SerializeToString()


def block_of(opened: bytes, window: int = 16) -> bytes:
    """The first block of a call that opens to this."""
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: window})
    return compressor.compress(opened, zstd.ZstdCompressor.FLUSH_BLOCK)


HEARTBEAT = encode_batch((Heartbeat(1.0),))


@pytest.mark.parametrize(
    "message",
    [
        packed_of(block_of(bytes(SHORT + 1))),
        packed_of(block_of(bytes(100 << 20))),
        packed_of(block_of(HEARTBEAT, 27)),
        packed_of(zstd.compress(HEARTBEAT)),
        packed_of(b"no block"),
        packed_of(block_of(packed_of(block_of(HEARTBEAT)))),
        packed_of(block_of(HEARTBEAT), b"nobody's"),
        packed_of(block_of(encode_batch(a_change(1, b"row", b"content")))),
        packed_of(block_of(HEARTBEAT)) + HEARTBEAT,
        packed_of(block_of(HEARTBEAT), bytes(2 * SHORT)),
    ],
)
def test_what_a_peer_makes_up_is_refused(message: bytes) -> None:
    """Bombs, wide windows, ends, blocks in blocks, bytes of no part, parts beside."""
    with pytest.raises(WireError):
        Unpacking().unpack(message)


def test_damage_is_an_error_of_ours(rng: random.Random) -> None:
    """Whatever byte is another one."""
    whole = Packing().pack(encode_batch(a_change(1, rng.randbytes(100), b"content")))
    for at in range(len(whole)):
        for value in (0, 255, rng.randrange(256)):
            damaged = whole[:at] + bytes([value]) + whole[at + 1 :]
            with suppress(WireError):
                decode_batch(Unpacking().unpack(damaged))
