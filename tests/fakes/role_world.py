"""Three nodes, a network that loses, delays and doubles, disks that are older or empty after a crash, and an operator.

:meth:`RoleWorld.act` does one thing at random, then looks at what must never be (:class:`MustNotBe`)."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias

from agent.core.ids import NOTHING, Epoch
from agent.status.state import Role
from agent.stream.footing import TOKEN_SIZE, precedes
from agent.stream.guards import EVERY_GUARD, RoleGuards
from agent.stream.locator import CommitMark
from agent.stream.messages import Hello, Welcome
from agent.stream.receiving.epochs import newest_of
from fakes.role_nodes import Compare, Disk, RoleNode, Sent, Stands, TakeOver, Tokens

NODES = ("alpha", "beta", "gamma")
#: So many messages are on their way at once; the oldest are lost then.
_IN_FLIGHT = 24
#: Calls of every primary to every peer, with all that follows, until an operator's last word has come to all.
_ROUNDS = 12


class MustNotBe(AssertionError):
    """A state that the protocol must never come to."""


Said: TypeAlias = Hello | Welcome | Sent | Compare | Stands | TakeOver


@dataclass(frozen=True, slots=True)
class Letter:
    """A message on its way. ``nonce``: of the call that it belongs to."""

    speaker: str
    to: str
    what: Said
    nonce: bytes


class RoleWorld:
    """``seed`` decides all that happens; ``clocks``, where it is not None, what the nodes' clocks show, each another time and
    another at each look."""

    def __init__(self, seed: int, guards: RoleGuards = EVERY_GUARD, clocks: int | None = None) -> None:
        self.rng = random.Random(seed)
        self._clocks = random.Random(clocks) if clocks is not None else None
        tokens = Tokens()
        self.nodes = {name: RoleNode(name, NODES[0], NODES, tokens, guards) for name in NODES}
        self.letters: list[Letter] = []
        self.told: list[str] = []
        self._old: dict[str, Disk] = {}
        #: By node: the reigns that it has heard of from who reigns in them, since it has this disk: as a primary, or of its own.
        self._heard: dict[str, set[Epoch]] = {name: set() for name in NODES}
        #: By node: those that it was told of, whoever it was.
        self._rumours: dict[str, set[Epoch]] = {name: set() for name in NODES}
        #: What a primary had when it handed over, by the reign that it handed over to.
        self._handed: dict[Epoch, tuple[CommitMark, ...]] = {}
        #: Of each opening of a node: the peers that knew of no higher epoch at some time since.
        self._clean: dict[tuple[str, int], set[str]] = {}
        #: The reigns that somebody reigned in.
        self._begun: set[Epoch] = set()
        for node in self.nodes.values():
            node.start()

    # --- what happens

    def act(self) -> None:
        """One thing, and what follows of itself."""
        self.do(self.rng.choices(DOINGS, _WEIGHTS)[0])

    def do(self, doing: str) -> None:
        """The thing of this name; of whom, decides chance."""
        if self._clocks is not None:
            self.any_clock(self._clocks)
        _DOINGS[doing][0](self)
        self.settle()

    def any_clock(self, clocks: random.Random) -> None:
        """They are set, forward or back, by days or by years."""
        for node in self.nodes.values():
            node.now = clocks.randrange(-(10**18), 1 << 62)

    def settle(self) -> None:
        for node in self.nodes.values():
            if node.is_up and node.role is Role.PRIMARY:
                clean = self._clean.setdefault((node.name, node.openings), set())
                clean.update(one for one in node.peers if self.nodes[one].disk.highest <= node.reign.number)
        for node in self.nodes.values():
            if node.is_up:
                node.look()
        self.check()

    def say(self, word: str) -> None:
        self.told = [*self.told[-60:], word]

    def any_node(self) -> RoleNode:
        return self.nodes[self.rng.choice(NODES)]

    def deliver(self) -> None:
        """Any message, in no order."""
        if self.letters:
            self.hand_over(self.letters.pop(self.rng.randrange(len(self.letters))))

    def lose(self) -> None:
        if self.letters:
            self.letters.pop(self.rng.randrange(len(self.letters)))

    def double(self) -> None:
        if self.letters:
            self._send(self.rng.choice(self.letters))

    def hand_over(self, letter: Letter) -> None:
        node, what = self.nodes[letter.to], letter.what
        if not node.is_up:
            return
        self.say(f"{letter.speaker}→{letter.to}: {_words(what)}")
        if isinstance(what, Hello):
            self._is_called(node, letter.speaker, what)
        elif isinstance(what, Welcome):
            if node.is_answer(letter.speaker, letter.nonce) and what.met.owner == letter.speaker:
                self._rumours[node.name].add(what.met)
                self._heard[node.name].add(what.met)
            self._answer(letter, node.welcomed(letter.speaker, what, letter.nonce))
        elif isinstance(what, Sent):
            self._store(node, letter.speaker, what)
        else:
            self._switch(node, letter, what)

    def _is_called(self, node: RoleNode, speaker: str, hello: Hello) -> None:
        reigned = node.role is Role.PRIMARY
        answer = node.called(hello)
        if hello.epoch.owner == speaker:
            self._rumours[node.name].add(hello.epoch)
            if reigned or node.answered.get(speaker) is hello or node.followed == hello.epoch:
                self._heard[node.name].add(hello.epoch)
        if answer is not None:
            self._send(Letter(node.name, speaker, answer, hello.nonce))

    def _answer(self, letter: Letter, answer: Said | None) -> None:
        if answer is not None:
            self._send(Letter(letter.to, letter.speaker, answer, letter.nonce))

    def _switch(self, node: RoleNode, letter: Letter, what: Compare | Stands | TakeOver) -> None:
        if isinstance(what, Compare):
            self._answer(letter, node.stands())
        elif isinstance(what, Stands):
            had = node.disk.log
            taking = node.compared(letter.speaker, what, letter.nonce)
            if taking is not None:
                self._handed[taking.epoch] = had
            self._answer(letter, taking)
        elif node.take_over(letter.speaker, what.epoch, what.at) and any(
            one not in node.disk.log for one in self._handed.get(what.epoch, ())
        ):
            raise MustNotBe(f"{node.name} takes over and lacks what was durable")

    def _store(self, node: RoleNode, speaker: str, sent: Sent) -> None:
        before, hello = node.disk.log, node.answered.get(speaker)
        if hello is None or not node.take(speaker, sent):
            return
        reign, known = hello.epoch.number, max((one.number for one in self._heard[node.name]), default=0)
        if reign < known:
            raise MustNotBe(f"{node.name} stores of epoch {reign} though it has heard of {known}")
        gone = [one for one in before if one not in node.disk.log and one.epoch == hello.epoch.token]
        if node.followed == hello.epoch and any(one not in node.disk.log for one in before):
            raise MustNotBe(f"{node.name} followed {speaker} by itself, and gives up what only it had")
        if gone:
            raise MustNotBe(f"{node.name} gives up {len(gone)} commits of the reign {reign} itself")

    def switch(self) -> None:
        node, to = self.any_node(), self.rng.choice(NODES)
        asked = node.switch_to(to)
        if asked is not None:
            self.say(f"switchover on {node.name} to {to}")
            self._send(Letter(node.name, to, asked, asked.nonce))

    def give_up(self) -> None:
        self.any_node().give_up()

    def repeat(self) -> None:
        """Who handed over says so again."""
        node = self.any_node()
        again = node.handed_over() if node.is_up else None
        if again is not None:
            self._send(Letter(node.name, again.epoch.owner, again, b""))

    def dial(self) -> None:
        node, peer = self.any_node(), self.rng.choice(NODES)
        if node.is_up and peer != node.name:
            hello = node.hello(peer)
            if hello is not None:
                self._send(Letter(node.name, peer, hello, hello.nonce))

    def write(self) -> None:
        self.any_node().write()

    def crash(self) -> None:
        node = self.any_node()
        self.say(f"{node.name} crashes")
        node.crash()

    def start(self) -> None:
        node = self.any_node()
        if not node.is_up:
            self.say(f"{node.name} starts")
            node.start()

    def copy(self) -> None:
        node = self.any_node()
        self._old[node.name] = node.disk

    def start_older(self) -> None:
        """A copy of its disk is put back."""
        node = self.any_node()
        if node.name in self._old:
            self._anew(node, self._old[node.name], "an older disk")

    def start_empty(self) -> None:
        node = self.any_node()
        self._anew(node, Disk(), "an empty disk")

    def lose_record(self) -> None:
        """Of a disk, the role record alone."""
        node = self.any_node()
        self.say(f"{node.name} loses its role record")
        node.crash()
        node.disk = replace(node.disk, record=None)
        node.start()

    def older_record(self) -> None:
        """Of a disk, the role record alone is put back."""
        node = self.any_node()
        if node.name in self._old:
            self.say(f"{node.name} has an older role record")
            node.crash()
            node.disk = replace(node.disk, record=self._old[node.name].record)
            node.start()

    def lie(self) -> None:
        """A faulty node comes with an epoch that it made up, as if another reigned in it."""
        speaker, node, owner = self.any_node(), self.any_node(), self.rng.choice(NODES)
        if speaker is not node and owner not in (speaker.name, node.name):
            epoch = Epoch(node.disk.highest + 1, owner, self.rng.randbytes(TOKEN_SIZE))
            hello = Hello(speaker.name, "web", (2,), epoch, NOTHING, self.rng.randbytes(32))
            self._send(Letter(speaker.name, node.name, hello, hello.nonce))

    def push(self) -> None:
        """A faulty primary whose time is over sends although nobody takes it."""
        node, peer = self.any_node(), self.any_node()
        reigns = node.is_up and node.role is Role.PRIMARY
        follows = peer.is_up and peer.role is Role.STANDBY
        if reigns and follows and node.reign.number < newest_of(peer.disk.lineage).number:
            hello = Hello(node.name, "web", (2,), node.reign, NOTHING, self.rng.randbytes(32))
            peer.called(hello)
            self._store(peer, node.name, Sent(hello.nonce, NOTHING, NOTHING, node.disk.log))

    def _anew(self, node: RoleNode, disk: Disk, words: str) -> None:
        self.say(f"{node.name} starts with {words}")
        node.crash()
        node.disk = disk
        # Whom it followed with the disk of before it does not follow, nor has it heard of that one.
        node.followed = None
        self._heard[node.name] = set(disk.lineage)
        self._rumours[node.name] = set()
        node.start()

    def promote(self) -> None:
        node = self.any_node()
        self.say(f"promote on {node.name}")
        node.promote()

    def serve_alone(self) -> None:
        node = self.any_node()
        self.say(f"serve --alone on {node.name}")
        node.serve_alone()

    def fence(self) -> None:
        node = self.any_node()
        self.say(f"fence on {node.name}")
        node.fence()

    def accept(self) -> None:
        node = self.any_node()
        self.say(f"accept on {node.name}")
        node.accept()

    def rejoin(self) -> None:
        """One that is fenced, or follows nobody, becomes a standby of a primary that it has heard of."""
        node = self.any_node()
        reigns = sorted(self._rumours[node.name], key=lambda one: one.number)
        if reigns and (node.role is Role.STANDBY or node.disk.mark is not None):
            self.say(f"rejoin on {node.name} to {reigns[-1].number} of {reigns[-1].owner}")
            node.rejoin(reigns[-1])

    def _send(self, letter: Letter) -> None:
        self.letters = [*self.letters[-_IN_FLIGHT:], letter]

    # --- what must never be

    def check(self) -> None:
        for node in self.nodes.values():
            self._begun.update(epoch for epoch in node.disk.lineage if epoch.owner == node.name)
        for node in self.nodes.values():
            if made_up := set(node.disk.lineage) - self._begun:
                raise MustNotBe(f"{node.name} believes in an epoch that never was: {made_up}")
            if node.usurped is not None:
                reigned = f"epoch {node.usurped.number} of {node.usurped.owner}"
                raise MustNotBe(f"{node.name} begins a reign after {reigned}, and nobody told it to")
            mark = node.disk.mark
            if mark is not None and mark.highest not in {one.number for one in self._begun}:
                raise MustNotBe(f"{node.name} is fenced by epoch {mark.highest}, which never was")
        self._check_writable()

    def _check_writable(self) -> None:
        writable = [node for node in self.nodes.values() if node.serves]
        reigns = [node.reign for node in writable]
        if len(set(reigns)) < len(reigns):
            raise MustNotBe(f"two are writable in one epoch: {[node.name for node in writable]}")
        for node in writable:
            lacking = set(node.peers) - self._clean.get((node.name, node.openings), set())
            if lacking and not node.alone:
                raise MustNotBe(f"{node.name} serves, and {lacking} knew of a higher epoch all the time")
            if node.disk.mark is not None:
                raise MustNotBe(f"{node.name} is writable and was stopped")
            if not node.is_up or node.reign.owner != node.name:
                raise MustNotBe(f"{node.name} is writable in the epoch of {node.reign.owner}")
            known = max(node.disk.highest, *(one.number for one in (*self._heard[node.name], node.reign)))
            if known > node.reign.number:
                raise MustNotBe(f"{node.name} is writable in epoch {node.reign.number} and knows {known}")
            if any(one.number == node.reign.number and one != node.reign for one in self._heard[node.name]):
                raise MustNotBe(f"{node.name} is writable though another has its epoch {node.reign.number}")

    # --- a way out

    def comes_out(self) -> None:
        """From here an operator's commands lead to one primary that serves, and two standbys that have what it has."""
        for node in self.nodes.values():
            if not node.is_up:
                node.start()
        for _ in range(_ROUNDS):
            self._one_round()
            self._by_the_book()
            if self._is_well():
                return
        states = [
            (node.name, node.role.value, node.disk.mark, node.serves, node.disk.highest) for node in self.nodes.values()
        ]
        raise MustNotBe(f"no way out: {states}")

    def _one_round(self) -> None:
        self.letters.clear()
        for node in self.nodes.values():
            node.give_up()
            again = node.handed_over()
            if again is not None:
                self._send(Letter(node.name, again.epoch.owner, again, b""))
            for peer in node.peers:
                hello = node.hello(peer)
                if hello is not None:
                    self._send(Letter(node.name, peer, hello, hello.nonce))
        while self.letters:
            self.hand_over(self.letters.pop(0))
            self.settle()

    def _by_the_book(self) -> None:
        """What status says that an operator is to type."""
        nodes = list(self.nodes.values())
        reigning = [node for node in nodes if node.role is Role.PRIMARY and node.disk.mark is None]
        if reigning:
            first = max(reigning, key=lambda one: one.reign.number)
            for node in nodes:
                if node.role is Role.STANDBY and not precedes(first.reign, node.disk.newest_epoch):
                    self._is_beyond(node)
                elif node.disk.mark is not None and node.disk.highest > first.reign.number:
                    _goes_on(node)
            for node in nodes:
                behind = node.role is Role.PRIMARY or node.primary != first.name
                if node is not first and behind and first.reign in self._rumours[node.name]:
                    node.rejoin(first.reign)
            return
        marked = [node for node in nodes if node.disk.mark is not None and node.role is Role.PRIMARY]
        if marked:
            _goes_on(max(marked, key=lambda one: one.disk.highest))
        else:
            max(nodes, key=lambda one: (len(one.disk.log) > 0, one.disk.highest, len(one.disk.log))).promote()

    def _is_beyond(self, node: RoleNode) -> None:
        """A standby knows of a reign that the primary is not above: what it has is right, where it has anything."""
        if node.disk.log:
            node.promote()
        else:
            self._anew(node, Disk(), "its state moved away")

    def _is_well(self) -> bool:
        serving = [node for node in self.nodes.values() if node.serves]
        if len(serving) != 1:
            return False
        others = [node for node in self.nodes.values() if node is not serving[0]]
        return all(node.role is Role.STANDBY and node.disk.log == serving[0].disk.log for node in others)


