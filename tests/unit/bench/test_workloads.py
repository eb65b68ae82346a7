"""Trees and changes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bench.crew import Failed
from bench.ours import Wire
from bench.workloads import PIECE, change_scattered, counted, empty_files, large_file, small_files


def test_trees_hold_what_they_should(tmp_path: Path) -> None:
    """As many files; sizes within their range; our private directory is not counted."""
    small_files(tmp_path / "small", 600)
    empty_files(tmp_path / "empty", 1001)
    large_file(tmp_path / "large", 70 << 20)
    files, length = counted(tmp_path / "small")
    assert 600 == files
    assert 600 * 500 <= length <= 600 * 20_000
    (tmp_path / "empty" / ".hikae").mkdir()
    (tmp_path / "empty" / ".hikae" / "more").write_bytes(b"x")
    assert [(1001, 0), (1, 70 << 20)] == [counted(tmp_path / name) for name in ("empty", "large")]


def test_a_change_rewrites_exactly_so_many_pieces(tmp_path: Path) -> None:
    """Distinct ones, each with bytes of its own; nothing else moves."""
    large_file(tmp_path / "tree", 1 << 20)
    path = tmp_path / "tree" / "large"
    before = path.read_bytes()
    assert 100 * PIECE == change_scattered(path, 100, random.Random(1))
    after = path.read_bytes()
    pieces = [
        after[at : at + PIECE]
        for at in range(0, len(after), PIECE)
        if after[at : at + PIECE] != before[at : at + PIECE]
    ]
    assert (len(before), 100, 100) == (len(after), len(pieces), len(set(pieces)))


def test_a_wire_whose_connection_ended_cannot_be_counted() -> None:
    """Bytes of a connection that has gone are unknown; those of a new one count."""
    assert 7 == Wire({"a": 15, "b": 2}).since(Wire({"a": 10}))
    with pytest.raises(Failed, match="ended while"):
        Wire({"b": 2}).since(Wire({"a": 10}))
