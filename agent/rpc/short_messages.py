"""Short messages of a primary, packed: a small change says again what the one before it said.

A row of a log that grows names the same chunks but one, a patch's lengths are those of a moment ago, numbers rise by one. So the
short messages of a call are blocks of one zstd frame, and cost what is new in them. What files hold is left out of that frame: by
the size of a message nobody must find out how alike his file is to another's (docs/decisions/0037).
"""

from __future__ import annotations

import sys
from typing import Any

from google.protobuf.message import DecodeError

from agent.rpc.wire import replication_pb2 as pb
from agent.stream.messages import bad

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

#: Longer messages travel as they are, and so do those that are taken apart without being copied. Bytes.
SHORT = 4096
#: What is remembered of the messages before, as a power of two; each side of a call keeps so many bytes.
_WINDOW = 16
_LEVEL = 3
#: Field 140, and that it is bytes.
_TAG = b"\xe2\x08"


class Packing:
    """Of one call, by the side that speaks. Not thread-safe; each message that was packed is to be sent, in order."""

    def __init__(self) -> None:
        level, window = zstd.CompressionParameter.compression_level, zstd.CompressionParameter.window_log
        self._compressor = zstd.ZstdCompressor(options={level: _LEVEL, window: _WINDOW})

    def pack(self, message: bytes) -> bytes:
        """``message``, an encoded request, packed if it is short."""
        if len(message) > SHORT:
            return message
        request = pb.ReplicateRequest()
        request.ParseFromString(message)
        beside: list[bytes] = []
        for part in request.parts:
            if part.HasField("data"):
                beside.append(part.data.payload)
                part.data.ClearField("payload")
        block = self._compressor.compress(request.SerializeToString(), zstd.ZstdCompressor.FLUSH_BLOCK)
        return pb.ReplicateRequest(packed=block, beside=b"".join(beside)).SerializeToString()


class Unpacking:
    """Of one call, by the side that hears."""

    def __init__(self) -> None:
        self._decompressor = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW})

    def unpack(self, message: bytes) -> bytes:
        """The request as it was before :meth:`Packing.pack`; others as they are. Raises ``WireError``; nothing longer than
        ``SHORT`` comes out of a block."""
        if not message.startswith(_TAG):
            return message
        if len(message) > 2 * SHORT:
            raise bad("a packed message that is longer than what is packed")
        outer = pb.ReplicateRequest()
        request = pb.ReplicateRequest()
        try:
            outer.ParseFromString(message)
            request.ParseFromString(self._opened(outer.packed))
        except DecodeError as error:
            raise bad("bytes that are no message of this protocol") from error
        if outer.parts or request.packed or request.beside:
            raise bad("a packed message with parts beside it, or packed twice")
        _fill(request, outer.beside)
        return request.SerializeToString()

    def _opened(self, block: bytes) -> bytes:
        try:
            opened = self._decompressor.decompress(block, max_length=SHORT + 1)
        except (zstd.ZstdError, EOFError) as error:
            raise bad("a packed message that is damaged") from error
        if len(opened) > SHORT or self._decompressor.eof or not self._decompressor.needs_input:
            raise bad("a packed message that opens to too much, or ends")
        return opened


# Generated classes have no type that says what their fields are.
def _fill(request: Any, beside: bytes) -> None:
    """Each part of chunks gets its bytes back."""
    at = 0
    for part in request.parts:
        if part.HasField("data"):
            if part.data.payload:
                raise bad("a packed message that holds bytes of chunks")
            end = at + sum(part.data.stored_lengths)
            part.data.payload = beside[at:end]
            at = end
    if at != len(beside):
        raise bad("bytes of chunks beside a packed message that are not those of its parts")
