"""One place of a file, written again and again."""

from __future__ import annotations

import os
from pathlib import Path

from bench.busy_file import page, rewritten
from bench.workloads import PIECE


def test_one_place_is_written_so_many_times_and_nothing_else(tmp_path: Path) -> None:
    """Each page another one, whole at each look; the file is as long as before, and changed nowhere else."""
    path, at = tmp_path / "large", 2 * PIECE
    before = os.urandom(5 * PIECE)
    path.write_bytes(before)
    seen: list[bytes] = []
    pages = rewritten(path, at, 20, 1000, lambda: seen.append(page(path, at)))
    assert (20, 20, pages) == (len(pages), len(set(pages)), seen)
    assert before[:at] + pages[-1] + before[at + PIECE :] == path.read_bytes()
