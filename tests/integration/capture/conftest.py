"""An empty root and a station on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.capture_fakes import Station, station


@pytest.fixture
def root(tmpfs_dir: Path) -> Path:
    """An empty root."""
    path = tmpfs_dir / "root"
    path.mkdir()
    return path


@pytest.fixture
def made(root: Path) -> Iterator[Station]:
    """A station that waits for :meth:`Station.synced`."""
    with station(root, root.parent / "state") as one:
        yield one