def _goes_on(node: RoleNode) -> None:
    """What status says that is to be typed where a node that must not go on is to: whatever stopped it, it is ``serve --alone``
    or ``accept``."""
    node.serve_alone()
    node.accept()


def _words(what: Said) -> str:
    if isinstance(what, Hello):
        return f"hello, epoch {what.epoch.number} at {what.newest:x}"
    if isinstance(what, Welcome):
        return f"welcome, met {what.met.number}, at {what.durable:x}"
    return f"{len(what.commits)} commits" if isinstance(what, Sent) else type(what).__name__


#: By name: what happens, and how often beside the others.
_DOINGS: Mapping[str, tuple[Callable[[RoleWorld], None], float]] = MappingProxyType(
    {
        "deliver": (RoleWorld.deliver, 40),
        "dial": (RoleWorld.dial, 20),
        "write": (RoleWorld.write, 12),
        "lose": (RoleWorld.lose, 3),
        "double": (RoleWorld.double, 3),
        "crash": (RoleWorld.crash, 2),
        "start": (RoleWorld.start, 5),
        "copy": (RoleWorld.copy, 1),
        "start_older": (RoleWorld.start_older, 1),
        "start_empty": (RoleWorld.start_empty, 0.3),
        "lose_record": (RoleWorld.lose_record, 0.5),
        "older_record": (RoleWorld.older_record, 0.5),
        "lie": (RoleWorld.lie, 0.5),
        "push": (RoleWorld.push, 3),
        "switch": (RoleWorld.switch, 3),
        "give_up": (RoleWorld.give_up, 0.5),
        "repeat": (RoleWorld.repeat, 2),
        "promote": (RoleWorld.promote, 1.5),
        "serve_alone": (RoleWorld.serve_alone, 1),
        "fence": (RoleWorld.fence, 0.5),
        "accept": (RoleWorld.accept, 1.5),
        "rejoin": (RoleWorld.rejoin, 2.5),
    }
)
DOINGS = tuple(_DOINGS)
_WEIGHTS = tuple(often for _, often in _DOINGS.values())
