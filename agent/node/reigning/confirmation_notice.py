"""That a primary still waits for peers to confirm it, as its board says it: told there, and by that to every connected peer."""

from __future__ import annotations

from agent.core.clock import Clock
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import UNCONFIRMED

#: Seconds in which peers usually confirm a start: before that it is no problem.
GRACE = 5.0


class ConfirmationNotice:
    """Of one open primary; for who tends it."""

    def __init__(self, dataset: str, board: ProblemBoard, clock: Clock, grace: float = GRACE) -> None:
        self._dataset = dataset
        self._board = board
        self._clock = clock
        self._grace = grace
        self._since: tuple[float, int] | None = None

    def tell(self, silent: tuple[str, ...]) -> None:
        """Once a second; ``silent``: who has not confirmed it yet."""
        if not silent:
            self._since = None
            self._board.clear(UNCONFIRMED)
            return
        began, since = self._since = self._since or (self._clock.monotonic(), self._clock.now_ns())
        if self._clock.monotonic() - began >= self._grace:
            self._board.put(self._problem(", ".join(silent), since))

    def _problem(self, silent: str, since: int) -> Problem:
        message = (
            f"{silent} has not confirmed that no other node was made primary; changes are recorded, and nothing serves"
        )
        alone = f"hikae serve {self._dataset} --alone"
        remedy = f"see that {silent} runs and is reached; or, if no other node was made primary: {alone}"
        return Problem(UNCONFIRMED, Severity.ERROR, since, b"", message, remedy)
