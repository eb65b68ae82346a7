"""A dataset on its primary: watcher → pump → catalog, and a link to every standby."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path

import structlog

from agent import __version__
from agent.capture.committer import WAITS
from agent.capture.exclude import Rules
from agent.capture.facts import PumpFacts
from agent.capture.files.hard_links import Linked
from agent.capture.files.read_back import TreeSource
from agent.capture.pump import Pump, PumpCalls
from agent.capture.sessions import CaptureContext
from agent.capture.tree.session import TreeSessions
from agent.config.nesting import apart
from agent.config.values import Dataset
from agent.core.commit import Commit
from agent.core.errors import HikaeError, Refused, StoreFailed, TryAgain
from agent.core.ids import NOTHING, CommitNumber
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import FENCED, NOT_STANDBY, REWOUND, WATCH
from agent.fs.reserve import Reserve
from agent.fs.root import RootIdentity, reason_lost, root_at
from agent.node.context import SideContext
from agent.node.disk_reserve import DiskReserve
from agent.node.measured.first_sync import FirstSync
from agent.node.measured.lag import LagMeter
from agent.node.measured.measured_feed import MeasuredFeed
from agent.node.meeting import not_standby, tell_configs
from agent.node.owed_problems import tell_primary
from agent.node.pauses import SEND
from agent.node.primary_source import PrimarySource
from agent.roles import lineage, rewound
from agent.roles.assignment import Assignment
from agent.roles.rewound import Rewound, proven_mark
from agent.rpc.client import GrpcTransport
from agent.store.catalog.catalog import Catalog
from agent.store.catalog.expiry import Horizons
from agent.store.local import Local
from agent.store.spool import Spool
from agent.store.vault.vault import Vault
from agent.stream.footing import LineageBroken, Verdict, fences
from agent.stream.messages import Answers, Hello, Refuse
from agent.stream.position import PositionBoard
from agent.stream.sending.feed import Feed
from agent.stream.sending.forecast import Meter
from agent.stream.sending.link import Link
from agent.stream.sending.pace import Pace
from agent.stream.sending.sender import Sender
from agent.stream.versions import SPOKEN
from agent.watch.choose import choose
from agent.watch.hint import Hint, Look, Passing, Watcher, never_passes
from agent.watch.inotify import InotifyWatcher
from agent.watch.mounts import MountsBelow
from agent.watch.settle import Settle

NONCE_SIZE = 32
_log = structlog.get_logger("node")


class Primary:
    """Everything that runs for one dataset where its writes happen. Made by :meth:`open`; ends with :meth:`close`."""

    @classmethod
    def open(
        cls,
        dataset: Dataset,
        context: SideContext,
    ) -> Primary:
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
            primary = cls(dataset, context, catalog, local, vault)
            stack.pop_all()
            stack.callback(primary.close)
            primary._start()
            stack.pop_all()
        return primary

    def __init__(
        self,
        dataset: Dataset,
        context: SideContext,
        catalog: Catalog,
        local: Local,
        vault: Vault | None,
    ) -> None:
        around = context.around
        self.dataset = dataset
        self.epoch = catalog.lineage[-1]
        self.boards = {name: PositionBoard() for name in context.assigned.standbys}
        self.meters = {name: LagMeter(around.clock) for name in context.assigned.standbys}
        self.applied_meters = {name: LagMeter(around.clock) for name in context.assigned.standbys}
        for meter in (*self.meters.values(), *self.applied_meters.values()):
            if (newest := catalog.newest()) is not None:
                meter.found(newest.number, (around.clock.now_ns() - newest.time) / 1e9)
        self.watcher: Watcher | None = None
        self._root: RootIdentity | None = None
        self._mounts: MountsBelow | None = None
        self.watch_trouble = ""
        self._home = around.home(dataset)
        self.mark = rewound.read_and_settle(self._home, catalog)
        self._unmarked = False
        #: The mark was accepted: this side is closed soon, and the next one goes on.
        self.goes_on = False
        self.confirmed: set[str] = set()
        self._context = context
        self._catalog = catalog
        self._local = local
        self._vault = vault
        self.changes = Meter()
        reserve = Reserve((self._home,), around.clock)
        self._room = DiskReserve("capture", WAITS, dataset.name, reserve, context.board, around.clock)
        consistent = catalog.oldest_consistent()
        self.firsts = {
            name: FirstSync(name, positions, consistent, catalog.newest, local)
            for name, positions in self.boards.items()
        }
        self.paces = {
            name: Pace(lambda: self.dataset.limits, first, around.clock) for name, first in self.firsts.items()
        }
        self.feed = Feed(stands_still=lambda peer: self.paces[peer].stands_still)
        self._lock = threading.Lock()
        self._senders: dict[str, Sender] = {}
        #: By peer: how many files it owes, and the paths of the first.
        self.owed: dict[str, tuple[int, Sequence[bytes]]] = {}
        #: Files with further names: what the watcher asks about changes outside the root.
        self._linked = Linked()
        capture = CaptureContext(dataset.name, catalog, local, vault, context.board, around.clock)
        rules = Rules(dataset.exclude, dataset.include, apart(dataset, around.settings.datasets))
        self.pump = Pump(
            capture,
            Settle(),
            TreeSessions(capture, dataset.path, rules, self._linked),
            MeasuredFeed(self.feed, (*self.meters.values(), *self.applied_meters.values()), around.changed),
            PumpCalls(self._set_barrier, self._pump_failed, self._horizons, self._room.require),
        )
        for name, positions in self.boards.items():
            positions.watch(partial(self._moved, name))
        self.links = self._make_links()

    @property
    def assigned(self) -> Assignment:
        """Who is what: this node is the primary."""
        return self._context.assigned

    # --- running

    def close(self) -> None:
        """Links first, so that the commit being sent can end; then the watcher; then the pump with what it holds."""
        for link, transport in self.links.values():
            link.stop()
            transport.close()
        if self.watcher is not None:
            self.watcher.stop()
        if self._mounts is not None:
            self._mounts.close()
        self.pump.stop()
        if self._vault is not None:
            self._vault.close()
        self._local.close()
        self._catalog.close()

    def tick(self) -> None:
        """Once a second: is the root still there and watched? A lost watch is begun again, and everything is looked at."""
        if self.watcher is not None and self.watcher.check() is not None:
            self.watcher.stop()
            self.watcher = None
        if self.watcher is None:
            self._watch(anew=True)
        self._look_at_mounts()
        self._room.tick()
        self.pump.try_again()
        self._tell_watch()
        self.changes.count(self._context.around.clock.monotonic(), self.feed.given + self.facts().waits)
        self._tell_rewound()
        digests: dict[str, bytes] = {}
        for name, (link, _) in self.links.items():
            state = link.state()
            if state.connected:
                self.confirmed.add(name)
            if state.welcome is not None:
                digests[name] = state.welcome.config_digest
        tell_configs(self._context.board, self.dataset, digests, self._context.around.clock.now_ns())

    def newest(self) -> Commit | None:
        """The newest commit; any thread (the value is replaced as a whole)."""
        return self._catalog.newest()

    def facts(self) -> PumpFacts:
        """How capture goes; any thread."""
        return self.pump.facts()

    def resume_sending(self) -> None:
        """A pause has ended."""
        for link, _ in self.links.values():
            link.dial_now()

    def stop_sending(self) -> None:
        """A pause has begun: every call ends after the commit that it is in."""
        with self._lock:
            senders = list(self._senders.values())
        for sender in senders:
            sender.close()

    def accept_mark(self, mark: Rewound) -> None:
        """An operator says that what stands here now is right: a higher epoch begins at the next opening, and what was before
        stays as history. Raises ``StoreFailed``."""
        above = max(mark.epoch, self.epoch.number)
        try:
            # A peer that is ahead in our own epoch knows other objects by the ids that were given out here since.
            lineage.ask_for_epoch(self._home, above, anew=not mark.fenced)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreFailed(
                "begin a new epoch", self.dataset.name, reason, "free space in the state directory"
            ) from error
        self.goes_on = True
        reason = f"epoch {above + 1} is begun from what stands here, as was accepted"
        self._context.failed(TryAgain("go on", self.dataset.name, reason))

    def accept(self, peer: str, hello: Hello) -> Answers:
        """What a peer is answered that calls as if it were the primary: the epoch here, and that it takes nothing. If its own
        epoch is not older, this node is fenced before it answers (law 7)."""
        if peer not in self.assigned.standbys:
            reason = f"{peer} takes no part in {self.dataset.name} here"
            return (Refuse(NOT_STANDBY, reason, "make the configuration of both nodes the same"),)
        if self.mark is None and fences(self.epoch, hello.epoch, peer):
            broken = LineageBroken(peer, hello.epoch, NOTHING, b"", False, self._context.around.node)
            self._rewind(proven_mark(broken, self._newest_number(), self._context.around.clock.now_ns()))
        return not_standby(self._context.around.node, self.dataset, self.epoch, hello)

    def _start(self) -> None:
        self._mounts = MountsBelow(self.dataset.path)
        self._watch(anew=False)
        self.pump.start()
        for link, _ in self.links.values():
            link.start()

    # --- watching

    def _watch(self, anew: bool) -> None:
        """Begin to watch; without a root the pump says so and this is tried again each second. ``anew``: what was written
        before now may have been missed, so nothing is believed, and no barrier passes, before all was looked at."""
        path = self.dataset.path
        forced = None if self.dataset.watch == "auto" else self.dataset.watch
        try:
            root = root_at(path)
            watcher = choose(path, forced, self._context.around.groups, self._linked.holds)
            watcher.start(self.pump.hint)
        except HikaeError as error:
            self.watch_trouble = error.reason
            return
        except OSError as error:
            self.watch_trouble = error.strerror or str(error)
            return
        if anew:
            self.pump.hint([Hint(b"", Look.SUBTREE)])
        self._root, self.watcher, self.watch_trouble = root, watcher, ""

    def _look_at_mounts(self) -> None:
        """What was mounted or unmounted below the root since the last tick."""
        hints = self._mounts.changed() if self._mounts is not None else []
        if hints and self.watcher is not None and self.watcher.kind == InotifyWatcher.kind:
            # What an unmount uncovers has no watches yet.
            self.watcher.stop()
            self._watch(anew=True)
        elif hints:
            self.pump.hint(hints)

    def _set_barrier(self) -> Passing:
        """The watcher's barrier, if the root that it watches is the one that stands there: it looks for that once a second."""
        watcher, root = self.watcher, self._root
        if watcher is None or root is None or reason_lost(self.dataset.path, root) is not None:
            return never_passes
        return watcher.set_barrier()

    def _tell_watch(self) -> None:
        trouble = self.watch_trouble or (self.watcher.problem if self.watcher is not None else None)
        if not trouble:
            self._context.board.clear(WATCH)
            return
        remedy = "changes are found by the scheduled look only; hikae reconcile looks now"
        now = self._context.around.clock.now_ns()
        self._context.board.put(
            Problem(WATCH, Severity.WARNING, now, b"", f"the tree is not fully watched: {trouble}", remedy)
        )

    def _horizons(self) -> Horizons:
        """Rows are kept back to the oldest peer's commit, but no longer than ``history``; commits for all of ``history``. A peer
        that was away for longer is brought up from nothing; chunks that it has do not travel again. Called by the pump's thread,
        which owns the catalog."""
        oldest = min((board.position.durable for board in self.boards.values()), default=NOTHING)
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

    # --- sending

    def _make_links(self) -> dict[str, tuple[Link, GrpcTransport]]:
        links = {}
        for peer in self._context.around.settings.peers:
            if peer.name in self.assigned.standbys:
                transport = self._context.around.transport(peer)
                make = partial(self._sender, peer.name)
                links[peer.name] = (
                    Link(peer.name, self.dataset.name, transport, make, self._context.around.clock, self._broken),
                    transport,
                )
        return links

    def _sender(self, peer: str) -> Sender:
        if self.mark is not None:
            problem = self.mark.problem(self.dataset.name, self._home)
            raise Refused("send", self.dataset.name, problem.message, problem.remedy)
        if self._context.pauses.paused(SEND):
            raise TryAgain("send", self.dataset.name, "sending is paused", f"hikae resume {self.dataset.name}")
        hello = Hello(
            node=self._context.around.node,
            dataset=self.dataset.name,
            versions=SPOKEN,
            epoch=self.epoch,
            newest=self._newest_number(),
            nonce=secrets.token_bytes(NONCE_SIZE),
            config_digest=self.dataset.digest,
            program=__version__,
            kind=self.dataset.kind,
        )
        spool = partial(Spool.open, str(self._context.around.home(self.dataset)))
        sender = Sender(
            peer,
            hello,
            self._source,
            self.feed,
            self.boards[peer],
            self._context.around.clock,
            spool,
            pace=self.paces[peer],
            standings=self._context.standings,
            owed=partial(self._peer_owes, peer),
        )
        with self._lock:
            self._senders[peer] = sender
        return sender

    def _peer_owes(self, peer: str, total: int, paths: Sequence[bytes]) -> None:
        with self._lock:
            self.owed[peer] = total, paths
            tell_primary(self._context.board, self.owed, self._context.around.clock.now_ns())
        self._context.around.changed()

    def _source(self) -> PrimarySource:
        tree = TreeSource(self.dataset.path, self._catalog.reader(), self._vault)
        return PrimarySource(tree, self._catalog, self._local, self.pump, self._vault)

    def _moved(self, peer: str) -> None:
        self.confirmed.add(peer)
        position = self.boards[peer].position
        self._measure(self.meters[peer], position.durable)
        self._measure(self.applied_meters[peer], position.applied)
        self.firsts[peer].keep()
        self._context.around.changed()

    def _measure(self, meter: LagMeter, number: CommitNumber) -> None:
        """Tell the meter where the peer stands; what it lacks from before this opening, or once more, is looked up once."""
        if not meter.unsure and not meter.had_more_than(number):
            meter.reached(number)
            return
        with closing(self._catalog.reader()) as reader:
            lacking = reader.commits(number, 1)
        age = (self._context.around.clock.now_ns() - lacking[0].time) / 1e9 if lacking else None
        meter.begins(number, age)

    def _broken(self, failure: HikaeError) -> None:
        """A call ended. Only what a proven peer knows of us and we do not needs more than dialling again (law 6)."""
        self._context.around.changed()
        if self.mark is None and isinstance(failure, LineageBroken) and failure.verdict is not Verdict.FOREIGN:
            self._rewind(proven_mark(failure, self._newest_number(), self._context.around.clock.now_ns()))

    def _newest_number(self) -> CommitNumber:
        newest = self.newest()
        return newest.number if newest else NOTHING

    def _rewind(self, mark: Rewound) -> None:
        """This node must not go on: nothing more is sent to anybody, also after a restart."""
        self.mark = mark
        self._unmarked = True
        _log.error("this node must not go on", dataset=self.dataset.name, code=mark.code, reason=mark.sentence)
        self.stop_sending()
        self._tell_rewound()

    def _tell_rewound(self) -> None:
        """Say it, and write the mark until it is durable; also when the disk was full at first."""
        mark = self.mark
        if mark is None:
            self._context.board.clear(REWOUND)
            self._context.board.clear(FENCED)
            return
        self._context.board.put(mark.problem(self.dataset.name, self._home))
        if self._unmarked:
            with suppress(OSError):
                rewound.write_mark(self._home, mark)
                self._unmarked = False


def _vault_of_a_standby(place: Path, catalog: Catalog) -> Vault | None:
    """What this node received when it was a standby: parts of chunk lists, and history; None where it never was one."""
    return Vault.open(str(place), catalog.pack_end()) if place.exists() else None
