"""Who may be writing what a dataset captures here, by what the dataset is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agent.config.values import Dataset
from agent.fs.attaching.device_writers import device_writers
from agent.fs.writers.held_open import files_held_open
from agent.fs.writers.processes import Writer, asks_the_kernel, writers_below
from agent.watch.asked_before import AskedBefore, asked_before


def who_writes(dataset: Dataset, holds: Callable[[bytes], bool], before: AskedBefore | None = None) -> list[Writer]:
    """``holds``: whether a handle is that of an object of the tree; see ``fs.writers``. ``before``: what was asked ahead of
    time."""
    if dataset.is_device:
        return device_writers(dataset.path)
    if before is None:
        return writers_below(dataset.path, holds)

    def held(root: str) -> Iterator[str]:
        try:
            yield from before.held()
        except OSError:
            yield from files_held_open(root)

    return writers_below(dataset.path, holds, held=held)


def ask_ahead(
    dataset: Dataset, holds: Callable[[bytes], bool], look: Callable[[], None], over: Callable[[], bool]
) -> AskedBefore | None:
    """For :func:`who_writes` soon: what can be asked while the application still writes; None where nothing is gained by that.
    See ``watch.asked_before``."""
    if dataset.is_device or not asks_the_kernel():
        return None
    return asked_before(dataset.path, holds, look, over)
