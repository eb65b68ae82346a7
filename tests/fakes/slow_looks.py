"""Looks at a pair over a slow link, and which states are right by the truth of the link: what arrived, what is left, since when
it is cut. Judging is pure: it goes by looks alone."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise

from agent.status.check import check_line
from fakes.agents import Pair
from fakes.changing import written_to

HALF = 0.5
#: A peer is behind where what waits needs so many seconds at the rate of the last ones; it must be said, or must not be, where
#: the truth is so many times more, or less, whichever of these last seconds one takes.
BEHIND_SECONDS, BEHIND_FACTOR, RATE_SECONDS = 10.0, 1.5, (3.0, 5.0, 10.0)
#: What is not this late yet, in seconds, need not be called behind.
LATE_SECONDS = 5.0
#: The queue of a peer that streams; one that has more to get, or was away, may be in catchup.
QUEUE = 64 << 20
#: A cut link is found by pings within 20 s, and a status that is asked a moment later says so.
FOUND_SECONDS = 23.0
#: The pause between two calls is at most three times as long as all before since the call was lost, and at most 15 s; an attempt
#: that began before the link was back, and the new call itself, come on top. The problem goes a second after the call is there.
PAUSE_SECONDS, PAUSE_SHARE, ATTEMPT_SECONDS, PROBLEM_SECONDS = 15.0, 3.0, 6.0, 2.5
#: After the last byte is there.
END_SECONDS = 1.0

STREAMING, CATCHUP, BEHIND, FIRST_SYNC = "streaming", "catchup", "behind", "first-sync"
DISCONNECTED = "disconnected"
#: Before the first call: a node that starts may not serve before a peer has said so.
NO_CALL_YET = {"unconfirmed", DISCONNECTED}


@dataclass(frozen=True, slots=True)
class Look:
    """What status said, and what was true: ``at`` monotonic seconds; bytes; ``lag`` and ``forecast`` seconds or None; ``check``
    as `hikae check` ends; ``problems``: their codes; ``lacks``: what of the standby's tree was not there, seen after."""

    at: float
    state: str
    lag: float | None
    left: int
    forecast: float | None
    arrived: int
    check: int = 0
    problems: frozenset[str] = frozenset()
    lacks: int = 0

    def words(self, began: float) -> str:
        """For the record."""
        said = f"{self.state:<12} lag {self.lag}  left {self.left:,}  forecast {self.forecast}"
        problems = f"  {' '.join(sorted(self.problems))}" if self.problems else ""
        return f"{self.at - began:7.1f} s  {said}  arrived {self.arrived:,}  check {self.check}{problems}"


@dataclass(slots=True)
class Watched:
    """Looks at a pair each half second; ``lacking``: files that are asked for on the standby, by their sizes."""

    both: Pair
    lacking: dict[str, int]
    looks: list[Look] = field(default_factory=list)
    _enough: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Look until told to end."""
        while not self._enough.wait(HALF):
            self.look()

    def look(self) -> None:
        """One look; none while no agent answers."""
        arrived = packs(self.both)
        status = self.both.alpha.seen()
        if status is None or not status["datasets"][0]["peers"]:
            return
        at, seen = time.monotonic(), status["datasets"][0]
        peer, codes = seen["peers"][0], frozenset(one["code"] for one in seen["problems"])
        figures = peer["lag_seconds"], peer["behind_bytes"], peer["forecast_seconds"]
        one = Look(at, seen["state"], *figures, arrived, check_line(status)[1], codes)
        self.looks.append(replace(one, lacks=self._lacks()))

    def _lacks(self) -> int:
        there = {name: self.both.target / name for name in self.lacking}
        return sum(not path.exists() or path.stat().st_size != self.lacking[name] for name, path in there.items())

    def end(self) -> None:
        """No more looks."""
        self._enough.set()


def packs(both: Pair) -> int:
    """Bytes in the secondary's packs."""
    return sum(written_to(path) for path in (both.home(both.beta) / "vault/packs").glob("*.pack"))


@contextmanager
def watched(both: Pair, lacking: dict[str, int] | None = None) -> Iterator[Watched]:
    """Looks for as long as the block lasts, the first before it begins."""
    one = Watched(both, lacking or {})
    one.look()
    thread = threading.Thread(target=one.run, name="looks")
    thread.start()
    try:
        yield one
    finally:
        one.end()
        thread.join()


def arrived_at(looks: Sequence[Look], time: float) -> float:
    """What had arrived at a time, between two looks; before the first what had arrived then."""
    for one, other in pairwise(looks):
        if one.at <= time <= other.at:
            return one.arrived + (other.arrived - one.arrived) * (time - one.at) / (other.at - one.at)
    return looks[0].arrived if time < looks[0].at else looks[-1].arrived


def needed(looks: Sequence[Look], one: Look, left: int) -> tuple[float, float]:
    """The least and the most seconds that ``left`` bytes need at the rate of the last ones."""
    rates = [(one.arrived - arrived_at(looks, one.at - seconds)) / seconds for seconds in RATE_SECONDS]
    return tuple(left / rate if rate > 0 else math.inf for rate in (max(rates), min(rates)))  # type: ignore[return-value]


