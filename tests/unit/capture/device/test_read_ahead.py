"""Reads that go ahead of who looks at them."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from agent.capture.device.read_ahead import DeviceReads
from fakes.device_station import CHUNK, BadPlaces


def test_all_is_read_in_order(tmp_path: Path) -> None:
    """Also runs longer than a read, the end in the middle of a chunk, and beside a bad place, which is named."""
    path = tmp_path / "image"
    data = os.urandom(70 * CHUNK + 100)
    path.write_bytes(data)
    device = BadPlaces(str(path), {40})
    reads = DeviceReads(device, "test-reads")
    found = bytearray(len(data))
    unread = []
    for done in reads.over([(1, 5), (7, 71)]):
        unread += [(number, error.errno) for number, error in done.unread]
        for (first, _), view in done.pieces:
            found[(first - 1) * CHUNK : (first - 1) * CHUNK + len(view)] = view
    reads.close()
    device.close()
    expected = bytearray(data)
    for number in (6, 40):
        expected[(number - 1) * CHUNK : number * CHUNK] = bytes(CHUNK)
    assert ([(40, errno.EIO)], expected) == (unread, found)


def test_whoever_stops_leaves_nothing_under_way(tmp_path: Path) -> None:
    """The device can be closed at once."""
    path = tmp_path / "image"
    path.write_bytes(os.urandom(70 * CHUNK))
    device = BadPlaces(str(path), set())
    reads = DeviceReads(device, "test-reads")
    over = reads.over([(1, 70)])
    size = next(iter(over)).size
    over.close()
    reads.close()
    device.close()
    assert 16 * CHUNK == size


def test_one_pass_in_the_midst_of_another_leaves_its_reads_alone(tmp_path: Path) -> None:
    """A round of a commit comes while all is looked at: what was read ahead stays what stood at its own place."""
    path = tmp_path / "image"
    data = os.urandom(70 * CHUNK)
    path.write_bytes(data)
    device = BadPlaces(str(path), set())
    reads = DeviceReads(device, "test-reads")
    found = bytearray(len(data))
    for done in reads.over([(1, 70)]):
        assert 32 * CHUNK == sum(other.size for other in reads.over([(39, 70)]))
        for (first, _), view in done.pieces:
            found[(first - 1) * CHUNK : (first - 1) * CHUNK + len(view)] = view
    reads.close()
    device.close()
    assert data == bytes(found)
