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
from agent.stream.locator import CommitMark


def lay_down(
    moment: OpenMoment,
    path: Path,
    kind: DatasetKind,
    look: Callable[[], None],
    other: OpenMoment | None = None,
) -> Moment:
    """All rows of the moment, in a new catalog; which moment that is. ``kind``: the dataset's. They are believed if they come out
    with the digest that the other node named. ``look`` is called now and then, and raises what is to end it. ``other``: a
    moment that is laid down too, earlier or later: of the later one only what differs comes.

    Raises ``OtherDigest``, ``WireError`` for rows that cannot be, ``TryAgain`` (disk full), ``Unreachable``, ``NotFound`` where
    nobody can say any more what lies between the two."""
    before: CommitMark | None = None
    with Catalog.open(str(path)) as catalog:
        for one in sorted((moment, other) if other is not None else (moment,), key=_number):
            if before is None or before.number != _number(one):
                _lay_one(catalog, one, before, kind, look)
                before = one.found.mark
    return moment.found.moment


def _lay_one(
    catalog: Catalog, moment: OpenMoment, before: CommitMark | None, kind: DatasetKind, look: Callable[[], None]
) -> None:
    """Stage and seal a moment: all of it, or what differs from the one before, which the catalog has."""
    found, mark = moment.found, moment.found.mark
    if before is None or before.epoch != mark.epoch:
        catalog.begin_epoch(Epoch(epoch_of(mark.number), "another node", mark.epoch))
    for _ in staged(catalog, mark.number, moment.rows(before), bounds_of(catalog, found), look, kind):
        pass
    named, parent = found.moment, before.number if before is not None else NOTHING
    header = Header(mark.number, parent, named.time, named.time, named.consistent, digest=mark.digest)
    catalog.seal(header, catalog.pack_end())


def _number(moment: OpenMoment) -> int:
    return moment.found.mark.number


def fetching(moment: OpenMoment) -> Callable[[Sequence[bytes]], None]:
    """Has several chunks come in one round, where the other side can: who reads them finds them at hand."""
    fetch: Callable[[Sequence[bytes]], None] | None = getattr(moment, "fetch", None)
    return fetch or (lambda _names: None)
