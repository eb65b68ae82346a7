"""A primary's device is made equal to the newest commit, which is an earlier moment taken up again."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from agent.apply.device.claimed import claim_beside_readers
from agent.apply.device.opened import OpenDevice, device_errors
from agent.apply.device.ports import USUAL_DEVICE
from agent.apply.device.run import DeviceMeans, DeviceRun, end_of
from agent.apply.ports import no_patch
from agent.apply.results import ChunkLost, silent
from agent.apply.run.wanted import Plan
from agent.apply.writing.file_content import told_lost
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.errors import Refused
from agent.core.ids import NOTHING
from agent.core.problem import Problem, ProblemBoard, Severity
from agent.core.problem_codes import CHUNK_DAMAGED
from agent.core.rows import ChunkRow
from agent.generations.afar import OpenMoment
from agent.roles.rollback.going_back import WentBack
from agent.roles.rollback.root_facts import RootFacts
from agent.store.catalog.catalog import Catalog

#: So often chunks that could not be had are tried again.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class PrimaryDevice:
    """Its ``path``, and a directory of our own."""

    path: str
    own: str


def device_back(
    place: PrimaryDevice,
    catalog: Catalog,
    facts: RootFacts,
    target: Commit,
    moment: OpenMoment,
    *,
    board: ProblemBoard,
    clock: Clock,
    look: Callable[[], None],
) -> WentBack:
    """Make it equal to ``target``, durably: all of it is compared, and only what differs is written. ``look`` is called before
    every change, and raises what is to end it; then, and after a crash, the next call does it again.

    Raises ``Held`` while somebody uses it, ``Refused``, ``RootFull``, ``RootFailed``, and what reading the moment raises."""
    if facts.is_there(target.number):
        return WentBack()
    board.clear_code(CHUNK_DAMAGED)

    def lost(row: ChunkRow, error: ChunkLost) -> None:
        message = f"{error.sentence} (bytes {row.offset}-{row.end - 1} of the device)"
        board.put(Problem(CHUNK_DAMAGED, Severity.ERROR, clock.now_ns(), b"", message, "hikae generations verify"))

    means = DeviceMeans(told_lost(moment.chunk, look), no_patch, look, lost, USUAL_DEVICE)
    done = WentBack()
    with device_errors(place.path), closing(_opened(place, look)) as device, closing(catalog.reader()) as view:
        _require_room(device, end_of(view, target.number))
        for _ in range(_ATTEMPTS):
            run = DeviceRun(device, view, Plan(NOTHING, target, trusted=False, survey=True), means, silent)
            run.run()
            done = WentBack(done.entries + run.changed, 0, run.failed)
            if not done.failed:
                break
        device.sync()
    facts.end(target.number)
    return done


def _opened(place: PrimaryDevice, look: Callable[[], None]) -> OpenDevice:
    fd, is_block = claim_beside_readers(place.path)
    try:
        own = os.open(place.own, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except BaseException:
        os.close(fd)
        raise
    return OpenDevice(place.path, fd, own, is_block, lambda _what: look(), "the device")


def _require_room(device: OpenDevice, wanted: int) -> None:
    if device.is_block and device.length < wanted:
        reason = f"it has {device.length:,} bytes, and had {wanted:,} then"
        raise Refused("roll back", device.path, reason, "enlarge it; it goes on by itself")
