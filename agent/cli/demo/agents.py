"""Two real agents as children of the demonstration, each with a configuration such as an operator would write."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import agent as package
from agent import pki
from agent.api.client import AdminClient
from agent.core.clock import SystemClock
from agent.core.errors import StoreFailed, Unreachable
from agent.operations.declaration import Json
from agent.status.text import shown

DATASET = "demo"
_STOP_SECONDS = 10.0
_PACKAGE_PARENT = str(Path(package.__file__).resolve().parents[1])


@dataclass(slots=True)
class Agent:
    """One node. ``config``, ``socket`` and ``log`` are files in the demonstration's directory; ``program``: the interpreter that
    runs it."""

    name: str
    config: Path
    socket: Path
    log: Path
    program: str = sys.executable
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def state(self) -> Path:
        """Its state directory, once it was started."""
        return self.config.with_name(f"{self.name}-state")

    def start(self) -> None:
        """Start it; whether it works shows when it is asked something."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command("agent", "--log-json"),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(),
                start_new_session=True,  # Ctrl-C is for us; we stop it in order
            )

    def command(self, *words: str) -> list[str]:
        """A command as it is typed on this node."""
        return [self.program, "-m", "agent.cli.main", "--config", str(self.config), *words]

    def environment(self) -> dict[str, str]:
        """In which a command of it runs."""
        paths = [_PACKAGE_PARENT, os.environ.get("PYTHONPATH", "")]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}

    def typed(self, *words: str) -> Json:
        """The JSON answer of a command, run as an operator types it. Raises ``StoreFailed`` with what it said where it failed."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, env=self.environment(), check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["it said nothing"]
            said = next((line for line in lines if line.startswith("hikae: ")), lines[-1])
            raise StoreFailed(words[0], DATASET, f"the command ended with code {done.returncode}: {said}")
        answer: Json = json.loads(done.stdout)
        return answer

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it politely, at last by force."""
        self._end(signal.SIGTERM)

    def client(self) -> AdminClient:
        """The way to ask it."""
        return AdminClient(str(self.socket))

    def check_alive(self) -> None:
        """Raises ``Unreachable`` when it has ended by itself."""
        if self.process is not None and self.process.poll() is not None:
            raise Unreachable("go on", self.name, f"its agent ended with code {self.process.returncode}")

    def tail(self, lines: int = 15) -> list[str]:
        """The end of its log, printable."""
        try:
            found = self.log.read_bytes().splitlines()[-lines:]
        except OSError:
            return []
        return [shown(line) for line in found]

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None


def prepare(base: Path, dataset: str) -> tuple[Agent, Agent]:
    """Make an authority, two certificates and two configurations of a dataset below ``base``: (primary alpha, secondary beta)."""
    keys = base / "pki"
    now = SystemClock().now_ns()
    pki.init(str(keys), now)
    ports = _free_ports(2)
    nodes = dict(zip(("alpha", "beta"), ports, strict=True))
    agents = []
    for name, port in nodes.items():
        pki.issue(name, str(keys), ["127.0.0.1"], now_ns=now)
        node = Agent(name, base / f"{name}.toml", base / f"{name}.sock", base / f"{name}.log")
        peers = {other: there for other, there in nodes.items() if other != name}
        node.config.write_text(_config(base, node, port, peers) + dataset)
        agents.append(node)
    return agents[0], agents[1]


def _config(base: Path, node: Agent, port: int, peers: dict[str, int]) -> str:
    head = f"""[node]
name = "{node.name}"
state_dir = {_quoted(node.state)}
listen = "127.0.0.1:{port}"
admin_socket = {_quoted(node.socket)}
[tls]
ca = {_quoted(base / "pki/ca.crt")}
cert = {_quoted(base / f"pki/{node.name}.crt")}
key = {_quoted(base / f"pki/{node.name}.key")}
"""
    return head + "".join(
        f'[[peer]]\nname = "{name}"\naddress = "127.0.0.1:{there}"\n' for name, there in peers.items()
    )


def tree_dataset(source: Path, standby: Path, watch: str) -> str:
    """The dataset of a tree, as it stands in a configuration."""
    return _dataset("tree", source, standby, f'watch = "{watch}"\n')


def device_dataset(source: Path, standby: Path) -> str:
    """The dataset of a device, as it stands in a configuration; committed each second while it is written."""
    return _dataset("device", source, standby, "") + '[dataset.device]\nrpo = "1s"\n'


def _dataset(kind: str, source: Path, standby: Path, more: str) -> str:
    return f"""[[dataset]]
name = "{DATASET}"
kind = "{kind}"
path = {{ alpha = {_quoted(source)}, beta = {_quoted(standby)} }}
primary = "alpha"
standby = ["beta"]
{more}[dataset.hooks]
start = "none"
stop = "none"
"""


def _quoted(path: Path) -> str:
    """A path as a TOML basic string."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in text) + '"'


def _free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on now; all are held until the last is found, so they differ."""
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
