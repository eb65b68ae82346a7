"""What a standby knows and keeps, opened together: catalog, local facts, vault, the adopted tree, and what the vault has lost."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from agent.adopt.adopted_tree import AdoptedTree
from agent.adopt.filling.filling import FillingStores
from agent.adopt.image_reading import ImageReading
from agent.adopt.seeding import Seeding
from agent.adopt.taking_over import TakesOver
from agent.apply.ports import Adopted, LeftOut, nothing_left_out
from agent.capture.exclude import Rules
from agent.config.own_places import left_out_by_rule
from agent.config.values import Dataset
from agent.core.errors import Damaged
from agent.node.context import SideContext, Surroundings
from agent.node.leftover import note_vault
from agent.node.rejoining.rejoined import Rejoined
from agent.repair.lost_chunks import Mending
from agent.roles import lineage
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local
from agent.store.vault.vault import Vault

_SEEDS = "seeds"


@dataclass(frozen=True, slots=True)
class StandbyStores:
    """``left_out``: what no converge touches in the standby; ``guard``: what is relied on in an adopted tree.
    Closed by who opened them, in one go."""

    catalog: Catalog
    local: Local
    vault: Vault
    seeding: TakesOver
    mending: Mending
    rejoined: Rejoined
    left_out: LeftOut
    guard: Adopted

    def close(self) -> None:
        """Give everything back, the newest first."""
        self.rejoined.close()
        self.seeding.close()
        self.vault.close()
        self.local.close()
        self.catalog.close()

    def note_seeding(self) -> None:
        """Remember durably whether the vault relies on the adopted tree."""
        self.local.set_value(_SEEDS, b"yes" if self.seeding.seeds else b"", durable=True)


def open_standby_stores(dataset: Dataset, context: SideContext) -> StandbyStores:
    """Open and recover all. Raises ``HikaeError``; nothing is left open then."""
    around = context.around
    home, place = around.home(dataset), around.vault(dataset)
    for directory in (home, place):
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    note_vault(home, place)
    with ExitStack() as stack:
        catalog = stack.enter_context(Catalog.open(str(home / lineage.CATALOG)))
        local = stack.enter_context(lineage.open_local(home))
        vault = stack.enter_context(Vault.open(str(place), catalog.pack_end()))
        tree = AdoptedTree(str(place), dataset.path)
        stack.callback(tree.close)
        lost = _open_adopted(tree, local)
        mending = Mending(vault, local, context.assigned.primary, context.board, clock=around.clock)
        expected = dataset.adopt and catalog.newest() is None
        left_out = _left_out(dataset, around)
        seeding = Seeding(tree, vault, around.clock, lost=mending.forget, left_out=left_out, expected=expected)
        if lost:
            mending.lost(lost)
        filled = FillingStores(dataset.path, vault, local, catalog.reader, dataset.is_device)
        rejoined = Rejoined(dataset.name, home, filled, context.board, around.clock, missed=mending.lost)
        stack.pop_all()
    taken = ImageReading(dataset.path, vault, expected=expected) if dataset.is_device else seeding
    return StandbyStores(catalog, local, vault, taken, mending, rejoined, left_out, seeding.guard)


def _left_out(dataset: Dataset, around: Surroundings) -> LeftOut:
    """What the dataset's rules exclude, and where other datasets of this node lie."""
    rules = Rules(dataset.exclude, dataset.include, left_out_by_rule(dataset, around.settings))
    return rules.excluded if rules else nothing_left_out


def _open_adopted(tree: AdoptedTree, local: Local) -> str:
    """Go on with an adopted tree; why what was relied on in it is lost, "" when it is not."""
    try:
        found = tree.open()
    except Damaged as error:
        local.set_value(_SEEDS, b"", durable=True)
        return error.reason
    if not found and local.value(_SEEDS):
        local.set_value(_SEEDS, b"", durable=True)
        return "the list of what stands in the adopted tree is gone"
    return ""
