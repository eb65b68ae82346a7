"""A primary's calls to its standbys: a link to each, and the senders of the calls that go on."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from agent import __version__
from agent.config.values import Dataset, Peer
from agent.core.errors import HikaeError, TryAgain
from agent.core.ids import NOTHING, CommitNumber
from agent.node.context import SideContext
from agent.node.meeting import tell_configs
from agent.node.owed_problems import tell_primary
from agent.node.pauses import SEND
from agent.node.reigning.reign import Reign
from agent.node.reigning.replica import Replica
from agent.rpc.client import GrpcTransport
from agent.store.catalog.catalog import Catalog
from agent.stream.footing import LineageBroken, Verdict, precedes
from agent.stream.locator import locator_in
from agent.stream.messages import Hello, Welcome
from agent.stream.sending.link import Link
from agent.stream.sending.sender import Sender, SendingContext
from agent.stream.versions import SPOKEN

NONCE_SIZE = 32


@dataclass(frozen=True, slots=True)
class _Line:
    """A link, the way that it takes, and the peer as it was configured then."""

    peer: Peer
    transport: GrpcTransport
    link: Link

    def end(self) -> None:
        self.link.stop()
        self.transport.close()


class Outgoing:
    """Of one dataset on its primary. ``replicas`` by name; ``sending``: what every call works with; ``catalog``: what was
    committed. Links are started, changed and closed by who tends the dataset, one at a time; the rest is for any thread."""

    def __init__(
        self,
        dataset: Dataset,
        context: SideContext,
        reign: Reign,
        replicas: Mapping[str, Replica],
        sending: SendingContext,
        catalog: Catalog,
    ) -> None:
        self._dataset = dataset
        self._context = context
        self._reign = reign
        self._replicas = replicas
        self._sending = sending
        self._catalog = catalog
        self._lock = threading.Lock()
        self._senders: dict[str, Sender] = {}
        #: By standby: those that are configured as peers. Replaced as a whole.
        self._lines = {peer.name: self._line(peer) for peer in self._standbys()}

    @property
    def links(self) -> Mapping[str, Link]:
        """By standby: those that are configured as peers."""
        return {name: line.link for name, line in self._lines.items()}

    def start(self) -> None:
        """Dial every standby, and again whenever a call ends."""
        for line in self._lines.values():
            line.link.start()

    def redial(self) -> None:
        """The peers of this node were configured anew: calls to those that are gone, or are elsewhere now, end, and those that
        came are dialled. Calls to the others go on."""
        peers = {peer.name: peer for peer in self._standbys()}
        old = self._lines
        begun = {name: self._line(peer) for name, peer in peers.items() if name not in old or old[name].peer != peer}
        self._lines = {name: begun.get(name) or old[name] for name in peers}
        for name, line in old.items():
            if name not in peers or name in begun:
                line.end()
        for line in begun.values():
            line.link.start()

    def _standbys(self) -> Iterator[Peer]:
        return (peer for peer in self._context.around.settings.peers if peer.name in self._replicas)

    def _line(self, peer: Peer) -> _Line:
        around = self._context.around
        transport, make = around.transport(peer), partial(self._sender, self._replicas[peer.name])
        link = Link(peer.name, self._dataset.name, transport, make, around.clock, broken=self._broken)
        return _Line(peer, transport, link)

    def close(self) -> None:
        """End the calls, each after the commit that it is in, and dial no more."""
        for line in self._lines.values():
            line.end()

    def dial_now(self) -> None:
        """Wait out no pause between two calls."""
        for link in self.links.values():
            link.dial_now()

    def end_calls(self) -> None:
        """Every call ends after the commit that it is in, and is dialled again."""
        with self._lock:
            senders = list(self._senders.values())
        for sender in senders:
            sender.close()

    def hear(self) -> None:
        """Who has answered by now has said whether it knows of a later reign. Any thread."""
        for name, link in list(self.links.items()):
            welcome = link.state().welcome
            if welcome is not None:
                self._confirmed_by(name, welcome)

    def tick(self) -> None:
        """Once a second: who is connected, and whose configuration is another."""
        digests: dict[str, bytes] = {}
        for name, link in self.links.items():
            state = link.state()
            if state.welcome is not None:
                digests[name] = state.welcome.config_digest
        tell_configs(self._context.board, self._dataset, digests, self._context.around.clock.now_ns())

    def _confirmed_by(self, name: str, welcome: Welcome) -> None:
        """A peer has proven what it knows: if that is no later reign, this one may go on as far as the peer is concerned, whether
        it takes anything from us or not."""
        own = self._reign.epoch
        if self._reign.mark is None and precedes(own, welcome.met) and precedes(own, welcome.epoch):
            self._context.confirmation.by(name)

    def _sender(self, replica: Replica) -> Sender:
        self._reign.require()
        context, name = self._context, self._dataset.name
        if context.pauses.paused(SEND):
            raise TryAgain("send", name, "sending is paused", f"hikae resume {name}")
        sender = Sender(
            replica.name,
            self._hello(),
            self._sending,
            board=replica.positions,
            pace=replica.pace,
            owed=partial(self._owes, replica),
        )
        with self._lock:
            self._senders[replica.name] = sender
        return sender

    def _newest(self) -> CommitNumber:
        newest = self._catalog.newest()
        return newest.number if newest else NOTHING

    def _hello(self) -> Hello:
        epoch = self._reign.epoch
        with self._catalog.reader() as reader:
            newest, locator, reason = reader.newest(), locator_in(reader), reader.reason_of(epoch)
        return Hello(
            node=self._context.around.node,
            dataset=self._dataset.name,
            versions=SPOKEN,
            epoch=epoch,
            newest=newest.number if newest else NOTHING,
            nonce=secrets.token_bytes(NONCE_SIZE),
            config_digest=self._dataset.digest,
            program=__version__,
            kind=self._dataset.kind,
            locator=locator,
            reason=reason,
        )

    def _owes(self, replica: Replica, total: int, paths: Sequence[bytes]) -> None:
        with self._lock:
            replica.owed = total, paths
            owed = {name: one.owed for name, one in self._replicas.items()}
            tell_primary(self._context.board, owed, self._context.around.clock.now_ns())
        self._context.around.changed()

    def _broken(self, failure: HikaeError) -> None:
        """A call ended. Only what a proven peer knows of us and we do not needs more than dialling again (law 6)."""
        self._context.around.changed()
        if isinstance(failure, LineageBroken) and failure.verdict is not Verdict.FOREIGN:
            self._reign.is_over(failure, self._newest(), self._context.board, self._context.around.clock)
