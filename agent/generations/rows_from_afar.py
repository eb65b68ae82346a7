"""The rows of a moment that another node sends, staged here: each could be one, and together they are a tree (law 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from agent.core.commit import Changes
from agent.core.ids import CommitNumber
from agent.core.row_checks import check_key, check_row
from agent.store.catalog.catalog import Catalog
from agent.stream.receiving.structure import Structure


def staged(
    catalog: Catalog, number: CommitNumber, batches: Iterable[Changes], look: Callable[[], None]
) -> Iterator[Changes]:
    """Stage them as the commit ``number``, each given on once it is staged; after the last one they may be sealed. ``look`` is
    called again and again, and raises what is to end it.

    For the thread that owns the catalog. Raises ``WireError`` for rows that no honest node would have; what was staged is the
    caller's to withdraw."""
    structure = Structure(catalog, catalog.newest() is None, look)
    for changes in batches:
        look()
        rows = [check_row(row) for row in changes.puts]
        for key in changes.drops:
            check_key(key)
        structure.check_types(rows)
        catalog.stage(number, changes)
        structure.look(number, rows, changes.drops)
        yield changes
    structure.settle()
