"""Pages of a trace ring as Linux 6.18 writes them on a little-endian machine, and the layouts that go with them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

_COMMON = """format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

\tfield:dev_t dev;\toffset:8;\tsize:4;\tsigned:0;
\tfield:sector_t sector;\toffset:16;\tsize:8;\tsigned:0;
\tfield:unsigned int nr_sector;\toffset:24;\tsize:4;\tsigned:0;
"""

NEW_QUEUE = f"""name: block_bio_queue
ID: 2097
{_COMMON}\tfield:char rwbs[10];\toffset:28;\tsize:10;\tsigned:0;
\tfield:char comm[16];\toffset:38;\tsize:16;\tsigned:0;

print fmt: "%d,%d %s", REC->rwbs, (unsigned long long)REC->sector, REC->nr_sector, REC->comm
"""

#: Linux before 6.17.
OLD_QUEUE = f"""name: block_bio_queue
ID: 1201
{_COMMON}\tfield:char rwbs[8];\toffset:28;\tsize:8;\tsigned:0;
\tfield:char comm[16];\toffset:36;\tsize:16;\tsigned:0;
"""

RQ_COMPLETE = f"""name: block_rq_complete
ID: 2107
{_COMMON}\tfield:int error;\toffset:28;\tsize:4;\tsigned:1;
\tfield:unsigned short ioprio;\toffset:32;\tsize:2;\tsigned:0;
\tfield:char rwbs[10];\toffset:34;\tsize:10;\tsigned:0;
\tfield:__data_loc char[] cmd;\toffset:44;\tsize:4;\tsigned:0;
"""

HEADER_PAGE = """\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
"""

DEVICE = 7 << 20
QUEUE, COMPLETE = 2097, 2107
_RECORD = struct.Struct("<H6xI4xQI")


@dataclass(frozen=True, slots=True)
class RingRecord:
    """One record. ``kind``: an event's id; ``pads``: words more than it needs; ``long``: with its length in a word of its own."""

    kind: int
    sector: int
    sectors: int
    rwbs: bytes = b"WS"
    device: int = DEVICE
    pads: int = 0
    long: bool = False

    def encoded(self) -> bytes:
        """Its bytes in a page."""
        body = bytearray(
            _RECORD.pack(self.kind, self.device, self.sector, self.sectors).ljust(54 + 4 * self.pads, b"\0")
        )
        at = 28 if self.kind != COMPLETE else 34
        body[at : at + len(self.rwbs)] = self.rwbs
        body.extend(bytes(-len(body) % 4))
        if self.long or len(body) > 112:
            return struct.pack("<II", 5 << 5, len(body) + 4) + body
        return struct.pack("<I", len(body) // 4 | 7 << 5) + body


TIME_EXTEND = struct.pack("<II", 30 | 99 << 5, 1)
TIME_STAMP = struct.pack("<II", 31 | 99 << 5, 1)
#: A record that was taken back: 12 bytes that mean nothing.
DISCARDED = struct.pack("<III", 29 | 1 << 5, 8, 0xFFFF_FFFF)


def ring_page_of(parts: Sequence[RingRecord | bytes], *, lost: int = 0, size: int = 4096, ends: bool = False) -> bytes:
    """A page that holds these. ``lost``: bits 30 and 31 of the commit word; ``ends``: with the padding that ends a page."""
    data = b"".join(one if isinstance(one, bytes) else one.encoded() for one in parts)
    if ends:
        data += struct.pack("<I", 29) + b"\x55" * 32
    return (struct.pack("<QQ", 1, len(data) | lost) + data).ljust(size, b"\0")
