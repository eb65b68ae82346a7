"""An agent that copies a disk whenever it stands still: ``python -m tests.fakes.copying_agent IMAGE COPY --config FILE agent``.

``IMAGE`` is what the disk's loop device stands on, ``COPY`` the whole copy of the last freeze."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from agent.cli.main import main
from agent.fs.thaw_guard import FreezeRoot, ThawGuard


def copy_while_frozen(image: str, copy: str) -> None:
    """Each freeze begins with a copy, by a process of its own: there is no other seam in a process of its own."""
    frozen = ThawGuard.all_frozen

    @contextmanager
    def copied(self: ThawGuard, roots: Sequence[FreezeRoot], seconds: float) -> Iterator[None]:
        with frozen(self, roots, seconds):
            # Of this process alone: the one that copied for an agent that was killed may still be at it.
            part = f"{copy}.{os.getpid()}"
            subprocess.run(("cp", "--sparse=always", image, part), check=True)
            os.rename(part, copy)
            yield

    ThawGuard.all_frozen = copied  # type: ignore[method-assign]


if __name__ == "__main__":
    copy_while_frozen(*sys.argv[1:3])
    sys.exit(main(sys.argv[3:]))
