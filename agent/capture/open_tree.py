"""One opened root: what every part of its capture works with."""

from __future__ import annotations

import os
from dataclasses import dataclass

from agent.capture.access.seam import LIVE, FileAccess
from agent.capture.batch import Name, TreeBatch
from agent.capture.directories import Directories
from agent.capture.exclude import Rules
from agent.capture.path_problems import PathProblems
from agent.core.clock import Clock
from agent.core.ids import ObjectId


@dataclass(frozen=True, slots=True)
class OpenTree:
    """The batch that is gathered of a root, the root's directories, its paths' problems, what is left out, the clock, and how its
    entries are got at. Lives from the opening of the root until it is closed. Belongs to the pump's thread."""

    batch: TreeBatch
    directories: Directories
    problems: PathProblems
    rules: Rules
    clock: Clock
    access: FileAccess = LIVE


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at (``parent``, ``name``): its stat and handle as they were found, and the object that the catalog has there.

    ``synced_at``: when the ``syncfs`` began that precedes the stat (ns of the kernel's wall clock; 0: none)."""

    parent: ObjectId
    name: bytes
    st: os.stat_result
    handle: bytes
    known: ObjectId | None
    synced_at: int = 0

    @property
    def place(self) -> Name:
        """Where it stands."""
        return self.parent, self.name
