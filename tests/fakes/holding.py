"""A process that holds a file in some way, until the end of a block."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def holding(code: str, path: Path) -> Iterator[int]:
    """A process that has run ``code`` with ``p`` as the path; its number."""
    script = f"import mmap, os, sys; p = {str(path)!r}; {code}\nprint('has it', flush=True); sys.stdin.read()"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert b"has it\n" == process.stdout.readline()
        yield process.pid
    finally:
        process.communicate(b"")
