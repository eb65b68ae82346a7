"""Reading an adopted tree: each file once."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from agent.adopt.first_reading import Indexer
from agent.adopt.placements import Placements
from agent.apply.ports import nothing_left_out
from agent.core.clock import SystemClock

NAMES = 50


def keep(name: bytes, data: bytes) -> None:
    """Nothing here has parts."""
    raise AssertionError(name, data)


def piece(name: bytes) -> bytes:
    """Nor is one asked for."""
    raise AssertionError(name)


@pytest.mark.parametrize("size", [10, 100_000, 500_000])
def test_a_file_of_many_names_is_read_at_one(tmpfs_dir: Path, size: int) -> None:
    """Also where nothing vouches for its content, and before what was read is written down."""
    tree = tmpfs_dir / "tree"
    tree.mkdir()
    (tree / "seed").write_bytes(os.urandom(size))
    for number in range(NAMES):
        os.link(tree / "seed", tree / f"{number}")
    with closing(Placements.open(str(tmpfs_dir / "places.db"))) as places:
        assert size == sum(Indexer(str(tree), places, keep, piece, SystemClock(), nothing_left_out).run())
