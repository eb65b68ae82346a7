"""First sync beside rsync over ssh, both on this machine: `python tests/bench/first_sync.py [small] [large] [--runs N]`.

An sshd of its own on a loopback port, with keys of its own, serves rsync. Everything lies on a filesystem in memory. hikae's
time is from the moment when the primary's agent says that it runs (agents are services; the secondary's is up already) until
`wait --applied` has returned; rsync's is that of the command, which only copies.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from fakes.agents import Pair, free_port  # noqa: E402  the path is set above


def small_files(root: Path, count: int = 50_000) -> None:
    """Files of 0.5 to 20 KB, 250 a directory, incompressible."""
    generator = random.Random(7)
    for number in range(count):
        top = root / f"d{number // 250:03}"
        top.mkdir(exist_ok=True)
        (top / f"f{number}").write_bytes(generator.randbytes(generator.randrange(500, 20_000)))


def large_file(root: Path, mebibytes: int = 2048) -> None:
    """One incompressible file."""
    with (root / "large").open("wb") as file:
        for _ in range(mebibytes // 64):
            file.write(os.urandom(64 << 20))


@contextmanager
def sshd(base: Path) -> Iterator[list[str]]:
    """A server on loopback; yields the words of an ssh command that reaches it."""
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(base / name)], check=True)
    (base / "authorized").write_text((base / "user.pub").read_text())
    port = free_port()
    config = base / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {base}/host\nAuthorizedKeysFile {base}/authorized\n"
        f"StrictModes no\nUsePAM no\nPidFile {base}/sshd.pid\nPermitRootLogin yes\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-f", str(config)])
    try:
        options = ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={base}/known", "-o", "LogLevel=ERROR"]
        words = ["ssh", "-p", str(port), "-i", str(base / "user"), *options]
        while subprocess.run([*words, "127.0.0.1", "true"], check=False).returncode:
            time.sleep(0.1)
        yield words
    finally:
        server.terminate()
        server.wait()


def time_rsync(source: Path, base: Path, ssh: list[str]) -> float:
    """Seconds for `rsync -a` into a fresh directory."""
    target = base / "rsync-target"
    shutil.rmtree(target, ignore_errors=True)
    begun = time.monotonic()
    subprocess.run(["rsync", "-a", "-e", " ".join(ssh), f"{source}/", f"127.0.0.1:{target}/"], check=True)
    seconds = time.monotonic() - begun
    shutil.rmtree(target)
    return seconds


def runs_since(log: Path) -> float:
    """When an agent said that it runs, as UTC seconds."""
    for line in log.read_text().splitlines():
        entry = json.loads(line)
        if entry.get("event") == "the agent runs":
            return datetime.fromisoformat(entry["timestamp"]).timestamp()
    raise AssertionError(f"{log} does not say that the agent runs")


def time_hikae(source: Path, base: Path) -> float:
    """Seconds for a first sync of a fresh pair."""
    place = Path(tempfile.mkdtemp(dir=base))
    pair = Pair(place, source=source)
    try:
        pair.beta.start()
        pair.beta.json("status")
        pair.alpha.start()
        pair.alpha.json("wait", "web", "--applied", "--timeout", "600", timeout=600)
        return time.time() - runs_since(pair.alpha.log)
    finally:
        pair.stop()
        shutil.rmtree(place)


def main() -> None:
    """Pairs of runs, one after the other, and the median of their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["small", "large"])
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="hikae-bench-") as name:
        base = Path(name)
        with sshd(base) as ssh:
            for what in arguments.what:
                source = base / what
                source.mkdir()
                small_files(source) if what == "small" else large_file(source)
                ours, theirs = [], []
                for _ in range(arguments.runs):
                    theirs.append(time_rsync(source, base, ssh))
                    ours.append(time_hikae(source, base))
                    print(f"{what}: hikae {ours[-1]:.2f} s, rsync {theirs[-1]:.2f} s", flush=True)
                ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
                medians = f"hikae {statistics.median(ours):.2f} s, rsync {statistics.median(theirs):.2f} s"
                print(f"{what}: median {medians}, ratio {ratio:.2f}")
                shutil.rmtree(source)


if __name__ == "__main__":
    main()
