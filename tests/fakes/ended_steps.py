"""A world of recorded steps in which the agent ends once, in the middle of one of them."""

from __future__ import annotations

from agent.core.errors import CalledOff


class EndedSteps:
    """What was done (``done``), the step in which everything ends once (``ends_in``), before or ``after`` it was done, and those
    that fail (``failure``). ``operation``: what is under way, for people."""

    def __init__(self, operation: str, ends_in: str, *, after: bool) -> None:
        self.done: list[str] = []
        self.failure: dict[str, Exception] = {}
        self._operation = operation
        self._ends_in, self._after = ends_in, after

    def _do(self, step: str) -> None:
        ends, self._ends_in = (step == self._ends_in), "" if step == self._ends_in else self._ends_in
        if ends and not self._after:
            raise CalledOff(self._operation, "web", "the agent stops")
        if step in self.failure:
            raise self.failure[step]
        self.done.append(step)
        if ends:
            raise CalledOff(self._operation, "web", "the agent stops")
