"""`make bench`: every row that can be measured by now, beside what people use. See docs/performance.md.

Progress goes to stderr, the table to stdout. A whole run also writes bench.json and its part of the page; a run of some rows
(`ROWS="lag-syncthing many-files"`) only prints. Ends with 1 when a job failed; a limit that is missed is
no failure of this program.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import report
from bench.crew import adopt_orphans, end_descendants
from bench.figures import Row
from bench.machine import Unmeasurable, surroundings
from bench.runner import Runner
from bench.sizes import FULL, QUICK
from bench.specs import chosen, jobs
from fakes import forked
from fakes.agents import REPOSITORY

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PAGE = REPOSITORY / "docs" / "performance.md"
_JSON = REPOSITORY / "bench.json"


def main() -> int:
    """Measure what the command line says; the exit code."""
    arguments = _arguments()
    sizes = QUICK if arguments.quick else FULL
    try:
        wanted = chosen(jobs(sizes), arguments.rows)
    except ValueError as error:
        _say(str(error))
        return 2
    # A hang-up that nohup has taken away stays away; an interrupt must end us wherever we were started.
    for number in _ENDING:
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    adopt_orphans()
    forked.never()
    load, begun = os.getloadavg()[0], time.monotonic()
    runner = Runner(sizes, _say)
    try:
        rows = runner.run(wanted)
    except KeyboardInterrupt:
        _say("interrupted: nothing was written")
        return 130
    except Unmeasurable as error:
        _say(str(error))
        return 1
    finally:
        end_descendants()
    minutes = (time.monotonic() - begun) / 60
    _publish(rows, [*surroundings(load), f"it took {minutes:.1f} minutes"], arguments)
    return 1 if runner.failed else 0


def _publish(rows: Sequence[Row], notes: Sequence[str], arguments: argparse.Namespace) -> None:
    print("\n".join(notes), report.as_text(rows), sep="\n\n", end="")
    if arguments.rows:
        return
    part = "quick" if arguments.quick else "full"
    _write(_JSON, report.as_json(rows))
    _write(_PAGE, report.spliced(_PAGE.read_text(), part, report.as_markdown(rows, notes)))


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    _say(f"written: {path.relative_to(REPOSITORY)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("rows", nargs="*", help="names of rows or jobs; all of them for none")
    parser.add_argument("--quick", action="store_true", help="smaller sizes, in under five minutes")
    return parser.parse_args()


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _interrupt(*_: object) -> None:
    """Once: whoever is impatient must not interrupt the tidying up."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
