"""``make incident``: two servers with Redis behind HAProxy; the primary dies under load, the standby is promoted, the old primary
rejoins, and the roles turn back. ``ARGS='--to docs/incident.md'`` writes the page."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

from incident.page import as_installed, page
from incident.servers import PROGRAMS, servers
from incident.story import Load, Outcome, Story


def main() -> int:
    """The exit code: 0 where no covered write was missing, 1 where one was, 77 where it cannot be tried."""
    parser = argparse.ArgumentParser(prog="incident")
    parser.add_argument("--to", type=Path, help="the page that is written of this run")
    parser.add_argument("--rate", type=float, default=Load().rate, help="writes a second at most")
    parser.add_argument("--directory", default="/var/tmp", help="on a disk, so that what is synced is")
    asked = parser.parse_args()
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        print(
            f"SKIPPED, nothing was tried: it needs root, and these programs are missing: {' '.join(missing) or 'none'}"
        )
        return 77
    with servers(asked.directory) as made:
        outcome = Story(made, Load(rate=asked.rate), lambda line: print(as_installed(line, made), flush=True)).tell()
        print(_verdict(outcome))
        if asked.to is not None:
            asked.to.write_text(page(outcome, made, asked.rate))
    return 1 if outcome.missing or outcome.lost_after else 0


def _verdict(outcome: Outcome) -> str:
    lines = [f"{seconds:>8}  {what}" for what, seconds in outcome.times]
    missing = len(outcome.missing) + len(outcome.lost_after)
    return "\n".join(["", *lines, f"covered {outcome.covered:,} by {outcome.waits:,} waits, missing {missing}"])


if __name__ == "__main__":
    sys.exit(main())
