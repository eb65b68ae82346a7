"""Is the root still the root? A vanished mount or another filesystem must never look like a mass deletion."""

from __future__ import annotations

import os
from enum import StrEnum

from agent.core.problem import ProblemCode
from agent.core.problem_codes import PROBLEM_CODES
from agent.fs.confined import open_root
from agent.fs.root import RootIdentity, root_at, root_identity
from agent.store.local import Local

_KEY = "root"


class RootHold(StrEnum):
    """Why capture stands still; public."""

    GONE = "root-gone"
    REPLACED = "root-replaced"

    @property
    def code(self) -> ProblemCode:
        """That of the problem that says so."""
        return PROBLEM_CODES[self.value]


class RootGuard:
    """Compares the root with what it was when it was first captured, or accepted."""

    def __init__(self, path: str, local: Local) -> None:
        self.path = path
        self._local = local

    def open(self) -> int | RootHold:
        """The root's descriptor, or why it is not to be captured. A root seen for the first time is taken as the right one."""
        try:
            fd = open_root(self.path)
        except OSError:
            return RootHold.GONE
        stored = self._local.value(_KEY)
        found = root_identity(fd)
        if stored is None:
            self._local.set_value(_KEY, found.encoded(), durable=True)
        elif RootIdentity.decoded(stored) != found:
            os.close(fd)
            return RootHold.REPLACED
        return fd

    def accept(self) -> bool:
        """Take what stands there now as the root from now on; whether it is on another filesystem than before.

        OSError when nothing is there."""
        found = root_at(self.path)
        stored = self._local.value(_KEY)
        self._local.set_value(_KEY, found.encoded(), durable=True)
        return stored is not None and RootIdentity.decoded(stored).filesystem != found.filesystem

    def stands(self, fd: int) -> bool:
        """Whether the path still leads to the directory that is open as ``fd``."""
        try:
            now = os.stat(self.path)
        except OSError:
            return False
        then = os.fstat(fd)
        return now.st_ino == then.st_ino and now.st_dev == then.st_dev
