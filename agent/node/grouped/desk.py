"""Moments of groups that peers ask a primary for: each dataset in its own call, all of them answered by one moment.

Law 6: a peer asks for the groups that are configured here and no others, for one moment of a group at a time, and the sources
rest ten times as long as the last one took before he is heard again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from agent.core.clock import Clock
from agent.core.errors import HikaeError, TryAgain
from agent.core.ids import NOTHING
from agent.fs.thaw_guard import FreezingDisks
from agent.generations.quiescing import StoodStill
from agent.node.grouped.moment import GroupMoment, GroupSource, MomentLimits
from agent.node.reigning.barrier_desk import BarrierDesk
from agent.status.text import shown
from agent.stream.messages import AskBarrier, BarrierReached, Together

_OPERATION = "take one moment of the group"
Told: TypeAlias = Callable[[BarrierReached], None]


@dataclass(frozen=True, slots=True)
class DeskLimits:
    """``gather``: seconds within which every dataset's call is to ask; ``rest``: before the next moment the sources go on so many
    times as long as the last one took, ``least`` seconds at least."""

    gather: float = 10.0
    rest: float = 10.0
    least: float = 2.0
    moment: MomentLimits = field(default_factory=MomentLimits)


@dataclass(frozen=True, slots=True)
class _Ended:
    """What came of a moment, and for how many seconds it went on."""

    stood: Mapping[str, StoodStill]
    failure: HikaeError | None = None
    took: float = 0.0


@dataclass(slots=True)
class _Gathering:
    """One moment: who asked for it so far. ``void``: why there will be none; ``runs``: nobody joins it any more; ``ended``: there
    is one, or why not."""

    peer: str
    together: Together
    asked: dict[str, tuple[AskBarrier, Told]] = field(default_factory=dict)
    void: str = ""
    runs: bool = False
    ended: _Ended | None = None
    thread: threading.Thread | None = None

    def waits_for(self, group: str) -> bool:
        """Whether a moment of this group that begins now is one for it."""
        is_whole = self.asked.keys() == set(self.together.datasets)
        return is_whole and self.together.group == group and self.ended is None and not self.void


class GroupDesk:
    """Of one node. Every method by any thread. ``configured``: the datasets of a group, in order, as they are configured now."""

    def __init__(
        self,
        configured: Callable[[str], Sequence[str]],
        freezing: FreezingDisks,
        clock: Clock,
        limits: DeskLimits = DeskLimits(),
        reach: Callable[[GroupMoment], dict[str, StoodStill]] = GroupMoment.reach,
    ) -> None:
        self._configured = configured
        self._freezing = freezing
        self._clock = clock
        self._limits = limits
        self._reached = reach
        self._condition = threading.Condition()
        self._sources: dict[str, GroupSource] = {}
        self._gathering: dict[tuple[str, str], _Gathering] = {}
        #: By group, those whom the moment that goes on is for.
        self._under_way: dict[str, list[_Gathering]] = {}
        self._rests_until: dict[tuple[str, str], float] = {}

    def enter(self, source: GroupSource) -> None:
        """A dataset is captured here from now on."""
        with self._condition:
            self._sources[source.name] = source

    def leave(self, name: str) -> None:
        """A dataset is being closed: moments that it is part of end. Waits."""
        with self._condition:
            self._sources.pop(name, None)
            ending = [one for one in self._gathering.values() if name in one.together.datasets]
            for one in ending:
                one.void = one.void or f"{name} is being closed"
            self._condition.notify_all()
        for one in ending:
            if one.thread is not None:
                one.thread.join()

    def begin(self, name: str, peer: str, ask: AskBarrier, told: Told) -> None:
        """A peer asks in the call of one dataset. Returns at once; ``told`` is called once, by any thread, unless it stops."""
        assert ask.together is not None
        with self._condition:
            why = self._enlisted(name, peer, ask, told)
        if why:
            told(_failure(ask, TryAgain(_OPERATION, name, why, f"see hikae status {name} on both nodes")))

    # --- with the lock held

    def _enlisted(self, name: str, peer: str, ask: AskBarrier, told: Told) -> str:
        """Why it is not; "" where it is."""
        together, key = ask.together, (peer, ask.together.group if ask.together else "")
        assert together is not None
        if why := self._other_members(name, peer, together):
            return why
        one = self._gathering.get(key)
        if one is not None and one.together != together:
            return f"another moment of group {together.group} is being taken for {peer}"
        if one is None:
            left = self._rests_until.get(key, 0.0) - self._clock.monotonic()
            if left > 0:
                return f"{peer} asked for one a moment ago: again in {left:.0f} s"
            one = self._gathering[key] = _Gathering(peer, together)
            one.thread = threading.Thread(target=self._run, args=(key, one), name=f"moment-{together.group}")
            one.thread.start()
        if one.runs:
            return f"the moment of group {together.group} has begun without {name}"
        one.asked[name] = ask, told
        self._condition.notify_all()
        return ""

    def _other_members(self, name: str, peer: str, together: Together) -> str:
        """Why these are not the datasets of the group, "" where they are."""
        ours, theirs = set(self._configured(together.group)), set(together.datasets)
        if name not in ours or name not in theirs:
            return f"{name} is in no group {together.group} here"
        if lacking := ours - theirs:
            return f"{_listed(lacking)} of group {together.group} is not kept by {peer} as the others are"
        if more := theirs - ours:
            return f"{_listed(more)} is in group {together.group} on {peer} alone"
        if closed := ours - self._sources.keys():
            return (
                f"{_listed(closed)} of group {together.group} is not captured here now (another role, or not running)"
            )
        return ""

    # --- the moment

    def _run(self, key: tuple[str, str], one: _Gathering) -> None:
        try:
            sources = self._gathered(one)
            ended = self._shared(one) or self._led(one, sources)
        except HikaeError as error:
            ended = _Ended({}, error)
        finally:
            with self._condition:
                self._gathering.pop(key, None)
        with self._condition:
            rests = max(self._limits.least, self._limits.rest * ended.took)
            self._rests_until[key] = self._clock.monotonic() + rests
        for name, (ask, told) in one.asked.items():
            told(_failure(ask, ended.failure) if ended.failure is not None else _answer(ask, ended.stood[name]))

    def _shared(self, one: _Gathering) -> _Ended | None:
        """Wait until no other moment of the group goes on; what came of one that another peer waited for too, where that began
        after this one was asked for. Raises ``TryAgain``."""
        group = one.together.group
        with self._condition:
            self._condition.wait_for(lambda: one.void or one.ended is not None or group not in self._under_way)
            if one.ended is None and not one.void:
                self._under_way[group] = [each for each in self._gathering.values() if each.waits_for(group)]
        if one.ended is None:
            self._require_wanted(one)
        return one.ended

    def _led(self, one: _Gathering, sources: Sequence[GroupSource]) -> _Ended:
        """One moment for all who wait for it."""
        began = self._clock.monotonic()
        ended = _Ended(
            {}, TryAgain(_OPERATION, one.together.group, "it came to no end", "see the journal of the agent")
        )
        try:
            ended = _Ended(self._reach(one, sources), took=self._clock.monotonic() - began)
        except HikaeError as error:
            ended = _Ended({}, error, self._clock.monotonic() - began)
        finally:
            with self._condition:
                for each in self._under_way.pop(one.together.group):
                    each.ended = ended
                self._condition.notify_all()
        return ended

    def _gathered(self, one: _Gathering) -> list[GroupSource]:
        """The sources, once each was asked for, in the order of the configuration. Raises ``TryAgain``."""
        wanted = set(one.together.datasets)
        with self._condition:
            self._condition.wait_for(lambda: one.void or wanted == one.asked.keys(), self._limits.gather)
            one.runs = True
            sources = [self._sources.get(name) for name in self._configured(one.together.group)]
            missing = wanted - one.asked.keys()
        self._require_wanted(one)
        found = [source for source in sources if source is not None]
        if missing or len(found) < len(wanted):
            reason = (
                f"{one.peer} did not ask in the call of {_listed(missing or wanted)} within {self._limits.gather:g} s"
            )
            raise TryAgain(_OPERATION, one.together.group, reason, "see hikae status for the calls")
        return found

    def _reach(self, one: _Gathering, sources: Sequence[GroupSource]) -> dict[str, StoodStill]:
        group, limits = one.together.group, self._limits.moment
        return self._reached(GroupMoment(group, sources, self._freezing, lambda: self._require_wanted(one), limits))

    def _require_wanted(self, one: _Gathering) -> None:
        if one.void:
            raise TryAgain(_OPERATION, one.together.group, one.void, "it is asked again")


@dataclass(frozen=True, slots=True)
class PeerAsks:
    """What peers ask in the calls of one dataset: of it alone, or with the others of its group. Satisfies ``PeerBarriers``."""

    dataset: str
    alone: BarrierDesk
    together: GroupDesk

    def begin(self, peer: str, ask: AskBarrier, told: Told) -> None:
        """See ``stream.sending.sender.PeerBarriers``."""
        if ask.together is None:
            self.alone.begin(peer, ask, told)
        else:
            self.together.begin(self.dataset, peer, ask, told)


def _answer(ask: AskBarrier, stood: StoodStill) -> BarrierReached:
    assert ask.together is not None
    hooks = tuple(map(shown, stood.hooks))
    return BarrierReached(ask.id, stood.number, stood.reached, stood.stood_still, hooks, "", ask.together.moment)


def _failure(ask: AskBarrier, error: HikaeError) -> BarrierReached:
    """What is told where there is no moment: why, what to do, and whether a later try may mend it."""
    assert ask.together is not None
    reason, remedy, moment = shown(error.reason), shown(error.remedy), ask.together.moment
    lasting = not isinstance(error, TryAgain)
    return BarrierReached(ask.id, NOTHING, failed=reason, moment=moment, remedy=remedy, lasting=lasting)


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))
