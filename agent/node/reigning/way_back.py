"""A primary that is opened behind its newest commit, since a rollback took an earlier moment up: its tree goes back first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from agent.apply.ports import LeftOut
from agent.config.values import Dataset, Peer
from agent.core.commit import Commit
from agent.core.errors import CalledOff, HikaeError, NotFound
from agent.core.ids import CommitNumber
from agent.core.problem import Problem, Severity
from agent.core.problem_codes import ROLLING_BACK
from agent.generations.afar import NamedMoment, OpenMoment
from agent.node.context import SideContext
from agent.roles.rollback.going_back import PrimaryRoot, RollbackMeans, WentBack, go_back
from agent.roles.rollback.root_facts import RootFacts
from agent.roles.rollback.steps import KIND, RECORD, WantedRollback, kept_commit, wanted_in
from agent.roles.rollback.taking_up import is_taken_up
from agent.rpc.peers.peer_caller import PeerCaller
from agent.steps.record import read_steps
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local

#: Seconds between two attempts, where something is waited for.
_PAUSE = 2.0


def peer_named(context: SideContext, name: str) -> Peer:
    """A peer of this node. Raises ``NotFound``."""
    found = next((one for one in context.around.settings.peers if one.name == name), None)
    if found is None:
        raise NotFound("reach the peer", name, "it is no peer of this node", "add it as a [[peer]] here: hikae reload")
    return found


class TreeOnItsWay:
    """Of one opening. ``done`` is set once the tree is there, and ``result`` says what was done. ``kept``: the commit that the
    generation from before holds."""

    def __init__(
        self,
        dataset: Dataset,
        context: SideContext,
        stores: tuple[Catalog, Local],
        wanted: WantedRollback,
        target: Commit,
        kept: CommitNumber,
    ) -> None:
        self.done = threading.Event()
        self.result = WentBack()
        self.target = target
        self._dataset = dataset
        self._context = context
        self._catalog, self._local = stores
        self._wanted = wanted
        self._kept = kept

    def run(self, left_out: LeftOut, stopping: threading.Event) -> None:
        """By the pump's thread, before it looks at anything. Tries until it is there. Raises ``CalledOff`` once ``stopping``."""

        def look() -> None:
            if stopping.is_set():
                raise CalledOff("roll back", self._dataset.name, "the agent stops", "it goes on when it is back")

        self._tell(Severity.INFO, "")
        while not self.done.is_set():
            try:
                self.result = self._attempt(left_out, look)
                self.done.set()
            except CalledOff:
                raise
            except HikaeError as error:
                self._tell(Severity.WARNING, f"; it waits: {error.reason}", error.remedy)
                stopping.wait(_PAUSE)
                look()
        self._context.board.clear(ROLLING_BACK)

    def _attempt(self, left_out: LeftOut, look: Callable[[], None]) -> WentBack:
        around, wanted = self._context.around, self._wanted
        named = NamedMoment(wanted.dataset, wanted.generation, wanted.at, "hikae rollback")
        caller = PeerCaller(around.identities)
        with caller.moment(peer_named(self._context, wanted.node), named, look) as moment:
            return self._went(left_out, moment, look)

    def _went(self, left_out: LeftOut, moment: OpenMoment, look: Callable[[], None]) -> WentBack:
        home, board, clock = self._context.around.home(self._dataset), self._context.board, self._context.around.clock
        way = RollbackMeans(self._catalog, RootFacts(self._local), self.target, self._kept, moment, board, clock, look)
        if self._dataset.is_device:
            from agent.roles.rollback.device_back import PrimaryDevice, device_back

            device = PrimaryDevice(self._dataset.path, str(home))
            return device_back(device, way)
        scratch = home / "scratch"
        scratch.mkdir(exist_ok=True, mode=0o700)
        root = PrimaryRoot(self._dataset.path, str(scratch), left_out)
        return go_back(root, way)

    def _tell(self, severity: Severity, waits: str, remedy: str = "") -> None:
        what = "device" if self._dataset.is_device else "tree"
        message = f"the {what} goes back to {self._wanted.words}{waits}"
        now = self._context.around.clock.now_ns()
        remedy = remedy or "it goes on by itself; nothing is captured meanwhile"
        self._context.board.put(Problem(ROLLING_BACK, severity, now, b"", message, remedy))


def way_back_in(
    home: Path, dataset: Dataset, context: SideContext, stores: tuple[Catalog, Local]
) -> TreeOnItsWay | None:
    """What is to be done before anything is captured; None where nothing is. Raises ``Damaged`` for a record that is torn."""
    record = read_steps(home / RECORD)
    if record is None or record.kind != KIND or "converge" in {one.name for one in record.done}:
        return None
    wanted, newest = wanted_in(record.arguments), stores[0].newest()
    if newest is None or not is_taken_up(newest, wanted.digest):
        return None
    return TreeOnItsWay(dataset, context, stores, wanted, newest, kept_commit(record.facts))
