"""Batches that had to be forgotten: nobody is told, and nothing is called consistent, before their content is committed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from agent.capture.outlet import ReadChunk
from agent.core.clock import SystemClock
from agent.core.commit import Changes, Commit
from agent.core.ids import ObjectId
from agent.core.rows import NameRow
from agent.watch.hint import Hint, Look
from fakes.capture_fakes import WAIT, LightOutlet, station

FILES = 2500


class Gone(LightOutlet):
    """Takes the root away as soon as it has a commit of many rows, so that the next batch cannot be committed."""

    def __init__(self, root: Path) -> None:
        super().__init__()
        self.taken = threading.Event()
        self._root = root

    def commit(
        self, commit: Commit, changes: Changes, chunks: Sequence[ReadChunk], ahead: Sequence[tuple[int, ObjectId]]
    ) -> None:
        super().commit(commit, changes, chunks, ahead)
        if len(changes.puts) >= 1000 and not self.taken.is_set():
            self._root.rename(self._root.with_name("elsewhere"))
            self.taken.set()


class Returning(SystemClock):
    """Brings the root back after so many looks at the clock since it was taken: each file that is read looks at it once."""

    def __init__(self, outlet: Gone, root: Path, looks: int) -> None:
        self._outlet = outlet
        self._root = root
        self._left = looks

    def now_ns(self) -> int:
        if self._outlet.taken.is_set():
            self._left -= 1
            if self._left == 0:
                self._root.with_name("elsewhere").rename(self._root)
        return super().now_ns()


def test_a_batch_that_is_forgotten_on_the_way_answers_nobody(root: Path) -> None:
    """A barrier is told by a commit that has every file from before it; until then none is consistent."""
    (root / "b").mkdir()
    outlet = Gone(root)
    with station(root, root.parent / "state", outlet, clock=Returning(outlet, root, 700)) as made:
        made.synced()
        outlet.forget_traffic()
        for number in range(FILES):
            (root / "b" / f"{number}").write_bytes(b"x")
        made.pump.hint([Hint(b"b", Look.CHILDREN)])
        told = made.pump.barrier().wait(WAIT)
        names: set[bytes] = set()
        consistent_with: list[int] = []
        for at, commit in enumerate(list(outlet.commits)):
            names |= {row.name for row in outlet.entries(at) if isinstance(row, NameRow)}
            if commit.number == told:
                break
            if commit.consistent:
                consistent_with.append(len(names))
        assert (True, FILES) == (outlet.taken.is_set(), len(names))
        assert all(count <= 1000 for count in consistent_with)
        assert [] == made.mirror()
