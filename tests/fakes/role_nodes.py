"""A node of the role protocol without disk, network or clock: the real decisions over a durable state that is a value."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agent.core.commit import Commit
from agent.core.errors import Refused
from agent.core.ids import NO_EPOCH, NOTHING, CommitNumber, Epoch, commit_number, epoch_of, seq_of
from agent.roles.confirmation import Confirmed, lacking
from agent.roles.lineage import reign_of, role_of, to_meet
from agent.roles.new_primary import CallerStanding, WhatIsHere, judge_caller
from agent.roles.record import RoleRecord, keeps_with
from agent.roles.rewound import Rewound, fenced_by_hand, highest_met, mark_after
from agent.roles.switchover.steps import StandsAt, is_equal
from agent.roles.switchover.taking_over import require_followed
from agent.status.state import Role
from agent.stream.footing import LineageBroken, Verdict, fences, judge_commit, judge_welcome
from agent.stream.guards import RoleGuards
from agent.stream.locator import CommitMark, Locator, is_known, locator_in, newest_common, with_common
from agent.stream.messages import CREDIT, Hello, Welcome
from agent.stream.receiving.epochs import newest_of, outdated, unbelieved

DIGEST = 32


@dataclass(frozen=True, slots=True)
class Disk:
    """What is durable: the role record, the epochs and commits of the catalog, the mark of one that must not go on, the epoch
    above which an operator asked for one, and what is kept as generations (``kept``: digests)."""

    record: RoleRecord | None = None
    lineage: tuple[Epoch, ...] = ()
    log: tuple[CommitMark, ...] = ()
    mark: Rewound | None = None
    above: int = 0
    kept: frozenset[bytes] = frozenset()

    @property
    def highest(self) -> int:
        """The highest epoch that it names."""
        recorded = self.record.epoch.number if self.record is not None else 0
        marked = self.mark.highest if self.mark is not None else 0
        return max((recorded, marked, self.above, *(epoch.number for epoch in self.lineage)))

    @property
    def newest_epoch(self) -> Epoch:
        """The newest that it was told of as a standby."""
        recorded = self.record.epoch if self.record is not None else NO_EPOCH
        return max(newest_of(self.lineage), recorded, key=lambda epoch: epoch.number)

    # What is asked of a catalog.

    def newest(self) -> Commit | None:
        return _commit(self.log[-1], self.log[-2] if len(self.log) > 1 else None) if self.log else None

    def commit_at(self, number: CommitNumber) -> Commit | None:
        return next((_commit(mark, None) for mark in self.log if mark.number == number), None)

    def commit_up_to(self, number: CommitNumber) -> Commit | None:
        return next((_commit(mark, None) for mark in reversed(self.log) if mark.number <= number), None)

    def epoch_of_commit(self, number: CommitNumber) -> Epoch | None:
        token = next((mark.epoch for mark in self.log if mark.number == number), b"")
        return next((epoch for epoch in self.lineage if epoch.token == token), None)

    def is_readable(self, at: CommitNumber) -> bool:
        return True

    def readable_before_horizon(self) -> tuple[int, ...]:
        return ()

    def knows(self, mark: CommitMark) -> bool:
        return is_known(self, mark)

    def knows_epoch(self, epoch: Epoch) -> bool:
        return epoch in self.lineage

    def anew_since(self) -> CommitNumber:
        return NOTHING


def _commit(mark: CommitMark, before: CommitMark | None) -> Commit:
    return Commit(mark.number, before.number if before else NOTHING, mark.digest, 0, 0, True, 0, 0)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Ids and digests that are nobody else's, made from a counter."""

    numbers: list[int] = field(default_factory=lambda: [0])

    def next(self, length: int) -> bytes:
        self.numbers[0] += 1
        return hashlib.blake2b(b"%d" % self.numbers[0], digest_size=length).digest()


