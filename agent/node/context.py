"""What every dataset of a node is handed, and what each side of a dataset is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from agent.config.values import Dataset, Peer, Settings
from agent.core.clock import Clock
from agent.core.errors import HikaeError
from agent.core.problem import ProblemBoard
from agent.fs.thaw_guard import FreezingDisks
from agent.node.clocks import Clocks
from agent.node.following.generations.scheduled_generations import TakesWithOthers
from agent.node.grouped.desk import GroupDesk
from agent.node.pauses import Pauses
from agent.roles.assignment import Assignment
from agent.roles.confirmation import Confirmation
from agent.rpc.client import GrpcTransport
from agent.rpc.tls import Identities
from agent.stream.receiving.epoch_pace import EpochPace
from agent.stream.telling import Standings
from agent.watch.fanotify import FanotifyGroups


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The node around a dataset. ``changed`` is called when status should be published soon, ``moved`` when a commit or a
    position came, which is published with others of its kind; any thread, cheap. ``clocks``: this node's clock beside those of
    its peers. ``in_force``: the configuration that runs now; reading it again may replace it. ``freezing``: what freezes the
    filesystems of this node's trees and devices; ``board``: what is wrong with the node itself;
    ``verify_slot``, ``check_slot``: one standby at a time is verified by schedule, and one vault; ``group_desk``: moments of
    groups whose datasets are captured here; ``group_schedule``: generations of groups whose datasets are kept here."""

    in_force: Callable[[], Settings]
    clock: Clock
    groups: FanotifyGroups
    identities: Identities
    changed: Callable[[], None]
    moved: Callable[[], None]
    clocks: Clocks
    freezing: FreezingDisks
    board: ProblemBoard
    group_desk: GroupDesk
    group_schedule: TakesWithOthers
    verify_slot: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1))
    check_slot: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1))

    @property
    def settings(self) -> Settings:
        """What is configured now."""
        return self.in_force()

    @property
    def node(self) -> str:
        """This node's name."""
        return self.settings.node.name

    def transport(self, peer: Peer) -> GrpcTransport:
        """A way to a peer, for one link."""
        return GrpcTransport(peer.name, peer.address, self.identities)

    def home(self, dataset: Dataset) -> Path:
        """Where the dataset's own state lies."""
        return self.settings.home(dataset.name)

    def vault(self, dataset: Dataset) -> Path:
        """Where the dataset's chunks lie."""
        return self.settings.vault(dataset)


@dataclass(frozen=True, slots=True)
class SideContext:
    """What an open side of one dataset shares with the member that opened it: who is what, its board, pauses and peers' words.
    ``failed`` is called, by any thread, with what makes the side unusable; ``confirmation``: who says that it may serve;
    ``pace``: of the epochs that others come with."""

    assigned: Assignment
    around: Surroundings
    board: ProblemBoard
    pauses: Pauses
    standings: Standings
    failed: Callable[[HikaeError], None]
    confirmation: Confirmation
    pace: EpochPace
