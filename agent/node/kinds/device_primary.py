"""What a primary of a device is made of. Imported where there is one: an agent of trees has not the memory of it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from agent.apply.ports import nothing_left_out
from agent.capture.device.opened import open_device
from agent.capture.device.opening import DeviceOpening
from agent.capture.device.pump import DevicePump
from agent.capture.device.reread import DeviceSource
from agent.capture.outlet import Outlet
from agent.capture.ports import CaptureContext
from agent.capture.pumping.thread import PumpCalls
from agent.core.ids import ObjectId
from agent.node.context import SideContext
from agent.node.kinds.primary_parts import OwnerCalls, PrimaryParts
from agent.node.kinds.trackers import SAVED, trackers_of
from agent.node.reigning.device_watch import DeviceWatch
from agent.node.reigning.primary_source import PrimarySource
from agent.stream.sending.source import PendingMark
from agent.watch.hint import waits_for_nothing


def device_parts(context: SideContext, capture: CaptureContext, outlet: Outlet, calls: OwnerCalls) -> PrimaryParts:
    """The parts of a primary of a device."""
    path, around = calls.dataset().path, context.around
    saved = around.home(calls.dataset()) / SAVED

    def go_back(stopping: threading.Event) -> None:
        calls.go_back(nothing_left_out, stopping)

    opens_tracker = trackers_of(calls.dataset(), around)
    opening = DeviceOpening(path, opens_tracker, around.freezing, lambda: calls.dataset().device, saved=saved)
    own = PumpCalls(lambda: waits_for_nothing, calls.failed, calls.horizons, calls.require_room, go_back)
    pump = DevicePump(capture, opening, outlet, own)

    def make_source() -> PrimarySource:
        content = DeviceSource(path, open_device)
        return PrimarySource(content, DeviceLooks(pump), capture.catalog, vault=capture.vault)

    return PrimaryParts(pump, DeviceWatch(pump), make_source, lambda: None, always_still=True)


@dataclass(frozen=True, slots=True)
class DeviceLooks:
    """``LooksAgain`` at a device's chunks, which have no paths."""

    pump: DevicePump

    def cannot_read(self, id: ObjectId, path: bytes | None) -> bool:
        return self.pump.unreadable(id)

    def look(self, objects: Sequence[tuple[ObjectId, bytes | None]]) -> PendingMark:
        return self.pump.look_again([id for id, _ in objects])
