"""One verify: its walk in slices, a repair where that is asked for, and the walk again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.apply.bounds import VerifyLimits
from agent.apply.commit_numbers import counts_at
from agent.apply.results import ApplyProgress, Report, RootFailed, VerifyReport
from agent.apply.verifying.comparison import Comparison
from agent.apply.verifying.walk import Steps, VerifyWalk
from agent.core.errors import NotFound
from agent.core.ids import NOTHING

#: So many files that change all the time are named.
_CHANGING_LISTED = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """What a verify is asked for. ``deep``: every byte and hole too; ``repair``: makes what differs as it should be, given what
    was found, and says whether it did anything; None: nothing is changed."""

    deep: bool
    progress: Report
    repair: Callable[[VerifyReport], bool] | None = None


class Verification:
    """In slices: :meth:`turn`, by the applying thread, between two converges. ``moment`` says what is to be compared, and raises
    where nothing can be. ``clock``: seconds that never fall."""

    def __init__(
        self,
        asked: Asked,
        moment: Callable[[], Comparison],
        clock: Callable[[], float],
        limits: VerifyLimits,
    ) -> None:
        self._asked = asked
        self._moment = moment
        self._clock = clock
        self._limits = limits
        self._repair = asked.repair
        self._walk: VerifyWalk | None = None
        self._found: VerifyReport | None = None
        self._anew = 0
        self._slice = limits.slice
        self._left = 0
        self._waits_since: float | None = None
        self._steps: Steps = iter(())
        #: How far it is.
        self.progress = ApplyProgress()

    def rest_after(self, took: float) -> float:
        """How long nothing is to be done after a slice of so many seconds, where others come first."""
        return self._limits.share * took

    def turn(self, *, whole: bool = False) -> VerifyReport | None:
        """A slice, or with ``whole`` all that is left; the report once it is through. Raises as ``moment``, and ``RootFailed``
        where more changes than can be looked at."""
        now = self._moment()
        walk = self._begun(now)
        if now.number == NOTHING:
            return _report(walk, self._asked.deep)
        try:
            is_through = self._slice_of(walk, whole=whole)
        finally:
            walk.end()
        total = counts_at(now.view, now.number)
        self.progress = ApplyProgress(walk.checked_entries, total.entries, walk.check.bytes, total.bytes)
        self._asked.progress(self.progress)
        return self._ended(_report(walk, self._asked.deep)) if is_through else None

    def _begun(self, now: Comparison) -> VerifyWalk:
        walk = self._walk
        if walk is None:
            walk = self._new_walk(now)
        try:
            if walk.begin(now):
                return walk
        except NotFound:
            pass  # the history between is gone: nobody knows what changed
        self._anew += 1
        if self._anew > self._limits.anew:
            reason = "more changes than can be looked at: it was begun anew again and again"
            raise RootFailed("verify", "", reason, "try it again when less is written, or pause the apply meanwhile")
        return self._new_walk(now)

    def _new_walk(self, now: Comparison) -> VerifyWalk:
        self._walk = VerifyWalk(now, deep=self._asked.deep, changed_kept=self._limits.changed)
        self._steps = self._walk.steps()
        return self._walk

    def _slice_of(self, walk: VerifyWalk, *, whole: bool) -> bool:
        """Whether all was compared."""
        ends = self._clock() + self._slice
        for waits in self._steps:
            if waits and self._waited(walk, whole=whole):
                break
            if not whole and self._clock() >= ends:
                break
        else:
            return True
        self._fit(walk.left)
        return False

    def _fit(self, left: int) -> None:
        """What is left to be looked at again must become less in the end."""
        grows = left and left >= self._left > 0
        self._slice = self._slice * self._limits.growth if grows else self._limits.slice
        self._left = left

    def _waited(self, walk: VerifyWalk, *, whole: bool) -> bool:
        """Whether to wait longer for files that are being written."""
        now = self._clock()
        self._waits_since = self._waits_since if self._waits_since is not None else now
        if not whole and now - self._waits_since < self._limits.waits:
            return True
        walk.give_up_waiting()
        return False

    def _ended(self, report: VerifyReport) -> VerifyReport | None:
        """The walk is through; where it is asked for, what it found is mended and looked at again."""
        if self._found is not None:
            return replace(report, repaired=max(0, _count(self._found) - _count(report)))
        if self._repair is None:
            return report
        if not self._repair(report):
            return report
        self._found, self._walk = report, None
        return None


def _count(report: VerifyReport) -> int:
    return len(report.differences) + report.more


def _report(walk: VerifyWalk, deep: bool) -> VerifyReport:
    found = walk.found
    return VerifyReport(
        found.equal,
        walk.checked_entries,
        walk.check.bytes if deep else 0,
        found.listed(),
        found.more,
        number=walk.at,
        owed=len(found.owed),
        owed_paths=tuple(found.owed_paths),
        changing=tuple(sorted(found.changing.values())[:_CHANGING_LISTED]),
    )
