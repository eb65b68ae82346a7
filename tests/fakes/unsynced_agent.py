"""An agent that syncs nothing: ``python -m tests.fakes.unsynced_agent packs|catalog --config FILE agent``.

A test that looks for lost writes must find this one out."""

from __future__ import annotations

import os
import sys
from typing import Any

import apsw

from agent.cli.main import main


class Unsynced(apsw.Connection):
    """A connection that lets the kernel write when it likes."""

    def pragma(self, name: str, *value: Any, **more: Any) -> Any:
        """See apsw: ``synchronous`` is off whatever is asked for."""
        return super().pragma(name, *((0,) if name == "synchronous" else value), **more)


def take_out(what: str) -> None:
    """Take the sync of ``packs`` or of the ``catalog`` out."""
    if what == "packs":
        os.fsync = os.fdatasync = lambda fd: None
    else:
        apsw.Connection = Unsynced  # type: ignore[misc]  # the only way in


if __name__ == "__main__":
    take_out(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
