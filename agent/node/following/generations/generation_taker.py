"""Taking a generation on the node with the vault: a barrier at the primary, its commit here, then it is kept.

::

    command, schedule ─→ AskBarrier ═ the primary ═ BarrierReached(commit) ─→ durable here ─→ Errands: GenerationKeeper.keep
                              └ nothing within the time: the newest commit that is whole is kept, and said to be that ┘
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from agent.core.errors import Refused, TryAgain
from agent.core.ids import NOTHING, CommitNumber
from agent.generations.taking import SourceAnswer, WantedGeneration, require_new_label
from agent.node.following.asked_barriers import AskedBarrier, AskedBarriers
from agent.node.following.errands import Errands
from agent.node.following.generations.generation_keeper import GenerationKeeper
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.generation import Generation
from agent.stream.messages import BarrierReached, Together
from agent.stream.position import Level, PositionBoard

_STEP = 0.5
_TAKE = "take a generation"


@dataclass(frozen=True, slots=True)
class TakingLimits:
    """Seconds. ``answer``: within which the primary is to answer, ``together``: for a moment of several datasets; ``arrival``:
    within which its commit is to be durable here."""

    answer: float = 60.0
    together: float = 150.0
    arrival: float = 60.0


USUAL_TAKING = TakingLimits()


class GenerationTaker:
    """Of one standby; any thread but the one that serves a call. ``quiesces``: whether the source is to stand still for it."""

    def __init__(
        self,
        dataset: str,
        barriers: AskedBarriers,
        board: PositionBoard,
        errands: Errands,
        keeper: GenerationKeeper,
        *,
        quiesces: Callable[[], bool],
        limits: TakingLimits = USUAL_TAKING,
    ) -> None:
        self._dataset = dataset
        self._barriers = barriers
        self._board = board
        self._errands = errands
        self._keeper = keeper
        self._quiesces = quiesces
        self._limits = limits

    def take(self, wanted: WantedGeneration, still_wanted: Callable[[], None]) -> Generation:
        """Take one now. Calls ``still_wanted`` at least each second, which raises what is to end it.

        Raises ``Refused`` before anything whole has come, and for a label that is taken; ``TryAgain`` while no moment for it
        comes."""
        if wanted.label:
            self.require_new_label(wanted.label)
        answer = self._answer(still_wanted)
        return self._errands.run(_TAKE, lambda catalog: self._keeper.keep(catalog, wanted, answer))

    def keep_newest(self, wanted: WantedGeneration) -> Generation:
        """Keep the newest whole commit that is here: nobody is asked. Raises as :meth:`take`."""
        answer = SourceAnswer(NOTHING)
        return self._errands.run(_TAKE, lambda catalog: self._keeper.keep(catalog, wanted, answer))

    def keep_what_stands(self, stands: CommitNumber, wanted: WantedGeneration) -> Generation | None:
        """Keep what the standby equals, before something is applied that takes much of it away; None where that is not known, or
        never was whole. Raises ``TryAgain``."""
        answer = SourceAnswer(stands)

        def keep(catalog: Catalog) -> Generation | None:
            commit = catalog.commit_at(stands)
            if commit is None or not commit.consistent or not catalog.is_readable(stands):
                return None
            return self._keeper.keep(catalog, wanted, answer)

        return self._errands.run(_TAKE, keep) if stands else None

    def ask_together(self, together: Together) -> AskedBarrier:
        """Ask for a moment of this dataset and others. Raises ``TryAgain``."""
        return self._barriers.begin(True, together)

    def forget(self, asked: AskedBarrier) -> None:
        """Its answer is of no use any more."""
        self._barriers.forget(asked)

    def arrived_together(self, asked: AskedBarrier, still_wanted: Callable[[], None]) -> SourceAnswer:
        """The commit of the moment that was asked for, durable here. Raises ``TryAgain``, ``Refused`` with why there is none."""
        said = self._barriers.answer_to(asked, self._limits.together, still_wanted)
        if not said.failed and asked.ask.together is not None and said.moment != asked.ask.together.moment:
            primary = self._barriers.primary
            reason = f"{primary} runs a release that knows no moments of a group"
            raise TryAgain(_TAKE, self._dataset, reason, f"upgrade {primary}, or take the generations one by one")
        if said.failed:
            kind = Refused if said.lasting else TryAgain
            raise kind(_TAKE, self._dataset, said.failed, said.remedy)
        answer = self._arrived(said, still_wanted)
        if answer.missed:
            raise TryAgain(_TAKE, self._dataset, answer.missed)
        return answer

    def require_new_label(self, label: str) -> None:
        """Raises ``Refused`` where a generation has it already, ``TryAgain`` while that cannot be looked up."""
        self._errands.run(_TAKE, lambda catalog: require_new_label(catalog, self._dataset, label))

    def keep_together(self, wanted: WantedGeneration, answer: SourceAnswer) -> Generation:
        """Keep the very commit of a moment. Raises as :meth:`take`, and ``TryAgain`` where it is not here as it was taken."""
        return self._errands.run(_TAKE, lambda catalog: self._keeper.keep_together(catalog, wanted, answer))

    def take_back(self, one: Generation) -> None:
        """It is no generation any more. Raises ``TryAgain``."""
        self._errands.run("take a generation back", lambda catalog: self._keeper.take_back(catalog, one))

    def _answer(self, still_wanted: Callable[[], None]) -> SourceAnswer:
        try:
            said = self._barriers.ask(self._quiesces(), self._limits.answer, still_wanted)
        except TryAgain as error:
            if error.subject != self._barriers.primary:
                raise
            return SourceAnswer(NOTHING, missed=f"{error.subject}: {error.reason}")
        if said.failed:
            return SourceAnswer(NOTHING, missed=said.failed)
        return self._arrived(said, still_wanted)

    def _arrived(self, said: BarrierReached, still_wanted: Callable[[], None]) -> SourceAnswer:
        left = self._limits.arrival
        while not self._board.wait(Level.DURABLE, said.number, min(left, _STEP)):
            still_wanted()
            left -= _STEP
            if left <= 0:
                reason = f"what was written before did not come within {self._limits.arrival:.0f} s"
                return SourceAnswer(NOTHING, missed=reason)
        return SourceAnswer(said.number, said.reached, said.stood_still, said.hooks)
