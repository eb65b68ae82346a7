"""What a secondary of a device is made of. Imported where there is one: an agent of trees has not the memory of it."""

from __future__ import annotations

from agent.apply.applies import Applies
from agent.apply.device.applier import DeviceApplier
from agent.apply.device.former_device import take_device_for_standby
from agent.apply.device.place import DevicePlace
from agent.apply.device.ports import DeviceSupply
from agent.apply.output.directory import Step, no_step
from agent.config.values import Dataset
from agent.core.ids import CommitNumber
from agent.node.context import SideContext, Surroundings
from agent.node.following.standby_stores import StandbyStores
from agent.node.kinds.trackers import forget_tracker
from agent.node.turn_taking import Turns
from agent.store.local import Local

#: Where what belongs to a block device is kept, in the dataset's own directory.
KEPT = "device"


def device_applier(dataset: Dataset, context: SideContext, stores: StandbyStores, turns: Turns) -> Applies:
    """What makes a standby device equal to commits. Writes nothing yet."""
    forget_tracker(dataset, context.around)
    place = _device_place(dataset, context.around, turns.step)
    supply = DeviceSupply(stores.catalog.reader, stores.mending.read, stores.mending.patch_of)
    clock = context.around.clock
    return DeviceApplier(place, supply, stores.local, context.board, clock=clock, brake=dataset.brake)


def _device_place(dataset: Dataset, around: Surroundings, step: Step) -> DevicePlace:
    kept = around.home(dataset) / KEPT
    return DevicePlace(dataset.path, dataset.name, str(kept), step, dataset.adopt)


def took_device_for_standby(dataset: Dataset, around: Surroundings, local: Local, commit: CommitNumber) -> None:
    """As ``took_for_standby``, of a device."""
    take_device_for_standby(_device_place(dataset, around, no_step), local, commit)
