"""How far back the catalog must reach for a standby: to where a redo begins, and from where a hold was judged."""

from __future__ import annotations

from agent.apply.checkpoint import CHECKPOINT, LATE
from agent.apply.commit_numbers import number_of, numbers_of
from agent.apply.holds import PINNED
from agent.apply.ports import LocalFacts
from agent.core.ids import CommitNumber


def needed_history(local: LocalFacts) -> CommitNumber:
    """The oldest commit that is still asked for; ``NOTHING`` where all may be, as long as nothing stands for sure. Any thread."""
    stands = number_of(local.value(CHECKPOINT))
    whole, *_ = numbers_of(local.value(LATE)) or (stands,)
    return min(stands, whole, number_of(local.value(PINNED)) or stands)
