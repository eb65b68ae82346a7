"""A primary that must not go on: a peer proves that it holds a reign or commits of this very node that are not known here, so the
state here is an old copy or was lost (*rewound*); or the peer reigns in an epoch of its own, not older than ours (*fenced*).

The mark ``rewound.json`` outlives a restart. It lies among the state that is old, so putting the newest copy of that back takes
it away; the other way out is to begin a higher epoch from what stands here now (``lineage.ask_for_epoch``). Neither gives up
what this node has.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from agent.core.ids import NOTHING, CommitNumber, Epoch, epoch_of, seq_of, shown_commit
from agent.core.problem import Problem, ProblemCode, Severity
from agent.core.problem_codes import FENCED, REWOUND
from agent.fs.durable import write_durably
from agent.roles.record import TOKEN_SIZE
from agent.store.catalog.catalog import Catalog
from agent.stream.footing import LineageBroken, Verdict
from agent.stream.guards import EVERY_GUARD, RoleGuards

MARK = "rewound.json"


@dataclass(frozen=True, slots=True)
class Rewound:
    """Who is ahead. ``epoch``: that which the peer has; ``theirs``: its newest commit, of this ``digest``, ``NOTHING`` when the
    epoch alone is in the way; ``ours``: the newest here when that was noticed, at ``since`` (UTC ns); ``fenced``: the epoch is
    the peer's own; ``above``: the highest epoch that was met since, 0 for none; ``by_hand``: nobody is ahead, an operator
    had this node stop; ``owner``, ``token`` (hex): of the highest of both, "" where a release of before wrote it."""

    peer: str
    epoch: int
    theirs: CommitNumber
    ours: CommitNumber
    since: int
    digest: str = ""
    fenced: bool = False
    above: int = 0
    by_hand: bool = False
    owner: str = ""
    token: str = ""

    @property
    def highest(self) -> int:
        """The highest epoch that is in the way: one that goes on begins above it."""
        return max(self.epoch, self.above)

    @property
    def code(self) -> ProblemCode:
        """The problem's, and what ``accept`` says that it accepted."""
        return FENCED if self.fenced else REWOUND

    @property
    def sentence(self) -> str:
        """What is wrong, for an operator."""
        moment = datetime.fromtimestamp(self.since / 1e9, UTC).astimezone()
        found = f"(found {moment:%Y-%m-%d %H:%M}); nothing is sent"
        if self.by_hand:
            return f"an operator fenced this node {found}"
        if self.is_apart:
            both = f"{self.peer} was made the primary too, in an epoch {self.epoch} of its own, apart from this node"
            return f"{both}: neither goes on by itself {found}"
        if self.fenced:
            who = self.owner or self.peer
            return f"{who} was made the primary, in epoch {self.highest}, so the time of this node is over {found}"
        return f"this node's state is an old copy, or was lost: {self._ahead()} {found}"

    @property
    def is_apart(self) -> bool:
        """Whether this node and the peer began epochs of one number, and nobody is known to have gone on since."""
        return self.fenced and not self.by_hand and not self.above and epoch_of(self.ours) == self.epoch

    def _ahead(self) -> str:
        if self.theirs == NOTHING or epoch_of(self.theirs) != epoch_of(self.ours):
            return (
                f"{self.peer} has met epoch {self.epoch} of this node, whose newest commit is {shown_commit(self.ours)}"
            )
        if self.theirs > self.ours:
            newest = f"the newest here was {shown_commit(self.ours)}"
            return (
                f"{self.peer} is ahead: it holds commit {shown_commit(self.theirs)} of this node's own epoch, {newest}"
            )
        return f"{self.peer} holds another commit {shown_commit(self.theirs)} of this node's own epoch than this node"

    @property
    def gives_up(self) -> str:
        """What ``accept`` takes from the peer's tree, counted as far as that is known."""
        undone = (
            f"what they changed and does not stand here is undone in the tree of {self.peer}, and stays in its history"
        )
        return f"{self._lost()}: {undone}"

    def _lost(self) -> str:
        same = epoch_of(self.theirs) == epoch_of(self.ours)
        if self.fenced and epoch_of(self.theirs) == self.epoch:
            return f"{seq_of(self.theirs):,} commits of {self.peer}'s own epoch {self.epoch}, and all after them"
        if self.theirs > self.ours and same:
            return f"{self.theirs - self.ours:,} commits that only {self.peer} has, up to {shown_commit(self.theirs)}"
        if self.theirs != NOTHING:
            return f"the commits that only {self.peer} has, up to {shown_commit(self.theirs)}"
        return f"the commits that only {self.peer} has"

    def problem(self, dataset: str, home: Path, *, may_rejoin: bool = True) -> Problem:
        """For status. ``home``: where the dataset's state lies; ``may_rejoin``: what stands here may be written over."""
        remedy = self._ways_out(dataset, home) if may_rejoin else self._ways_out_of_own_place(dataset)
        return Problem(self.code, Severity.ERROR, self.since, b"", self.sentence, remedy)

    def _ways_out_of_own_place(self, dataset: str) -> str:
        """This node runs from what stands here: it goes on, or is restored from outside."""
        here = f"hikae serve {dataset} --alone --force" if self.fenced else f"hikae accept {dataset}"
        there = f", then on {self.peer}: hikae rejoin {dataset} (what only it has is kept first)" if self.fenced else ""
        return (
            f"if this node is to go on from the disk that it runs from: {here}{there}; or restore it from a live system"
        )

    def _ways_out(self, dataset: str, home: Path) -> str:
        goes_on = f"hikae accept {dataset} (a higher epoch begins; what {self.peer} has stays in its history)"
        if self.by_hand:
            again = f"to let it serve again: hikae serve {dataset} --alone"
            return f"{again}; or, once another is the primary: hikae rejoin {dataset}"
        if self.is_apart:
            serves = f"hikae serve {dataset} --alone (a higher epoch begins)"
            back = f"hikae rejoin {dataset} (what only it has is kept first)"
            return (
                f"if this node is the one to go on, here: {serves}, and on {self.peer}: {back}; or the other way round"
            )
        if self.fenced:
            back = f"hikae rejoin {dataset} (what only this node has is kept first)"
            serves = f"hikae serve {dataset} --alone (a higher epoch begins; what {self.peer} has stays in its history)"
            return f"to make it a standby of {self.peer}: {back}; or, if this node is to go on: {serves}"
        return (
            f"stop the agent, put the newest copy of {home} back and start it; "
            f"or, if what stands here now is right: {goes_on}; "
            f"or, if neither is: on {self.peer}: hikae promote {dataset} --force, then here: hikae rejoin {dataset}"
        )


