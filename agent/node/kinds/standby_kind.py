"""What differs on a secondary by what a dataset is: who makes the standby equal to commits."""

from __future__ import annotations

from agent.apply.applier import Applier, Supply
from agent.apply.applies import Applies
from agent.apply.ports import Early
from agent.apply.standby.standby_root import StandbyPlace
from agent.config.values import Dataset
from agent.node.context import SideContext
from agent.node.following.standby_stores import StandbyStores
from agent.node.turn_taking import Turns


def made_applier(dataset: Dataset, context: SideContext, stores: StandbyStores, early: Early, turns: Turns) -> Applies:
    """What makes the standby equal to commits. ``early``: content that came ahead of its commit; ``turns``: others have one
    before every change. Writes nothing yet."""
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
