"""What ends a call is told as this node's own trouble only where it is its own."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from agent.core.errors import CalledOff, Damaged, DiskFull, HikaeError, StoreFailed, TryAgain
from agent.node.following.standby_call import Serving, told_to
from agent.stream.receiving.presence import ChunksMissing


class Told:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.mending = SimpleNamespace(forget=self._forget)

    def full(self, _error: HikaeError) -> None:
        """See ``Serving``."""
        self.words.append("full")

    def failed(self, _error: HikaeError) -> None:
        """See ``Serving``."""
        self.words.append("failed")

    def _forget(self, _names: Sequence[bytes], _reason: str) -> None:
        self.words.append("forget")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (DiskFull("seal", "catalog.db", "the disk is full"), ["full"]),
        (StoreFailed("seal", "catalog.db", "an error of the disk"), ["failed"]),
        (Damaged("seal", "catalog.db", "it is damaged"), ["failed"]),
        (ChunksMissing("a chunk is damaged here", (b"name",)), ["forget"]),
        (TryAgain("serve a call", "web", "chunks that were lost here are asked for again"), []),
        (CalledOff("serve a call", "web", "it is to rest"), []),
    ],
)
def test_a_call_that_is_only_to_come_anew_is_no_full_disk(error: HikaeError, expected: list[str]) -> None:
    """Each ends the call as it is."""
    standby = Told()
    with pytest.raises(type(error)), told_to(cast(Serving, standby)):
        raise error
    assert expected == standby.words
