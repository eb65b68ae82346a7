"""A moment of another node's history, mounted here: its rows are laid down once in a catalog of their own, which goes with the
mount; its chunks are asked for as they are read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from agent.core.dataset_kind import DatasetKind
from agent.core.ids import NOTHING, Epoch, epoch_of
from agent.generations.afar import OpenMoment
from agent.generations.moments import Moment
from agent.generations.rows_from_afar import bounds_of, staged
from agent.store.catalog.catalog import Catalog, Header


def lay_down(moment: OpenMoment, path: Path, kind: DatasetKind, look: Callable[[], None]) -> Moment:
    """All rows of the moment, in a new catalog; which moment that is. ``kind``: the dataset's. They are believed if they come out
    with the digest that the other node named. ``look`` is called now and then, and raises what is to end it.

    Raises ``OtherDigest``, ``WireError`` for rows that cannot be, ``TryAgain`` (disk full), ``Unreachable``."""
    found, mark = moment.found, moment.found.mark
    with Catalog.open(str(path)) as catalog:
        catalog.begin_epoch(Epoch(epoch_of(mark.number), "another node", mark.epoch))
        for _ in staged(catalog, mark.number, moment.rows(), bounds_of(catalog, found), look, kind):
            pass
        named = found.moment
        catalog.seal(
            Header(mark.number, NOTHING, named.time, named.time, named.consistent, digest=mark.digest),
            catalog.pack_end(),
        )
    return named


def fetching(moment: OpenMoment) -> Callable[[Sequence[bytes]], None]:
    """Has several chunks come in one round, where the other side can: who reads them finds them at hand."""
    fetch: Callable[[Sequence[bytes]], None] | None = getattr(moment, "fetch", None)
    return fetch or (lambda _names: None)