class RoleNode:
    """One node: what it does with a message, and with an operator's word. ``disk`` is what a crash leaves. Every answer is given
    when what it says is durable."""

    def __init__(self, name: str, first: str, nodes: Sequence[str], tokens: Tokens, guards: RoleGuards) -> None:
        self.name = name
        self.disk = Disk()
        self.is_up = False
        #: The application runs and writes.
        self.serves = False
        #: An operator said that it serves without its peers.
        self.alone = False
        self.confirmed: set[str] = set()
        #: By peer: what its call was opened with, as the caller and as who is called.
        self.calls: dict[str, Hello] = {}
        self.answered: dict[str, Hello] = {}
        #: The node that it switches over to, whose application is stopped for that; "" where it does not.
        self.stopped_for = ""
        self.asked = b""
        #: So often was it opened; and the reign that it followed by itself, by nobody's word.
        self.openings = 0
        self.followed: Epoch | None = None
        #: The reign of another after which it began one of its own, and nobody had told it to.
        self.usurped: Epoch | None = None
        #: What its clock shows, UTC ns: anything.
        self.now = 0
        self._first, self._nodes, self._tokens, self._guards = first, tuple(nodes), tokens, guards

    # --- what it is

    @property
    def record(self) -> RoleRecord | None:
        """Its role record; of one that is gone or older, what the catalog says."""
        newest = self.disk.lineage[-1] if self.disk.lineage else None
        return role_of(self.disk.record, newest, self.name, self._guards)

    @property
    def role(self) -> Role:
        record = self.record
        if record is not None:
            return record.role
        return Role.PRIMARY if self._first == self.name else Role.STANDBY

    @property
    def primary(self) -> str:
        """Whom it takes for the primary."""
        record = self.record
        return record.epoch.owner if record is not None else self._first

    @property
    def reign(self) -> Epoch:
        """The epoch that it reigns in, where it is the primary."""
        return newest_of(self.disk.lineage)

    @property
    def met(self) -> Epoch:
        """The highest epoch that it says it has met, as a primary."""
        return highest_met(self.reign, self.disk.mark, self._guards)

    @property
    def peers(self) -> list[str]:
        return [name for name in self._nodes if name != self.name]

    # --- it starts and ends

    def start(self) -> None:
        self.is_up = True
        self._open()

    def crash(self) -> None:
        self.is_up = False
        self._forget()

    def _forget(self) -> None:
        self.serves = self.alone = False
        self.stopped_for, self.asked = "", b""
        self.confirmed.clear()
        self.calls.clear()
        self.answered.clear()

    def _open(self) -> None:
        self._forget()
        self.openings += 1
        if self.role is Role.PRIMARY:
            self._begin_reign()

    def _begin_reign(self) -> None:
        """An epoch begins with a commit: of what was before, or of the first walk."""
        disk = self.disk
        reign = reign_of(disk.record, disk.lineage, self.name, disk.above, self._guards)
        newest = newest_of(disk.lineage)
        if newest != reign:
            told = disk.above or newest == NO_EPOCH or (disk.record is not None and not disk.record.begun)
            self.usurped = None if told or newest.owner == self.name else newest
            disk = replace(disk, lineage=(*disk.lineage, reign))
        mark = disk.mark
        if disk.above or (mark is not None and mark.fenced and mark.highest < reign.number):
            mark = None
        self.disk = replace(disk, record=RoleRecord(Role.PRIMARY, reign), mark=mark, above=0)
        if not self.disk.log or epoch_of(self.disk.log[-1].number) != reign.number:
            self._seal()

    def _seal(self) -> None:
        """One more commit of its own."""
        newest, epoch = self.disk.newest(), self.reign
        at = newest.number if newest is not None else NOTHING
        seq = seq_of(at) + 1 if epoch_of(at) == epoch.number else 1
        mark = CommitMark(epoch.token, commit_number(epoch.number, seq), self._tokens.next(DIGEST))
        self.disk = replace(self.disk, log=(*self.disk.log, mark))

    # --- it reigns

    def look(self) -> None:
        """What it does by itself, again and again."""
        if self.role is not Role.PRIMARY or self.disk.mark is not None:
            self.serves = False
        elif not self.stopped_for:
            said = Confirmed(frozenset(self.confirmed), self.alone)
            self.serves = not lacking(self.peers, said, self._guards)

    def write(self) -> None:
        """The application writes, and that is captured."""
        if self.serves:
            self._seal()

    def hello(self, peer: str) -> Hello | None:
        """It calls a peer, if it sends anything to anybody."""
        if self.role is not Role.PRIMARY or self.disk.mark is not None:
            return None
        newest, locator = self.disk.newest(), locator_in(self.disk)
        at = newest.number if newest is not None else NOTHING
        hello = Hello(self.name, "web", (2,), self.reign, at, self._tokens.next(32), locator=locator)
        self.calls[peer] = hello
        return hello

    def is_answer(self, peer: str, nonce: bytes) -> bool:
        """Whether ``nonce`` is that of its newest call to the peer."""
        hello = self.calls.get(peer)
        of_now = self.role is Role.PRIMARY and hello is not None and hello.epoch == self.reign
        return of_now and hello is not None and hello.nonce == nonce

    def welcomed(self, peer: str, welcome: Welcome, nonce: bytes) -> Sent | None:
        """What it sends to who answered its call."""
        if not self.is_answer(peer, nonce):
            return None
        hello = self.calls[peer]
        try:
            judge_welcome(peer, hello, welcome, self._guards)
            footing = judge_commit(peer, hello, welcome, self.disk, self._guards)
        except LineageBroken as broken:
            if broken.verdict is not Verdict.FOREIGN:
                self._must_not_go_on(broken)
            return None
        self.confirmed.add(peer)
        return Sent(
            nonce, footing.base, footing.start, tuple(one for one in self.disk.log if one.number > footing.start)
        )

    def _must_not_go_on(self, broken: LineageBroken) -> None:
        self.serves = False
        newest = self.disk.newest()
        ours = newest.number if newest is not None else NOTHING
        self.disk = replace(self.disk, mark=mark_after(self.disk.mark, broken, ours, self.now, self._guards))

    # --- it is called

    def called(self, hello: Hello) -> Welcome | None:
        """The answer to a call; None for one that has no Welcome."""
        if self.role is Role.PRIMARY:
            if fences(self.reign, hello.epoch, hello.node, self._guards):
                self._must_not_go_on(LineageBroken(hello.node, hello.epoch, NOTHING, b"", False, self.name))
            return Welcome(self.name, NO_EPOCH, NOTHING, b"", NOTHING, CREDIT, 2, met=self.met)
        if hello.node != self.primary:
            self._follow(hello)
            return None
        newest = self.disk.newest()
        at = newest.number if newest is not None else None
        if unbelieved(hello.node, hello.epoch, self.disk.lineage, at, self._guards) is not None:
            return None
        if outdated(hello.epoch, newest_of(self.disk.lineage), self._guards) is None:
            self._meet(hello.epoch)
            self.answered[hello.node] = hello
        return self._welcome(hello)

    def _follow(self, hello: Hello) -> None:
        """Follow who calls from its next call on, where nothing is given up for that."""
        newest = self.disk.log[-1] if self.disk.log else None
        here = WhatIsHere(self._nodes, self.disk.lineage, newest)
        standing = judge_caller(hello.node, hello.epoch, hello.locator, here, self._guards)
        if standing is CallerStanding.FOLLOWED:
            self.take_role(RoleRecord(Role.STANDBY, hello.epoch))
            self.followed = hello.epoch

    def _meet(self, epoch: Epoch) -> None:
        if epoch.number > newest_of(self.disk.lineage).number:
            self.disk = replace(self.disk, lineage=(*self.disk.lineage, epoch))
        if keeps_with(self.disk.record, epoch):
            self.disk = replace(self.disk, record=RoleRecord(Role.STANDBY, epoch))

    def _welcome(self, hello: Hello) -> Welcome:
        newest = self.disk.newest()
        durable, digest = (newest.number, newest.digest) if newest is not None else (NOTHING, b"")
        epoch = self.disk.epoch_of_commit(durable) or NO_EPOCH
        met, locator = newest_of(self.disk.lineage), self._locator(hello)
        return Welcome(self.name, epoch, durable, digest, NOTHING, CREDIT, 2, met=met, locator=locator)

    def _locator(self, hello: Hello) -> Locator:
        return with_common(locator_in(self.disk), newest_common(hello.locator, self.disk.knows))

    def take(self, peer: str, sent: Sent) -> bool:
        """Store what the primary sent in the call that goes on; whether it is durable."""
        hello, newest = self.answered.get(peer), self.disk.newest()
        at = newest.number if newest is not None else NOTHING
        if self.role is Role.PRIMARY or hello is None or hello.nonce != sent.nonce or sent.base not in (at, NOTHING):
            return False
        stays = tuple(one for one in self.disk.log if one.number <= sent.start)
        del self.answered[peer]
        gone = frozenset(one.digest for one in self.disk.log[len(stays) :])
        self.disk = replace(self.disk, log=stays + sent.commits, kept=self.disk.kept | gone)
        return True

    # --- an operator's word

    def promote(self) -> None:
        """It is to be the primary, in an epoch of its own; durable before anything is done in it."""
        if self.is_up and self.role is Role.STANDBY and self.disk.log:
            reign = reign_of(self.disk.record, self.disk.lineage, self.name, self.disk.above, self._guards)
            self._begin(reign)

    def _begin(self, reign: Epoch) -> None:
        self.take_role(RoleRecord(Role.PRIMARY, reign, begun=False))
        self.alone = True

    def switch_to(self, to: str) -> Compare | None:
        """Stop the application, and ask the node that is to take over."""
        if not self.serves or to not in self.confirmed:
            return None
        self.serves, self.stopped_for, self.asked = False, to, self._tokens.next(32)
        return Compare(self.asked)

    def give_up(self) -> None:
        """It did not come to a hand-over: it serves again."""
        self.stopped_for, self.asked = "", b""

    def stands(self) -> Stands:
        """Where its standby is; what was received is applied."""
        newest = self.disk.newest()
        at = newest.number if newest is not None else NOTHING
        return Stands(StandsAt(at, newest.digest.hex() if newest is not None else "", at))

    def compared(self, peer: str, told: Stands, nonce: bytes) -> TakeOver | None:
        """Both are the same: it hands over, durably."""
        if peer != self.stopped_for or nonce != self.asked or self.disk.mark is not None:
            return None
        if not is_equal(self.stands().at, told.at, self._guards):
            self.give_up()
            return None
        epoch = Epoch(self.reign.number + 1, peer, self._tokens.next(16))
        self.take_role(RoleRecord(Role.STANDBY, epoch, begun=False))
        return TakeOver(epoch, self.stands().at)

    def handed_over(self) -> TakeOver | None:
        """What it says again until it is heard."""
        record = self.disk.record
        unheard = (
            record is not None
            and record.role is Role.STANDBY
            and record.epoch.number > newest_of(self.disk.lineage).number
        )
        return TakeOver(record.epoch, self.stands().at) if record is not None and unheard else None

    def take_over(self, peer: str, epoch: Epoch, at: StandsAt) -> bool:
        """It takes the place of its primary, if it still has what that had."""
        same = is_equal(at, self.stands().at, self._guards)
        if self.role is not Role.STANDBY or peer != self.primary or not same:
            return False
        try:
            require_followed(self.name, "web", epoch, self.disk.lineage, self._guards)
        except Refused:
            return False
        self._begin(epoch)
        return True

    def take_role(self, record: RoleRecord) -> None:
        met = to_meet(record, self._guards)
        if met is not None and met.number > newest_of(self.disk.lineage).number:
            self.disk = replace(self.disk, lineage=(*self.disk.lineage, met))
        self.disk = replace(self.disk, record=record)
        self._open()

    def fence(self) -> None:
        """It is to stop, until an operator says otherwise."""
        if self.is_up and self.role is Role.PRIMARY and self.disk.mark is None:
            newest = self.disk.newest()
            at = newest.number if newest is not None else NOTHING
            self.disk = replace(self.disk, mark=fenced_by_hand(self.name, self.reign.number, at, self.now))

    def serve_alone(self) -> None:
        """Without its peers, although an operator had it stop, or another was made the primary; an old copy it is not for."""
        mark = self.disk.mark
        if mark is not None and not mark.by_hand:
            if mark.fenced:
                self.accept()
        elif self.is_up and self.role is Role.PRIMARY:
            self.disk = replace(self.disk, mark=None)
            self.alone = True

    def accept(self) -> None:
        """What stands here is right, whoever is ahead: it serves in an epoch above."""
        mark = self.disk.mark
        if self.is_up and self.role is Role.PRIMARY and mark is not None:
            self.disk = replace(self.disk, above=max(mark.highest, self.reign.number))
            self._open()
            self.alone = True

    def rejoin(self, reign: Epoch) -> None:
        """It becomes a standby in the reign of another, which it has met; what it has is kept."""
        newest = newest_of(self.disk.lineage)
        follows = reign.number > newest.number or reign == newest
        if self.is_up and reign.owner != self.name and follows and reign.number >= self.disk.highest:
            kept = self.disk.kept | {mark.digest for mark in self.disk.log}
            self.disk = replace(self.disk, mark=None, kept=kept)
            self.followed = None
            self.take_role(RoleRecord(Role.STANDBY, reign))


@dataclass(frozen=True, slots=True)
class Sent:
    """Commits of the call ``nonce``: who has ``base`` goes back to ``start`` and takes them."""

    nonce: bytes
    base: CommitNumber
    start: CommitNumber
    commits: tuple[CommitMark, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """A primary that stopped asks where the node stands that is to take over."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class Stands:
    """What it answers."""

    at: StandsAt


@dataclass(frozen=True, slots=True)
class TakeOver:
    """The place is handed over, in that reign, to who stands there."""

    epoch: Epoch
    at: StandsAt
