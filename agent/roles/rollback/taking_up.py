"""A moment's rows become the newest commit of a primary: first the commit, then the tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from agent.core.chunks import pieces_in
from agent.core.commit import Commit, CommitKind, Provenance
from agent.core.errors import Damaged, Refused
from agent.core.ids import NOTHING, CommitNumber, commit_number, epoch_of, seq_of, shown_commit
from agent.core.rows import content_of
from agent.generations.afar import FoundMoment, OpenMoment
from agent.generations.rows_from_afar import bounds_of, staged
from agent.store.catalog.catalog import Catalog, Header
from agent.stream.locator import is_known, mark_of

#: The parts of so many files' chunk lists are kept at once.
_LISTS_AT_ONCE = 16
_OPERATION = "roll back"


def is_taken_up(newest: Commit | None, digest: bytes) -> bool:
    """Whether the newest commit is the moment of that digest, taken up again."""
    return newest is not None and newest.provenance.kind is CommitKind.ROLLBACK and newest.digest == digest


def take_up(catalog: Catalog, moment: OpenMoment, label: str, now: int, look: Callable[[], None]) -> Commit:
    """Make the moment the newest commit, as consistent as it is. Where it is read, the newest commit until now must be known.

    For the thread that owns the catalog. ``look`` is called again and again, and raises what is to end it: nothing is staged
    then. Raises ``Damaged`` when what comes is not that moment, ``WireError`` when it is no tree, or no device, ``TryAgain``,
    ``StoreFailed``."""
    newest, found, kind = catalog.newest(), moment.found, catalog.kind()
    if newest is None or kind is None:
        raise Refused(_OPERATION, "", "nothing has been captured yet", "wait for the first sync")
    since = mark_of(catalog, newest)
    number = commit_number(epoch_of(newest.number), seq_of(newest.number) + 1)
    _require_the_same(catalog, found)
    listed: list[bytes] = []
    try:
        for changes in staged(catalog, number, moment.rows(since), bounds_of(catalog, found), look, kind):
            listed += [row for row in changes.puts if pieces_in(content_of(row))]
        for start in range(0, len(listed), _LISTS_AT_ONCE):
            look()
            _keep_lists(catalog, moment, number, listed[start : start + _LISTS_AT_ONCE])
        time = max(now, newest.time)
        same = found.mark.number if is_known(catalog, found.mark) else NOTHING
        made = Provenance(CommitKind.ROLLBACK, found.reached, same, label)
        consistent = found.moment.consistent
        return catalog.seal(
            Header(number, newest.number, time, time, consistent, digest=found.mark.digest, provenance=made),
            catalog.pack_end(),
        )
    except BaseException:
        catalog.withdraw()
        raise


def _require_the_same(catalog: Catalog, found: FoundMoment) -> None:
    """Where this node knows that commit itself, it must have had that digest."""
    own = catalog.commit_at(found.mark.number)
    epoch = catalog.epoch_of_commit(found.mark.number) if own is not None else None
    if own is not None and epoch is not None and epoch.token == found.mark.epoch and own.digest != found.mark.digest:
        number = shown_commit(found.mark.number)
        reason = "the node that it is read from has another state for that commit than this one sealed"
        raise Damaged(_OPERATION, number, reason, "hikae verify on that node; or read it from another: --from NODE")


def _keep_lists(catalog: Catalog, moment: OpenMoment, number: CommitNumber, rows: Sequence[bytes]) -> None:
    """Parts of long chunk lists that rows name are a primary's to keep."""
    pieces = dict(_pieces(catalog, moment, [name for row in rows for name in pieces_in(content_of(row))]))
    catalog.keep_lists(number, list(pieces.items()), rows)


def _pieces(catalog: Catalog, moment: OpenMoment, names: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Those that are not here, with all below them."""
    while names:
        name = names.pop()
        if catalog.piece(name) is None:
            data = moment.chunk(name)
            yield name, data
            names += pieces_in(data)
