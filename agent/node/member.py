"""One dataset of this node: its side, problems, pauses, and what is scheduled for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import structlog

from agent.config.places import misplaced
from agent.config.values import Dataset
from agent.core.errors import CalledOff, Damaged, HikaeError, NotFound, StoreFailed, TryAgain
from agent.core.ids import CommitNumber
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import AHEAD, DAMAGED, FENCED, ON_FENCED_FAILED, PROMOTING, REWOUND, START_FAILED
from agent.node import succession
from agent.node.context import SideContext, Surroundings
from agent.node.facts import closed_facts, primary_facts, standby_facts
from agent.node.following.checking.last_verify import Verifies
from agent.node.following.checking.scheduled_verify import ScheduledVerify
from agent.node.ignored_primary import IgnoredPrimary
from agent.node.pauses import SEND, Pauses
from agent.node.primary import Primary
from agent.node.promoting.asking import Heard, KeptAnswers, NodeAnswer, ask_around
from agent.node.promoting.predicting import Predictor
from agent.node.promoting.promotability import NOTHING_KNOWN, Witness, promotion_of
from agent.node.promoting.world import asked_anew, promotion_kind
from agent.node.rehearsing.last_rehearsal import LastRehearsal
from agent.node.rehearsing.rehearsal_kind import rehearsal_kind
from agent.node.rehearsing.scheduled_rehearsal import ScheduledRehearsal
from agent.node.reigning.own_history import OwnHistory
from agent.node.reigning.rolling_back import rollback_kind
from agent.node.reigning.scheduled_reconcile import ScheduledReconcile
from agent.node.reigning.serving import ReignHooks, ReignNow
from agent.node.rejoining.rejoin_kind import rejoin_kind
from agent.node.reopening import Tended
from agent.node.standby import Standby
from agent.node.stepping.stepped import AnyKind, SteppedRun, SteppedWork
from agent.node.switching.handed_over import tell_handed_over
from agent.node.switching.planning import PlannedSwitchovers
from agent.node.switching.role_keeping import observe, steps_ended
from agent.node.switching.switchover_kinds import finish_kind, switchover_kind, take_over_kind
from agent.roles import lineage, rewound
from agent.roles.assignment import Assignment, assign
from agent.roles.confirmation import Confirmation
from agent.roles.journal import ROLES, RoleJournal
from agent.roles.record import ROLE, RoleRecord, read_record
from agent.roles.rehearsal.steps import KIND as REHEARSAL
from agent.status.derive import dataset_state
from agent.status.facts import DatasetFacts
from agent.status.for_peers import standing_of
from agent.status.promotion import PromotionFacts
from agent.status.state import Role
from agent.steps.at_boot import BootLook
from agent.steps.hooks import HookPlace, HookRunner
from agent.steps.programs import BEGINS, missing_programs, require_programs
from agent.steps.record import Facts, StepsRecord
from agent.stream.receiving.epoch_pace import EpochPace
from agent.stream.telling import Standings

_log = structlog.get_logger("node")
#: What is wrong with a node as what it was, and with nothing once it has another role.
_OF_A_ROLE = (AHEAD, FENCED, REWOUND, ON_FENCED_FAILED, START_FAILED)
#: For status, which asks nobody.
_NOBODY_ASKED = Heard()


class Member:
    """A dataset that this node takes part in. Any thread; what opens and closes it waits for one another.

    ``dataset`` is replaced as a whole when the configuration was read again, here and in the open side: what may change while
    it is open (``limits``, ``brake``) is read off it at each use. For all else it rests: ``rest``, ``configure``, ``go_on``."""

    def __init__(self, dataset: Dataset, around: Surroundings) -> None:
        self.dataset = dataset
        self.assigned = _assigned_for_now(dataset, around)
        self.board = ProblemBoard()
        self.pauses = Pauses(around.clock)
        self.standings = Standings(around.clock, around.changed, around.clocks)
        self.verifies = Verifies(dataset.name, around.home(dataset), self.board)
        self.verifies.open()
        self.rehearsals = LastRehearsal(dataset.name, around.home(dataset), self.board)
        self._verifying = ScheduledVerify(dataset, self.verifies, self.board, around.clock, around.verify_slot)
        self._rehearsing = ScheduledRehearsal(self.rehearsals, self.board, around.clock, self._begin_rehearsal)
        self._around = around
        self._tended = Tended[Primary | Standby](dataset.name, self._open, self.board, around.clock, ended=self._ended)
        self._tending = threading.RLock()
        self._preparing = threading.Lock()
        self._rests = self._gone = False
        self.answers = KeptAnswers(around.clock)
        self.stepped = SteppedWork(
            dataset.name, around.home(dataset), self.board, around.clock, self._stepped_kinds, around.changed
        )
        self.confirmation = Confirmation()
        self._pace = EpochPace(around.clock)
        self.serving = ReignHooks(lambda: self.dataset, around.node, around.home(dataset), self.board, around.clock)
        self.planned = PlannedSwitchovers(dataset.name, self, around.clock)
        self.roles = RoleJournal(around.home(dataset) / ROLES)
        self._predictor = Predictor(self.roles)
        self._boot = BootLook(self.board, around.clock)
        self._reconciling = ScheduledReconcile(dataset.reconcile, around.clock)
        self._was_sending_paused = False
        self._ignored = IgnoredPrimary(dataset, self.board, around.clock)
        self._since_lock = threading.Lock()
        self._since: tuple[str, int] = ("", around.clock.now_ns())

    def _stepped_kinds(self) -> Sequence[AnyKind]:
        around = self._around
        switching = (kind(self, around) for kind in (switchover_kind, finish_kind, take_over_kind))
        kinds = (rollback_kind(self, around), rejoin_kind(self, around), promotion_kind(self, around), *switching)
        return [*(replace(kind, ended=self._steps_ended) for kind in kinds), rehearsal_kind(self, around)]

    def _steps_ended(self, record: StepsRecord) -> None:
        steps_ended(self.roles, record, self.side)

    @property
    def role(self) -> Role:
        """What this node is, or is to be, to the dataset."""
        return self.assigned.role

    @property
    def side(self) -> Primary | Standby | None:
        """What is open now."""
        return self._tended.side

    def wait_for_a_try(self, seconds: float) -> None:
        """Wait, at most so long, while it is being opened: an agent answers before its datasets are open. Any thread."""
        self._tended.wait_for_a_try(seconds)

    def primary(self) -> Primary:
        """The open primary side. Raises ``TryAgain`` while it is not open, ``NotFound`` once it is no longer configured."""
        side = self.side
        if not isinstance(side, Primary):
            raise self._not_open()
        return side

    def standby(self) -> Standby:
        """The open standby side. Raises as :meth:`primary` does."""
        side = self.side
        if not isinstance(side, Standby):
            raise self._not_open()
        return side

    @property
    def keeps_history(self) -> bool:
        """Whether moments can be read of this node: it keeps a standby, or has been one and is the primary."""
        side = self.side
        return self.role is Role.STANDBY or (isinstance(side, Primary) and side.past is not None)

    @property
    def received_until(self) -> CommitNumber | None:
        """The newest commit whose content this node keeps; None where it keeps that of each, or of none."""
        side = self.side
        return side.past.until if isinstance(side, Primary) and side.past is not None else None

    def history(self) -> Standby | OwnHistory:
        """The side that keeps what was received. Raises as :meth:`primary` does."""
        side = self.side
        if isinstance(side, Primary) and side.past is not None:
            return side.past
        return self.standby()

    def opened(self) -> Primary | Standby:
        """The side that is open, whichever. Raises as :meth:`primary` does."""
        side = self.side
        if side is None:
            raise self._not_open()
        return side

    def _not_open(self) -> HikaeError:
        if self._gone:
            return NotFound("use the dataset", self.dataset.name, "it is no longer configured", "see hikae config show")
        why = self._tended.why
        reason = f"it is not running now ({why.sentence})" if why is not None else "it is not running now"
        return TryAgain("use the dataset", self.dataset.name, reason, "see hikae status for why")

    def configure(self, dataset: Dataset, read: Dataset) -> bool:
        """Go on with these values; ``read``: what the files say. While it does not rest they differ in nothing but
        ``config.schema.LIVE_KEYS``. Whether the primary that the files name is another than the one on record, and in vain."""
        with self._tending:
            if dataset.reconcile != self.dataset.reconcile:
                self._reconciling.configure(dataset.reconcile)
            self.dataset = dataset
            self._verifying.configure(dataset)
            side = self.side
            if side is not None:
                side.dataset = dataset
            self._ignored.read = read
            self._tell_ignored()
        return self.assigned.ignores(read)

    def redial(self) -> None:
        """The peers of this node were configured anew."""
        with self._tending:
            side = self.side
            if isinstance(side, Primary):
                side.redial()

    def tick(self) -> None:
        """Once a second."""
        with self._tending:
            if self._rests:
                return
            self._tended.tick()
            self._succeed()
            self._follow_new_primary()
            self._tell_handed_over()
            self._end_pauses()
            self._reconcile_if_due()
            self._verifying.tick(self._kept_here())
            self._rehearse_if_due()
            self.stepped.tick()
            self.serving.tick(self._reign_now())
            self._boot.tick(self.dataset)
            self.planned.tick()
            if self.stepped.running is None:
                observe(self.roles, self.side, self._around.clock.now_ns())

    def reopen(self) -> None:
        """Close what is open and open it anew. Raises ``CalledOff`` when the dataset is to rest."""
        with self._tending:
            if self._rests:
                raise CalledOff("open the dataset", self.dataset.name, "it is to rest", "it goes on when it runs again")
            self._tended.reopen()

    def take_role(self, record: RoleRecord) -> None:
        """From now on this node is what the record says, durably; what is open is closed, and opened as that. Raises
        ``StoreFailed``, and what ``lineage.keep_role`` raises: it is what it was then; ``CalledOff`` when the dataset is to rest,
        and nothing was changed."""
        home = self._around.home(self.dataset)
        with self._tending:
            if self._rests:
                raise CalledOff("change the role", self.dataset.name, "it is to rest", "it goes on when it runs again")
            # First, so that no call of a primary writes the record meanwhile.
            self._tended.close()
            try:
                home.mkdir(parents=True, exist_ok=True, mode=0o700)
                lineage.keep_role(home, replace(record, named=self._ignored.read.primary))
                rewound.forget_mark(home)
                if record.role is Role.PRIMARY and not record.begun:
                    # Whoever has a node begin a reign says that it may serve in it.
                    self.confirmation.next_serves_alone()
            except OSError as error:
                reason, remedy = error.strerror or str(error), "free space in the state directory"
                raise StoreFailed("change the role", self.dataset.name, reason, remedy) from error
            finally:
                for code in _OF_A_ROLE:
                    self.board.clear(code)
                self._tended.reopen()

    @property
    def around(self) -> Surroundings:
        """The node around it."""
        return self._around

    @property
    def home(self) -> Path:
        """Where its state lies."""
        return self._around.home(self.dataset)

    def begin_steps(self, kind: str, arguments: Facts) -> SteppedRun:
        """Begin a list of recorded steps. Raises ``TryAgain`` while one is under way, of whatever kind."""
        return self.stepped.begin(kind, arguments)

    def recorded(self) -> RoleRecord | None:
        """The role record as it is durable. Raises ``Damaged``, ``OSError``."""
        return read_record(self._around.home(self.dataset) / ROLE)

    def before_take_over(self, reason: str) -> str:
        """What is to run before this standby takes over was run; for people. Raises ``HookFailed``, ``Refused`` where that did
        not bring what is to run afterwards, and ``TryAgain`` while it runs already, for whomever: another node may ask again and
        again."""
        side = self.standby()
        place = HookPlace(self.dataset.name, self.node, self.role.value, side.epoch, reason)
        if self.stepped.moving is not None or not self._preparing.acquire(blocking=False):
            raise TryAgain("prepare to take over", self.dataset.name, "that is under way already", "hikae status here")
        try:
            said = HookRunner(self.stepped.is_ending).run(self.dataset.hooks, "before_promote", place).sentence()
        finally:
            self._preparing.release()
        require_programs("prepare to take over", self.dataset.name, self.node, self.dataset.hooks)
        return said

    def rest(self) -> None:
        """Close what is open, and open nothing before :meth:`go_on`. Waits."""
        self.leave()
        with self._tending:
            self._rests = True
            self.serving.close()
            self._tended.close()
            self._verifying.take_result()

    def resync(self) -> None:
        """See ``Standby.resync``; what a verify found of the directory before says nothing of the one that is taken."""
        self.standby().resync()
        self.verifies.begin_anew(self._around.clock.now_ns())

    def go_on(self) -> None:
        """Open it at the next tick, as it is configured now. What was wrong with it before is forgotten: what still is shows."""
        with self._tending:
            self.board.forget_all()
            self.verifies.tell()
            self.rehearsals.tell()
            self._ignored.forget()
            self._tell_ignored()
            self._tended.due_now()
            self.stepped.again()
            self._rests = False

    def leave(self) -> None:
        """:meth:`rest` or :meth:`close` will follow: what takes long is to end soon. Does not wait."""
        self.stepped.leave()
        side = self.side
        if isinstance(side, Standby):
            side.leave()

    def close(self) -> None:
        """Stop for good; whoever waits for it is told."""
        self._gone = True
        self.rest()
        self.stepped.join()

    def steer(self) -> None:
        """Pauses have changed."""
        side = self.side
        if isinstance(side, Standby):
            side.steer()
        elif isinstance(side, Primary):
            paused = self.pauses.paused(SEND)
            if paused and not self._was_sending_paused:
                self.facts()  # so that the last word of each call is why it ends
                side.stop_sending()
            elif not paused and self._was_sending_paused:
                side.resume_sending()
            self._was_sending_paused = paused
        self._around.changed()

    def facts(self) -> DatasetFacts:
        """For status."""
        side, last = self.side, self.verifies.last
        if isinstance(side, Primary):
            facts = primary_facts(side, self.board, self.pauses, self.standings, last)
        elif isinstance(side, Standby):
            facts = standby_facts(side, self.board, self.pauses, self.standings, last)
        else:
            facts = closed_facts(self.dataset, self.assigned, self.board, self.pauses, self.standings, last)
        # First, so that the peers are told of it, too.
        facts = replace(facts, time_ns=self._around.clock.now_ns(), moving=self.stepped.moving)
        of_node, _ = self._around.board.listed()
        for peer in facts.peers:
            self.standings.say(peer.name, standing_of(facts, peer.name, of_node))
        if self.role is Role.STANDBY:
            facts = replace(facts, last_rehearsal=self.rehearsals.last)
        if isinstance(side, Standby) and self.role is Role.STANDBY:
            facts = replace(facts, promotion=promotion_of(facts, self.dataset, self._witness(_NOBODY_ASKED)))
        state = dataset_state(facts).value
        with self._since_lock:
            if state != self._since[0]:
                self._since = (state, self._around.clock.now_ns())
            return replace(facts, since_ns=self._since[1])

    def promotion(self, heard: Heard, *, prepared: bool = False) -> PromotionFacts | None:
        """What a promotion now would be, with what others answered; None where this node keeps no standby that is open.
        ``prepared``: before_promote has run."""
        facts = self.facts()
        if facts.promotion is None:
            return None
        return promotion_of(facts, self.dataset, replace(self._witness(heard), prepared=prepared))

    def promotion_now(self, ending: threading.Event) -> PromotionFacts:
        """As :meth:`promotion`, with the others asked now. Raises ``TryAgain`` while the standby is not open, or once ``ending``
        is set; ``Refused`` where this node keeps none."""
        return asked_anew(self, self._around, self.standby(), ending)

    def _witness(self, heard: Heard) -> Witness:
        """What a promotion is judged by, beside its status."""
        clock = self._around.clocks.apart()
        side = self.side
        said = side.announced if isinstance(side, Standby) else None
        word, loss = (said.word, said.loss()) if said is not None else (None, NOTHING_KNOWN)
        rto = self._predictor.of(side, self.dataset.hooks) if isinstance(side, Standby) else None
        return Witness(
            self.verifies.began,
            clock,
            word,
            loss,
            rto,
            answered=heard.answered,
            others=heard.others,
            boot=self._boot.seen,
            missing=missing_programs(self.dataset.hooks, BEGINS, needed=True),
            stopped=heard.stopped,
        )

    def others(self, ending: threading.Event) -> tuple[NodeAnswer, ...]:
        """What the other nodes of the dataset say of themselves now; who is silent is not among them."""
        return ask_around(self.dataset.name, self.assigned, self._around, ending)

    @property
    def node(self) -> str:
        """This node's name."""
        return self._around.node

    def _open(self, failed: Callable[[HikaeError], None]) -> Primary | Standby:
        home, node = self._around.home(self.dataset), self._around.node
        self.assigned = assign(lineage.recorded_role(home, node), self.dataset, node, home)
        self._tell_ignored()
        for mistake in misplaced(self._around.settings, self.dataset.name):
            remedy = f"put it right there; it is tried again by itself; or correct {mistake.place}, then: hikae reload"
            raise StoreFailed("open the dataset", self.dataset.name, mistake.message, remedy)
        kind = Primary if self.role is Role.PRIMARY and not succession.must_wait(home, node) else Standby
        context = SideContext(
            self.assigned, self._around, self.board, self.pauses, self.standings, failed, self.confirmation, self._pace
        )
        began = self._around.clock.monotonic()
        side = kind.open(self.dataset, context)
        self._predictor.opened = (self._around.clock.monotonic() - began) * 1000
        if isinstance(side, Standby):
            self.verifies.begin(self._around.clock.now_ns())
        return side

    def _reign_now(self) -> ReignNow | None:
        """For the hooks that go with it; None where no primary is open."""
        side = self.side
        if not isinstance(side, Primary):
            return None
        busy = self.stepped.running is not None
        return ReignNow(side.reign.epoch.number, side.reign.mark, side.unconfirmed_by(), busy)

    def _tell_ignored(self) -> None:
        """Say that the files name another primary than the one that is, or that they do so no more. The first opening of all, or
        the first call of a primary, has made the record meanwhile."""
        home = self._around.home(self.dataset)
        if not self.assigned.recorded and (home / ROLE).exists():
            self.assigned = replace(self.assigned, recorded=True)
        self._ignored.tell(self.assigned)

    def _succeed(self) -> None:
        """A standby that is to be the primary becomes it once its tree is what it received."""
        side = self.side
        if self.role is not Role.PRIMARY or not isinstance(side, Standby):
            self.board.clear(PROMOTING)
        elif succession.is_through(side):
            self._tended.reopen()
        else:
            home, now = self._around.home(self.dataset), self._around.clock.now_ns()
            self.board.put(succession.waits(side, home, now))

    def _follow_new_primary(self) -> None:
        """Another node proved that it reigns now, and has all that is here."""
        side = self.side
        if isinstance(side, Standby) and side.follows is not None and self.role is Role.STANDBY:
            _log.info("the new primary is followed", dataset=self.dataset.name, primary=side.follows.owner)
            try:
                self.take_role(RoleRecord(Role.STANDBY, side.follows))
            except HikaeError as error:
                _log.warning("the new primary is not followed yet", dataset=self.dataset.name, reason=str(error))

    def _tell_handed_over(self) -> None:
        given, now = self.assigned.handed_over, self._around.clock.now_ns()
        tell_handed_over(self.board, self.dataset.name, given, self.side, now)

    def _ended(self, error: HikaeError) -> None:
        """Damage outlives the opening that did not meet it: it is told until the agent is started on other files."""
        if isinstance(error, Damaged) and not lineage.heals_itself(self._around.home(self.dataset), error):
            now = self._around.clock.now_ns()
            self.board.put(Problem(DAMAGED, Severity.ERROR, now, b"", error.sentence, error.remedy))

    def _end_pauses(self) -> None:
        if self.pauses.paused(SEND) != self._was_sending_paused or self.role is Role.STANDBY:
            self.steer()

    def _rehearse_if_due(self) -> None:
        side, probe = self._kept_here(), self.dataset.hooks.probe
        if side is not None:
            ready = side.is_settled and probe is not None and side.loop.facts().hold is None
            self._rehearsing.tick(self.dataset, self.verifies.began, ready=ready)

    def _begin_rehearsal(self) -> None:
        self.stepped.begin(REHEARSAL, {"dataset": self.dataset.name})

    def _kept_here(self) -> Standby | None:
        side = self.side
        return side if isinstance(side, Standby) and self.role is Role.STANDBY else None

    def _reconcile_if_due(self) -> None:
        side = self.side
        if self._reconciling.take_due() and isinstance(side, Primary):
            side.pump.reconcile("scheduled")


def _assigned_for_now(dataset: Dataset, around: Surroundings) -> Assignment:
    """What the record says before the dataset is open; where it cannot be read, which the opening tells, what the files say."""
    home = around.home(dataset)
    try:
        return assign(read_record(home / ROLE), dataset, around.node, home)
    except (HikaeError, OSError):
        return assign(None, dataset, around.node, home)
