"""What a dataset is, by which its rows, counts and losses mean what they do."""

from __future__ import annotations

from enum import StrEnum


class DatasetKind(StrEnum):
    """``TREE``: a directory tree, of objects and names. ``DEVICE``: a block device or raw image, of chunks."""

    TREE = "tree"
    DEVICE = "device"
