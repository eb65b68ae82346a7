"""Chunks that are about to be needed come with the one that is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agent.core.errors import NotFound
from agent.roles.rollback.fetched_ahead import FetchedAhead


class Far:
    """A moment far away: rounds in which chunks came, and what it lacks."""

    def __init__(self, lacks: bytes = b"") -> None:
        self.rounds: list[list[bytes]] = []
        self._lacks = lacks
        self._here: set[bytes] = set()

    def fetch(self, names: Sequence[bytes]) -> None:
        """See ``MomentCall``."""
        self.rounds.append(list(names))
        if self._lacks in names:
            raise NotFound("read a moment", self._lacks.hex(), "it is not there")
        self._here.update(names)

    def read(self, name: bytes) -> bytes:
        """See ``ReadChunk``: a round of its own for what is not at hand."""
        if name == self._lacks:
            raise NotFound("read a moment", name.hex(), "it is not there")
        if name not in self._here:
            self.rounds.append([name])
        return b"of " + name


NAMES = [b"%d" % number for number in range(130)]


def test_what_follows_comes_along() -> None:
    """Chunks that are asked for in the order that was said take a round for 64 of them, and come once."""
    far = Far()
    ahead = FetchedAhead(far.read, far.fetch, iter(NAMES))
    assert [b"of " + name for name in NAMES] == [ahead.chunk(name) for name in NAMES]
    assert 3 == len(far.rounds)


def test_what_was_not_foreseen_comes_alone_once_nothing_is_left() -> None:
    """Another order costs rounds, and nothing else."""
    far = Far()
    ahead = FetchedAhead(far.read, far.fetch, iter([]))
    assert (b"of x", [[b"x"]]) == (ahead.chunk(b"x"), far.rounds)


def test_one_that_is_not_there_hides_no_other() -> None:
    """Only who asks for it is told."""
    far = Far(lacks=b"5")
    ahead = FetchedAhead(far.read, far.fetch, iter(NAMES[:10]))
    assert [b"of 1", b"of 2"] == [ahead.chunk(b"1"), ahead.chunk(b"2")]
    with pytest.raises(NotFound):
        ahead.chunk(b"5")
