"""A million files through two agents: `python tests/bench/huge.py [--files N] [--flat] [--looks N] [--rsync]`.

Says for each phase how long it took and what both agents held in memory: the peak within the phase (``VmHWM``, which the
kernel is told to forget between phases) and what was left at its end (``VmRSS``). The phases: first sync, looks that find
nothing (each beside `rsync -a` over ssh finding nothing to do, when asked for), the directory of all files renamed, verify,
a new start of either agent. Everything lies on a filesystem in memory.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from bench.first_sync import sshd  # noqa: E402  the path is set above
from fakes.agents import Agent, Pair  # noqa: E402
from fakes.memory import forget_peak, resident  # noqa: E402

LIMIT_S = 3600


def empty_files(top: Path, count: int, flat: bool) -> None:
    """Empty files below a fresh directory: all in it, or 1,000 to a directory."""
    top.mkdir()
    for number in range(count):
        if not flat and number % 1000 == 0:
            (top / f"d{number // 1000:04}").mkdir()
        place = top if flat else top / f"d{number // 1000:04}"
        os.close(os.open(place / f"file-{number:07}", os.O_CREAT | os.O_WRONLY))


@contextmanager
def phase(name: str, *agents: Agent) -> Iterator[None]:
    """Measure what happens inside."""
    for agent in agents:
        if agent.process is not None:
            forget_peak(agent.process.pid)
    begun = time.monotonic()
    yield
    words = [f"{name:12} {time.monotonic() - begun:8.2f} s"]
    for agent in agents:
        if agent.process is not None:
            seen = resident(agent.process.pid)
            words.append(
                f"{agent.name} peak {seen.peak >> 20} MiB, left {seen.now >> 20} ({seen.anonymous >> 20} anonymous)"
            )
    print("; ".join(words), flush=True)


def looks(pair: Pair, ssh: list[str] | None, count: int) -> None:
    """Reconciles that find nothing, each beside rsync from the source to the standby, which finds nothing either."""
    ratios = []
    for _ in range(count):
        begun = time.monotonic()
        with phase("reconcile", *pair.agents):
            pair.alpha.json("reconcile", "web", timeout=LIMIT_S)
        ours = time.monotonic() - begun
        if ssh is None:
            continue
        words = ["rsync", "-a", "--exclude", "/.hikae", "-e", " ".join(ssh)]
        begun = time.monotonic()
        subprocess.run([*words, f"{pair.source}/", f"127.0.0.1:{pair.target}/"], check=True)
        theirs = time.monotonic() - begun
        print(f"{'rsync':12} {theirs:8.2f} s", flush=True)
        ratios.append(ours / theirs)
    if ratios:
        print(f"reconcile / rsync: median {statistics.median(ratios):.2f} of {[f'{one:.2f}' for one in ratios]}")


def rename(pair: Pair) -> None:
    """One name row; until it stands on the standby."""
    with phase("rename", *pair.agents):
        (pair.source / "all").rename(pair.source / "every")
        pair.alpha.wait("applied", 600)
    assert (pair.target / "every").is_dir()


def restart(pair: Pair, agent: Agent) -> None:
    """A new start, until everything is looked at and applied."""
    agent.kill()
    agent.start()
    agent.up()
    with phase(f"start {agent.name}", *pair.agents):
        pair.alpha.json("wait", "web", "--applied", "--timeout", str(LIMIT_S), timeout=LIMIT_S)


def main() -> None:
    """All phases, once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("--flat", action="store_true", help="all in one directory")
    parser.add_argument("--looks", type=int, default=1)
    parser.add_argument("--rsync", action="store_true", help="rsync over ssh beside every look")
    parser.add_argument("--brief", action="store_true", help="first sync and looks only")
    arguments = parser.parse_args()
    base = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="hikae-bench-"))
    pair = Pair(base)
    try:
        empty_files(pair.source / "all", arguments.files, arguments.flat)
        pair.start()
        for agent in pair.agents:
            agent.up()
        with phase("first sync", *pair.agents):
            pair.alpha.json("wait", "web", "--applied", "--timeout", str(LIMIT_S), timeout=LIMIT_S)
        with sshd(base) if arguments.rsync else nullcontext() as ssh:
            looks(pair, ssh, arguments.looks)
        if not arguments.brief:
            rename(pair)
            with phase("verify", *pair.agents):
                assert pair.beta.json("verify", "web", timeout=LIMIT_S)["equal"]
            for agent in pair.agents:
                restart(pair, agent)
    finally:
        for agent in pair.agents:
            agent.kill()
        shutil.rmtree(base)


if __name__ == "__main__":
    main()
