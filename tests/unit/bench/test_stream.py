"""Writes at a steady rate, and when they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.crew import Failed
from bench.stream import CONTENT, Arrived, lags


def test_every_write_is_timed_once(tmp_path: Path) -> None:
    """A directory that is its own copy: all arrive, and none before it was written."""
    names = [f"f{number}" for number in range(20)]
    found = lags(tmp_path, names, 1000, Arrived(tmp_path))
    assert len(names) == len(found)
    assert 0 <= min(found)
    assert set(names) == {path.name for path in tmp_path.iterdir()}


def test_what_never_arrives_ends_the_wait(tmp_path: Path) -> None:
    """With how many are missing; the writer's thread is gone then."""
    with pytest.raises(Failed, match="2 of 2 writes did not arrive"):
        lags(tmp_path, ["a", "b"], 1000, lambda _: frozenset(), within=0.05)


def test_only_whole_files_that_were_asked_for_have_arrived(tmp_path: Path) -> None:
    """Half a file, another's file and a directory that is not there yet are nothing."""
    (tmp_path / "whole").write_bytes(CONTENT)
    (tmp_path / "half").write_bytes(CONTENT[:10])
    (tmp_path / "other").write_bytes(CONTENT)
    assert frozenset({"whole"}) == Arrived(tmp_path)(frozenset({"whole", "half", "absent"}))
    assert frozenset() == Arrived(tmp_path / "absent")(frozenset({"whole"}))
