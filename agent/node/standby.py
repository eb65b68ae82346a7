"""A dataset on a secondary: what comes in is stored, then applied."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from agent.apply.loop import ApplyCalls, ApplyLoop
from agent.apply.results import VerifyReport
from agent.apply.resync import forget_standby
from agent.apply.verifying.queue import VerifyOrder
from agent.apply.writing.arriving import EarlyContent
from agent.config.values import Dataset
from agent.core.clock import boot_id
from agent.core.commit import Commit, Position
from agent.core.errors import HikaeError, NotFound, Refused, TryAgain
from agent.core.hold import TAKEN_ANEW
from agent.core.ids import NOTHING, CommitNumber, Epoch
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import BUSY, HISTORY_SHORT, STATE_DISK_FULL
from agent.fs.reserve import Reserve, room_beyond_reserve
from agent.node import meeting
from agent.node.context import SideContext, Surroundings
from agent.node.disk_reserve import DiskReserve
from agent.node.following.arrival_pace import keep_pace
from agent.node.following.asked_barriers import AskedBarriers
from agent.node.following.checking.check_record import CheckRecord
from agent.node.following.checking.scheduled_checks import ScheduledChecks
from agent.node.following.collector import CollectedStores, Collector
from agent.node.following.errands import Errands
from agent.node.following.generations.brake_generations import BrakeGenerations
from agent.node.following.generations.generation_keeper import GenerationKeeper, RetentionTicks
from agent.node.following.generations.generation_taker import GenerationTaker
from agent.node.following.generations.scheduled_generations import ScheduledGenerations
from agent.node.following.history_upkeep import upkeep_of
from agent.node.following.other_callers import OtherCallers
from agent.node.following.receiving_room import ReceivingRoom
from agent.node.following.served_calls import ServedCalls
from agent.node.following.short_history import short_history
from agent.node.following.standby_call import StandbyCall
from agent.node.following.standby_stores import StandbyStores, open_standby_stores
from agent.node.following.stood_back import StoodBack
from agent.node.following.vault_space import SpaceStores, VaultSpace
from agent.node.kinds.standby_kind import made_applier, standing_chunks
from agent.node.measured.own_first_sync import OwnFirstSync
from agent.node.measured.standing_tree import StandingTree
from agent.node.owed_problems import tell_standby
from agent.node.pauses import APPLY
from agent.node.promoting.announced import Announced
from agent.node.promoting.served_moment import begin_with_moment
from agent.node.turn_taking import Turns
from agent.repair.from_standby import Restoring
from agent.roles import lineage
from agent.roles.assignment import Assignment
from agent.roles.rehearsal.steps import RECORD
from agent.status.figures import size_text
from agent.store.catalog.reader import CatalogReader
from agent.stream.messages import Announce, Answers, Hello, Refuse
from agent.stream.position import PositionBoard
from agent.stream.receiving.receiver import Receiver


class Standby:
    """Everything that runs for one dataset where its copy is kept. Made by :meth:`open`; ends with :meth:`close`."""

    @classmethod
    def open(cls, dataset: Dataset, context: SideContext) -> Standby:
        """Open catalog and vault, recover, and begin to apply. Raises ``HikaeError``; nothing is left open then."""
        stores = open_standby_stores(dataset, context)
        with ExitStack() as stack:
            stack.callback(stores.close)
            standby = cls(dataset, context, stores)
            stack.pop_all()
        standby.loop.start()
        return standby

    def __init__(self, dataset: Dataset, context: SideContext, stores: StandbyStores) -> None:
        around, board = context.around, context.board
        self.dataset = dataset
        self.vault = stores.vault
        self.seeding = stores.seeding
        newest = stores.catalog.newest()
        self.announced = _announced(dataset, context, newest)
        self._others = OtherCallers(context, stores.catalog)
        self.primary_program = ""
        self.turns = Turns()
        #: Whether a view of the standby is tried, which must not change meanwhile; also one that a crash left undone.
        self.rehearses = (around.home(dataset) / RECORD).exists()
        space = SpaceStores(around.vault(dataset), stores.catalog.reader, stores.local)
        self.space = VaultSpace(space, lambda: self.dataset, board, around.clock)
        self.room = ReceivingRoom(_reserve(dataset, around, board), self.space)
        self._first_sync = OwnFirstSync(stores.local)
        self.standing = StandingTree(stores.catalog.reader)
        self._context = context
        self._stores = stores
        self._catalog = stores.catalog
        self._local = stores.local
        self.mending = stores.mending
        self.rejoined = stores.rejoined
        self._kept: Epoch | None = None
        self._is_full = False
        self.calls = ServedCalls(dataset.name, around.clock)
        self.early = EarlyContent(self._poke, around.clock.monotonic)
        applier = self._applier = made_applier(dataset, context, stores, self.early, self.turns)
        self.board = PositionBoard(Position(newest.number if newest else NOTHING))
        calls = ApplyCalls(self.board.applied, self.turns.rest, context.failed, self._keep_up)
        self.loop = ApplyLoop(applier, board, around.clock, calls, name=f"apply-{dataset.name}")
        self.errands = Errands(dataset.name, stores.catalog, self.calls, self.board.nudge)
        self.barriers = AskedBarriers(context.assigned.primary, self.board.nudge, lambda: self.calls.connected)
        ticks = RetentionTicks(around.clock, boot_id())
        self.keeper = GenerationKeeper(ticks, self.space.shortened)
        self.taker = self._made_taker()
        self.brake_generations = BrakeGenerations(dataset.name, self.keeper, self.errands, around.clock)
        self.scheduled = self._made_schedule()
        self.board.watch(self._moved)
        if newest is not None:
            self.loop.notify(newest)
        self.collector = self._made_collector()
        checked = CheckRecord(dataset.name, stores.local, board, around.clock)
        self.checks = ScheduledChecks(self, checked, board, around.clock, around.check_slot)
        self.upkeep = upkeep_of(
            stores.catalog, stores.local, around.clock, self.space.shortened, self.keeper, self.rejoined.look
        )
        self._tell_owed()
        self.back = self._opened_back()
        self.steer()

    def _made_taker(self) -> GenerationTaker:
        return GenerationTaker(
            self.dataset.name, self.barriers, self.board, self.errands, self.keeper, quiesces=self._quiesces
        )

    def _made_schedule(self) -> ScheduledGenerations:
        clock, board = self._context.around.clock, self._context.board
        return ScheduledGenerations(
            lambda: self.dataset,
            self.taker,
            self._context.around.group_schedule,
            self._local,
            clock,
            board,
            whole=lambda: self.was_consistent,
        )

    def _opened_back(self) -> StoodBack:
        name, context = self.dataset.name, self._context
        clock = context.around.clock
        back = StoodBack(name, self._local, self.loop, self.errands, context.pauses, context.board, clock)
        back.open(self._catalog)
        return back

    def _made_collector(self) -> Collector:
        stores, around = self._stores, self._context.around
        collected = CollectedStores(
            stores.vault,
            stores.catalog.reader,
            stores.catalog.newest,
            stores.local,
            partial(room_beyond_reserve, str(around.vault(self.dataset))),
            lambda: stores.catalog.let_go_moves,
            stores.mending.forget,
        )
        return Collector(collected, around.clock, self._context.failed)

    @property
    def vault_path(self) -> Path:
        """Where the vault is."""
        return self._context.around.vault(self.dataset)

    def reader(self) -> CatalogReader:
        """What was received, for another thread, which closes it."""
        return self._catalog.reader()

    def leave(self) -> None:
        """Come to an end soon: what is applied, verified or checked has a moment left. Does not wait; any thread."""
        self.loop.leave()
        self.checks.leave()

    def close(self) -> None:
        """End the calls, stop applying with a checkpoint, then close the stores."""
        self.calls.end_all()
        self.errands.close()
        self.scheduled.close()
        self.collector.close()
        self.checks.close()
        self.loop.close()
        self.early.close()
        self.announced.keep()
        self._stores.close()

    def resync(self) -> None:
        """Take whatever stands at the standby's path for the standby, in place of the directory that is gone. Returns when what
        was known is given up; the dataset is opened anew then. Raises ``Refused`` when no other directory stands there."""
        if not any(self._context.board.has(code) for code in TAKEN_ANEW):
            reason = "its standby is the one that it was; nothing is to be taken over"
            raise Refused(
                "resync", self.dataset.name, reason, f"hikae verify {self.dataset.name} --repair makes it equal"
            )
        # From now on nobody is to say that anything is applied here.
        self.board.applied(NOTHING)
        self.loop.close()
        forget_standby(self._local)
        for code in TAKEN_ANEW:
            self._context.board.clear(code)
        path = self.dataset.path
        self._context.failed(
            TryAgain("apply", path, "the standby is taken anew, as was asked for", "it goes on by itself")
        )

    def tick(self) -> None:
        """Once a second: pauses that ended, limits that were changed, and whether the first sync is through."""
        self.steer()
        self.announced.tick()
        self._applier.holds.brake = self.dataset.brake
        self.room.tick()
        newest, checkpoint = self._catalog.newest(), self.loop.facts().checkpoint
        self._first_sync.look(newest, self._catalog.oldest_consistent, checkpoint)
        if self.was_consistent and newest is not None and self.keeper.saw_nothing:
            # What is kept is told at once: the upkeep that was done before anything came is not due for a minute.
            self.upkeep.hurry()
        self.calls.while_nobody_calls(self._between_commits)
        if not self.rejoined.filling.at_work:
            # What is found present while a vault is filled is found in the tree as well.
            self.collector.tick(hurry=self.space.hurries)
        self.space.tick(self.collector.ended, follows=self.was_consistent)
        self.brake_generations.look(self._applier.holds.noted)
        self._tell_short_history()
        self.scheduled.tick()
        if not self.rejoined.filling.at_work:
            self.checks.tick()

    def _tell_short_history(self) -> None:
        board, now = self._context.board, self._context.around.clock.now_ns()
        allowed = self.space.shortened().history
        problem = None
        if allowed < self.dataset.history:
            problem = short_history(self.dataset, allowed, self.space.facts(), self.space.changes_per_day(), now)
        if problem is not None:
            board.put(problem)
        else:
            board.clear(HISTORY_SHORT)

    def _quiesces(self) -> bool:
        """Whether the source is to stand still for a generation."""
        return self.dataset.quiesce != "none"

    def _between_commits(self) -> None:
        """Nobody calls: what is to be done with the catalog's writing side is done here."""
        self.errands.turn()
        self.upkeep.turn()

    def rehearse(self, *, begin: bool) -> None:
        """From now on the applier stands still, whatever the pauses say, or as they say again. Any thread."""
        self.rehearses = begin
        self.steer()

    def require_no_rehearsal(self, operation: str) -> None:
        """Raises ``TryAgain`` while a view of the standby is tried: what it stands on must not change."""
        if self.rehearses:
            reason, remedy = "a rehearsal is under way", "type it again when it has ended: hikae status"
            raise TryAgain(operation, self.dataset.name, reason, remedy)

    def steer(self) -> None:
        """Let the applier stand still or go on, as the pauses say, and a rehearsal."""
        if self.rehearses or self._context.pauses.paused(APPLY):
            self.loop.pause()
        else:
            self.back.end()
            self.loop.resume_if_paused()

    @property
    def stands_back(self) -> bool:
        """Whether it was brought back to an earlier moment, and stays there."""
        return self.back.stands

    def commit_at(self, number: CommitNumber) -> Commit:
        """A commit that is held here; any thread. Raises ``NotFound``."""
        with self.reader() as reader:
            commit = reader.commit_at(number)
        if commit is None:
            raise NotFound("find the moment", self.dataset.name, "it is not held any more", "name another")
        return commit

    def begin_with(self, reign: Epoch, moment: CommitNumber) -> None:
        """Begin ``reign``, which is on record as this node's, with an earlier moment. Raises ``NotFound``, ``TryAgain``."""
        now = self._context.around.clock.now_ns()
        commit = self.errands.run(
            "promote", lambda catalog: begin_with_moment(catalog, self._local, reign, moment, now)
        )
        self.loop.notify(commit)

    def newest(self) -> Commit | None:
        """The newest commit here; any thread."""
        return self._catalog.newest()

    @property
    def assigned(self) -> Assignment:
        """Who is what: this node keeps a standby, or is to be the primary and is not yet."""
        return self._context.assigned

    @property
    def epoch(self) -> int:
        """The highest epoch that this node has met for the dataset; 0 before any."""
        known = self._catalog.known_epoch
        return known.number if known is not None else 0

    @property
    def superseded_by(self) -> Hello | None:
        """What the node said of itself last that reigns later and lacks what is here; None while nobody does."""
        return self._others.superseded_by

    @property
    def follows(self) -> Epoch | None:
        """The reign of another node that has all that is here; this side is closed soon, and follows that one."""
        return self._others.follows

    @property
    def was_consistent(self) -> bool:
        """Whether a consistent commit was received, and maybe not applied yet."""
        return self._first_sync.received

    @property
    def is_settled(self) -> bool:
        """Whether it is past its first sync: a consistent commit was applied, in this run of the agent or an earlier one."""
        return not self._first_sync.goes_on(self._catalog.newest(), self.loop.facts().applied)

    def begin_verify(self, order: VerifyOrder) -> Future[VerifyReport]:
        """Compare the standby with its commit, beside the applying. Raises ``Refused`` when this side ends."""
        return self.loop.begin_verify(order)

    @property
    def connected(self) -> bool:
        """Whether the primary is connected now."""
        return self.calls.connected

    def accept(self, peer: str, hello: Hello) -> Receiver | Answers:
        """A receiver for the primary's call, or why not."""
        refusal = self._refusal(peer, hello)
        if refusal is not None:
            return (refusal,)
        return StandbyCall(self, hello, self._catalog, self._context)

    def _refusal(self, peer: str, hello: Hello) -> Refuse | None:
        if peer != self.assigned.primary:
            recorded = self.assigned.recorded or self._kept is not None
            return self._others.answer(peer, hello, self.dataset, recorded=recorded)
        refusal = meeting.why_unfit(self._context.around.node, self.dataset, hello) or self.room.refusal()
        if refusal is None and not self.seeding.ready:
            files, size = self.seeding.read
            what = "chunks" if self.dataset.is_device else "files"
            reason = f"what stands there is being read: {files:,} {what}, {size_text(size)} so far"
            refusal = Refuse(BUSY, reason, "it goes on by itself")
        return refusal

    def met(self, hello: Hello, answers: Answers) -> None:
        """The primary has introduced itself, and this is what it is answered: its reign is kept before that is said. Raises as
        ``lineage.keep_met``."""
        self._keep_reign()
        now = self._context.around.clock.now_ns()
        self.primary_program = hello.program
        meeting.tell_version(self._context.board, answers[-1], now)
        meeting.tell_configs(self._context.board, self.dataset, {hello.node: hello.config_digest}, now)

    def _keep_reign(self) -> None:
        met = self._catalog.known_epoch
        if met is not None and met != self._kept:
            lineage.keep_met(self._context.around.home(self.dataset), met)
            self._kept = met

    def began(self, receiver: Receiver) -> None:
        """A call is served. Raises ``TryAgain`` when no more are."""
        self.calls.began(receiver)
        self._context.around.changed()

    def ended(self, receiver: Receiver) -> None:
        """It ended."""
        self.calls.ended(receiver)
        self._context.around.changed()

    def failed(self, error: HikaeError) -> None:
        """The stores cannot go on: they are opened again (law 1)."""
        self._context.failed(error)

    def full(self, error: HikaeError) -> None:
        """There is no room for what comes in; the peer tries again."""
        now = self._context.around.clock.now_ns()
        message = f"what the primary sends cannot be stored: {error.reason} ({error.subject})"
        self._context.board.put(
            Problem(STATE_DISK_FULL, Severity.ERROR, now, b"", message, error.remedy or "it goes on by itself")
        )
        self._is_full = True

    def stored(self) -> None:
        """There was room."""
        if self._is_full:
            self._is_full = False
            self._context.board.clear(STATE_DISK_FULL)

    def mended(self, began: int, left: int) -> int:
        """The primary offered everything; ``left`` of the lost chunks did not come. What the call has to mend now."""
        whole = self.mending.ended(began, left)
        self.loop.retry()
        return 0 if whole else began

    @property
    def asks_first(self) -> bool:
        """Whether anything that the primary has may be here already."""
        newest = self._catalog.newest()
        return self.seeding.found and (newest is None or not newest.consistent)

    def owed_moved(self) -> None:
        """What is owed has changed, or some of it came. By the thread that has the catalog."""
        self._tell_owed()
        self.loop.came()
        self._context.around.changed()

    @property
    def owing(self) -> int:
        """How many files are not all here."""
        return self._catalog.owing

    def _tell_owed(self) -> None:
        tell_standby(self._context.board, self._catalog, self.assigned.primary, self._context.around.clock.now_ns())

    def restoring(self) -> Restoring:
        """A pass over the newest commit that puts what the vault lacks back from what stands on the standby."""
        return Restoring(self.vault, self._catalog.reader, standing_chunks(self.dataset, self._catalog.reader))

    def _keep_up(self) -> bool:
        """The applying thread has a moment. A standby that is not there, or is another, says nothing about what is lost."""
        if self._applier.write_early():
            return True
        if self.rejoined.filling.at_work and self._applier.is_there():
            more = self.rejoined.filling.step()
            if not more:
                self._context.around.changed()
            return more
        if not self.seeding.at_work or self._applier.adopting is None or not self._applier.is_there():
            return False
        seeded = self.seeding.seeds
        more = self.seeding.step(self._applier.adopting)
        if self.seeding.seeds != seeded:
            self._stores.note_seeding()
            self._context.around.changed()
        return more

    def _poke(self) -> None:
        self.loop.poke()

    def announce(self, word: Announce) -> None:
        """The primary says what waits there."""
        self.announced.heard(word)

    def pace(self) -> None:
        """A batch came: in a first sync it may be ahead of the applier by so much only."""
        if not self.was_consistent:
            keep_pace(self.early, self.loop, self.vault)

    def _moved(self) -> None:
        newest = self._catalog.newest()
        if newest is not None:
            self.announced.arrived(newest.number)
            self.loop.notify(newest)
        self._context.around.moved()


def _announced(dataset: Dataset, context: SideContext, newest: Commit | None) -> Announced:
    announced = Announced(context.around.home(dataset), context.assigned.primary, context.around.clock)
    announced.open()
    announced.arrived(newest.number if newest is not None else NOTHING)
    return announced


def _reserve(dataset: Dataset, around: Surroundings, board: ProblemBoard) -> DiskReserve:
    places = around.home(dataset), around.vault(dataset)
    reserve = Reserve(places, around.clock)
    return DiskReserve("receive", "nothing more is received", dataset.name, reserve, board=board, clock=around.clock)
