"""Where a peer stands towards this primary, judged from its proven Welcome: pure.

A peer's word can at most fence us, by an epoch of its own or by a commit of ours that we do not know (law 6). What else it says
of epochs and commits either fits, or ends the call.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Protocol

from agent.core.chunks import NAME_SIZE
from agent.core.commit import Commit
from agent.core.errors import Refused
from agent.core.ids import EPOCH_STEP, NOTHING, CommitNumber, Epoch, epoch_of, may_follow, shown_commit
from agent.core.problem_codes import PROBLEM_CODES
from agent.stream.guards import EVERY_GUARD, RoleGuards
from agent.stream.locator import CommitMark, newest_common
from agent.stream.messages import Hello, Welcome, bad

TOKEN_SIZE = 16


class Verdict(StrEnum):
    """What a history that is not ours makes of us; the problem's code. Outside strings never change."""

    #: The peer knows of a reign or a commit of this very node that we do not know: our state is an old copy, or was lost.
    REWOUND = "rewound"
    #: The peer was made primary, in an epoch of its own that does not come before ours.
    FENCED = "fenced"
    #: The peer has met such an epoch of a third node, which must say so itself.
    FOREIGN = "foreign-lineage"


class LineageBroken(Refused):
    """The call cannot go on: see ``Verdict``.

    ``epoch``: that which the peer has and we cannot go on beside; its newest commit is ``durable``, of this ``digest``;
    ``differs``: we have another one of that number."""

    def __init__(self, peer: str, epoch: Epoch, durable: CommitNumber, digest: bytes, differs: bool, own: str) -> None:
        verdict = _verdict(peer, epoch.owner, own)
        if verdict is Verdict.FOREIGN:
            reason = (
                f"it has met epoch {epoch.number} of {epoch.owner or 'nobody'}, which is not older than that of {own}"
            )
            other = epoch.owner or "another node"
            remedy = f"if {other} is the primary: hikae rejoin on this node, once {other} reaches it"
        else:
            held = f"epoch {epoch.number} of {epoch.owner} with commit {shown_commit(durable)}"
            reason = f"it holds {held}, which are not known here"
            remedy = "see hikae status on this node"
        super().__init__("replicate", peer, reason, remedy)
        self.verdict = verdict
        self.code = PROBLEM_CODES[verdict.value]
        self.peer = peer
        self.epoch = epoch
        self.durable = durable
        self.digest = digest
        self.differs = differs


class Way(Enum):
    """How a peer is brought up from where it is."""

    #: By what changed since its commit, which is ours too, or from nothing where it has nothing.
    ON = "on"
    #: Its commit is not known here, one before it is: it goes back to that, and by what changed since.
    BACK = "back"
    #: None of its commits is known here, its objects are ours: by the rows of the buckets that differ, on top of its own.
    WHOLE = "whole"
    #: Nothing that it has is an object of ours: everything there ends, and what is here comes on top of nothing.
    ANEW = "anew"


@dataclass(frozen=True, slots=True)
class Footing:
    """``base``: the commit that the first seal names as its parent; ``back``: the one that both know, where it goes back."""

    base: CommitNumber
    way: Way
    back: CommitMark | None = None

    @property
    def start(self) -> CommitNumber:
        """The commit of ours from which the rows are made; ``NOTHING``: from all that there are."""
        if self.back is not None:
            return self.back.number
        return self.base if self.way is Way.ON else NOTHING

    @property
    def compared(self) -> Footing:
        """For a peer that cannot go back, or whose state came out otherwise: the buckets tell where it differs."""
        return Footing(self.base, Way.WHOLE) if self.base != NOTHING and self.way is not Way.ANEW else self


