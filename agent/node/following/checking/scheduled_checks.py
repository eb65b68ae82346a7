"""``generations verify`` by schedule: a share of what the vault keeps is read and checked each time, so that shares go round.

A thread of its own reads, for as long as that takes: in slices, after each of which it rests, and without a lock that anybody
waits for. What is known to be lost is looked at again each hour.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from agent.config.values import Dataset
from agent.core.clock import Clock
from agent.core.errors import HikaeError, TryAgain
from agent.core.kept import VaultCheck
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import GENERATIONS_UNVERIFIED
from agent.generations.checked_names import PLACES
from agent.node.following.checking.check_record import CheckRecord
from agent.node.following.checking.checked_chunks import Checkable, CheckedChunks, ChunksWanted, check_chunks
from agent.node.following.checking.verify_schedule import VerifySchedule
from agent.status.figures import clock_text, span_text, stamp

#: By so many names the others are estimated, to a thirtieth.
_SAMPLED = 1000
_log = structlog.get_logger("node")


@dataclass(frozen=True, slots=True)
class CheckLimits:
    """``names``: about so many are looked at in one way through the rows, after which it is kept that they were. ``slice``:
    seconds of work, after which it rests ``rest`` times as long, ``rest_most`` seconds at most. ``again``: seconds until what did
    not come to its end is tried again; ``look_again``: until what is lost is looked at again."""

    names: int = 200_000
    slice: float = 0.05
    rest: float = 3.0
    rest_most: float = 2.0
    again: float = 600.0
    look_again: float = 3600.0


AS_USUAL = CheckLimits()


class Checked(Checkable, Protocol):
    """A standby that is open (``node.standby.Standby``)."""

    dataset: Dataset

    @property
    def is_settled(self) -> bool:
        """Whether it is past its first sync, so that there is something to be checked."""
        ...


class ScheduledChecks:
    """Of one standby. ``tick``, ``leave`` and ``close`` belong to one thread. ``slot``: has one place, for whoever checks by
    schedule on this node."""

    def __init__(
        self,
        side: Checked,
        record: CheckRecord,
        board: ProblemBoard,
        clock: Clock,
        slot: threading.Semaphore,
        limits: CheckLimits = AS_USUAL,
    ) -> None:
        self.record = record
        self._side = side
        self._board = board
        self._clock = clock
        self._slot = slot
        self._limits = limits
        self._line = side.dataset.generations.verify
        self._since = 0
        self._judged: tuple[object, int | None, int | None] = (None, None, None)
        self._not_before = self._look_at = 0.0
        self._trouble = self._told = ""
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def tick(self) -> None:
        """Once a second: begin what is due, and tell what is overdue."""
        now = self._clock.now_ns()
        due, overdue = self._moments(now)
        self._tell(now, overdue is not None and now >= overdue)
        if self._stop.is_set() or self._is_at_work() or not self._side.is_settled:
            return
        if self._clock.monotonic() < self._not_before:
            return
        if due is not None and now >= due:
            self._begin(self._check_share)
        elif self.record.lost and self._clock.monotonic() >= self._look_at:
            self._begin(self._look_again)

    def leave(self) -> None:
        """What is under way ends within a moment. Does not wait."""
        self._stop.set()

    def close(self) -> None:
        """End what is under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _is_at_work(self) -> bool:
        if self._thread is not None and not self._thread.is_alive():
            self._thread.join()
            self._thread = None
        return self._thread is not None

    def _moments(self, now: int) -> tuple[int | None, int | None]:
        """When the next share is due, and from when on all is overdue; looked for anew once anything of it changed."""
        terms, name = self._side.dataset.generations, self._side.dataset.name
        if terms.verify != self._line:
            # What another schedule would have asked for before it was written is not made up for.
            self._line, self._since = terms.verify, now
        if terms.verify == "none":
            return None, None
        self.record.begin(now)
        ran = min(now, max(self.record.began, self.record.ran, self._since))
        read = min(now, self.record.names.since or self.record.began)
        asked = (ran, read, terms.verify, terms.verify_share, terms.verified_within)
        if asked != self._judged[0]:
            schedule = VerifySchedule(terms.verify, f"{name} generations")
            shares, within = math.ceil(1 / terms.verify_share), terms.verified_within * 10**9
            self._judged = (asked, schedule.due(ran), schedule.lap_overdue(max(read, self._since), shares, within))
        return self._judged[1:]

    def _begin(self, work: Callable[[], None]) -> None:
        if not self._slot.acquire(blocking=False):
            return
        name = self._side.dataset.name
        self._thread = threading.Thread(target=self._work, args=(work,), name=f"check-{name}")
        try:
            self._thread.start()
        except BaseException:
            self._thread = None
            self._slot.release()
            raise

    def _work(self, work: Callable[[], None]) -> None:
        try:
            work()
            self._trouble = ""
        except (HikaeError, OSError) as error:
            if not self._stop.is_set():
                self._failed(error)
        finally:
            self._slot.release()

    def _check_share(self) -> None:
        """A share of all names, in parts that each are kept as checked: who is ended has not begun in vain."""
        terms = self._side.dataset.generations
        left, tally = math.ceil(terms.verify_share * PLACES), VaultCheck(0, 0, 0, 0)
        part = part_of_ring(self._side.vault, self._limits.names)
        while left > 0:
            now = self._clock.now_ns()
            range = self.record.names.ahead(min(left, part), now, terms.verified_within * 10**9)
            if range is None:
                break
            found = self._check(range.has)
            self.record.checked_share(range, now, found)
            left -= range.width
            tally = _added(tally, found)
        now = self._clock.now_ns()
        self.record.ended(now, replace(tally, time_ns=now) if tally.checked_bytes or tally.damaged else None)

    def _look_again(self) -> None:
        """What is lost may be there again, or nothing may need it any more."""
        lost = self.record.lost
        self.record.checked_some(self._check(lost.__contains__), lost.__contains__)
        self._look_at = self._clock.monotonic() + self._limits.look_again

    def _check(self, among: Callable[[bytes], bool]) -> CheckedChunks:
        rest = Unhurried(self._side.dataset.name, self._stop, self._limits)
        wanted = ChunksWanted(self._side.dataset.name, among)
        return check_chunks(self._side, wanted, lambda _: rest(), self._stop, rest)

    def _failed(self, error: HikaeError | OSError) -> None:
        self._not_before = self._clock.monotonic() + self._limits.again
        self._trouble = error.sentence if isinstance(error, HikaeError) else str(error)
        _log.warning(
            "a check of the vault did not come to its end", dataset=self._side.dataset.name, reason=self._trouble
        )

    def _tell(self, now: int, overdue: bool) -> None:
        told = self._trouble or ("overdue" if overdue else "")
        if not told:
            self._board.clear(GENERATIONS_UNVERIFIED)
        elif told != self._told or not self._board.has(GENERATIONS_UNVERIFIED):
            message = self._trouble or self._overdue(now)
            remedy = (
                f"it is tried again by itself; hikae generations verify {self._side.dataset.name} reads all of it now"
            )
            self._board.put(Problem(GENERATIONS_UNVERIFIED, Severity.WARNING, now, b"", message, remedy))
        self._told = told

    def _overdue(self, now: int) -> str:
        terms, read = self._side.dataset.generations, self.record.names.since
        since = read or self.record.began
        clock, ago = clock_text(stamp(since) or "", stamp(now) or ""), span_text((now - since) / 1e9)
        what = f"was read and checked last {clock}" if read else f"was never read and checked as a whole since {clock}"
        share = f"{round(terms.verify_share * 100, 6):g}%"
        return f"what the vault keeps {what}, {ago} ago; its schedule is {share} at {terms.verify}"


