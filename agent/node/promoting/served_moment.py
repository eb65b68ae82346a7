"""An earlier moment becomes the first commit of the epoch that a promotion begins: the standby equals it by then."""

from __future__ import annotations

from agent.apply.standby.taken import root_kept
from agent.capture.root import expect_root
from agent.core.commit import Changes, Commit, CommitKind, Provenance
from agent.core.errors import NotFound
from agent.core.ids import CommitNumber, Epoch, commit_number
from agent.store.catalog.catalog import Catalog, Header
from agent.store.local import Local


def begin_with_moment(catalog: Catalog, local: Local, reign: Epoch, moment: CommitNumber, now_ns: int) -> Commit:
    """Begin ``reign``, which is on record, with the rows of ``moment`` as its first commit; what came after it stays as history.
    That commit, also where it is there already.

    For who holds the catalog's writing side, between two commits. Raises ``NotFound`` where history does not hold the moment any
    more, ``TryAgain``, ``StoreFailed``."""
    newest, wanted = catalog.newest(), catalog.commit_at(moment)
    number = commit_number(reign.number, 1)
    if newest is not None and newest.number >= number:
        return newest
    if newest is None or wanted is None:
        raise NotFound("promote", "", "the moment that was named is not held any more", "name another")
    _expect_what_stands(local)
    if catalog.lineage[-1] != reign:
        catalog.begin_epoch(reign)
    for batch in catalog.difference(newest.number, moment):
        puts = [new for _, _, new in batch if new is not None]
        catalog.stage(number, Changes(puts, [key for key, _, new in batch if new is None]))
    time = max(now_ns, newest.time)
    made = Provenance(CommitKind.ROLLBACK, wanted.provenance.reached, moment)
    header = Header(number, newest.number, time, time, wanted.consistent, digest=wanted.digest, provenance=made)
    return catalog.seal(header, catalog.pack_end())


def _expect_what_stands(local: Local) -> None:
    """As at any opening of a promoted node: another directory than the standby is not captured unasked."""
    kept = root_kept(local)
    if kept is not None:
        expect_root(local, kept)
