"""Quiesce ``none``: each file is whole. What is committed is all that was written before it was asked for."""

from __future__ import annotations

from collections.abc import Callable

from agent.core.errors import CalledOff, TryAgain
from agent.generations.quiescing import StoodStill
from agent.node.reigning.captures import Captures

_STEP = 0.5


class PlainBarrier:
    """Satisfies ``Quiescing``: today's barrier through capture, and nothing stands still."""

    def __init__(self, pump: Captures) -> None:
        self._pump = pump

    def reach(self, quiesce: bool, still_wanted: Callable[[], None]) -> StoodStill:
        """See ``Quiescing``."""
        barrier = self._pump.barrier()
        while True:
            still_wanted()
            try:
                return StoodStill(barrier.wait(_STEP))
            except CalledOff:
                raise
            except TryAgain:
                continue