class Unhurried:
    """Works for a slice, then rests longer, so that whoever receives and applies has most of a processor and of the disk."""

    def __init__(self, dataset: str, stop: threading.Event, limits: CheckLimits) -> None:
        self._dataset = dataset
        self._stop = stop
        self._limits = limits
        self._rested = time.monotonic()

    def __call__(self) -> None:
        """Rest, if it is time. Raises ``TryAgain`` once it is to end."""
        worked = time.monotonic() - self._rested
        if worked >= self._limits.slice:
            self._stop.wait(min(worked * self._limits.rest, self._limits.rest_most))
            self._rested = time.monotonic()
        if self._stop.is_set():
            raise TryAgain("verify the generations", self._dataset, "the dataset is being closed")


class NamesInOrder(Protocol):
    """What is asked of a vault."""

    def entries(self, after: bytes, limit: int) -> Sequence[tuple[bytes, object]]:
        """At most ``limit`` chunks with a name greater than ``after``, by name."""
        ...


def part_of_ring(vault: NamesInOrder, names: int) -> int:
    """How many places have about so many names. The first thousand tell how thick they stand: to count twenty million would hold
    the vault's lock for seconds."""
    first = vault.entries(b"", _SAMPLED)
    if len(first) < _SAMPLED:
        return PLACES * names // max(names, len(first))
    return min(PLACES, max(1, (int.from_bytes(first[-1][0][:4]) + 1) * names // _SAMPLED))


def _added(tally: VaultCheck, found: CheckedChunks) -> VaultCheck:
    return VaultCheck(
        tally.time_ns,
        tally.checked_bytes + found.checked_bytes,
        tally.damaged + len(found.damaged),
        tally.mended + len(found.mended),
    )