def proven_mark(failure: LineageBroken, ours: CommitNumber, since: int) -> Rewound:
    """The mark for what a peer has proven."""
    fenced = failure.verdict is Verdict.FENCED
    epoch, digest = failure.epoch, failure.digest.hex()
    mark = Rewound(failure.peer, epoch.number, failure.durable, ours, since, digest, fenced)
    return replace(mark, owner=epoch.owner, token=epoch.token.hex())


def fenced_by_hand(node: str, epoch: int, ours: CommitNumber, since: int) -> Rewound:
    """The mark of a node that an operator stops."""
    return Rewound(node, epoch, NOTHING, ours, since, fenced=True, by_hand=True)


def mark_after(
    mark: Rewound | None, failure: LineageBroken, ours: CommitNumber, since: int, guards: RoleGuards = EVERY_GUARD
) -> Rewound:
    """The mark, now that a peer has proven this. What was found first stands, and no epoch that is proven later is forgotten; a
    peer's proof counts for more than that an operator had this node stop."""
    if mark is None or mark.by_hand:
        return proven_mark(failure, ours, since)
    epoch = failure.epoch
    higher = epoch.number > mark.highest and guards.all_kept
    return replace(mark, above=epoch.number, owner=epoch.owner, token=epoch.token.hex()) if higher else mark


def highest_met(own: Epoch, mark: Rewound | None, guards: RoleGuards = EVERY_GUARD) -> Epoch:
    """What a node that reigns in ``own``, or did, says to others that it has met: whoever comes back asks just who was fenced
    whether somebody reigns after it. Pure."""
    if mark is None or not mark.token or mark.highest <= own.number or not guards.fenced_tells:
        return own
    return Epoch(mark.highest, mark.owner, bytes.fromhex(mark.token))


def read_mark(home: Path) -> Rewound | None:
    """The mark, None when there is none. One that cannot be read still is one."""
    path = home / MARK
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    with suppress(ValueError, KeyError, TypeError):
        found = json.loads(text)
        numbers = (CommitNumber(int(found["theirs"])), CommitNumber(int(found["ours"])))
        who, since, digest = str(found["peer"]), int(found["since"]), str(found["digest"])
        fenced, above = bool(found.get("fenced")), int(found.get("above", 0))
        by_hand = found.get("by_hand") is True
        owner, token = str(found.get("owner", "")), bytes.fromhex(found.get("token", "")).hex()
        mark = Rewound(who, int(found["epoch"]), *numbers, since, digest, fenced, above, by_hand)
        return replace(mark, owner=owner, token=token if len(token) == 2 * TOKEN_SIZE else "")
    return Rewound("a peer", 0, NOTHING, NOTHING, path.stat().st_mtime_ns)


def read_and_settle(home: Path, catalog: Catalog) -> Rewound | None:
    """The mark, unless the state that it lies in is that of the peer by now, because the newest copy was laid over the old one.

    Raises ``OSError``."""
    mark = read_mark(home)
    if mark is None:
        return None
    if mark.theirs == NOTHING:
        return mark
    commit = catalog.commit_at(mark.theirs)
    if commit is None or commit.digest.hex() != mark.digest:
        return mark
    forget_mark(home)
    return None


def write_mark(home: Path, mark: Rewound) -> None:
    """Remember it durably. Raises ``OSError``."""
    write_durably(str(home / MARK), json.dumps(asdict(mark)).encode() + b"\n")


def forget_mark(home: Path) -> None:
    """A higher epoch is begun, or is about to be."""
    (home / MARK).unlink(missing_ok=True)


def forget_fence(home: Path, reign: Epoch) -> None:
    """A change of role gave this node the reign ``reign``: a peer's epoch of before, which fenced it, does so no more. That its
    state is an old copy stays so whoever reigns."""
    mark = read_mark(home)
    if mark is not None and mark.fenced and mark.highest < reign.number:
        forget_mark(home)
