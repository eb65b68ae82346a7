"""What differs on a secondary by what a dataset is: who makes the standby equal to commits, and who reads it."""

from __future__ import annotations

from collections.abc import Callable

from agent.apply.applier import Applier, Supply
from agent.apply.applies import Applies
from agent.apply.ports import Early
from agent.apply.standby.former_source import take_for_standby
from agent.apply.standby.standby_root import StandbyPlace
from agent.capture.files.read_back import TreeSource
from agent.config.values import Dataset
from agent.core.ids import CommitNumber
from agent.node.context import SideContext, Surroundings
from agent.node.following.standby_stores import StandbyStores
from agent.node.turn_taking import Turns
from agent.repair.from_device import StandingDevice
from agent.repair.from_standby import StandingChunks
from agent.store.catalog.reader import CatalogReader
from agent.store.local import Local


def made_applier(dataset: Dataset, context: SideContext, stores: StandbyStores, early: Early, turns: Turns) -> Applies:
    """What makes the standby equal to commits. ``early``: content that came ahead of its commit; ``turns``: others have one
    before every change. Writes nothing yet."""
    if dataset.is_device:
        from agent.node.kinds.device_standby import device_applier

        return device_applier(dataset, context, stores, turns)
    supply = Supply(stores.catalog.reader, stores.mending.read, stores.mending.patch_of, early)
    scratch = context.around.home(dataset) / "scratch"
    scratch.mkdir(exist_ok=True, mode=0o700)
    place = StandbyPlace(
        dataset.path,
        dataset.name,
        str(scratch),
        turns.step,
        dataset.adopt,
        stores.guard,
        stores.left_out,
    )
    return Applier(place, supply, stores.local, context.board, clock=context.around.clock, brake=dataset.brake)


def took_for_standby(dataset: Dataset, around: Surroundings, local: Local, commit: CommitNumber) -> None:
    """On entry nobody writes into what was captured here, and it equals ``commit``. On exit it is this node's standby, durably.
    Raises ``RootFailed``, ``Held``, ``StoreFailed``."""
    if dataset.is_device:
        from agent.node.kinds.device_standby import took_device_for_standby

        return took_device_for_standby(dataset, around, local, commit)
    scratch = around.home(dataset) / "scratch"
    scratch.mkdir(exist_ok=True, mode=0o700)
    return take_for_standby(dataset.path, dataset.name, local, commit, str(scratch))


def standing_chunks(dataset: Dataset, reader: Callable[[], CatalogReader]) -> StandingChunks:
    """What reads the standby to mend the vault."""
    return StandingDevice(dataset.path) if dataset.is_device else TreeSource(dataset.path, reader())
