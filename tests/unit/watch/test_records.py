"""Reading fanotify's bytes."""

from __future__ import annotations

import struct

from agent.watch import records
from agent.watch.records import DecodedRecord

FSID = b"12345678"


def fid(kind: int, handle: bytes, name: bytes | None = None) -> bytes:
    """An info record: ``handle`` as kept (type and bytes), padded to four bytes as the kernel does."""
    body = FSID + struct.pack("=I", len(handle) - 4) + handle + (b"" if name is None else name + b"\0")
    body += bytes(-(len(body) + 4) % 4)
    return struct.pack("=BBH", kind, 0, len(body) + 4) + body


def event(mask: int, info: bytes = b"", pid: int = 7, head: int = 24) -> bytes:
    """A whole record; ``head`` is the size of its fixed part."""
    fixed = struct.pack("=IBBHQii", head + len(info), 3, 0, head, mask, -1, pid)
    return fixed + bytes(head - 24) + info


DIR, OTHER, FILE = b"\1\0\0\0directory", b"\1\0\0\0other", b"\1\0\0\0file"


def test_equal_records_are_merged_in_order() -> None:
    """Same directory, name and object: one entry with both masks, where the first stood."""
    one, two = fid(2, DIR, b"one") + fid(1, FILE), fid(2, DIR, b"two") + fid(1, OTHER)
    buffer = event(records.CREATE, one) + event(records.CREATE, two) + event(records.CLOSE_WRITE, one)
    expected = {one: records.CREATE | records.CLOSE_WRITE, two: records.CREATE}
    assert (3, expected, 0) == records.gather(buffer, frozenset())
    assert [one, two] == list(records.gather(buffer, frozenset())[1])


def test_own_records_count_but_are_left_out() -> None:
    """A barrier counts every record that was queued."""
    info = fid(2, DIR, b"x")
    buffer = event(records.MODIFY, info, pid=42) + event(records.MODIFY, info, pid=43)
    assert (2, {info: records.MODIFY}, 0) == records.gather(buffer, frozenset((42,)))
    assert (2, {}, 0) == records.gather(buffer, frozenset((42, 43)))


def test_what_own_ones_did_to_directories_is_said() -> None:
    """Where directories stand is another place then; what they did to files says nothing."""
    moved, made = records.RENAME | records.ONDIR, records.CREATE | records.ONDIR
    rename = fid(10, DIR, b"old") + fid(12, OTHER, b"new")
    buffer = event(moved, rename, pid=42) + event(made, fid(2, DIR, b"x"), pid=42) + event(records.DELETE, pid=42)
    assert (3, {}, moved | made) == records.gather(buffer, frozenset((42,)))
    assert 0 == records.gather(buffer, frozenset((43,)))[2]


def test_overflow_has_a_place_of_its_own() -> None:
    """With an info record or without."""
    for info in (b"", fid(1, b"\0\0\0\0")):
        count, masks, _ = records.gather(event(records.Q_OVERFLOW, info, pid=0), frozenset((42,)))
        assert (1, records.Q_OVERFLOW) == (count, masks[b""])


def test_a_longer_fixed_part_is_passed_over() -> None:
    """Kernels may add fields."""
    info = fid(2, DIR, b"x")
    assert (1, {info: records.MODIFY}, 0) == records.gather(event(records.MODIFY, info, head=40), frozenset())


def test_decode_an_entry() -> None:
    """Directory, name without its padding, and object."""
    for name in (b"x", b"xyz", b"four", b"new\nline\xff", b"n" * 255):
        assert DecodedRecord(DIR, name, b"", b"", FILE) == records.decode_record(fid(2, DIR, name) + fid(1, FILE))


def test_decode_a_rename() -> None:
    """Both directories and names."""
    info = fid(10, DIR, b"old") + fid(12, OTHER, b"new") + fid(1, FILE)
    assert DecodedRecord(DIR, b"old", OTHER, b"new", FILE) == records.decode_record(info)


def test_decode_what_has_no_name() -> None:
    """A directory alone is itself; an object alone has only its handle; what is unknown is passed over."""
    assert DecodedRecord(DIR, b".", b"", b"", b"") == records.decode_record(fid(3, DIR))
    assert DecodedRecord(b"", b"", b"", b"", FILE) == records.decode_record(fid(1, FILE))
    assert DecodedRecord(DIR, b"x", b"", b"", b"") == records.decode_record(fid(99, OTHER) + fid(2, DIR, b"x"))
