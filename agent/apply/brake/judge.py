"""The brake at work: follows the catalog with a window of counts, and asks history exactly only when one of them passes a limit.

It judges what stands between the window's beginning, or what the standby equals if that is older, and the target. So what was
paused or held for long is judged whole, and a hold does not end because time goes by.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.apply.brake.limits import (
    StateCounts,
    is_guarded,
    judge_lineage,
    mass_deletion,
    mass_rewriting,
    too_many,
)
from agent.apply.brake.loss_window import Window, WindowMark, window_mark
from agent.apply.brake.loss_words import LossWords
from agent.apply.ports import CatalogView
from agent.config.values import Brake
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.hold import Hold
from agent.core.ids import NOTHING, CommitNumber

#: Asking history takes at most this part of the time: a count as costly as that stands for a while, with what ended since on top.
ASK_SHARE = 0.1
#: A share of what stood, deleted or rewritten, at which that is kept; counted as what ended, which is no less.
NOTED = 0.01


@dataclass(frozen=True, slots=True)
class _Answer:
    """What history said of the way from ``base``: losses, when it was asked, and until when it stands (monotonic seconds)."""

    base: CommitNumber
    deleted: int
    rewritten: int
    until: float


@dataclass(frozen=True, slots=True)
class Reached:
    """Where the apply is. ``applied``: what the standby equals (``NOTHING``: unknown); ``accepted``: the newest commit that an
    operator let pass; ``pinned``: from where a hold was judged that stands, ``NOTHING`` for none."""

    applied: CommitNumber
    accepted: CommitNumber
    pinned: CommitNumber

    def floor(self, target: Commit) -> CommitNumber:
        """What is judged begins here at the latest."""
        known = self.applied or target.number
        return min(known, self.pinned) if self.pinned else known


class Guard:
    """Judges targets, each newer than the one before. Used by one thread."""

    def __init__(self, limits: Brake, clock: Clock, words: LossWords) -> None:
        """``words``: how losses of the dataset's kind are found and told."""
        self._words = words
        self._limits = limits
        self._clock = clock
        self._window = Window(limits.window)
        self._seen: Commit | None = None
        self._accepted = NOTHING
        self._answer: _Answer | None = None
        self._hold: Hold | None = None
        self._hold_until = 0.0
        #: From where the newest hold was judged.
        self.base = NOTHING
        #: From where, at the newest look that found so, more than a hundredth has ended: what stood there is worth keeping.
        self.noted = NOTHING

    def limit(self, limits: Brake) -> None:
        """From now on these are the limits; a hold that stands is judged anew."""
        if limits == self._limits:
            return
        self._limits, self._window = limits, Window(limits.window)
        self._seen = self._hold = None

    def judge(self, view: CatalogView, target: Commit, reached: Reached) -> Hold | None:
        """The hold that forbids going on to ``target``, or None. Raises errors of the catalog."""
        if reached.accepted > self._accepted:
            self._accepted = reached.accepted
            self._seen = self._hold = None
        begun = self._clock.monotonic()
        if self._hold is None or begun >= self._hold_until:
            self._hold = self._judge_lineage(view, target, reached) or self._judge_window(view, target, reached)
            self._hold_until = self._pause(begun)
        return self._hold

    def _judge_lineage(self, view: CatalogView, target: Commit, reached: Reached) -> Hold | None:
        begun = self._begun_anew(view, reached.applied, target)
        if not begun or not target.consistent or reached.accepted >= begun:
            return None
        applied = _commit(view, reached.applied)
        if applied is None:
            return None
        self.base = reached.applied
        return judge_lineage(self._limits, StateCounts(applied.entries, applied.bytes), target, self._words)

    def _judge_window(self, view: CatalogView, target: Commit, reached: Reached) -> Hold | None:
        if not self._follow(view, target, reached):
            return None
        return self._weigh(view, target, self._window.base(target.received, reached.floor(target)))

    def _pause(self, begun: float) -> float:
        """Until when an answer stands that was asked for at ``begun`` and came now, monotonic seconds."""
        now = self._clock.monotonic()
        return now + (now - begun) / ASK_SHARE

    def _begun_anew(self, view: CatalogView, after: CommitNumber, target: Commit) -> CommitNumber:
        return NOTHING if after in (NOTHING, target.parent) else view.begun_anew(after, target.number)

    # -- following the catalog -----------------------------------------------------------------------------------------

    def _follow(self, view: CatalogView, target: Commit, reached: Reached) -> bool:
        """Bring the window up to the target; False when there is nothing before it yet that could be lost."""
        seen = self._seen
        if seen is None or self._begun_anew(view, seen.number, target):
            seen = self._seen = self._anchor(view, target, reached)
            self._answer = None
            if seen is None:
                return False
            self._window.begin(window_mark(seen))
        if target.number > seen.number:
            self._advance(view, seen, target, reached.floor(target))
        return True

    def _anchor(self, view: CatalogView, target: Commit, reached: Reached) -> Commit | None:
        """The first mark: the newest commit before the window (and the floor), but none of a first sync, none before what
        was accepted, and none that history does not reach."""
        first = view.first_consistent(view.begun_anew(NOTHING, target.number), target.number)
        if first is None:
            return None
        before = view.last_before(NOTHING, reached.floor(target), self._window.start(target.received))
        least = max(first, reached.accepted, view.horizon(), before)
        found = view.commits(CommitNumber(least - 1), 1)
        return found[0] if found and found[0].number <= target.number else None

    def _advance(self, view: CatalogView, seen: Commit, target: Commit, floor: CommitNumber) -> None:
        window = self._window
        if window.stretch_of(target.received) > window.stretch_of(seen.received):
            self._mark(view, seen, target)
            window.trim(target.received, floor)
        names, objects = view.losses(self._words.kind).ended(seen.number, target.number, window.marks[0].number)
        window.names_ended(names)
        window.objects_ended(objects)
        self._seen = target

    def _mark(self, view: CatalogView, seen: Commit, target: Commit) -> None:
        """The last commit of every stretch that is over now, and the last before the window."""
        window = self._window
        window.add(window_mark(seen))
        start = window.start(target.received)
        before = view.last_before(seen.number, target.number, start)
        for number in (before, *view.last_of_stretches(seen.number, target.number, start, window.stretch)):
            commit = _commit(view, number) if number < target.number else None
            if commit is not None:
                window.add(window_mark(commit))

    # -- weighing ------------------------------------------------------------------------------------------------------

    def _weigh(self, view: CatalogView, target: Commit, base: WindowMark) -> Hold | None:
        if not is_guarded(self._limits, base.entries):
            return None
        if too_many(base.names, NOTED, base.entries) or too_many(base.objects, NOTED, base.files):
            self.noted = base.number
        deleted = too_many(base.names, self._limits.deleted, base.entries)
        rewritten = too_many(base.objects, self._limits.rewritten, base.files)
        if not (deleted or rewritten) or self._answer_stands(base, deleted=deleted, rewritten=rewritten):
            return None
        if self._carry_on(view, target, base) and self._answer_stands(base, deleted=deleted, rewritten=rewritten):
            return None
        return self._ask(view, target, base, deleted=deleted, rewritten=rewritten)

    def _answer_stands(self, base: WindowMark, *, deleted: bool, rewritten: bool) -> bool:
        """Whether the last answer, with all that ended since, is within the limits."""
        answer, asked = self._answer, self._window.asked
        if answer is None or asked is None or self._is_outdated(answer, base):
            return False
        limits = self._limits
        return not (deleted and too_many(answer.deleted + asked.names, limits.deleted, base.entries)) and not (
            rewritten and too_many(answer.rewritten + asked.objects, limits.rewritten, base.files)
        )

    def _is_outdated(self, answer: _Answer, base: WindowMark) -> bool:
        return answer.base != base.number and self._clock.monotonic() >= answer.until

    def _carry_on(self, view: CatalogView, target: Commit, base: WindowMark) -> bool:
        """Bring the last answer up to the target, which costs what changed since it was given; False where that cannot be."""
        answer, asked = self._answer, self._window.asked
        if answer is None or asked is None or self._is_outdated(answer, base):
            return False
        more = view.losses(self._words.kind).lost_more(answer.base, asked.number, target.number)
        if more is None:
            return False
        self._answer = replace(
            answer, deleted=answer.deleted + more.deleted, rewritten=answer.rewritten + more.rewritten
        )
        self._window.asked = window_mark(target)
        return True

    def _ask(
        self, view: CatalogView, target: Commit, base: WindowMark, *, deleted: bool, rewritten: bool
    ) -> Hold | None:
        begun, now = self._clock.monotonic(), self._clock.now_ns()
        self.base = base.number
        gone, other = base.names, base.objects
        losses = view.losses(self._words.kind)
        if deleted:
            gone = losses.deleted(base.number, target.number)
            if too_many(gone, self._limits.deleted, base.entries):
                first = _commit(view, losses.first_deleted(base.number, target.number))
                one = losses.one_deleted(base.number, target.number)
                return mass_deletion(self._words, gone, base.entries, first or target, now, one)
        if rewritten:
            other = losses.rewritten(base.number, target.number)
            if too_many(other, self._limits.rewritten, base.files):
                first = _commit(view, losses.first_rewritten(base.number, target.number))
                one = losses.one_rewritten(base.number, target.number)
                return mass_rewriting(self._words, other, base.files, first or target, now, one)
        self._window.asked = window_mark(target)
        self._answer = _Answer(base.number, gone, other, self._pause(begun))
        return None


def _commit(view: CatalogView, number: CommitNumber) -> Commit | None:
    found = view.commits(CommitNumber(number - 1), 1) if number else []
    return found[0] if found and found[0].number == number else None
