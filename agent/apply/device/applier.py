"""From what the standby of a device equals to a commit, and whether it equals it: run and verify.

What may be believed is ``checkpoint``'s, as of a tree; whether a commit may be applied by itself ``holds``'s. Used by one thread;
``accept`` and ``applied`` may be called by others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from agent.apply.bounds import USUAL
from agent.apply.checkpoint import Checkpoint
from agent.apply.device.opened import OpenDevice, device_errors
from agent.apply.device.place import DevicePlace, StandbyDevice
from agent.apply.device.ports import USUAL_DEVICE, DeviceLimits, DeviceSupply, DeviceView
from agent.apply.device.run import DeviceMeans, DeviceRun, end_of, lost_of_device, stands_as
from agent.apply.device.verification import AskedOfDevice, DeviceMoment, DeviceVerification
from agent.apply.holds import Holds
from agent.apply.ports import LocalFacts
from agent.apply.results import Applied, ChunkLost, Held, Report, RootFailed, VerifyReport, silent
from agent.apply.run.late_files import LateFiles
from agent.apply.run.wanted import Plan
from agent.apply.standby.standby_token import Age
from agent.apply.standby_applier import StandbyApplier
from agent.apply.stopping import Ending
from agent.apply.writing.file_content import told_lost
from agent.config.values import Brake
from agent.core.chunks import DEVICE_CHUNK
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.dataset_kind import DatasetKind
from agent.core.errors import NotFound
from agent.core.ids import NOTHING
from agent.core.problem import ProblemBoard
from agent.core.problem_codes import CHUNK_DAMAGED, STANDBY_TOO_SMALL
from agent.core.rows import ChunkRow

_log = structlog.get_logger("apply")
_AGAIN = "everything is compared; it goes on by itself"


class DeviceApplier(StandbyApplier[DeviceView, OpenDevice]):
    """Makes the image or block device at ``place`` equal to commits. It is held by us alone until :meth:`close`."""

    def __init__(
        self,
        place: DevicePlace,
        supply: DeviceSupply,
        local: LocalFacts,
        board: ProblemBoard,
        *,
        clock: Clock,
        brake: Brake,
        limits: DeviceLimits = USUAL_DEVICE,
    ) -> None:
        ending = Ending()
        super().__init__(
            place.dataset,
            StandbyDevice(place, local, ending.before(place.step), clock.monotonic),
            Checkpoint(local, LateFiles(USUAL)),
            supply.reader,
            holds=Holds(place.dataset, local, board, clock, brake, kind=DatasetKind.DEVICE),
            ending=ending,
            clock=clock,
        )
        self._path = place.path
        self._board = board
        self._limits = limits
        read = told_lost(supply.read, ending.look)
        self._means = DeviceMeans(read, supply.patch_of, ending.look, self._lost, limits)

    @property
    def unfinished(self) -> bool:
        """Nothing is left for later."""
        return False

    def write_early(self) -> bool:
        """Nothing of a device comes before its commit."""
        return False

    def _fit(self) -> OpenDevice:
        device = self._standby.open()
        self._require_room(device)
        return device

    def _found(self, standing: OpenDevice) -> None:
        """Nothing is told of a device that is there."""

    def _require_room(self, device: OpenDevice) -> None:
        newest = self._reader.newest() if device.is_block else None
        wanted = end_of(self._reader, newest.number) if newest is not None else 0
        with device_errors(device.path):
            has = device.length
        if device.is_block and has < wanted:
            reason = f"{device.path} has {has:,} bytes, and the primary's device {wanted:,}"
            raise Held(STANDBY_TOO_SMALL, device.path, reason, "enlarge it, or name a device that is at least as large")

    def _doubt_what_is_of_another_time(self, standing: OpenDevice) -> None:
        super()._doubt_what_is_of_another_time(standing)
        if self._reached.trusted and self.stands != NOTHING and not self._stands_by_a_sample(standing):
            what = "the standby was written by somebody else while it was not held: everything is compared"
            _log.warning(what, dataset=self._dataset)
            self._reached.lost = True
            self._reached.was_opened(Age.SAME)

    def _stands_by_a_sample(self, device: OpenDevice) -> bool:
        """Whether the beginning, which every mount writes, and some of the rest are as is believed. What belongs to a block
        device is kept beside our facts, and does not tell that its blocks were put back."""
        size, limits = end_of(self._reader, self.stands), self._limits
        last, short = -(-size // DEVICE_CHUNK), self._reached.short.ids
        spread = range(1, last + 1, max(1, last // limits.sample))
        numbers = sorted({*range(1, min(limits.beginning, last) + 1), *spread, last} - {int(id) for id in short})
        with device_errors(device.path):
            return stands_as(device, self._reader, self.stands, numbers)

    # -- run -----------------------------------------------------------------------------------------------------------

    def converge(
        self,
        target: Commit,
        progress: Report,
        has_newer: Callable[[], bool] | None = None,
        *,
        unheld: bool = False,
    ) -> Applied:
        """Make the device equal to ``target``, which must be the newest sealed commit, or one that an operator brings it to
        (``unheld``: no hold is looked for then).

        Raises ``Held`` (also on the board), ``RootFull``, ``RootFailed`` and errors of our stores. After any of these, and after
        ``Applied.failed``, the next converge believes nothing of what commits changed since the checkpoint."""
        self.prepare()
        reached = self._reached
        comes = self._comes(target)
        if not unheld and (target.number != reached.stands or not comes):
            self.holds.check(self._reader, target, self._origin())
        plan = reached.plan(self._reader, target, adopt=self._standby.adopting)
        if plan.trusted and plan.base == target.number and not comes:
            return Applied(target.number)
        # What is newer than the newest commit is never in doubt after a crash; that it went back must be known.
        reached.begin(target, self._standby.open, durably=target.number < plan.base)
        return self._run(plan, progress)

    def finish(self, progress: Report, interrupted: Callable[[], bool] | None = None) -> Applied:
        """Nothing is left for later."""
        return Applied(self.applied)

    def _run(self, plan: Plan, progress: Report) -> Applied:
        self._board.clear_code(CHUNK_DAMAGED)
        run = DeviceRun(self._standby.open(), self._reader, plan, self._means, progress)
        try:
            with device_errors(self._path):
                run.run()
        except NotFound as error:
            # The history that the difference needs is pruned: what stands is laid beside the whole commit.
            self._reached.lost = True
            raise RootFailed("apply", self._path, error.reason, _AGAIN) from error
        finally:
            self._reached.short.add(run.left)
        if not run.failed:
            self._reached.reached(plan.target.number, run.left)
            self._reached.late_came()
            self._equals(plan)
        return Applied(self.applied, run.chunks, run.written, 0, run.failed, redo=not plan.trusted)

    def _lost(self, row: ChunkRow, error: ChunkLost) -> None:
        remedy = "it is fetched from the primary again; the rest goes on"
        self._board.put(lost_of_device(row, error, self._clock.now_ns(), remedy))

    # -- rest ----------------------------------------------------------------------------------------------------------

    def _noted(self) -> None:
        """Nothing of a device is told only once it is durable."""

    def rest(self) -> None:
        """Nothing to do for now. The device stays held: nobody else is to write it."""

    # -- verify --------------------------------------------------------------------------------------------------------

    def verify(self, *, deep: bool, repair: bool = False) -> VerifyReport:
        """Compare the device with the catalog at ``applied``, at once; with ``repair`` make it so, and compare again.

        Raises ``Held`` when the device is not ours, and with ``repair`` as :meth:`converge`."""
        verification = self.verification(deep=deep, progress=silent, repair=repair)
        while (report := verification.turn(whole=True)) is None:
            pass
        return report

    def verification(self, *, deep: bool, progress: Report, repair: bool = False) -> DeviceVerification:
        """The same in slices, between which converges may run: the answer is about the commit that stands at its end."""
        asked = AskedOfDevice(deep, progress, self._mend if repair else None)
        return DeviceVerification(asked, self._moment, self.ending.look, self._clock.monotonic, self._limits)

    def _moment(self) -> DeviceMoment:
        self.prepare()
        reached = self._reached
        if reached.lost or not reached.trusted:
            reason = "it is not known yet what of it is as it should be; it is being compared"
            raise RootFailed("verify", self._path, reason, "it goes on by itself; see hikae status")
        return DeviceMoment(self._standby.open(), self._reader, self.stands, reached.short.ids)

    def _mend(self, numbers: Iterable[int]) -> None:
        """Write these chunks as the commit that stands says, and sync."""
        target = self._commit_that_stands()
        plan = Plan(self.stands, target, trusted=True)
        device = self._standby.open()
        with device_errors(self._path):
            device.end_at(end_of(self._reader, target.number))
            DeviceRun(device, self._reader, plan, self._means, silent).make(numbers)
        device.sync()
