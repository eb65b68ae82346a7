"""A standby that was brought back to an earlier moment stays there until it is resumed; receiving goes on."""

from __future__ import annotations

from contextlib import suppress

from agent.apply.commit_numbers import numbers_of, packed
from agent.apply.loop import ApplyLoop
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.errors import TryAgain
from agent.core.ids import NOTHING, CommitNumber
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import ROLLED_BACK
from agent.generations.local_time import time_text
from agent.node.following.errands import Errands
from agent.node.pauses import APPLY, Pauses
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.kept import KeptCommit
from agent.store.local import Local

#: For whom the commit is kept, and the name of the local fact that says which it is.
OWNER = "stays-at"


class StoodBack:
    """Of one standby. Any thread, but for :meth:`open`."""

    def __init__(
        self,
        dataset: str,
        local: Local,
        loop: ApplyLoop,
        errands: Errands,
        pauses: Pauses,
        board: ProblemBoard,
        clock: Clock,
    ) -> None:
        self._dataset = dataset
        self._local = local
        self._loop = loop
        self._errands = errands
        self._pauses = pauses
        self._board = board
        self._clock = clock
        self._stands = False
        #: The newest commit that it equalled before it was brought back.
        self._stood = NOTHING

    def open(self, catalog: Catalog) -> None:
        """Stay where it was brought, before anything is applied."""
        where, self._stood = _numbers(self._local)
        commit = catalog.commit_at(where)
        if commit is None or not catalog.is_readable(commit.number):
            catalog.let_go(OWNER)
            return
        self._stand(commit)

    def go(self, commit: Commit) -> None:
        """Bring it to a moment that is held here, durably. Returns before it is there. Raises ``TryAgain``, ``NotFound``."""
        kept = KeptCommit(commit.number, OWNER, time=self._clock.now_ns())
        self._errands.run("roll back", lambda catalog: catalog.keep([kept]))
        self._stood = max(self._stood, self._loop.facts().applied)
        self._local.set_value(OWNER, packed((commit.number, self._stood)), durable=True)
        self._stand(commit)

    @property
    def stands(self) -> bool:
        """Whether it is to stay where it was brought."""
        return self._stands

    def end(self) -> None:
        """It goes on to the newest commit; nothing where it does."""
        if not self._stands:
            return
        self._stands = False
        # What it has been once is nothing that a brake has to save it from.
        self._loop.let_pass(self._stood)
        self._local.set_value(OWNER, b"", durable=True)
        self._stood = NOTHING
        self._loop.stay_at(None)
        self._board.clear(ROLLED_BACK)
        with suppress(TryAgain):
            # Else the next opening lets go of it.
            self._errands.run("go on", lambda catalog: catalog.let_go(OWNER), 1.0)

    def _stand(self, commit: Commit) -> None:
        self._stands = True
        self._pauses.pause(APPLY, None)
        message = f"the standby was brought back to {time_text(commit.time)} and stays there; what comes is received"
        remedy = f"hikae resume {self._dataset} lets it go on"
        self._board.put(Problem(ROLLED_BACK, Severity.WARNING, self._clock.now_ns(), b"", message, remedy))
        self._loop.stay_at(commit)


def _numbers(local: Local) -> tuple[CommitNumber, CommitNumber]:
    """Where it is to stay, and what it was before; ``NOTHING`` for both where it is to stay nowhere."""
    where, stood = numbers_of(local.value(OWNER)) or (NOTHING, NOTHING)
    return where, stood
