"""What differs on a secondary by what a dataset is: who makes the standby equal to commits."""

from __future__ import annotations

from agent.apply.applier import Applier, Supply
from agent.apply.applies import Applies
from agent.apply.device.applier import DeviceApplier
from agent.apply.device.place import DevicePlace
from agent.apply.device.ports import DeviceSupply
from agent.apply.ports import Early
from agent.apply.standby.standby_root import StandbyPlace
from agent.config.values import Dataset
from agent.node.context import SideContext
from agent.node.following.standby_stores import StandbyStores
from agent.node.turn_taking import Turns


def made_applier(dataset: Dataset, context: SideContext, stores: StandbyStores, early: Early, turns: Turns) -> Applies:
    """What makes the standby equal to commits. ``early``: content that came ahead of its commit; ``turns``: others have one
    before every change. Writes nothing yet."""
    if dataset.is_device:
        return _device_applier(dataset, context, stores, turns)
    supply = Supply(stores.catalog.reader, stores.mending.read, stores.mending.patch_of, early)
    scratch = context.around.home(dataset) / "scratch"
    scratch.mkdir(exist_ok=True, mode=0o700)
    place = StandbyPlace(
        dataset.path,
        dataset.name,
        str(scratch),
        turns.step,
        dataset.adopt,
        stores.seeding.guard,
        stores.left_out,
    )
    return Applier(place, supply, stores.local, context.board, clock=context.around.clock, brake=dataset.brake)


#: Where what belongs to a block device is kept, in the dataset's own directory.
KEPT = "device"


def _device_applier(dataset: Dataset, context: SideContext, stores: StandbyStores, turns: Turns) -> Applies:
    kept = context.around.home(dataset) / KEPT
    place = DevicePlace(dataset.path, dataset.name, str(kept), turns.step, dataset.adopt)
    supply = DeviceSupply(stores.catalog.reader, stores.mending.read, stores.mending.patch_of)
    clock = context.around.clock
    return DeviceApplier(place, supply, stores.local, context.board, clock=clock, brake=dataset.brake)
