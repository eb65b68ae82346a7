"""The reserve of a dataset on this node: what would fill the disks of its state stops in time, and goes on by itself."""

from __future__ import annotations

from agent.core.clock import Clock
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import STATE_DISK_RESERVE
from agent.fs.reserve import Reserve, ReserveReached, Shortage
from agent.stream.messages import Refuse
from agent.stream.receiving.intake import refusal_of


class DiskReserve:
    """Whether more may be written for one dataset. Any thread. ``operation``: what stops ("receive"); ``told``: in a sentence."""

    def __init__(
        self, operation: str, told: str, dataset: str, reserve: Reserve, *, board: ProblemBoard, clock: Clock
    ) -> None:
        self._operation = operation
        self._told = told
        self._dataset = dataset
        self._reserve = reserve
        self._board = board
        self._clock = clock

    def tick(self) -> Shortage | None:
        """Look now, and say what is found."""
        shortage = self._reserve.look()
        self._tell(shortage)
        return shortage

    def refusal(self) -> Refuse | None:
        """Why no call is served now."""
        shortage = self.tick()
        return None if shortage is None else refusal_of(self._reached(shortage))

    def require(self, amount: int) -> None:
        """``amount`` more bytes have come or are to be written. Raises ``ReserveReached``."""
        shortage = self._reserve.passed(amount)
        if shortage is not None:
            self._tell(shortage)
            raise self._reached(shortage)

    def _reached(self, shortage: Shortage) -> ReserveReached:
        return ReserveReached(self._operation, self._dataset, shortage)

    def _tell(self, shortage: Shortage | None) -> None:
        if shortage is None:
            self._board.clear(STATE_DISK_RESERVE)
        else:
            self._board.put(shortage.problem(self._told, self._clock.now_ns()))
