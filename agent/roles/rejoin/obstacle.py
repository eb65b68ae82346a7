"""Why a node that rejoined is not brought on by the new primary: what stands in the way, and who ends it. Pure over its facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.core.hold import Hold
from agent.core.problem import Severity
from agent.core.problem_codes import (
    ADOPT_WAITS,
    APPLY_STOPPED,
    LINEAGE_WAITS,
    NOT_RUNNING,
    STANDBY_DISK_FULL,
    STATE_DISK_FULL,
    STATE_DISK_RESERVE,
    VAULT_FULL,
)
from agent.status.derive import pauses_of
from agent.status.facts import DatasetFacts, PeerFacts

#: Seconds within which the new primary is waited for; it goes on by itself afterwards.
PATIENCE = 60.0
#: Seconds that something stands in the way until it is not believed to go by itself, and between two looks for it.
STANDS, _LOOKS = 5.0, 1.0
#: Holds that end once the primary has been through.
_PASSING = frozenset({ADOPT_WAITS, LINEAGE_WAITS})
#: Problems of a whole dataset during which nothing is received or applied.
_STANDING = frozenset({NOT_RUNNING, STATE_DISK_FULL, STATE_DISK_RESERVE, STANDBY_DISK_FULL, APPLY_STOPPED, VAULT_FULL})


@dataclass(frozen=True, slots=True)
class Hindrance:
    """``sentence``: what is so; ``remedy``: what leads on, "" for nothing but time; ``lasts``: whether only a person ends it."""

    sentence: str
    remedy: str
    lasts: bool


class FollowWait:
    """How long a rejoin waits for the new primary, and for what. ``owner``: of the new reign; times are of one clock, seconds."""

    def __init__(self, owner: str, begun: float) -> None:
        self._owner = owner
        self._until = begun + PATIENCE
        self._due = begun
        self._met: Hindrance | None = None
        self._lasting_since: float | None = None
        self._stands = False

    def is_due(self, now: float) -> bool:
        """Whether what stands in the way is to be looked for again."""
        return now >= self._due

    def look(self, found: Hindrance | None, now: float) -> None:
        """That is in the way now."""
        self._met, self._due = found, now + _LOOKS
        if found is None or not found.lasts:
            self._lasting_since = None
        elif self._lasting_since is None:
            self._lasting_since = now
        self._stands = self._lasting_since is not None and now - self._lasting_since >= STANDS

    def is_over(self, now: float) -> bool:
        """Whether it is not waited for any longer: nothing here ends what stands in the way, or it takes too long."""
        return self._stands or now >= self._until

    @property
    def sentence(self) -> str:
        """What is waited for, for people; at most one line."""
        if self._met is None:
            return f"{self._owner} to bring it on"
        return f"{self._owner} to bring it on: {self._met.sentence}"

    @property
    def outcome(self) -> str:
        """What is said at the end of a wait that did not see it brought on."""
        met, shows = self._met, "hikae status shows how far it is"
        if met is None:
            return f"{self._owner} has not brought it on yet; it goes on by itself, and {shows}"
        after = "it goes on by itself after that" if met.lasts else "it goes on by itself"
        way = f": {met.remedy}" if met.remedy else ""
        return f"{self._owner} has not brought it on yet, for {met.sentence}{way}; {after}, and {shows}"


def hindrance(facts: DatasetFacts) -> Hindrance | None:
    """The first that is so, what only a person ends first; None where nothing is known to be in the way."""
    found = [*_here(facts), *_there(facts)]
    return next((one for one in found if one.lasts), found[0] if found else None)


def _here(facts: DatasetFacts) -> Iterator[Hindrance]:
    if facts.hold is not None:
        yield _held(facts.hold, "it is held", facts.name)
    for pause in facts.pauses:
        if pause.what == "apply":
            yield Hindrance("applying is paused here", f"hikae resume {facts.name}", pause.until is None)
    for problem in facts.problems:
        if problem.code in _STANDING and not problem.path and problem.severity is Severity.ERROR:
            yield Hindrance(problem.message, problem.remedy, lasts=True)


def _there(facts: DatasetFacts) -> Iterator[Hindrance]:
    primary = next((peer for peer in facts.peers if peer.name == facts.primary), None)
    if primary is None:
        return
    name, told = primary.name, primary.told
    for pause in pauses_of(primary, facts.time_ns):
        if pause.what == "send":
            yield Hindrance(
                f"sending is paused on {name}", f"on {name}: hikae resume {facts.name}", pause.until is None
            )
    if primary.connected and told is not None and told.standing.hold is not None:
        held = _held(told.standing.hold, f"{name} is held", facts.name)
        yield Hindrance(held.sentence, f"on {name}: {held.remedy}", held.lasts)
    if not primary.connected:
        yield Hindrance(f"{name} is not connected", _calls(primary), lasts=False)


def _held(hold: Hold, words: str, dataset: str) -> Hindrance:
    accept = f"hikae accept {dataset}, if that is meant"
    return Hindrance(f"{words}: {hold.sentence}", hold.remedy or accept, hold.code not in _PASSING)


def _calls(primary: PeerFacts) -> str:
    return f"it calls every few seconds; if it does not: hikae status on {primary.name} says why"
