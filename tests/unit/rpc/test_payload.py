"""The payload written and read beside protobuf: the same bytes, whatever the library or a hostile peer makes of them."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from agent.core.errors import WireError
from agent.rpc.codec import decode_batch, encode_batch
from agent.rpc.payload import payload_of
from agent.rpc.wire import replication_pb2 as pb
from agent.stream.messages import Data, Heartbeat, Pieces

SIZES = [1, 127, 128, 4096, 5000, 16383, 16384, 1 << 20]


def one(size: int, content: int = 0) -> Data:
    return Data(b"\x00", b"\x00", [size], [size], b"p" * size, content)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("content", [0, 7])
def test_the_library_reads_what_is_written(size: int, content: int) -> None:
    """And the other way round."""
    written = encode_batch((one(size, content), Heartbeat(1.5)))
    request = pb.ReplicateRequest.FromString(written)
    data = request.parts[0].data
    assert (data.payload, data.content, list(data.raw_lengths)) == (b"p" * size, content, [size])
    assert request.parts[1].heartbeat.monotonic == 1.5
    assert decode_batch(request.SerializeToString()) == (one(size, content), Heartbeat(1.5))


@pytest.mark.parametrize("size", SIZES)
def test_a_large_payload_is_not_copied(size: int) -> None:
    """It is a view of what came."""
    written = encode_batch((one(size, 3),))
    (data,) = decode_batch(written)
    assert data == one(size, 3)
    assert isinstance(data, Data)
    if size > 4096:
        assert isinstance(data.payload, memoryview)
        assert data.payload.obj is written


@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=5), st.integers(0, 9))
def test_pieces_are_written_as_if_they_were_joined(parts: list[bytes], content: int) -> None:
    """And read as the same chunks."""
    lengths, zeros = [len(part) for part in parts], bytes(len(parts))
    loose = Data(zeros, zeros, lengths, lengths, Pieces(parts), content)
    joined = Data(zeros, zeros, lengths, lengths, b"".join(parts), content)
    assert encode_batch((joined,)) == encode_batch((loose,))
    assert [bytes(stored) for *_, stored in joined.chunks()] == [stored for *_, stored in loose.chunks()] == parts


@given(st.data())
def test_whatever_comes_means_what_the_library_says(draw: st.DataObject) -> None:
    """Bytes that were changed anywhere outside the payload are the same message by either way, or none by both."""
    written = bytearray(encode_batch((one(5000, draw.draw(st.integers(0, 1 << 40))),)))
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, 40) | st.integers(0, len(written) - 1))
        written[at] = draw.draw(st.integers(0, 255))
    found = payload_of(bytes(written))
    if found is None:
        return
    rest, payload = found
    try:
        short = pb.ReplicateRequest.FromString(rest)
    except DecodeError:
        with pytest.raises(WireError):
            decode_batch(bytes(written))
        return
    whole = pb.ReplicateRequest.FromString(bytes(written))
    short.parts[0].data.payload = bytes(payload)
    assert whole == short
