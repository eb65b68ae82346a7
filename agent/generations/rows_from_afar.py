"""The rows of a moment that another node sends, staged here: each could be one, and together they are a tree, or a device (law
6). They are no more than the moment is said to have, and no more than there is room for (law 9)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from agent.core.commit import Changes
from agent.core.dataset_kind import DatasetKind
from agent.core.errors import TryAgain, WireError
from agent.core.ids import CommitNumber
from agent.core.row_checks import check_key, check_row
from agent.fs.reserve import room_beyond_reserve
from agent.generations.afar import FoundMoment
from agent.store.catalog.catalog import Catalog
from agent.stream.receiving.structure_of_kind import structure_of

_READ = "read a moment"
#: A device has a row for so many bytes.
_CHUNK = 1 << 16


@dataclass(slots=True)
class RowBounds:
    """``most``: so many rows may still come; ``room``: bytes that may be written where they are staged."""

    most: int
    room: Callable[[], int]

    def passed(self, changes: Changes) -> None:
        """A part came. Raises ``WireError`` for one that is empty or too much, ``TryAgain`` where the disk has no room for it."""
        if not changes.puts and not changes.drops:
            raise WireError(_READ, "", "an empty part of rows")
        self.most -= len(changes.puts)
        if self.most < 0:
            raise WireError(_READ, "", "more rows than the moment is said to have")
        if self.room() < sum(map(len, changes.puts)):
            raise TryAgain(
                _READ, "", "there is no room for its rows above the disk's reserve", "make room, then begin anew"
            )


def bounds_of(catalog: Catalog, found: FoundMoment) -> RowBounds:
    """A tree has a name and an object for each entry, and its root, a device a row for each chunk; what lives here and not there
    comes as keys, each once."""
    most = 2 * found.entries + 1 + -(-found.bytes // _CHUNK)
    return RowBounds(most, lambda: room_beyond_reserve(os.path.dirname(os.path.abspath(catalog.path))))


def staged(
    catalog: Catalog,
    number: CommitNumber,
    batches: Iterable[Changes],
    bounds: RowBounds,
    look: Callable[[], None],
    kind: DatasetKind,
) -> Iterator[Changes]:
    """Stage them as the commit ``number``, each given on once it is staged; after the last one they may be sealed. ``look`` is
    called again and again, and raises what is to end it; ``kind``: the dataset's, as it is known here.

    For the thread that owns the catalog. Raises ``WireError`` for rows that no honest node would have, ``TryAgain`` where there
    is no room; what was staged is the caller's to withdraw."""
    structure = structure_of(kind, catalog, look)
    for changes in batches:
        look()
        bounds.passed(changes)
        rows = [check_row(row) for row in changes.puts]
        for key in changes.drops:
            check_key(key)
        structure.check_types(rows)
        catalog.stage(number, changes)
        structure.look(number, rows, changes.drops)
        yield changes
    structure.settle()
