"""What sysfs shows of a disk."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from agent.watch.blocks.disk import DiskCounters, counters_of, disk_at, is_counted

_STAT = "  1 2 3 4  5 6 {written} 8 0 10 11 12 13 {discarded} 15 16 17\n"


def _disk(sysfs: Path, **files: str) -> None:
    block = sysfs / "block/sdx"
    (block / "queue").mkdir(parents=True)
    for name, text in files.items():
        (block / name.replace("__", "/")).write_text(text)


def test_what_a_disk_counts(tmp_path: Path) -> None:
    """Written and discarded sectors together, and writes under way."""
    _disk(tmp_path, stat=_STAT.format(written=700, discarded=14), inflight="  3   4\n", queue__iostats="1\n")
    assert (DiskCounters(714, 4), True) == (counters_of("sdx", tmp_path), is_counted("sdx", tmp_path))


def test_a_kernel_that_counts_no_discards(tmp_path: Path) -> None:
    """Eleven columns, as before Linux 4.18."""
    _disk(tmp_path, stat="1 2 3 4 5 6 700 8 9 10 11\n", inflight="0 0\n", queue__iostats="0\n")
    assert (DiskCounters(700, 0), False) == (counters_of("sdx", tmp_path), is_counted("sdx", tmp_path))


def test_a_file_is_no_disk(tmp_path: Path) -> None:
    """The error names what it is not."""
    file = tmp_path / "image"
    file.write_bytes(b"x")
    with pytest.raises(OSError, match=re.escape(os.strerror(15)) + "|not a block device"):
        disk_at(str(file))
