"""What differs on a primary by what a dataset is: what captures it, what follows it, and where a peer's chunks are read again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from agent.apply.ports import nothing_left_out
from agent.capture.access.standstill import Standstill
from agent.capture.exclude import Rules
from agent.capture.files.hard_links import Linked
from agent.capture.files.read_back import TreeSource
from agent.capture.outlet import Outlet
from agent.capture.ports import CaptureContext
from agent.capture.pump import Pump
from agent.capture.pumping.thread import PumpCalls
from agent.capture.tree.session import TreeSessions
from agent.config.own_places import left_out_by_rule
from agent.core.commit import Quiesced
from agent.core.ids import ObjectId
from agent.node.context import SideContext
from agent.node.kinds.primary_parts import OwnerCalls, PrimaryParts
from agent.node.reigning.primary_source import PrimarySource
from agent.node.reigning.root_watch import RootWatch
from agent.store.local import Local
from agent.stream.sending.source import PendingMark
from agent.watch.fanotify import FanotifyWatcher
from agent.watch.hint import Hint, Look, Passing
from agent.watch.settle import Settle


def primary_parts(context: SideContext, capture: CaptureContext, outlet: Outlet, calls: OwnerCalls) -> PrimaryParts:
    """The parts of a primary, made of what its dataset is."""
    if calls.dataset().is_device:
        from agent.node.kinds.device_primary import device_parts

        return device_parts(context, capture, outlet, calls)
    return _of_tree(context, capture, outlet, calls)


def _of_tree(context: SideContext, capture: CaptureContext, outlet: Outlet, calls: OwnerCalls) -> PrimaryParts:
    dataset, around = calls.dataset(), context.around
    rules = Rules(dataset.exclude, dataset.include, left_out_by_rule(dataset, around.settings))
    linked = Linked()

    def go_back(stopping: threading.Event) -> None:
        calls.go_back(rules.excluded if rules else nothing_left_out, stopping)

    def set_barrier() -> Passing:
        return watch.set_barrier()

    own = PumpCalls(set_barrier, calls.failed, calls.horizons, calls.require_room, go_back)
    pump = Pump(capture, Settle(), TreeSessions(capture, dataset.path, rules, linked), outlet, own)
    watch = RootWatch(dataset.path, dataset.watch, around.groups, linked.holds, hint=pump.hint)

    def make_source() -> PrimarySource:
        content = TreeSource(dataset.path, capture.catalog.reader(), capture.vault)
        return PrimarySource(content, TreeLooks(capture.local, pump), capture.catalog, vault=capture.vault)

    def why_not_still() -> str | None:
        kind = watch.watcher.kind if watch.watcher is not None else None
        if kind == FanotifyWatcher.kind:
            return None
        return f"the tree is followed by {kind or 'nothing'}, and a moment takes fanotify"

    def snapshot(reached: Quiesced) -> Standstill:
        return pump.snapshot(calls.dataset().path, reached=reached)

    return PrimaryParts(pump, watch, make_source, why_not_still, snapshot=snapshot)


@dataclass(frozen=True, slots=True)
class TreeLooks:
    """``LooksAgain`` at a tree."""

    local: Local
    pump: Pump

    def cannot_read(self, id: ObjectId, path: bytes | None) -> bool:
        return path is not None and self.pump.cannot_read(path)

    def look(self, objects: Sequence[tuple[ObjectId, bytes | None]]) -> PendingMark:
        hints = []
        for id, path in objects:
            fact = self.local.get(id)
            if fact is not None:
                hints.append(Hint(b"", Look.ENTRY, fact.handle))
            if path:
                hints.append(Hint(path, Look.ENTRY))
        return self.pump.look(hints)
