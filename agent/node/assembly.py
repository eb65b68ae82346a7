"""The whole node: its datasets, its doors (peers, operators, the published state), and the second's tick that tends them."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Protocol

import structlog

from agent import __version__
from agent.config.changes import ConfigChanges
from agent.config.values import Peer, Settings
from agent.core.clock import Clock
from agent.core.errors import ConfigError, HikaeError, NotPermitted, Refused, StoreFailed
from agent.core.forwarded import Forwarded, Told
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import BUSY, CERTIFICATE, EVENTS_FILE, NOT_LISTENING, REVOCATION_LIST, UNKNOWN_DATASET
from agent.fs.block_device import is_block_device
from agent.fs.thaw_guard import FreezeFailed, ThawGuard, thaw_what_was_left
from agent.generations.afar import FoundMoment, NamedMoment
from agent.generations.taking import WantedGeneration
from agent.node.clocks import Clocks
from agent.node.context import Surroundings
from agent.node.following.peers_reading import SharedMoments
from agent.node.grouped.desk import GroupDesk
from agent.node.grouped.members import datasets_of
from agent.node.grouped.scheduled import ScheduledGroups
from agent.node.grouped.taking import TakesGroup
from agent.node.measured.disks import Disks
from agent.node.reloading import Reloader
from agent.node.roster import Roster
from agent.pki.startable import kept_list
from agent.rpc.health_door import HealthDoor
from agent.rpc.peers.peer_caller import PeerCaller
from agent.rpc.peers.peer_door import PeerDoor
from agent.rpc.server import SPARE_CALLS, GrpcServer
from agent.rpc.tls import Identities, TlsFiles
from agent.status.event import OPERATOR
from agent.status.events import Event, EventLog
from agent.status.facts import NodeFacts
from agent.status.figures import stamp, stamp_ns
from agent.status.publish import Publisher
from agent.status.reading import FRESH_SECONDS
from agent.status.state import Role
from agent.store.catalog.generation import Cause
from agent.store.sqlite import keep_temporary_in
from agent.stream.messages import Answers, Hello, Refuse
from agent.stream.receiving.one_call import Seats
from agent.stream.receiving.receiver import Receiver
from agent.watch.blocks.instances import leftovers_removed
from agent.watch.fanotify import FanotifyGroups
from agent.web.serving import service_served

DAY_NS = 86_400 * 10**9
WARN_DAYS = 30
_log = structlog.get_logger("node")
_PREPARE = "prepare the agent's directories"


class Door(Protocol):
    """The operators' way in (``process.door.AdminDoor``); what stands behind it is above this package."""

    def start(self) -> None:
        """Let operators in."""
        ...

    def answer(self, peer: str, asked: Forwarded, told: Told) -> object:
        """See ``ForwardedDesk``."""
        ...

    def stop(self) -> None:
        """End what they wait for, and let nobody in any more."""
        ...


