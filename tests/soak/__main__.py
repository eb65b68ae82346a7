"""`make soak PART=NAME` runs a part and records it in docs/evidence.md; `make soak` lists the parts with their last run.

`make soak PART="NAME NAME"` runs parts that only count side by side; the row of each says so."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile
from pathlib import Path

from soak.exercised import exercised
from soak.parts import PARTS, Part

REPOSITORY = Path(__file__).resolve().parents[2]
EVIDENCE = REPOSITORY / "docs" / "evidence.md"
BEGIN, END = "<!-- soak: written by make soak -->", "<!-- /soak -->"
_page = threading.Lock()
_HEAD = "| part | shows | last run | commit | seconds | result |\n|---|---|---|---|---|---|"
#: Code that is committed when a part runs, so that its row names what ran.
_CODE = ("agent", "protos", "tests")


@dataclass(frozen=True, slots=True)
class Run:
    """The last run of a part: the day, the commit it ran on, how long it took, and what pytest's last line said."""

    part: str
    day: str
    commit: str
    seconds: int
    result: str

    def row(self) -> str:
        """Its row in docs/evidence.md."""
        shows = PARTS[self.part].shows if self.part in PARTS else ""
        return f"| `{self.part}` | {shows} | {self.day} | {self.commit} | {self.seconds} | {self.result} |"


def main(words: list[str]) -> int:
    """One part, or several side by side, or the list of all; the exit code."""
    if not words:
        print_parts(recorded(EVIDENCE.read_text()))
        return 0
    names = list(takewhile(lambda word: not word.startswith("-"), words))
    if wrong := _wrong(names):
        print(wrong, file=sys.stderr)
        return 2
    with ThreadPoolExecutor(len(names)) as side_by_side:
        return max(side_by_side.map(partial(_recorded, names, words[len(names) :]), names))


def _wrong(names: list[str]) -> str | None:
    """Why these parts cannot be run, or not side by side."""
    for name in names or [""]:
        if name not in PARTS:
            return f"there is no part {name!r}; there are: {' '.join(PARTS)}"
        if len(names) > 1 and PARTS[name].timed:
            return f"{name} is timed: it runs alone on the machine"
    return None


def _recorded(names: list[str], arguments: list[str], name: str) -> int:
    """Run a part and write its row, each line that it says with its name where several run."""
    run, code = run_part(name, PARTS[name], arguments, f"{name}: " if len(names) > 1 else "", names.index(name))
    beside = "".join(f", beside `{other}`" for other in names if other != name)
    with _page:
        text = EVIDENCE.read_text()
        EVIDENCE.write_text(with_runs(text, {**recorded(text), name: replace(run, result=run.result + beside)}))
    print(run.row())
    return code


def run_part(name: str, part: Part, arguments: list[str], before: str = "", place: int = 0) -> tuple[Run, int]:
    """Run the tests of a part to their end; what is to be recorded, and pytest's exit code. ``before``: stands before each line
    that it says; ``place``: which of those side by side it is, so that each has ports of its own."""
    changed = _git("status", "--porcelain", "-uno", "--", *_CODE)
    commit = _git("rev-parse", "--short", "HEAD") + ("+changes" if changed else "")
    environment = {**os.environ, "HIKAE_SOAK_SEEDS": str(part.seeds), "HIKAE_SOAK_PART": name}
    environment["PYTEST_XDIST_WORKER"] = f"gw{place}"
    command = [sys.executable, "-m", "pytest", "--timeout", "0", "-s", *part.tests, *arguments]
    began = time.monotonic()
    last = ""
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            print(f"{before}{line}", end="", flush=True)
            last = line.strip(" =\n") or last
        code = running.wait()
    seconds = round(time.monotonic() - began)
    return Run(name, time.strftime("%Y-%m-%d"), commit, seconds, last.partition(" in ")[0]), code


def print_parts(runs: dict[str, Run]) -> None:
    """Every part, and whether its last run still counts."""
    print(f"{os.cpu_count()} processors, {platform.release()}; make soak PART=NAME runs one and records it\n")
    for name, part in PARTS.items():
        run = runs.get(name)
        print(f"{name:<16} {part.shows}\n{'':<16} {_standing(run, part) if run else 'never recorded'}")


def _standing(run: Run, part: Part) -> str:
    """Whether a run still counts: until code that it exercises changes."""
    code = sorted(exercised(REPOSITORY, part.tests))
    changed = _git("rev-list", "--count", f"{run.commit.removesuffix('+changes')}..HEAD", "--", *code)
    since = "counts" if changed == "0" else f"{changed or 'unknown'} commits to what it exercises since"
    return f"{run.day} on {run.commit}: {run.result}; {since}"


def recorded(text: str) -> dict[str, Run]:
    """The runs in the table of docs/evidence.md, by part."""
    table = text.partition(BEGIN)[2].partition(END)[0]
    runs = {}
    for line in table.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0].startswith("`"):
            name = cells[0].strip("`")
            runs[name] = Run(name, cells[2], cells[3], int(cells[4]), cells[5])
    return runs


def with_runs(text: str, runs: dict[str, Run]) -> str:
    """The page with these runs in its table, in the order of the parts."""
    rows = "\n".join(runs[name].row() for name in sorted(runs, key=[*PARTS, *runs].index))
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{_HEAD}\n{rows}\n{END}{rest.partition(END)[2]}"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
