"""How often the way of a value leads a reader back to a file that he has left: four walks, counted in two running agents.

A step is a call from one file into another, each once. A *return* is a step into a file that was met before on the same thread;
it goes *upward* where a function of that file waits for the answer of who calls. Calls that happen anyway, while nothing is done,
count for nothing."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_TRACED = Path(__file__).resolve().parent / "traced_agent.py"
_Edges = list[tuple[tuple[str, str], tuple[str, str], bool]]


@dataclass(frozen=True, slots=True)
class Walk:
    """What one walk came to, both nodes and all threads together."""

    steps: int
    returns: int
    upward: int
    files: int


def walk_of(threads: list[_Edges], idle: set[str]) -> Walk:
    """``idle``: calls that happen without it, each as text."""
    steps = returns = upward = 0
    files: set[str] = set()
    for edges in threads:
        met: set[str] = set()
        for (caller, _), (called, _), back in _but(edges, idle):
            met.add(caller)
            if caller != called:
                steps += 1
                returns += called in met
                upward += back
                met.add(called)
        files |= met
    return Walk(steps, returns, upward, len(files))


def _but(edges: _Edges, idle: set[str]) -> _Edges:
    return [edge for edge in edges if repr(edge[:2]) not in idle]


def walks(checkout: Path) -> dict[str, Walk]:
    """The four walks of a state of the agent, whose environment stands in it."""
    with tempfile.TemporaryDirectory(prefix="walks-") as folder, _pair(checkout.resolve(), Path(folder)) as pair:
        pair.wait()
        idle: set[str] = set()
        for _ in range(3):
            idle |= {repr(edge[:2]) for edges in pair.traced(lambda: time.sleep(2)) for edge in edges}
        done = {}
        for name, act in pair.acts().items():
            done[name] = walk_of(pair.traced(act), idle)
            time.sleep(1)
        return done


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two traced agents that replicate one tree."""

    checkout: Path
    base: Path

    def acts(self) -> dict[str, Callable[[], None]]:
        """What is done in each walk."""
        file = self.base / "source" / "file"

        def write() -> None:
            with file.open("r+b") as there:
                there.seek(50_000)
                there.write(b"another" * 1000)
            self._arrived("written")

        def commit() -> None:
            file.chmod(0o600)
            self._arrived("committed")

        def reload() -> None:
            for name in ("alpha", "beta"):
                config = self.base / f"{name}.toml"
                config.write_text(config.read_text().replace('window = "15m"', 'window = "20m"'))
                self.run(name, "reload")

        return {
            "a changed file's bytes": write,
            "a commit": commit,
            "an operator's command": self.wait,
            "a configuration key": reload,
        }

    def wait(self) -> None:
        """Everything is there."""
        self.run("alpha", "wait", "web", "--applied", "--timeout", "60")

    def _arrived(self, _what: str) -> None:
        source, standby = (self.base / side / "file" for side in ("source", "standby"))
        deadline = time.monotonic() + 30
        while (source.read_bytes(), source.stat().st_mode) != (standby.read_bytes(), standby.stat().st_mode):
            assert time.monotonic() < deadline, "the change does not arrive"
            time.sleep(0.01)
        time.sleep(1.5)

    def run(self, name: str, *arguments: str) -> None:
        """A command; it must succeed."""
        python = self.checkout / ".venv/bin/python"
        subprocess.run(
            [str(python), "-m", "agent.cli.main", "--config", str(self.base / f"{name}.toml"), *arguments],
            cwd=self.checkout,
            check=True,
            capture_output=True,
        )

    def traced(self, act: Callable[[], None]) -> list[_Edges]:
        """The calls of every thread of both while something is done."""
        for old in self.base.glob("*.calls"):
            old.unlink()
        (self.base / "trace").touch()
        time.sleep(0.1)
        act()
        (self.base / "trace").unlink()
        while len(found := list(self.base.glob("*.calls"))) < 2:
            time.sleep(0.01)
        texts = [one.read_text() for one in sorted(found)]
        return [[(tuple(a), tuple(b), back) for a, b, back in edges] for text in texts for edges in json.loads(text)]


@contextmanager
def _pair(checkout: Path, base: Path) -> Iterator[_Pair]:
    (base / "source").mkdir()
    (base / "source" / "file").write_bytes(bytes(range(256)) * 800)
    ports = {"alpha": _free_port(), "beta": _free_port()}
    python = str(checkout / ".venv/bin/python")
    hikae = [python, "-m", "agent.cli.main"]
    keys = str(base / "pki")
    subprocess.run([*hikae, "pki", "init", "--dir", keys], cwd=checkout, check=True, capture_output=True)
    running = []
    for name in ports:
        issue = [*hikae, "pki", "issue", name, "--dir", keys, "--host", "127.0.0.1"]
        subprocess.run(issue, cwd=checkout, check=True, capture_output=True)
        (base / f"{name}.toml").write_text(_config(base, name, ports))
    try:
        for name in ports:
            command = [python, str(_TRACED), str(base), "--config", str(base / f"{name}.toml"), "agent"]
            log = (base / f"{name}.log").open("wb")
            running.append(subprocess.Popen(command, cwd=checkout, stdout=log, stderr=log))
        _until(lambda: all((base / f"{name}.sock").exists() for name in ports))
        _until((base / "standby" / "file").exists)
        yield _Pair(checkout, base)
    finally:
        for one in running:
            one.terminate()
            one.wait(60)


def _config(base: Path, name: str, ports: dict[str, int]) -> str:
    peers = "".join(f'[[peer]]\nname = "{peer}"\naddress = "127.0.0.1:{port}"\n' for peer, port in ports.items())
    return f"""
[node]
name = "{name}"
state_dir = "{base}/{name}"
listen = "127.0.0.1:{ports[name]}"
admin_socket = "{base}/{name}.sock"
[tls]
ca = "{base}/pki/ca.crt"
cert = "{base}/pki/{name}.crt"
key = "{base}/pki/{name}.key"
{peers}
[[dataset]]
name = "web"
kind = "tree"
path = {{ alpha = "{base}/source", beta = "{base}/standby" }}
primary = "alpha"
standby = ["beta"]
[dataset.brake]
window = "15m"
"""


def _until(holds: Callable[[], bool], within: float = 60) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "the agents do not come up"
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def walks_text(checkout: Path) -> str:
    """For people."""
    return "\n".join(
        f"{name:24} steps {walk.steps:4}  returns {walk.returns:4}  upward {walk.upward:3}  files {walk.files:3}"
        for name, walk in walks(checkout).items()
    )
