"""A primary's reign: its epoch, the mark of a peer that proves it over, and the operator's word that it is not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from agent.core.clock import Clock
from agent.core.errors import Refused, StoreFailed, TryAgain
from agent.core.ids import CommitNumber, Epoch
from agent.core.problem import Problem, ProblemBoard
from agent.core.problem_codes import FENCED, REWOUND
from agent.fs.durable import sync_dir
from agent.roles import lineage, rewound
from agent.roles.rewound import Rewound
from agent.stream.footing import LineageBroken

_log = structlog.get_logger("node")


class Reign:
    """Whether a primary may go on. ``mark``: who proved that it must not, None while nobody did; ``home``: where the dataset's
    state lies; ``stopped`` is called once it must not; ``may_rejoin``: whether a rejoin may write here. Any thread."""

    def __init__(
        self,
        dataset: str,
        epoch: Epoch,
        home: Path,
        mark: Rewound | None,
        *,
        stopped: Callable[[], None],
        may_rejoin: Callable[[], bool],
    ) -> None:
        self.epoch = epoch
        self.mark = mark
        #: The mark was accepted: this side is closed soon, and the next one goes on.
        self.goes_on = False
        self._dataset = dataset
        self._home = home
        self._stopped = stopped
        self._may_rejoin = may_rejoin
        self._unmarked = False

    def require(self) -> None:
        """Raises ``Refused`` when nothing may be sent to anybody."""
        if self.mark is not None:
            problem = self._problem(self.mark)
            raise Refused("send", self._dataset, problem.message, problem.remedy)

    def _problem(self, mark: Rewound) -> Problem:
        return mark.problem(self._dataset, self._home, may_rejoin=self._may_rejoin())

    def is_over(self, proof: LineageBroken, newest: CommitNumber, board: ProblemBoard, clock: Clock) -> None:
        """A peer has proven it: nothing more is sent to anybody, also after a restart. The first proof counts; of the others the
        epoch is kept, since who goes on begins above it."""
        before, mark = self.mark, rewound.mark_after(self.mark, proof, newest, clock.now_ns())
        if mark == before:
            return
        self.mark = mark
        self._unmarked = True
        if before is None or before.by_hand:
            _log.error("this node must not go on", dataset=self._dataset, code=mark.code, reason=mark.sentence)
            self._stopped()
        self.tell(board)

    def fence(self, mark: Rewound, board: ProblemBoard) -> None:
        """An operator has this node stop: durably, before anything else. Raises ``StoreFailed``."""
        try:
            rewound.write_mark(self._home, mark)
        except OSError as error:
            raise self._not_kept("fence this node", error) from error
        self.mark = mark
        self._stopped()
        self.tell(board)

    def unfence(self, board: ProblemBoard) -> None:
        """An operator lets this node go on that an operator had stopped. Raises ``StoreFailed``."""
        try:
            rewound.forget_mark(self._home)
            sync_dir(str(self._home))
        except OSError as error:
            raise self._not_kept("serve again", error) from error
        self.mark = None
        self.tell(board)

    def _not_kept(self, operation: str, error: OSError) -> StoreFailed:
        reason = error.strerror or str(error)
        return StoreFailed(operation, self._dataset, reason, "free space in the state directory")

    def tell(self, board: ProblemBoard) -> None:
        """Say it, and write the mark until it is durable; also when the disk was full at first."""
        mark = self.mark
        if mark is None:
            board.clear(REWOUND)
            board.clear(FENCED)
            return
        board.put(self._problem(mark))
        if self._unmarked:
            with suppress(OSError):
                rewound.write_mark(self._home, mark)
                self._unmarked = False

    def accept(self, mark: Rewound) -> TryAgain:
        """An operator says that what stands here now is right: a higher epoch begins at the next opening, and what was before
        stays as history. Why this side is to be closed. Raises ``StoreFailed``."""
        above = max(mark.highest, self.epoch.number)
        try:
            # A peer that is ahead in our own epoch knows other objects by the ids that were given out here since.
            lineage.ask_for_epoch(self._home, above, anew=not mark.fenced)
        except OSError as error:
            raise self._not_kept("begin a new epoch", error) from error
        self.goes_on = True
        reason = f"epoch {above + 1} is begun from what stands here, as was accepted"
        return TryAgain("go on", self._dataset, reason)
