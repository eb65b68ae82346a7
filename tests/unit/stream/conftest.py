"""Both ends of a stream, with nothing in them yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.stream_fakes import Primary, Secondary


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Primary]:
    """One that sends: a catalog, and files as a dictionary."""
    one = Primary(tmp_path / "alpha")
    yield one
    one.close()


@pytest.fixture
def secondary(tmp_path: Path) -> Iterator[Secondary]:
    """One that keeps: a real catalog and vault."""
    one = Secondary(tmp_path / "beta")
    yield one
    one.close()
