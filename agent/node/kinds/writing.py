"""Who may be writing what a dataset captures here, by what the dataset is."""

from __future__ import annotations

from collections.abc import Callable

from agent.config.values import Dataset
from agent.fs.attaching.device_writers import device_writers
from agent.fs.writers import Writer, writers_below


def who_writes(dataset: Dataset, holds: Callable[[bytes], bool]) -> list[Writer]:
    """``holds``: whether a handle is that of an object of the tree; see ``fs.writers``."""
    return device_writers(dataset.path) if dataset.is_device else writers_below(dataset.path, holds)