class History(Protocol):
    """What is asked of our catalog."""

    def newest(self) -> Commit | None:
        """The newest commit."""
        ...

    def commit_at(self, number: CommitNumber) -> Commit | None:
        """That commit, unless it never was, or its moment can no longer be asked for."""
        ...

    def knows(self, mark: CommitMark) -> bool:
        """Whether that very commit is ours, and its moment can be asked for."""
        ...

    def knows_epoch(self, epoch: Epoch) -> bool:
        """Whether it was ours, or went before ours."""
        ...

    def anew_since(self) -> CommitNumber:
        """The newest commit that ended everything before it; ``NOTHING`` for none."""
        ...


def precedes(own: Epoch, met: Epoch, guards: RoleGuards = EVERY_GUARD) -> bool:
    """Whether ``own`` may go on beside a node that has met ``met``: that is older, or the very same."""
    if met.number > own.number:
        return not guards.higher_fences
    return met.number < own.number or met == own or not guards.same_id


def fences(own: Epoch, met: Epoch, speaker: str, guards: RoleGuards = EVERY_GUARD) -> bool:
    """Whether a peer that says of itself that it reigns in ``met`` ends our reign ``own``."""
    owned = met.owner == speaker or not guards.owner_speaks
    return not precedes(own, met, guards) and owned and may_be_met(own, met)


def may_be_met(own: Epoch, met: Epoch) -> bool:
    """Whether the number is believed: not so far above ours that an epoch of ours above it would not be believed by others."""
    return may_follow(met.number + 1, own.number)


def judge_welcome(peer: str, hello: Hello, welcome: Welcome, guards: RoleGuards = EVERY_GUARD) -> None:
    """What can be judged before anything is read. Raises ``LineageBroken``, ``WireError``."""
    durable, own = welcome.durable, hello.epoch
    if durable != NOTHING and (
        epoch_of(durable) != welcome.epoch.number or len(welcome.durable_digest) != NAME_SIZE or durable < 0
    ):
        raise bad(f"commit {shown_commit(durable)} as its newest, without its epoch or digest")
    if welcome.applied > durable:
        raise bad(f"commit {shown_commit(welcome.applied)} as applied where {shown_commit(durable)} is its newest")
    for met in (welcome.met, welcome.epoch):
        if met.number and len(met.token) != TOKEN_SIZE:
            raise bad(f"epoch {met.number} without its id")
        if precedes(own, met, guards):
            continue
        if not may_be_met(own, met):
            raise bad(f"epoch {met.number}, more than {EPOCH_STEP:,} above {own.number}, which is the newest here")
        raise LineageBroken(peer, met, durable, welcome.durable_digest, False, hello.node)


def judge_commit(peer: str, hello: Hello, welcome: Welcome, ours: History, guards: RoleGuards = EVERY_GUARD) -> Footing:
    """How a peer whose epochs precede ours is brought up. Raises ``LineageBroken`` when it has a commit of our own epoch that
    we do not."""
    durable = welcome.durable
    if durable == NOTHING:
        return Footing(NOTHING, Way.ON)
    if durable < ours.anew_since():
        return Footing(NOTHING, Way.ANEW)
    known = ours.knows_epoch(welcome.epoch)
    commit, newest = ours.commit_at(durable) if known else None, ours.newest()
    if commit is not None and commit.digest == welcome.durable_digest:
        return Footing(durable, Way.ON)
    unknown = commit is not None or newest is None or durable > newest.number
    if welcome.epoch == hello.epoch and unknown and guards.ahead_rewinds:
        differs = commit is not None
        raise LineageBroken(peer, welcome.epoch, durable, welcome.durable_digest, differs, hello.node)
    # Of our reign it is so old that it was pruned; of an earlier one, or of one that never was ours, it may never have come here.
    common = newest_common([mark for mark in welcome.locator if mark.number <= durable], ours.knows)
    if common is not None and common.number >= ours.anew_since():
        return Footing(durable, Way.BACK, common)
    return Footing(durable, Way.WHOLE) if known else Footing(NOTHING, Way.ANEW)


def _verdict(peer: str, owner: str, own: str) -> Verdict:
    if owner == own:
        return Verdict.REWOUND
    return Verdict.FENCED if owner == peer else Verdict.FOREIGN
