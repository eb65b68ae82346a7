"""The schedule of a group: datasets with one and the same are taken together, by whoever of them is due first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from agent.config.values import Dataset, Settings
from agent.core.errors import HikaeError, TryAgain
from agent.node.grouped.members import datasets_of

_STEP = 0.5
#: Of a group; calls the other at least each second, which raises what is to end it. Raises ``HikaeError``.
TakeAll: TypeAlias = Callable[[str, Callable[[], None]], object]


@dataclass(slots=True)
class _Round:
    """One time that a group is due (UTC ns). ``error``: why there is no moment of it."""

    due: int
    over: threading.Event = field(default_factory=threading.Event)
    error: HikaeError | None = None


class ScheduledGroups:
    """Of one node. Satisfies ``TakesWithOthers``. ``take``: one of each dataset of a group now, or of none."""

    def __init__(self, settings: Callable[[], Settings], take: TakeAll) -> None:
        self._settings = settings
        self._take = take
        self._lock = threading.Lock()
        self._rounds: dict[str, _Round] = {}

    def group_of(self, dataset: Dataset) -> str:
        """See ``TakesWithOthers``."""
        others = datasets_of(self._settings(), dataset.group or "")
        same = {one.generations.schedule for one in others} == {dataset.generations.schedule}
        return dataset.group or "" if len(others) > 1 and same else ""

    def take(self, group: str, due: int, still_wanted: Callable[[], None]) -> None:
        """See ``TakesWithOthers``."""
        with self._lock:
            known = self._rounds.get(group)
            is_first = known is None or known.due != due
            one = self._rounds[group] = known if known is not None and not is_first else _Round(due)
        if is_first:
            self._lead(group, one, still_wanted)
        while not one.over.wait(_STEP):
            still_wanted()
        if one.error is not None:
            raise one.error

    def _lead(self, group: str, one: _Round, still_wanted: Callable[[], None]) -> None:
        try:
            self._take(group, still_wanted)
        except HikaeError as error:
            one.error = error
        except BaseException as error:
            one.error = TryAgain("take a generation of the group", group, f"{type(error).__name__}: {error}")
            raise
        finally:
            one.over.set()
