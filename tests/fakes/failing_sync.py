"""Programs on a disk whose syncs fail as told, without a patch in them: ``failing_sync.c`` stands before the C library."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from fakes.eventually import eventually

SOURCE = Path(__file__).with_suffix(".c")
#: For tests that need it.
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="compiles a library that stands before libc")


class FailingSyncs:
    """Orders for one program that is started with :attr:`environment`."""

    def __init__(self, base: Path) -> None:
        self._order = base / "failing-sync"
        library = base / "failing_sync.so"
        if not library.exists():
            subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"], check=True)
        self.environment: Mapping[str, str] = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "HIKAE_FAILING_SYNC": str(self._order),
        }

    def order(self, path: str, skip: int = 0, *, ruin: bool = False) -> None:
        """After ``skip`` more syncs of what has ``path`` in its path the next fails. ``ruin``: what it was to write is lost."""
        new = self._order.with_suffix(".new")
        new.write_text(f"{skip} {int(ruin)} {path}\n")
        new.rename(self._order)

    @property
    def failed(self) -> bool:
        """Whether it came to that."""
        return not self._order.exists()

    def wait(self) -> None:
        """Wait until it came to that."""
        eventually(lambda: self.failed)
