"""Whether a standby is in its first sync still, as its own node knows: until a whole commit was applied, not only received."""

from __future__ import annotations

from collections.abc import Callable

from agent.core.commit import Commit
from agent.core.ids import NOTHING, CommitNumber
from agent.node.measured.awaited_commit import AwaitedCommit
from agent.store.local import Local

#: Local facts: that a consistent commit was received, and the first of them while it is not applied.
_CONSISTENT, _AWAITED = "consistent", "first-sync-awaits"


class OwnFirstSync:
    """Of one standby. :meth:`look` by the thread that ticks, the rest by any. ``received``: whether a consistent commit was."""

    def __init__(self, local: Local) -> None:
        self._local = local
        self._awaited = AwaitedCommit(local, _AWAITED)
        self.received = local.value(_CONSISTENT) is not None

    def look(self, newest: Commit | None, oldest: Callable[[], CommitNumber | None], durable: CommitNumber) -> None:
        """``newest``: the commit that was received last; ``oldest``: the first consistent one that is held; ``durable``: what
        the standby equals also after a crash. Raises as ``Local``, and what ``oldest`` raises."""
        if not self.received and newest is not None and newest.consistent:
            # The first of them: what came after it meanwhile is no first sync. It is kept before it is said to be received.
            self._awaited.begin(oldest() or newest.number)
            self._local.set_value(_CONSISTENT, b"yes")
            self.received = True
        self._awaited.reached(durable)

    def goes_on(self, newest: Commit | None, applied: CommitNumber) -> bool:
        """Whether nothing whole was applied yet: nothing stands on the standby, or not all of what ends the first sync."""
        if newest is None or applied == NOTHING:
            return True
        if self.received:
            return self._awaited.is_lacking(applied)
        # Received and applied since the last look.
        return not newest.consistent or applied < newest.number
