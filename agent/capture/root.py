"""Is the root still the root? A vanished mount or another filesystem must never look like a mass deletion."""

from __future__ import annotations

import os

from agent.core.hold import Hold
from agent.core.problem_codes import ROOT_GONE, ROOT_REPLACED
from agent.fs.confined import open_root
from agent.fs.root import RootIdentity, root_at, root_identity
from agent.store.local import Local

_KEY = "root"


def _gone(path: str, error: OSError) -> Hold:
    if isinstance(error, FileNotFoundError):
        sentence, remedy = f"the source {path} is not there; nothing is captured", "mount or restore it"
    else:
        reason = error.strerror or str(error)
        sentence, remedy = (
            f"the source {path} cannot be opened ({reason}); nothing is captured",
            f"see what stands at {path}",
        )
    return Hold(ROOT_GONE, sentence, f"{remedy}; capture goes on by itself")


def _replaced(dataset: str, path: str) -> Hold:
    sentence = f"another directory or filesystem stands at {path} than was captured; nothing is captured"
    return Hold(ROOT_REPLACED, sentence, f"bring the old one back, or, if this one is right: hikae accept {dataset}")


def expect_root(local: Local, identity: bytes) -> None:
    """What is captured is the directory with this identity (``RootIdentity.encoded``), and no other without ``accept``."""
    local.set_value(_KEY, identity, durable=True)


def expected_root(local: Local) -> bytes | None:
    """What is to be captured, as :func:`expect_root` was told it; None before anything was."""
    return local.value(_KEY) or None


class RootGuard:
    """Compares the root of ``dataset`` with what it was when it was first captured, or accepted."""

    def __init__(self, path: str, local: Local, dataset: str) -> None:
        self.path = path
        self._dataset = dataset
        self._local = local

    def open(self) -> int | Hold:
        """The root's descriptor, or why it is not to be captured. A root seen for the first time is taken as the right one."""
        try:
            fd = open_root(self.path)
        except OSError as error:
            return _gone(self.path, error)
        stored = self._local.value(_KEY)
        found = root_identity(fd)
        if stored is None:
            self._local.set_value(_KEY, found.encoded(), durable=True)
        elif RootIdentity.decoded(stored) != found:
            os.close(fd)
            return _replaced(self._dataset, self.path)
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
