"""Paths that moved while they were looked at: looked at again, but not for ever."""

from __future__ import annotations

from agent.capture.path_problems import PathProblems
from agent.capture.tree.trail import Trail
from agent.core.recent_map import RecentMap

_RETRIES = 20
_REMEMBERED = 10_000


class Retries:
    """How often each path was given back. Belongs to one looker; it is never told that a path came to rest, so a path that is
    given back so often over a long time is called restless once too."""

    def __init__(self, problems: PathProblems) -> None:
        self._problems = problems
        self._given_back = RecentMap[bytes, int](_REMEMBERED)

    def give_back(self, trail: Trail, path: bytes, why: OSError | None = None) -> None:
        """Have a path looked at again soon: what stands there moved meanwhile, or there was an error that may pass."""
        times = self._given_back.pop(path, 0) + 1
        if times > _RETRIES:
            self._problems.unreadable(path, why or OSError("it never stands still"))
            return
        self._given_back.remember(path, times)
        trail.look_again(path)
