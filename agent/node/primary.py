"""A dataset on its primary: watcher → pump → catalog, and a link to every standby."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TypeVar

import structlog

from agent.apply.ports import LeftOut
from agent.capture.committer import WAITS
from agent.capture.facts import PumpFacts
from agent.capture.ports import CaptureContext
from agent.config.values import Dataset, Limits
from agent.core.commit import Commit
from agent.core.errors import HikaeError
from agent.core.ids import NOTHING, CommitNumber
from agent.core.problem_codes import NOT_STANDBY, REJOIN_NO_ROOM
from agent.fs.reserve import Reserve
from agent.node.context import SideContext
from agent.node.disk_reserve import DiskReserve
from agent.node.grouped.desk import PeerAsks
from agent.node.grouped.moment import GroupSource
from agent.node.kinds.primary_kind import primary_parts
from agent.node.kinds.primary_parts import OwnerCalls, PrimaryParts
from agent.node.kinds.writing import WritersHere
from agent.node.measured.measured_feed import MeasuredFeed
from agent.node.meeting import SAME, not_standby
from agent.node.own_place import why_not_written_over
from agent.node.reigning.announced import WaitingForPeer
from agent.node.reigning.barrier_desk import BarrierDesk
from agent.node.reigning.confirmation_notice import ConfirmationNotice
from agent.node.reigning.offline import Offline
from agent.node.reigning.outgoing import Outgoing
from agent.node.reigning.own_history import OwnHistory
from agent.node.reigning.quiescer import QuiescedSource, Quiescer
from agent.node.reigning.reign import Reign
from agent.node.reigning.replica import Replica
from agent.node.reigning.way_back import way_back_in
from agent.roles import lineage, rewound
from agent.roles.assignment import Assignment
from agent.roles.confirmation import lacking
from agent.roles.rejoin.room import VaultRoom, vault_room
from agent.roles.rewound import Rewound, fenced_by_hand, highest_met
from agent.roles.rollback.root_facts import RootFacts
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiring.expiry import Horizons
from agent.store.catalog.reader import CatalogReader
from agent.store.local import Local
from agent.store.spool import Spool
from agent.store.vault.vault import Vault
from agent.stream.footing import LineageBroken, fences
from agent.stream.messages import Answers, Hello, Refuse
from agent.stream.sending.feed import Feed
from agent.stream.sending.forecast import Meter
from agent.stream.sending.sender import SendingContext

#: Seconds between two looks at the room for a vault.
ROOM_EVERY = 60.0
T = TypeVar("T")
_log = structlog.get_logger("node")


class Primary:
    """Everything that runs for one dataset where its writes happen. Made by :meth:`open`; ends with :meth:`close`."""

    @classmethod
    def open(cls, dataset: Dataset, context: SideContext) -> Primary:
        """Open the stores, begin or go on with the epoch, start watching, capturing and sending.

        Raises ``HikaeError`` when it cannot be opened now; nothing is left running then."""
        around = context.around
        home = around.home(dataset)
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        catalog, local = lineage.open_stores(home, around.node, around.clock.now_ns())
        with ExitStack() as stack:
            stack.callback(catalog.close)
            stack.callback(local.close)
            vault = _vault_of_a_standby(around.vault(dataset), catalog)
            if vault is not None:
                stack.callback(vault.close)
            primary = cls(dataset, context, catalog, local, vault=vault)
            stack.pop_all()
            stack.callback(primary.close)
            primary._start()
            stack.pop_all()
        return primary

    def __init__(
        self, dataset: Dataset, context: SideContext, catalog: Catalog, local: Local, *, vault: Vault | None
    ) -> None:
        around = context.around
        self.dataset = dataset
        home = around.home(dataset)
        self._context = context
        self._catalog = catalog
        self._local = local
        self._vault = vault
        self.reign = Reign(
            dataset.name,
            catalog.lineage[-1],
            home,
            rewound.read_and_settle(home, catalog),
            stopped=self._must_stop,
            may_rejoin=lambda: not why_not_written_over(dataset, str(home)),
        )
        #: What changes here, over the last seconds, for how fast a peer works it off.
        self.changes = Meter()
        self._room_due = 0.0
        #: What the node said of itself last that reigns in an epoch after ours; None while nobody does.
        self.superseded_by: Hello | None = None
        context.confirmation.reigns(self.reign.epoch)
        if self.reign.mark is not None:
            context.confirmation.is_over()
        self._awaited = ConfirmationNotice(dataset.name, context.board, around.clock)
        self._confirmed_before = lineage.was_confirmed(home)
        reserve = Reserve((home,), around.clock)
        self._room = DiskReserve("capture", WAITS, dataset.name, reserve, board=context.board, clock=around.clock)
        self.replicas = {name: self._replica(name) for name in context.assigned.standbys}
        self.feed = Feed(stands_still=lambda peer: self.replicas[peer].pace.stands_still)
        self.going = way_back_in(home, dataset, context, (catalog, local))
        #: What it received while it was a standby; None where it never was one.
        self.past = self._own_history()
        self._parts = self._made_parts()
        self.pump, self.watch = self._parts.pump, self._parts.watch
        #: Who may be writing into it.
        self.writing = WritersHere(dataset.path, self.holds, around.clock, is_device=dataset.is_device)
        #: Lets the source stand still for a generation, or a command (``generations.quiescing``).
        source = self._quiesced()
        self.quiescing = Quiescer(source, home, around.clock)
        #: Stops the application, and starts it again.
        self.offline = Offline(source, self.quiescing, home, around.clock)
        self.barriers = BarrierDesk(dataset.name, self.quiescing, around.clock)
        self._group_source = GroupSource(source, self.quiescing)
        self.outgoing = Outgoing(dataset, context, self.reign, self.replicas, self._sending(), self._catalog)

    def _sending(self) -> SendingContext:
        around, dataset = self._context.around, self.dataset
        return SendingContext(
            self._parts.make_source,
            partial(Spool.open, str(around.home(dataset))),
            self.feed,
            around.clock,
            self._context.standings,
            PeerAsks(dataset.name, self.barriers, around.group_desk),
            self._waiting,
        )

    def _waiting(self, peer: str) -> WaitingForPeer:
        path, clock = self.dataset.path, self._context.around.clock
        return WaitingForPeer(self.replicas[peer], self.pump, self.newest, self._catalog.reader, path, clock)

    def _quiesced(self) -> QuiescedSource:
        around = self._context.around
        return QuiescedSource(
            lambda: self.dataset,
            around.node,
            lambda: self.reign.epoch.number,
            self.pump,
            around.freezing,
            self.start_withheld,
            why_not=self._parts.why_not_still,
            always=self._parts.always_still,
            snapshot=self._parts.snapshot,
        )

    def _own_history(self) -> OwnHistory | None:
        around = self._context.around
        if self._vault is None:
            return None
        stores = self._catalog, self._vault
        return OwnHistory(lambda: self.dataset, around.node, stores, lambda: self.pump, around.clock)

    def _replica(self, name: str) -> Replica:
        around = self._context.around
        return Replica(name, self._catalog, self._local, around.clock, limits=self._limits, moved=around.moved)

    def _limits(self) -> Limits:
        """Looked up at each use, since they may change."""
        return self.dataset.limits

    def _made_parts(self) -> PrimaryParts:
        around = self._context.around
        capture = CaptureContext(
            self.dataset.name, self._catalog, self._local, self._vault, self._context.board, around.clock
        )
        received = [replica.received for replica in self.replicas.values()]
        applied = [replica.applied for replica in self.replicas.values()]
        outlet = MeasuredFeed(self.feed, (*received, *applied), around.moved)
        calls = OwnerCalls(lambda: self.dataset, self._pump_failed, self._horizons, self._room.require, self._go_back)
        return primary_parts(self._context, capture, outlet, calls)

    def _go_back(self, left_out: LeftOut, stopping: threading.Event) -> None:
        """By the pump's thread, before it looks at anything."""
        if self.going is not None:
            self.going.run(left_out, stopping)

    def unconfirmed_by(self) -> tuple[str, ...]:
        """The peers that are still to say that nobody reigns after this node; while there are any it must not serve."""
        self.outgoing.hear()
        waits = self.dataset.start_without_peer != "serve"
        said = self._context.confirmation.said(waits=waits, known=self._confirmed_before)
        return lacking(self.outgoing.links, said)

    def start_withheld(self) -> str:
        """Why nothing may begin the application here now, "" where it may be begun (law 7). Any thread."""
        if self.reign.mark is not None:
            return self.reign.mark.sentence
        waits = self.unconfirmed_by()
        return f"{', '.join(waits)} has not confirmed that no other node was made primary" if waits else ""

    def settle_facts(self) -> None:
        """What is known of the tree is taken back by no kill any more. Raises ``TryAgain``, ``StoreFailed``."""
        self._local.settle()

    def stand_back(self, act: Callable[[Catalog, Local], T]) -> T:
        """Have something done by the thread that owns the stores, after which nothing is captured: this side is to be closed."""
        return self.pump.between_commits(lambda catalog: act(catalog, self._local), then_ends=True)

    def is_back(self, target: CommitNumber) -> bool:
        """Whether the tree went back to a commit that took an earlier moment up; any thread."""
        return RootFacts(self._local).is_there(target)

    def holds(self, handle: bytes) -> bool:
        """Whether an object of the tree has this handle, as far as is known."""
        return self._local.by_handle(handle) is not None

    @property
    def assigned(self) -> Assignment:
        """Who is what: this node is the primary."""
        return self._context.assigned

    # --- running

    def close(self) -> None:
        """Links first, so that the commit being sent can end; then the watcher; then the pump with what it holds."""
        self._keep_confirmed()
        self.writing.close()
        self.outgoing.close()
        self._context.around.group_desk.leave(self.dataset.name)
        self.barriers.close()
        self.quiescing.close()
        self.offline.close()
        self.watch.close()
        self.pump.stop()
        if self._vault is not None:
            self._vault.close()
        self._local.close()
        self._catalog.close()

    def tick(self) -> None:
        """Once a second: is the root still watched, is there room, what is to be said."""
        board, clock = self._context.board, self._context.around.clock
        self.watch.tick(board, clock)
        self._room.tick()
        self.pump.try_again()
        self.changes.count(clock.monotonic(), self.feed.given + self.facts().waits)
        self.reign.tell(board)
        self.outgoing.tick()
        self._tell_room()
        if self.past is not None:
            self.past.tell(board, followed=any(link.is_connected for link in self.outgoing.links.values()))
        self._awaited.tell(self.unconfirmed_by() if self.reign.mark is None else ())
        self._keep_confirmed()

    def _keep_confirmed(self) -> None:
        """That it was confirmed once outlives this run."""
        if not self._confirmed_before and self.reign.mark is None and not self.unconfirmed_by():
            self._confirmed_before = lineage.keep_confirmed(self._context.around.home(self.dataset))

    def vault_room(self) -> VaultRoom:
        """Whether this node could keep a vault of what it has; looks at the disk."""
        newest = self.newest()
        place = self._context.around.vault(self.dataset)
        return vault_room(place, newest.bytes if newest is not None else 0)

    def _tell_room(self) -> None:
        clock = self._context.around.clock
        if clock.monotonic() < self._room_due:
            return
        self._room_due = clock.monotonic() + ROOM_EVERY
        room = self.vault_room()
        if room.lacks:
            self._context.board.put(room.problem(self.dataset.name, clock.now_ns()))
        else:
            self._context.board.clear(REJOIN_NO_ROOM)

    def newest(self) -> Commit | None:
        """The newest commit; any thread (the value is replaced as a whole)."""
        return self._catalog.newest()

    def reader(self) -> CatalogReader:
        """What was committed, for another thread, which closes it."""
        return self._catalog.reader()

    def facts(self) -> PumpFacts:
        """How capture goes; any thread."""
        return self.pump.facts()

    def redial(self) -> None:
        """The peers of this node were configured anew; see ``Outgoing.redial``."""
        self.outgoing.redial()

    def resume_sending(self) -> None:
        """A pause has ended."""
        self.outgoing.dial_now()

    def stop_sending(self) -> None:
        """A pause has begun: every call ends after the commit that it is in."""
        self.outgoing.end_calls()

    def _must_stop(self) -> None:
        self._context.confirmation.is_over()
        self.stop_sending()

    def fence(self) -> None:
        """An operator has this node stop serving and sending. Raises ``StoreFailed``."""
        around = self._context.around
        mark = fenced_by_hand(around.node, self.reign.epoch.number, self._newest_number(), around.clock.now_ns())
        self.reign.fence(mark, self._context.board)

    def serve_alone(self) -> None:
        """An operator says that this node may serve, whoever is silent. Raises ``StoreFailed``."""
        if self.reign.mark is not None:
            self.reign.unfence(self._context.board)
            self.outgoing.dial_now()
        self._context.confirmation.serves_alone()

    def accept_mark(self, mark: Rewound) -> None:
        """See ``Reign.accept``: this side is closed, and the next opening begins a higher epoch. Raises ``StoreFailed``."""
        self._context.confirmation.next_serves_alone()
        self._context.failed(self.reign.accept(mark))

    def accept(self, peer: str, hello: Hello) -> Answers:
        """What a peer is answered that calls as if it were the primary: the epoch here, and that it takes nothing. If its own
        epoch is not older, this node is fenced before it answers (law 7)."""
        around = self._context.around
        if peer not in self.assigned.standbys:
            reason = f"{peer} takes no part in {self.dataset.name} here"
            return (Refuse(NOT_STANDBY, reason, SAME),)
        if fences(self.reign.epoch, hello.epoch, peer):
            proof = LineageBroken(peer, hello.epoch, NOTHING, b"", False, around.node)
            self.superseded_by = hello
            self.reign.is_over(proof, self._newest_number(), self._context.board, around.clock)
        if peer in (links := self.outgoing.links):
            links[peer].dial_now()  # it is back, and an operator there may wait for our call
        met = highest_met(self.reign.epoch, self.reign.mark)
        return not_standby(around.node, self.dataset, self.reign.epoch, hello, met)

    def _start(self) -> None:
        self.watch.start()
        self.feed.calls(self.outgoing.links)
        self.pump.start()
        self.outgoing.start()
        self.quiescing.start()
        self.offline.start()
        self._context.around.group_desk.enter(self._group_source)

    # --- what the pump asks

    def _horizons(self) -> Horizons:
        """Rows are kept back to the oldest peer's commit, but no longer than ``history``; commits for all of ``history``. A peer
        that was away for longer is brought up from nothing; chunks that it has do not travel again. Called by the pump's thread,
        which owns the catalog."""
        if self.past is not None:
            return self.past.horizons()
        oldest = min((one.positions.position.durable for one in self.replicas.values()), default=NOTHING)
        since = self._context.around.clock.now_ns() - self.dataset.history * 10**9
        before = self._catalog.newest_before(since)
        return Horizons(max(oldest, before), before)

    def _pump_failed(self, error: Exception) -> None:
        if isinstance(error, HikaeError):
            self._context.failed(error)
        else:
            _log.error("capture met a bug", dataset=self.dataset.name, exc_info=error)
            reason = f"{type(error).__name__}: {error}"
            self._context.failed(
                HikaeError("capture", self.dataset.name, reason, "it is started again; please report this")
            )

    # --- what calls ask

    def _newest_number(self) -> CommitNumber:
        newest = self.newest()
        return newest.number if newest else NOTHING


def _vault_of_a_standby(place: Path, catalog: Catalog) -> Vault | None:
    """What this node received when it was a standby: parts of chunk lists, and history; None where it never was one."""
    return Vault.open(str(place), catalog.pack_end()) if place.exists() else None
