"""One moment of all datasets of a group, on their primary.

::

    before_freeze of each, in order → each is ready? → what was written is committed → one freeze of all → one commit each
    after_thaw of each, the last first, whatever came before

What is committed is of that moment for all of them, or nothing is: a try that fails for one is none for the others, whose commits
are then like any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.capture.access.image import ImageLimits
from agent.capture.access.standstill import Standstill, StandstillLimits
from agent.capture.access.together import JointFreeze, TogetherLimits
from agent.capture.facts import CapturePhase
from agent.capture.tickets import Barrier
from agent.core.commit import Quiesced
from agent.core.errors import CalledOff, HikaeError, NotPermitted, Refused, TryAgain
from agent.core.ids import CommitNumber
from agent.fs.thaw_guard import CannotFreeze, FreezingDisks
from agent.generations.quiescing import StoodStill
from agent.node.reigning.quiescer import QuiescedSource, Quiescer

_OPERATION = "take one moment of the group"
_STEP = 0.2
_ONCE = StandstillLimits(tries=1)
#: What no second try mends.
_FINAL = (CannotFreeze, NotPermitted, Refused)


@dataclass(frozen=True, slots=True)
class GroupSource:
    """One dataset of a group on its primary: what captures it, and what runs its hooks."""

    source: QuiescedSource
    quiescer: Quiescer

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.source.dataset().name


@dataclass(frozen=True, slots=True)
class MomentLimits:
    """``patience``: seconds for all of it, hooks included; ``tries``: how often all may be frozen, ``between`` two of them so
    many seconds; ``one``: what a try may take of a tree, and ``whole``: of all of them, so many times as much at most;
    ``together``: how long they wait for one another."""

    patience: float = 90.0
    tries: int = 5
    between: float = 0.5
    one: StandstillLimits = _ONCE
    whole: int = 4
    together: TogetherLimits = field(default_factory=TogetherLimits)

    def of_each(self, count: int) -> StandstillLimits:
        """What a try may take of each of so many: memory, entries and open directories are of all of them together."""
        image, share = self.one.image, max(1, count / self.whole)
        objects, directories = int(image.objects / share), int(image.directories / share)
        return replace(self.one, image=ImageLimits(int(image.bytes / share), objects, directories, image.seconds))


@dataclass(frozen=True, slots=True)
class GroupMoment:
    """One moment that is asked for. ``still_wanted``: called at least each second, raises what is to end it."""

    group: str
    sources: Sequence[GroupSource]
    freezing: FreezingDisks
    still_wanted: Callable[[], None]
    limits: MomentLimits = field(default_factory=MomentLimits)

    def reach(self) -> dict[str, StoodStill]:
        """What came of it for each dataset. Raises ``TryAgain``, ``Refused``, ``NotPermitted``: there is no moment then."""
        until = time.monotonic() + self.limits.patience
        self._await_ready(until)
        return self._within_hooks(0, {}, until)

    def _within_hooks(self, at: int, reached: dict[str, Quiesced], until: float) -> dict[str, StoodStill]:
        """The hooks of those from ``at`` on, each around those of the next; ``reached``: by those before."""
        if at == len(self.sources):
            return self._captured(reached, until)
        one = self.sources[at]
        found: dict[str, StoodStill] = {}

        def inner(ready: Quiesced) -> StoodStill:
            found.update(self._within_hooks(at + 1, {**reached, one.name: ready}, until))
            return found[one.name]

        stood = one.quiescer.around(inner, self.still_wanted)
        return {**found, one.name: stood}

    # --- is each ready?

    def _await_ready(self, until: float) -> None:
        """Before anybody's application is brought to rest: a walk that goes on may end. Raises ``TryAgain``, ``Refused``."""
        for one in self.sources:
            self._require_able(one)
            while _is_looked_at(one.source):
                self.still_wanted()
                if time.monotonic() > until:
                    phase = one.source.pump.facts().phase
                    reason = f"{one.name}: all of it is being looked at ({phase}), and no moment comes before the end of that"
                    raise TryAgain(_OPERATION, self.group, reason, f"hikae status {one.name} shows how far it is")
                time.sleep(_STEP)
                self._require_able(one)

    def _require_able(self, one: GroupSource) -> None:
        """Raises ``TryAgain``, ``Refused`` for what does not end by itself."""
        if why := _unable(one.source):
            raise TryAgain(_OPERATION, self.group, f"{one.name}: {why}", f"hikae status {one.name} shows it")
        unsupported = one.source.why_not()
        if unsupported is not None:
            remedy = (
                f"take the generations of {one.name} by themselves, or put it on a filesystem that fanotify follows"
            )
            raise Refused(_OPERATION, self.group, f"{one.name}: {unsupported}", remedy)

    # --- the moment

    def _captured(self, reached: Mapping[str, Quiesced], until: float) -> dict[str, StoodStill]:
        error: HikaeError | None = None
        for _ in range(self.limits.tries):
            self._prepare(until)
            try:
                return self._tried(reached, until)
            except _FINAL as final:
                raise self._said(final) from final
            except TryAgain as again:
                error = again
            self._pause(self.limits.between)
        assert error is not None
        reason = f"in {self.limits.tries} tries: {error.reason}"
        raise TryAgain(_OPERATION, self.group, reason, error.remedy or "try when less changes")

    def _said(self, error: HikaeError) -> HikaeError:
        """With what it was about."""
        reason = f"{error.subject}: {error.reason}" if error.subject else error.reason
        remedy = error.remedy
        if isinstance(error, CannotFreeze):
            remedy = "the datasets of a group have one moment only where each filesystem can be frozen: take it out of the group"
            return Refused(_OPERATION, self.group, reason, remedy)
        return type(error)(_OPERATION, self.group, reason, remedy)

    def _prepare(self, until: float) -> None:
        """What was written until now is committed, so that little is left to be read while all stand still, and none of them
        waits long for another."""
        waiting = {one.name: one.source.pump.barrier() for one in self.sources}
        for one in self.sources:
            while not self._has_passed(one.name, waiting[one.name]):
                self._require_able(one)
                if time.monotonic() > until:
                    reason = f"{one.name}: what was written is not committed within {self.limits.patience:g} s"
                    raise TryAgain(_OPERATION, self.group, reason, f"hikae status {one.name} says why")

    def _has_passed(self, name: str, barrier: Barrier) -> bool:
        self.still_wanted()
        try:
            barrier.wait(_STEP)
        except CalledOff as error:
            raise TryAgain(_OPERATION, self.group, f"{name}: {error.reason}", error.remedy) from error
        except TryAgain:
            return False
        return True

    def _tried(self, reached: Mapping[str, Quiesced], until: float) -> dict[str, StoodStill]:
        """One freeze of all. Raises ``TryAgain`` and others with why it was none."""
        names = [one.name for one in self.sources]
        joint = JointFreeze(self.freezing, names, self.limits.together)
        asked: dict[str, Standstill] = {}
        limits = self.limits.of_each(len(names))
        try:
            for one in self.sources:
                pump, path = one.source.pump, one.source.dataset().path
                seat, ready = joint.seat(one.name), reached[one.name]
                asked[one.name] = pump.stand_still(self.freezing, path, limits, ready, seat)
            numbers = self._awaited(joint, asked, until)
        finally:
            over = TryAgain(_OPERATION, self.group, "nobody waits for it any more", "it is tried again")
            joint.call_off(over)
            for standstill in asked.values():
                standstill.cancel(over.reason)
        still = round(joint.stood * 1e9)
        return {name: StoodStill(number, reached[name], still) for name, number in numbers.items()}

    def _awaited(self, joint: JointFreeze, asked: Mapping[str, Standstill], until: float) -> dict[str, CommitNumber]:
        """Each one's commit. Raises as soon as one has none: then nobody else's counts."""
        found: dict[str, CommitNumber] = {}
        while len(found) < len(asked):
            for name in asked.keys() - found.keys():
                self.still_wanted()
                try:
                    found[name] = asked[name].wait(_STEP).number
                except HikaeError as error:
                    if asked[name].is_over:
                        raise joint.failure or _of(name, asked[name], error) from error
                    if joint.failure is not None:
                        raise joint.failure from error
                    if time.monotonic() > until:
                        raise _of(name, asked[name], error) from error
        return found

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.still_wanted()
            time.sleep(min(left, _STEP))


def _of(name: str, asked: Standstill, error: HikaeError) -> HikaeError:
    """Why one of them has no commit of the moment."""
    if isinstance(error, CalledOff):
        # Another moment took its place, or capture ended, which the next try tells.
        return TryAgain(_OPERATION, name, f"{name}: {error.reason}", error.remedy)
    if not isinstance(error, TryAgain):
        return type(error)(_OPERATION, name, error.reason, error.remedy)
    return TryAgain(_OPERATION, name, f"{name}: {asked.why_again}", "it is tried again")


def _unable(source: QuiescedSource) -> str:
    """Why a dataset can be part of no moment, "" where it can."""
    facts = source.pump.facts()
    if source.pump.ended:
        return "it is not captured: its capture has ended"
    if facts.hold is not None:
        return f"it is held: {facts.hold.sentence}"
    if facts.untracked:
        return "nothing tells what changes on the device (untracked)"
    return ""


def _is_looked_at(source: QuiescedSource) -> bool:
    """Whether all of it is being looked at, before the end of which nothing whole comes; a device is committed meanwhile, unless
    something may have been missed."""
    facts = source.pump.facts()
    return facts.doubt or (facts.phase is CapturePhase.RECONCILE and not source.always)
