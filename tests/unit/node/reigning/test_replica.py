"""A standby as its primary knows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from agent.config.values import Limits
from agent.core.clock import ManualClock
from agent.core.commit import Changes
from agent.core.ids import NOTHING, ROOT, Epoch, commit_number
from agent.node.reigning.replica import Replica
from agent.store.catalog.catalog import Catalog, Header
from agent.store.local import Local
from fakes.stream_fakes import directory_row


class Bench:
    """A replica of a catalog with two commits, a second apart."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock()
        self.catalog = Catalog.open(str(directory / "catalog.db"))
        self.local = Local.open(str(directory / "local.db"))
        self.catalog.begin_epoch(Epoch(1, "alpha", b"a" * 16))
        self.numbers = [commit_number(1, seq) for seq in (1, 2)]
        for parent, number in zip([NOTHING, *self.numbers], self.numbers, strict=False):
            now = self.clock.now_ns()
            self.catalog.write(Changes([directory_row(ROOT)]), Header(number, parent, now, now, True))
            self.clock.advance(1)
        self.moves = 0
        self.replica = Replica("beta", self.catalog, self.local, self.clock, limits=Limits, moved=self._moved)

    def _moved(self) -> None:
        self.moves += 1

    def close(self) -> None:
        """Close the stores."""
        self.local.close()
        self.catalog.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A primary's stores and one standby."""
    with closing(Bench(tmp_path)) as made:
        yield made


def test_nobody_answered_yet(bench: Bench) -> None:
    """It is in its first sync, and owes nothing that is known."""
    replica = bench.replica
    assert (True, (0, ()), 0) == (replica.first_sync(), replica.owed, bench.moves)


def test_a_standby_that_comes_further_is_measured(bench: Bench) -> None:
    """What it lacks from before this opening is as old as its commit; with all, it lacks nothing."""
    replica, (first, second) = bench.replica, bench.numbers
    replica.positions.durable(first)
    assert 1 == bench.moves
    bench.clock.advance(4)
    assert (replica.received.seconds() or 0.0) >= 4.0
    replica.positions.durable(second)
    replica.positions.applied(second)
    assert (0.0, False) == (replica.received.seconds(), replica.first_sync())