def working_off(left: int, seconds: tuple[float, float], lag: float, *, may_catch_up: bool) -> set[str]:
    """The states that are right while ``left`` bytes wait, which need ``seconds`` (least, most) and are ``lag`` seconds late."""
    least, most = seconds
    catchup = {CATCHUP} if may_catch_up and left else set()
    if left and least > BEHIND_SECONDS * BEHIND_FACTOR and lag > LATE_SECONDS:
        return {BEHIND} | catchup
    if not left or most < BEHIND_SECONDS / BEHIND_FACTOR:
        return {STREAMING} | catchup
    return {STREAMING, BEHIND} | catchup


@dataclass(frozen=True, slots=True)
class Cut:
    """The link is cut from ``began`` to ``ended`` (monotonic seconds)."""

    began: float
    ended: float


def by_the_cut(one: Look, looks: Sequence[Look], cuts: Sequence[Cut], otherwise: set[str]) -> set[str]:
    """The states that are right beside a link that is cut, and comes back: ``disconnected`` once that is found, until a call is
    there again; ``otherwise``: where it is connected. What is cut for less than it takes to be found is no disconnection."""
    last = max((cut for cut in cuts if cut.began <= one.at), key=lambda cut: cut.began, default=None)
    if last is None:
        return otherwise
    if one.at < last.ended:
        return {DISCONNECTED} if one.at - last.began > FOUND_SECONDS else {DISCONNECTED} | otherwise
    if is_short(last) or one.at - last.ended > back_within(last, looks):
        return otherwise
    since = [look for look in looks if last.ended < look.at < one.at]
    return otherwise if any(look.state != DISCONNECTED for look in since) else {DISCONNECTED} | otherwise


def back_within(cut: Cut, looks: Sequence[Look]) -> float:
    """Seconds after its end within which a call is there again; 0.0 if it was never lost."""
    lost = [look.at for look in looks if cut.began <= look.at < cut.ended and look.state == DISCONNECTED]
    pause = min(PAUSE_SECONDS, PAUSE_SHARE * (cut.ended - min(lost, default=cut.ended)))
    return pause + ATTEMPT_SECONDS if lost else 0.0


def is_short(cut: Cut) -> bool:
    """Whether nobody need notice it: TCP sends again what was lost."""
    return cut.ended - cut.began < 2.0


def false_states(looks: Sequence[Look], whole: int, began: float, *, size: int, cuts: Sequence[Cut] = ()) -> list[str]:
    """What status said of how a burst goes that was not so, in words: ``size`` bytes were written from ``began`` on, and the
    packs have ``whole`` bytes in the end."""
    found = []
    end = next(one.at for one in looks if one.arrived >= whole)
    for one in looks:
        if one.at < began:
            continue
        left = min(size, whole - one.arrived)
        # The last byte stands in the pack a moment before it is on the disk, and that is told.
        waits = left or int(one.at < end + END_SECONDS)
        seconds, away = needed(looks, one, waits), any(cut.began <= one.at for cut in cuts)
        right = working_off(waits, seconds, one.at - began, may_catch_up=away or size > QUEUE)
        right = by_the_cut(one, looks, cuts, right)
        if one.state not in right:
            least, most = seconds
            truth = f"{left:,} bytes left that need {least:.1f} to {most:.1f} s"
            found.append(f"{one.at - began:.1f} s: {one.state}, with {truth}, is not {' or '.join(sorted(right))}")
    return found


def standing_problems(looks: Sequence[Look], began: float) -> list[str]:
    """Looks at which the problem `disconnected` stood although a call was there for longer than it may, in words."""
    found = []
    for one in looks:
        before = [look.at for look in looks if look.at <= one.at and look.state == DISCONNECTED]
        if DISCONNECTED in one.problems and one.at - max(before, default=-math.inf) > PROBLEM_SECONDS:
            found.append(f"{one.at - began:.1f} s: the problem disconnected stands, in {one.state}")
    return found


def false_first_sync(looks: Sequence[Look], began: float) -> list[str]:
    """What status or check said of a first sync that was not so, in words: it is under way from the first call on until the tree
    stands there."""
    found = []
    connected = next((one.at for one in looks if one.state not in NO_CALL_YET), math.inf)
    over = next((one.at for one in looks if not one.lacks), math.inf)
    for one in looks:
        if one.lacks:
            right = {FIRST_SYNC} if one.at >= connected else NO_CALL_YET
        else:
            right = {FIRST_SYNC, STREAMING} if one.at < over + END_SECONDS else {STREAMING}
        if one.state not in right or (one.lacks and not one.check):
            said = f"{one.state}, check ends with {one.check}, {one.lacks} files are not there"
            found.append(f"{one.at - began:.1f} s: {said}: not {' or '.join(sorted(right))}")
    return found
