"""A commit that begins by going back: what was done here after the commit that both sides know is taken back, in the same commit.

The rows that come are what changed on the primary since that commit. What only this node had changed is put back to what it was
then; what both changed becomes what the primary has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from agent.core.commit import Changes
from agent.core.rows import key_of
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.row_tables import Difference
from agent.stream.locator import CommitMark, is_known

#: Rows in one part.
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class BackLimits:
    """What is remembered of the way back at most: rows, and their bytes. Beyond it the buckets are compared."""

    rows: int = 100_000
    bytes: int = 32 << 20


class GoingBack:
    """The way back of one commit. Used by the receiving thread."""

    def __init__(self) -> None:
        #: What stood under each key at the common commit, and whether anything does now.
        self._then: dict[bytes, tuple[bytes | None, bool]] = {}

    def gather(self, undone: Iterable[Sequence[tuple[bytes, bytes | None, bytes | None]]], limits: BackLimits) -> bool:
        """Remember what has to be taken back: ``(key, row now, row then)``. False where that is too much."""
        size = 0
        for rows in undone:
            for key, now, then in rows:
                self._then[key] = then, now is not None
                size += len(key) + len(then or b"")
            if len(self._then) > limits.rows or size > limits.bytes:
                self._then.clear()
                return False
        return True

    def adjusted(self, changes: Changes) -> Changes:
        """``changes`` as they are to be staged: what they name is not taken back, what does not live here is not dropped."""
        for row in changes.puts:
            self._then.pop(key_of(row), None)
        gone = (None, True)
        drops = [key for key in changes.drops if self._then.pop(key, gone)[1]]
        return Changes(changes.puts, drops)

    def rest(self) -> Iterator[Changes]:
        """What nothing that came has named, as it was then."""
        left, self._then = list(self._then.items()), {}
        for at in range(0, len(left), _PAGE):
            some = left[at : at + _PAGE]
            puts = [then for _, (then, _) in some if then is not None]
            yield Changes(puts, [key for key, (then, lives) in some if then is None and lives])


def way_back(catalog: Catalog, mark: CommitMark, limits: BackLimits, look: Callable[[], None]) -> GoingBack | None:
    """What has to be taken back to be at that commit again; None where nobody can, or it is too much.
    ``look``: as in ``Presence``."""
    newest = catalog.newest()
    if newest is None or not is_known(catalog, mark):
        return None

    def undone() -> Iterator[list[Difference]]:
        for batch in catalog.difference(newest.number, mark.number):
            look()
            yield batch

    back = GoingBack()
    return back if back.gather(undone(), limits) else None
