"""May this moment be read, and until when? While its lease is held it stays whole, whoever runs or ends meanwhile."""

from __future__ import annotations

from agent.core.errors import NotFound
from agent.core.ids import CommitNumber, shown_commit
from agent.store.catalog import leases
from agent.store.catalog.leases import Lease
from agent.store.catalog.reader import Reading


def leased(reader: Reading, number: CommitNumber, who: str) -> Lease:
    """A lease of a commit that can be read. ``who`` reads it, for people ("hikae restore, process 4711").

    Raises ``NotFound`` for one that cannot be read, or not any more; ``TryAgain`` (disk full), ``StoreFailed``."""
    _require_readable(reader, number)
    lease = leases.take_lease(reader.path, number, who)
    try:
        # What was expired before the lease was there is found gone here; what is expired from now on finds the lease.
        _require_readable(reader, number)
    except BaseException:
        lease.close()
        raise
    return lease


def _require_readable(reader: Reading, number: CommitNumber) -> None:
    if reader.commit_at(number) is None or not reader.is_readable(number):
        reason = "it is no commit here, or history has passed it"
        raise NotFound("read a moment", shown_commit(number), reason, "name a later moment, or a generation")