class Node:
    """One agent. ``start``, ``tick`` each second, ``stop``: from one thread."""

    def __init__(self, settings: Settings, clock: Clock, make_door: Callable[[Node], Door]) -> None:
        self._settings = settings
        self.clock = clock
        self.board = ProblemBoard()
        tls = settings.tls
        files = TlsFiles(tls.ca, tls.cert, tls.key, tls.crl, kept_list(settings))
        self._identities = Identities(files, settings.node.name, clock)
        socket = Path(settings.node.admin_socket)
        self._guard = ThawGuard(socket.parent)
        self._around = Surroundings(
            self._in_force,
            clock,
            FanotifyGroups(),
            self._identities,
            self._changed,
            self._moved,
            Clocks(clock),
            self._guard,
            self.board,
            GroupDesk(self._names_in, self._guard, clock),
            ScheduledGroups(self._in_force, self._take_group),
        )
        self.members = Roster(settings, self._around)
        self._disks = Disks(self._written_on, self.board, clock)
        self.events = EventLog(str(Path(settings.node.state_dir) / "events.jsonl"))
        self.publisher = Publisher(str(socket.parent / "state.json"), self._facts, self.events, clock)
        self.reloader = Reloader(settings, self, self.board, clock, changed=self._changed)
        self._caller = PeerCaller(self._identities)
        self._door = make_door(self)
        allowed = _allowed(settings)
        moments = SharedMoments(lambda: self.members, clock)
        asked = PeerDoor(self._door, moments, self._identities, clock, allowed)
        health = HealthDoor(self._serves, self._identities, clock)
        self._server = GrpcServer(
            settings.node.listen, self._identities, _Desk(self), Seats(), clock, allowed, beside=(asked, health)
        )
        self._open = ExitStack()

    def start(self) -> None:
        """Open every door, then the datasets (those that cannot be opened say so in status and are tried again).

        Raises ``StoreFailed``, ``Refused`` (port or socket taken), ``NotPermitted``; nothing runs then."""
        with ExitStack() as stack:
            self._thaw_what_was_left()
            self._prepare_directories()
            stack.callback(self._guard.close)
            # Before anybody can ask: an answer publishes, and what is published becomes an event.
            self.events.open()
            self._door.start()
            stack.callback(self._door.stop)
            self._server.start()
            stack.callback(self._server.stop)
            self._remove_traces_left()
            self.publisher.start()
            stack.callback(self.publisher.stop)
            stack.callback(self.members.close)
            self.tick()
            self._open = stack.pop_all()

    def tick(self) -> None:
        """Once a second."""
        for member in self.members.values():
            member.tick()
        self._listen()
        self._around.clocks.tick(self.board)
        self._disks.tick()
        self._look_at_certificate()
        self._look_at_list()
        self._look_at_events()

    def _listen(self) -> None:
        """A certificate that became good opens the port to peers; until then the problem says so."""
        try:
            self._server.tick()
            self.board.clear(NOT_LISTENING)
        except Refused as error:
            now = self.clock.now_ns()
            self.board.put(Problem(NOT_LISTENING, Severity.ERROR, now, b"", error.reason, error.remedy))

    def tell(self, event: Event) -> None:
        """An event that no change of the published state shows. Any thread."""
        self.events.add(stamp(self.clock.now_ns()) or "", [event])

    def reload(self) -> None:
        """Read the configuration again, as a signal asks. What is wrong with it is logged and a problem; nothing is raised."""
        self.tell(Event("", OPERATOR, "a signal (SIGHUP) asked to read the configuration again"))
        with suppress(ConfigError):
            self.reloader.reload()

    def take(self, found: ConfigChanges, read: Settings) -> Collection[str]:
        """See ``reloading.Reconfigured``."""
        in_vain = self.members.take(found, read, lambda: self._put_in_force(found.settings))
        self._around.clocks.keep_only([peer.name for peer in found.settings.peers])
        self._remove_traces_left()
        return in_vain

    def _put_in_force(self, settings: Settings) -> None:
        self._settings = settings
        self._server.allow(_allowed(settings))

    def _in_force(self) -> Settings:
        return self._settings

    def _take_group(self, group: str, still_wanted: Callable[[], None]) -> object:
        """One generation of each of its datasets, by schedule."""
        takes = TakesGroup(self.members, self._settings, self.clock, still_wanted)
        return takes.take(group, WantedGeneration(Cause.SCHEDULE))

    def _names_in(self, group: str) -> list[str]:
        return [one.name for one in datasets_of(self._settings, group)]

    def stop(self) -> None:
        """Calls of peers end first, then the datasets, then the published state and the operators' door."""
        self.publisher.leaving()
        for member in self.members.values():
            member.leave()
        self._server.stop()
        self._open.close()
        self.publisher.publish()

    def line(self) -> str:
        """One line for ``systemctl status``."""
        states = [f"{row['name']} {row['state']}" for row in self.publisher.latest()["datasets"]]
        return ", ".join(states) or "no datasets"

    def accept(self, peer: str, hello: Hello) -> Receiver | Answers:
        """A call for one of the datasets; see ``stream.receiving.intake.Directory``."""
        member = self.members.get(hello.dataset)
        node = self._settings.node.name
        if member is None:
            remedy = f"on {node}: add it to the configuration, then: hikae reload"
            return (Refuse(UNKNOWN_DATASET, f"{node} has no dataset {hello.dataset!r}", remedy),)
        side = member.side
        if side is None:
            return (Refuse(BUSY, f"{hello.dataset} is not open there now", f"on {node}: hikae status says why"),)
        return side.accept(peer, hello)

    def forward(self, peer: str, asked: Forwarded, told: Told) -> object:
        """Have an operation done on another node; see ``PeerCaller.ask``. Any thread."""
        return self._caller.ask(self._peer(asked.operation, peer), asked, told)

    def moment(self, peer: str, named: NamedMoment) -> FoundMoment:
        """Which moment another node finds; see ``PeerCaller.moment``. Any thread."""
        with self._caller.moment(self._peer("read a moment", peer), named, lambda: None) as found:
            return found.found

    def _peer(self, operation: str, name: str) -> Peer:
        found = next((one for one in self._settings.peers if one.name == name), None)
        if found is None:
            remedy = f"type it on {name}, or add it as a [[peer]] here: hikae reload"
            raise Refused(operation, name, f"{name} is no peer of this node", remedy)
        return found

    def _serves(self, service: str) -> bool | None:
        """What gRPC's health protocol is told of a service; see ``web.serving.service_served``. Any thread."""
        value = self.publisher.latest()
        age = (self.clock.now_ns() - stamp_ns(value["clock"])) / 1e9
        served = service_served(value, service)
        return served and age <= FRESH_SECONDS if served is not None else None

    def _facts(self) -> NodeFacts:
        problems, _ = self.board.listed()
        datasets = tuple(member.facts() for member in self.members.values())
        now, until = self.clock.now_ns(), self._identities.ends
        return NodeFacts(
            node=self._settings.node.name,
            version=__version__,
            time_ns=now,
            problems=tuple(problems),
            datasets=datasets,
            certificate_until_ns=until,
            crl_until_ns=self._identities.crl.until(),
            disks=self._disks.facts(),
        )

    def _changed(self) -> None:
        self.publisher.changed()

    def _moved(self) -> None:
        self.publisher.moved()

    def _thaw_what_was_left(self) -> None:
        """Before anything is written: the state directory may stand on what an earlier agent left frozen."""
        try:
            thawed = thaw_what_was_left(Path(self._settings.node.admin_socket).parent)
        except FreezeFailed as error:
            _log.error("what was left frozen is frozen still", error=str(error))
            return
        except OSError:
            return  # without that directory nothing starts, which is told next
        if thawed is not None:
            _log.warning("an agent was killed while a filesystem stood still", thawed=thawed)

    def _remove_traces_left(self) -> None:
        """The kernel goes on noting for a dataset that is configured no more."""
        devices = [one.name for one in self._settings.datasets if one.is_device]
        for name in leftovers_removed(Path(self._settings.node.state_dir), devices):
            _log.info("a trace instance was left by an earlier agent", removed=name)

    def _prepare_directories(self) -> None:
        state = Path(self._settings.node.state_dir)
        try:
            state.mkdir(parents=True, exist_ok=True, mode=0o700)
            state.chmod(0o700)
            Path(self._settings.node.admin_socket).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        except PermissionError as error:
            remedy = "start it as root, or correct [node] state_dir"
            raise NotPermitted(_PREPARE, str(state), f"{error.filename}: {error.strerror}", remedy) from error
        except OSError as error:
            # A disk that is full, read-only or away for now: the service manager tries again.
            remedy = "mend the disk it lies on, or correct [node] state_dir"
            raise StoreFailed(_PREPARE, str(state), f"{error.filename}: {error.strerror}", remedy) from error
        if not os.access(state, os.W_OK):
            raise StoreFailed(
                _PREPARE, str(state), "it cannot be written", "correct its owner, or mount it for writing"
            )
        keep_temporary_in(str(state))

    def _look_at_certificate(self) -> None:
        now = self.clock.now_ns()
        try:
            identity = self._identities.current()
        except HikaeError as error:
            message = error.reason if error.subject in error.reason else f"{error.subject}: {error.reason}"
            self.board.put(Problem(CERTIFICATE, Severity.ERROR, now, b"", message, error.remedy))
            return
        days = (identity.not_after - now) // DAY_NS
        if days >= WARN_DAYS:
            self.board.clear(CERTIFICATE)
            return
        severity = Severity.WARNING if days >= 0 else Severity.ERROR
        message = (
            f"the certificate of {identity.name} works for {days} days more; after that its peers refuse it, and nothing is "
            f"replicated to {identity.name} or from it"
            if days >= 0
            else "the certificate has expired"
        )
        files = self._settings.tls
        remedy = (
            f"on the machine with DIR/ca.key: hikae pki renew {identity.name} --dir DIR; then copy "
            f"DIR/{identity.name}.crt over {files.cert} and DIR/{identity.name}.key over {files.key} on {identity.name} "
            "(no restart is needed)"
        )
        self.board.put(Problem(CERTIFICATE, severity, now, b"", message, remedy))

    def _look_at_list(self) -> None:
        now = self.clock.now_ns()
        try:
            said = self._identities.crl.findings(now)
        except HikaeError:
            return  # told with the certificate
        if not said:
            self.board.clear(REVOCATION_LIST)
            return
        severity = Severity.ERROR if any(one.fatal for one in said) else Severity.WARNING
        message = "; ".join(one.message for one in said)
        self.board.put(Problem(REVOCATION_LIST, severity, now, b"", message, said[0].remedy))

    def _written_on(self) -> Iterator[Path]:
        """The directories that this node writes in: its state, its vaults, and the trees that it keeps for others."""
        yield Path(self._settings.node.state_dir)
        for member in self.members.values():
            yield self._around.vault(member.dataset)
            # A block device is no part of any filesystem.
            if member.role is not Role.PRIMARY and not is_block_device(member.dataset.path):
                yield Path(member.dataset.path)

    def _look_at_events(self) -> None:
        if not self.events.trouble:
            self.board.clear(EVENTS_FILE)
            return
        message = f"events cannot be written: {self.events.trouble}"
        remedy = "free space in the state directory; they are kept in memory meanwhile"
        self.board.put(Problem(EVENTS_FILE, Severity.WARNING, self.clock.now_ns(), b"", message, remedy))


def _allowed(settings: Settings) -> dict[str, int]:
    """How many calls each peer may have open."""
    return {peer.name: len(settings.datasets) + SPARE_CALLS for peer in settings.peers}


class _Desk:
    """Gives calls to the node, which does not exist yet when the server is made."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def accept(self, peer: str, hello: Hello) -> Receiver | Answers:
        """See ``stream.receiving.intake.Directory``."""
        return self._node.accept(peer, hello)
