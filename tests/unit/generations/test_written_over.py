"""What is written over an image."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from agent.core.chunks import DEVICE_CHUNK
from agent.generations.mounting.written_over import WrittenOver

_SIZE = 5 * DEVICE_CHUNK + 700


def test_it_reads_as_written_and_below_stays_as_it_was(tmp_path: Path, rng: random.Random) -> None:
    """Ranges at random beside a copy of the image, with the short end."""
    below = rng.randbytes(_SIZE)
    model = bytearray(below)
    over = WrittenOver.open(str(tmp_path), _SIZE)

    def read_below(offset: int, length: int) -> bytes:
        return below[offset : offset + length]

    try:
        for _ in range(300):
            at = rng.randrange(_SIZE)
            if rng.random() < 0.4:
                data = rng.randbytes(rng.choice([1, 512, 4096, 3 * DEVICE_CHUNK]))[: _SIZE - at]
                assert len(data) == over.write(at, data, read_below)
                model[at : at + len(data)] = data
            length = rng.randrange(1, 4 * DEVICE_CHUNK)
            assert bytes(model[at : at + length]) == over.read(at, length, read_below)
        with pytest.raises(OSError, match="File too large"):
            over.write(_SIZE - 1, b"xy", read_below)
    finally:
        over.close()


def test_only_what_was_written_takes_room(tmpfs_dir: Path) -> None:
    """A chunk for each that was written to, and no name stands in the directory."""
    over = WrittenOver.open(str(tmpfs_dir), 1 << 40)
    try:
        over.write(1 << 39, b"x", lambda _offset, length: bytes(length))
        assert (DEVICE_CHUNK, []) == (os.fstat(over._fd).st_blocks * 512, os.listdir(tmpfs_dir))
    finally:
        over.close()
