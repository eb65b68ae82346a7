"""May this commit be applied by itself? Why the apply stands still, on the board: one hold at a time, gone when the next look
does not find it."""

from __future__ import annotations

from dataclasses import dataclass

from agent.apply.brake.judge import Guard, Reached
from agent.apply.brake.limits import ACCEPTABLE, judge, trailing_empty
from agent.apply.brake.loss_words import LOSS_WORDS
from agent.apply.commit_numbers import commits_after, counts_at, is_broken, number_of, packed
from agent.apply.ports import CatalogView, LocalFacts
from agent.apply.results import Held
from agent.config.values import Brake
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.dataset_kind import DatasetKind
from agent.core.hold import Hold
from agent.core.ids import NOTHING, CommitNumber, shown_commit
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import (
    ADOPT_WAITS,
    LINEAGE_WAITS,
    PROBLEM_CODES,
    SOURCE_EMPTIED,
    STANDBY_FOREIGN,
    STANDBY_GONE,
    STANDBY_IN_USE,
    STANDBY_NOT_EMPTY,
    STANDBY_PATH_MISSING,
    STANDBY_REPLACED,
    STANDBY_TOO_SMALL,
    STANDBY_UNSAFE,
)

_ACCEPTED = "accepted"
#: Under which the commit is kept from which a hold stands.
PINNED = "held-from"
#: Problems that stand only while the next look finds the same.
_CODES = (
    STANDBY_PATH_MISSING,
    STANDBY_NOT_EMPTY,
    STANDBY_GONE,
    STANDBY_REPLACED,
    STANDBY_UNSAFE,
    STANDBY_FOREIGN,
    STANDBY_IN_USE,
    STANDBY_TOO_SMALL,
    LINEAGE_WAITS,
    ADOPT_WAITS,
    *ACCEPTABLE,
)


@dataclass(frozen=True, slots=True)
class JudgedFrom:
    """From where a commit is judged. ``stood``: what the standby equals or, where that is not known any more, equalled when it
    was; ``adopting``: it is a tree that was there before us; ``unknown``: that, or nothing that is known here tells what stands;
    ``trusted``: it is known what stands."""

    stood: CommitNumber
    adopting: bool
    unknown: bool
    trusted: bool


class Holds:
    """The holds of one dataset's standby. For the applying thread, but for :meth:`accept` and ``brake``, which any thread
    replaces when the configuration was read again."""

    def __init__(
        self,
        dataset: str,
        local: LocalFacts,
        board: ProblemBoard,
        clock: Clock,
        brake: Brake,
        *,
        kind: DatasetKind = DatasetKind.TREE,
    ) -> None:
        self._words = LOSS_WORDS[kind]
        self.brake = brake
        self._dataset = dataset
        self._local = local
        self._board = board
        self._clock = clock
        self._guard = Guard(brake, clock, self._words)
        self._accepted = number_of(local.value(_ACCEPTED))
        self._pinned = number_of(local.value(PINNED))

    def accept(self, number: CommitNumber) -> None:
        """An operator lets the held commit ``number`` pass; durable. A later emptying holds anew."""
        self._local.set_value(_ACCEPTED, packed((number,)), durable=True)
        self._accepted = number

    def let_pass(self, number: CommitNumber) -> None:
        """The standby equalled this commit before: up to there nothing is judged again. Durable."""
        if number > self._accepted:
            self.accept(number)

    @property
    def noted(self) -> CommitNumber:
        """From where more than a hundredth has ended within the brake's window, as it was found last; any thread."""
        return self._guard.noted

    def stand(self, held: Held, severity: Severity = Severity.ERROR) -> None:
        """A hold stands on the board, and no other."""
        self.clear(held.code)
        self._board.put(Problem(held.code, severity, self._clock.now_ns(), b"", held.reason, held.remedy))

    def clear(self, *but: str) -> None:
        """No hold stands on the board but of these codes."""
        for code in _CODES:
            if code not in but:
                self._board.clear(code)

    def passes_root(self) -> None:
        """The root is there and ours; what commits hold is not looked at here."""
        self.clear(LINEAGE_WAITS, ADOPT_WAITS, *ACCEPTABLE)

    def check(self, view: CatalogView, target: Commit, origin: JudgedFrom) -> None:
        """Clear the board, or raise ``Held``, which stands on the board then."""
        anew = not target.consistent and is_broken(view, origin.stood, target.number)
        hold = None if anew else self._braked(view, target, origin)
        if hold is not None:
            held = Held(
                PROBLEM_CODES[hold.code], self._dataset, hold.sentence, f"hikae accept {self._dataset} if it is meant"
            )
            self.stand(held)
            raise held
        waits = self._waits(target, origin, anew=anew)
        if waits is not None:
            self.stand(waits, Severity.INFO)
            raise waits
        self.clear()

    def _waits(self, target: Commit, origin: JudgedFrom, *, anew: bool) -> Held | None:
        """A hold that goes on by itself once the primary has been through, None for none."""
        if not target.consistent and origin.unknown:
            reason = "what stands there is kept as it is until the primary has been through"
            return Held(ADOPT_WAITS, self._dataset, reason, "it goes on by itself", waits=True)
        if anew:
            stays = shown_commit(origin.stood)
            reason = f"the primary started anew and is not through yet; the standby stays at {stays}"
            return Held(LINEAGE_WAITS, self._dataset, reason, "it goes on by itself")
        return None

    def _braked(self, view: CatalogView, target: Commit, origin: JudgedFrom) -> Hold | None:
        accepted = max(self._accepted, taken_up_again(view, origin.stood, target))
        hold = self._emptied(view, target, origin, accepted)
        if hold is None and (origin.stood != NOTHING or not origin.trusted):
            self._guard.limit(self.brake)
            hold = self._guard.judge(view, target, Reached(origin.stood, accepted, self._pinned))
            self._pin(self._guard.base if hold is not None else NOTHING)
        return hold

    def _emptied(self, view: CatalogView, target: Commit, origin: JudgedFrom, accepted: CommitNumber) -> Hold | None:
        if target.entries:
            return None
        if origin.adopting and accepted != target.number:
            message = "the primary is empty, and a tree stands here that is to be adopted"
            return Hold(SOURCE_EMPTIED, message)
        since = trailing_empty(commits_after(view, origin.stood))
        return judge(counts_at(view, origin.stood), target, since, accepted, self._words)

    def _pin(self, base: CommitNumber) -> None:
        """A hold stands from there, also after a restart, however much time goes by."""
        if base != self._pinned:
            self._local.set_value(PINNED, packed((base,)), durable=True)
            self._pinned = base


def taken_up_again(view: CatalogView, stood: CommitNumber, target: Commit) -> CommitNumber:
    """The newest commit after ``stood``, up to ``target``, by which a primary went back to a moment that is held here;
    ``NOTHING`` for none."""
    for number, same in view.rollbacks(stood, target.number):
        if any(map(view.is_readable, same)):
            return number
    return NOTHING
