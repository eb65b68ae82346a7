"""What the brake counts of a dataset, by its kind: what an entry is, and how its loss is told."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.dataset_kind import DatasetKind


@dataclass(frozen=True, slots=True)
class LossWords:
    """How counts of one kind of dataset are told. ``entries``: what a state has; ``deleted``, ``rewritten``: what became of
    them, after their number."""

    kind: DatasetKind
    entries: str
    deleted: str
    rewritten: str


#: Of a device an entry is a chunk of 64 KiB that is not all zeros: to become zeros is to be deleted (docs/decisions/0057).
LOSS_WORDS = {
    DatasetKind.TREE: LossWords(DatasetKind.TREE, "entries", "entries deleted", "files rewritten"),
    DatasetKind.DEVICE: LossWords(
        DatasetKind.DEVICE, "chunks of 64 KiB", "chunks of 64 KiB became zeros", "chunks of 64 KiB rewritten"
    ),
}
