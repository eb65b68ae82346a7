"""The one field that holds nearly all the bytes, beside protobuf: the library copies a field when it is set, when it is written,
when it is parsed, and when it is read. https://protobuf.dev/programming-guides/encoding/

::

    ReplicateRequest   0a length                    parts, one of them
      PrimaryPart        1a length                  data
        Data               … the other fields
                           2a length payload        last
"""

from __future__ import annotations

from collections.abc import Sequence

_PARTS, _DATA, _PAYLOAD = 0x0A, 0x1A, 0x2A
#: Shorter payloads are not worth it.
_LEAST = 4096
_LONGEST = 10


def with_payload(data: bytes, payload: Sequence[bytes | memoryview]) -> list[bytes | memoryview]:
    """The pieces of a request with one part, chunks: ``data`` is their message without the payload, which is in pieces too."""
    length = sum(map(len, payload))
    field = bytes([_PAYLOAD]) + _varint(length) if length else b""
    inner = bytes([_DATA]) + _varint(len(data) + len(field) + length)
    outer = bytes([_PARTS]) + _varint(len(inner) + len(data) + len(field) + length)
    return [outer, inner, data, field, *payload]


def payload_of(request: bytes) -> tuple[bytes, memoryview] | None:
    """A request as :func:`with_payload` makes it, without its payload, and the payload as a view; None for any other."""
    if len(request) < _LEAST or request[0] != _PARTS:
        return None
    at = _inside(request, 0, _PARTS)
    at = _inside(request, at, _DATA) if at else 0
    begin = at
    while at:
        if at < len(request) and request[at] == _PAYLOAD:
            inside = _inside(request, at, _PAYLOAD)
            data = request[begin:at]
            inner = bytes([_DATA]) + _varint(len(data))
            whole = bytes([_PARTS]) + _varint(len(inner) + len(data)) + inner + data
            return (whole, memoryview(request)[inside:]) if inside else None
        at = _after(request, at)
    return None


def are_many(message: bytes, most: int) -> bool:
    """Whether a message has more than ``most`` fields at its top, or none that can be told. Parsed, each costs a hundred times
    its bytes."""
    at = count = 0
    while at < len(message):
        at = _after(message, at)
        count += 1
        if not at or count > most:
            return True
    return False


def _inside(request: bytes, at: int, tag: int) -> int:
    """Where the content of a field begins that has this tag and reaches to the end; 0 when it is none."""
    if at >= len(request) or request[at] != tag:
        return 0
    length, at = _number(request, at + 1)
    return at if at and at + length == len(request) else 0


def _after(request: bytes, at: int) -> int:
    """Behind a field of ``Data`` (a number, or so many bytes); 0 when it is something else."""
    if at >= len(request) or request[at] & 0x80:
        return 0
    kind = request[at] & 7
    value, at = _number(request, at + 1)
    if kind == 0:
        return at
    return at + value if kind == 2 and at else 0


def _number(request: bytes, at: int) -> tuple[int, int]:
    """A varint and where it ends; (0, 0) when there is none."""
    value = 0
    for shift, byte in enumerate(request[at : at + _LONGEST]):
        value |= (byte & 0x7F) << 7 * shift
        if not byte & 0x80:
            return value, at + shift + 1
    return 0, 0


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
