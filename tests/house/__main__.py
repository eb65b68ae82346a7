"""``python -m house check``: every law and decision that is cited stands in the documentation, and pages that are made from
the source are what it makes of them (``make lint``). ``python -m house pages`` makes them (``make pages``)."""

from __future__ import annotations

import sys
from pathlib import Path

from house import pages, references
from house.source import read_source


def main(arguments: list[str]) -> int:
    """The exit code: 1 where a check found something."""
    if arguments == ["pages"]:
        pages.make(Path())
        return 0
    if arguments != ["check"]:
        print(__doc__, file=sys.stderr)
        return 2
    source = read_source(Path())
    lines = [*references.mistakes(source), *pages.mistakes(Path())]
    print("\n".join(lines) if lines else f"{len(source.agent)} modules: every law and decision that is cited is there")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
