"""Which structure the rows of a dataset have together, by its kind."""

from __future__ import annotations

from collections.abc import Callable

from agent.core.dataset_kind import DatasetKind
from agent.store.catalog.catalog import Catalog
from agent.stream.receiving.device_structure import DeviceStructure
from agent.stream.receiving.structure import Structure


def structure_of(kind: DatasetKind, catalog: Catalog, look: Callable[[], None]) -> Structure | DeviceStructure:
    """The checks of one commit after the other; ``look`` as ``Structure`` says."""
    if kind is DatasetKind.DEVICE:
        return DeviceStructure(catalog)
    return Structure(catalog, catalog.newest() is None, look)
