"""A primary's device is made equal to the newest commit, which is an earlier moment taken up again."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from agent.apply.device.claimed import claim_beside_readers
from agent.apply.device.opened import OpenDevice, device_errors
from agent.apply.device.ports import USUAL_DEVICE
from agent.apply.device.run import DeviceMeans, DeviceRun, end_of, lost_of_device
from agent.apply.ports import no_patch
from agent.apply.results import ChunkLost, silent
from agent.apply.run.wanted import Plan
from agent.apply.writing.file_content import told_lost
from agent.core.errors import Refused
from agent.core.ids import NOTHING
from agent.core.problem_codes import CHUNK_DAMAGED
from agent.core.rows import ChunkRow
from agent.roles.rollback.going_back import RollbackMeans, WentBack, until_made


@dataclass(frozen=True, slots=True)
class PrimaryDevice:
    """Its ``path``, and a directory of our own."""

    path: str
    own: str


def device_back(place: PrimaryDevice, way: RollbackMeans) -> WentBack:
    """Make the device equal to the target, durably: all of it is compared, and only what differs is written.

    Raises ``Held`` while somebody uses it, ``Refused``, ``RootFull``, ``RootFailed``, and what reading the moment raises."""
    target, look = way.target, way.look
    if way.facts.is_there(target.number):
        return WentBack()
    way.board.clear_code(CHUNK_DAMAGED)

    def lost(row: ChunkRow, error: ChunkLost) -> None:
        way.board.put(lost_of_device(row, error, way.clock.now_ns(), "hikae generations verify"))

    means = DeviceMeans(told_lost(way.moment.chunk, look), no_patch, look, lost, USUAL_DEVICE)
    with device_errors(place.path), closing(_opened(place, look)) as device, closing(way.catalog.reader()) as view:
        _require_room(device, end_of(view, target.number))

        def attempt() -> WentBack:
            run = DeviceRun(device, view, Plan(NOTHING, target, trusted=False, survey=True), means, silent)
            run.run()
            return WentBack(run.changed, 0, run.failed)

        done = until_made(attempt)
        device.sync()
    way.facts.end(target.number)
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
