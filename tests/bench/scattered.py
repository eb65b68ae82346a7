"""1 % of a file changed in scattered 4 KiB pieces, beside rsync: `python tests/bench/scattered.py [--gib N] [--changes K]`.

Both ends are on this machine, everything on a filesystem in memory. For each change: hikae's seconds from the end of the writing
until `wait --applied` has returned, rsync's those of `rsync -a --inplace --no-whole-file`; what each put on the wire (hikae:
bytes acknowledged on its connection, as the kernel counts them; rsync: its own count of both ways); and how the vault grew.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from bench.first_sync import large_file, sshd  # noqa: E402
from fakes.agents import Pair  # noqa: E402  the path is set above

PAGE = 4096


def scatter(path: Path, share: float, seed: int) -> int:
    """Overwrite this share of a file's pages, here and there; bytes written."""
    chance = random.Random(seed)
    pages = path.stat().st_size // PAGE
    chosen = chance.sample(range(pages), max(1, int(pages * share)))
    fd = os.open(path, os.O_WRONLY)
    for page in chosen:
        os.pwrite(fd, chance.randbytes(PAGE), page * PAGE)
    os.close(fd)
    return len(chosen) * PAGE


def wire(port: int) -> int:
    """Bytes that travelled on established connections to a port, both ways, as their server end has acknowledged them."""
    told = subprocess.run(["ss", "-tinH", "sport", "=", f":{port}"], capture_output=True, text=True, check=True).stdout
    return sum(int(count) for count in re.findall(r"bytes_(?:acked|received):(\d+)", told))


def processor(pair: Pair) -> tuple[float, float]:
    """Seconds of processor time that each agent has used."""
    used = []
    for agent in pair.agents:
        assert agent.process is not None
        fields = Path(f"/proc/{agent.process.pid}/stat").read_text().rpartition(")")[2].split()
        used.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return used[0], used[1]


def size_of(directory: Path) -> int:
    """Bytes of all files below."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def time_rsync(source: Path, target: Path, ssh: list[str]) -> tuple[float, int]:
    """Seconds, and bytes both ways."""
    command = ["rsync", "-a", "--inplace", "--no-whole-file", "--stats", "-e", " ".join(ssh)]
    begun = time.monotonic()
    told = subprocess.run(
        [*command, f"{source}/", f"127.0.0.1:{target}/"], check=True, capture_output=True, text=True
    ).stdout
    seconds = time.monotonic() - begun
    counts = re.findall(r"Total bytes (?:sent|received): ([\d,.]+)", told)
    return seconds, sum(int(re.sub(r"\D", "", count)) for count in counts)


def main() -> None:
    """First sync of both, then the changes, hikae and rsync after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=1.0)
    parser.add_argument("--changes", type=int, default=3)
    parser.add_argument("--share", type=float, default=0.01)
    parser.add_argument("--no-rsync", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="hikae-bench-") as name, sshd(Path(name)) as ssh:
        base = Path(name)
        source = base / "source"
        source.mkdir()
        large_file(source, int(arguments.gib * 1024))
        copy = base / "copy"
        if not arguments.no_rsync:
            time_rsync(source, copy, ssh)
        place = base / "pair"
        place.mkdir()
        pair = Pair(place, source=source)
        try:
            run(pair, source, copy, ssh, arguments)
        finally:
            pair.stop()
            shutil.rmtree(place)


def run(pair: Pair, source: Path, copy: Path, ssh: list[str], arguments: argparse.Namespace) -> None:
    """The measurement."""
    pair.start()
    pair.alpha.wait("applied", within=1200)
    vault = pair.beta.state / "datasets" / "web" / "vault"
    ratios = []
    first_vault, all_changed = size_of(vault), 0
    for number in range(1, arguments.changes + 1):
        before, grown = wire(pair.beta.port), size_of(vault)
        changed = scatter(source / "large", arguments.share, number)
        begun, busy = time.monotonic(), processor(pair)
        pair.alpha.wait("applied", within=1200)
        seconds = time.monotonic() - begun
        used = [after - was for after, was in zip(processor(pair), busy, strict=True)]
        sent, grown = wire(pair.beta.port) - before, size_of(vault) - grown
        all_changed += changed
        line = (
            f"change {number}: {changed / 1e6:.1f} MB; hikae {seconds:.2f} s (processor {used[0]:.2f} and {used[1]:.2f} s), "
            f"wire {sent / changed:.2f} x, "
            f"vault {grown / changed:.2f} x"
        )
        if not arguments.no_rsync:
            theirs, traffic = time_rsync(source, copy, ssh)
            ratios.append(seconds / theirs)
            line += f"; rsync {theirs:.2f} s, wire {traffic / changed:.2f} x"
            line += f"; ratios: time {seconds / theirs:.2f}, wire {sent / traffic:.2f}"
        print(line, flush=True)
    print(f"vault over all changes: {(size_of(vault) - first_vault) / all_changed:.2f} x what changed")
    if ratios:
        print(f"median time ratio {statistics.median(ratios):.2f}")
    pair.mirror()


if __name__ == "__main__":
    main()
