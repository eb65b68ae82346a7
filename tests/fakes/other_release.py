"""An agent of another release: ``python -m tests.fakes.other_release VERSION[,VERSION…] --config FILE agent``.

It speaks these versions of the protocol, whatever this release speaks."""

from __future__ import annotations

import sys

from agent.stream import versions

if __name__ == "__main__":
    # Before anything asks which they are.
    versions.SPOKEN = tuple(map(int, sys.argv[1].split(",")))
    from agent.cli.main import main

    sys.exit(main(sys.argv[2:]))
