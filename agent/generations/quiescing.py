"""Letting the source stand still for a generation: what is asked of a primary, and what it says of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from agent.core.commit import Quiesced
from agent.core.ids import CommitNumber


@dataclass(frozen=True, slots=True)
class StoodStill:
    """What came of it. ``number``: the commit that holds all that was written before it was asked for, durable on the primary;
    ``reached``: how far the source stood still for that commit, and for so many ns: ``stood_still``; ``hooks``: what each of the
    operator's programs said, a line each, for people."""

    number: CommitNumber
    reached: Quiesced = Quiesced.FILE
    stood_still: int = 0
    hooks: tuple[str, ...] = ()


class Quiescing(Protocol):
    """Of one dataset on its primary, by its ``quiesce``. One call at a time."""

    def reach(self, quiesce: bool, still_wanted: Callable[[], None]) -> StoodStill:
        """Let the source stand still as the configuration says, or not at all without ``quiesce``, and commit what it is then.

        Calls ``still_wanted`` at least each second, which raises what is to end it. Raises ``TryAgain`` and ``Refused`` with what
        stands in the way; the source goes on then."""
        ...
