"""Two real agents on loopback, configured as the README says, each a process of its own that can be killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from agent import pki

REPOSITORY = Path(__file__).resolve().parents[2]


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Agent:
    """One node: its configuration file, its process, and the command line to talk to it."""

    def __init__(self, base: Path, name: str, port: int, state: Path) -> None:
        self.name, self.port, self.state = name, port, state
        self.config = base / f"{name}.toml"
        self.log = base / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the agent and wait until its command line answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agent.cli.main", "--config", str(self.config), "agent"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
            )

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal and wait for the end."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """One command of the command line, as an operator types it."""
        return subprocess.run(
            [sys.executable, "-m", "agent.cli.main", "--config", str(self.config), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            cwd=REPOSITORY,
            check=False,
        )

    def json(self, *arguments: str, timeout: float = 120) -> Any:
        """A reading command's JSON; the command must succeed (69, no agent yet, and 75, not yet, are tried again)."""
        deadline = time.monotonic() + timeout
        while True:
            done = self.run(*arguments, "--json", timeout=timeout)
            alive = self.process is not None and self.process.poll() is None
            if done.returncode in (69, 75) and alive and time.monotonic() < deadline:
                continue
            assert done.returncode == 0, f"{arguments} on {self.name}: {done.returncode}\n{done.stderr}\n{self.tail()}"
            return json.loads(done.stdout)

    def dataset(self, name: str = "web") -> dict[str, Any]:
        """A dataset's part of the status."""
        rows: list[dict[str, Any]] = self.json("status")["datasets"]
        return next(row for row in rows if row["name"] == name)

    def tail(self, lines: int = 60) -> str:
        """The end of the log, for a failing test."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class Pair:
    """A primary ``alpha`` and a secondary ``beta`` with one dataset ``web``."""

    def __init__(self, base: Path, extra: str = "", source: Path | None = None, standby: Path | None = None) -> None:
        self.base = base
        self.source = source or base / "source"
        self.target = standby or base / "standby"
        self.source.mkdir(exist_ok=True)
        keys = base / "pki"
        pki.init(str(keys))
        self.alpha = Agent(base, "alpha", free_port(), base / "alpha")
        self.beta = Agent(base, "beta", free_port(), base / "beta")
        self.agents = (self.alpha, self.beta)
        for agent in self.agents:
            pki.issue(agent.name, str(keys), ["127.0.0.1"])
            agent.config.write_text(self._config(agent, extra))

    def _config(self, agent: Agent, extra: str) -> str:
        keys = self.base / "pki"
        peers = "".join(f'[[peer]]\nname = "{peer.name}"\naddress = "127.0.0.1:{peer.port}"\n' for peer in self.agents)
        return (
            f'[node]\nname = "{agent.name}"\nstate_dir = "{agent.state}"\nlisten = "127.0.0.1:{agent.port}"\n'
            f'admin_socket = "{self.base}/{agent.name}.sock"\n'
            f'[tls]\nca = "{keys}/ca.crt"\ncert = "{keys}/{agent.name}.crt"\nkey = "{keys}/{agent.name}.key"\n{peers}'
            f'[[dataset]]\nname = "web"\nkind = "tree"\nprimary = "alpha"\nstandby = ["beta"]\n'
            f'path = {{ alpha = "{self.source}", beta = "{self.target}" }}\n{extra}'
        )

    def start(self) -> None:
        """Start both agents."""
        for agent in self.agents:
            agent.start()

    def stop(self) -> None:
        """Stop both, asking politely; one that does not end within 30 s fails the test."""
        for agent in self.agents:
            agent.kill(signal.SIGTERM)

    def settle(self, timeout: int = 120) -> None:
        """A final look, and everything applied on the standby."""
        self.alpha.json("reconcile", "web", timeout=timeout)
        self.alpha.json("wait", "web", "--applied", "--timeout", str(timeout), timeout=timeout + 10)


@contextmanager
def pair(extra: str = "", directory: str | None = None) -> Iterator[Pair]:
    """A pair in a fresh directory (on tmpfs unless told otherwise) that is gone afterwards, processes first."""
    where = directory or ("/dev/shm" if os.path.isdir("/dev/shm") else None)
    base = Path(tempfile.mkdtemp(prefix="hikae-", dir=where))
    both: Pair | None = None
    try:
        both = Pair(base, extra)
        yield both
    finally:
        for agent in both.agents if both else ():
            agent.kill()
        shutil.rmtree(base, ignore_errors=True)
