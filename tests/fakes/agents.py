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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from agent import pki
from agent.api.client import AdminClient
from agent.api.controls import Level
from agent.core.errors import TryAgain, Unreachable
from fakes.eventually import eventually
from fakes.trees import differences

REPOSITORY = Path(__file__).resolve().parents[2]
_AS_USUAL: Mapping[str, Any] = MappingProxyType({})


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _state_of(task: Path) -> str:
    """A thread's state (proc(5)); "Z" when it is gone."""
    try:
        return (task / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


class Agent:
    """One node: its configuration file, its process, and the command line to talk to it."""

    def __init__(self, base: Path, name: str, port: int, state: Path) -> None:
        self.name, self.port, self.state = name, port, state
        self.config = base / f"{name}.toml"
        self.socket = base / f"{name}.sock"
        self.pki = base / f"{name}.pki"
        self.log = base / f"{name}.log"
        self.program: tuple[str, ...] = (sys.executable, "-m", "agent.cli.main")
        self.environment: Mapping[str, str] | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the agent; :meth:`up` waits until it answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.program, "--config", str(self.config), "agent"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
                env=self.environment,
            )

    def up(self) -> dict[str, Any]:
        """Wait until it answers; its status then."""

        def look() -> dict[str, Any] | None:
            self._must_run()
            return self.seen()

        return eventually(look)

    def restart(self) -> None:
        """Stop it politely, start it, and wait until it answers."""
        self.kill(signal.SIGTERM)
        self.start()
        self.up()

    def ended(self, within: float = 30.0) -> int:
        """Wait until the process ends by itself; its exit code."""
        assert self.process is not None
        code = self.process.wait(within)
        self.process = None
        return code

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal and wait for the end."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def stand_still(self) -> None:
        """Stop every thread of the agent where it is; it goes on with :meth:`go_on`."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        tasks = Path(f"/proc/{self.process.pid}/task")
        eventually(lambda: all(_state_of(task) in "TtZ" for task in tasks.iterdir()))

    def go_on(self) -> None:
        """Let a stopped agent go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """One command of the command line, as an operator types it."""
        return subprocess.run(
            [*self.program, "--config", str(self.config), *arguments],
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

    def seen(self) -> dict[str, Any] | None:
        """The status as the admin socket gives it; None while no agent answers there. Quicker than the command."""
        try:
            return AdminClient(str(self.socket)).status()
        except Unreachable:
            return None

    def look(self, name: str = "web") -> dict[str, Any]:
        """A dataset's part of the status by the admin socket; empty while no agent answers."""
        status = self.seen() or {"datasets": []}
        return next((row for row in status["datasets"] if row["name"] == name), {})

    def problems(self, name: str = "web") -> dict[str, dict[str, Any]]:
        """What is wrong with a dataset and the node, by code; one of each code."""
        status = self.seen() or {"problems": [], "datasets": []}
        rows = [
            *status["problems"],
            *(one for row in status["datasets"] if row["name"] == name for one in row["problems"]),
        ]
        return {one["code"]: one for one in rows}

    def wait(self, level: Level = "applied", within: float = 60.0, name: str = "web") -> None:
        """`hikae wait` by the admin socket: everything that was written before is there; tried again while it cannot be."""
        deadline = time.monotonic() + within

        def look() -> bool:
            self._must_run()
            left = max(0.1, deadline - time.monotonic())
            try:
                AdminClient(str(self.socket)).wait(name, level, left, lambda _: None)
            except (Unreachable, TryAgain):
                return False
            return True

        try:
            eventually(look, within)
        except AssertionError as error:
            raise AssertionError(f"{name} is not {level} within {within:.0f} s: {self.look(name)}") from error

    def told(self, code: str, *words: str, within: float = 40.0) -> dict[str, Any]:
        """Wait for a problem of this code whose message has these words; the problem. It must say what to do."""

        def look() -> dict[str, Any] | None:
            found = self.problems().get(code)
            return found if found and all(word in found["message"] for word in words) else None

        try:
            problem = eventually(look, within) or {}
        except AssertionError as error:
            raise AssertionError(f"{self.name}: no {code} with {words}, but {self.problems()}") from error
        assert problem["remedy"], problem
        return problem

    def cleared(self, *codes: str, within: float = 40.0) -> None:
        """Wait until the agent answers and none of these problems stands."""
        eventually(lambda: self.seen() is not None and not set(codes) & self.problems().keys(), within)

    def connected(self, whether: bool = True) -> None:
        """Wait until its peer is connected, or is not."""
        eventually(lambda: [whether] == [peer["connected"] for peer in self.look().get("peers", ())])

    def dataset(self, name: str = "web") -> dict[str, Any]:
        """A dataset's part of the status."""
        rows: list[dict[str, Any]] = self.json("status")["datasets"]
        return next(row for row in rows if row["name"] == name)

    def _must_run(self) -> None:
        """Fail at once when the process is gone: nobody need wait for it."""
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.tail()}"

    def tail(self, lines: int = 60) -> str:
        """The end of the log, for a failing test."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


class Pair:
    """A primary ``alpha`` and a secondary ``beta`` with one dataset ``web``.

    ``states``: where a node's state directory is, if not beside its configuration."""

    def __init__(
        self,
        base: Path,
        extra: str = "",
        source: Path | None = None,
        standby: Path | None = None,
        states: Mapping[str, Path] = _AS_USUAL,
    ) -> None:
        self.base = base
        self.source = source or base / "source"
        self.target = standby or base / "standby"
        self.keys = base / "pki"
        self.source.mkdir(exist_ok=True)
        pki.init(str(self.keys))
        self.alpha = Agent(base, "alpha", free_port(), states.get("alpha", base / "alpha"))
        self.beta = Agent(base, "beta", free_port(), states.get("beta", base / "beta"))
        self.agents = (self.alpha, self.beta)
        for agent in self.agents:
            pki.issue(agent.name, str(self.keys), ["127.0.0.1"])
            self.hand_out(agent)
            agent.config.write_text(self._config(agent, extra))

    def _config(self, agent: Agent, extra: str) -> str:
        keys = agent.pki
        peers = "".join(f'[[peer]]\nname = "{peer.name}"\naddress = "127.0.0.1:{peer.port}"\n' for peer in self.agents)
        return (
            f'[node]\nname = "{agent.name}"\nstate_dir = "{agent.state}"\nlisten = "127.0.0.1:{agent.port}"\n'
            f'admin_socket = "{agent.socket}"\n'
            f'[tls]\nca = "{keys}/ca.crt"\ncert = "{keys}/{agent.name}.crt"\nkey = "{keys}/{agent.name}.key"\n{peers}'
            f'[[dataset]]\nname = "web"\nkind = "tree"\nprimary = "alpha"\nstandby = ["beta"]\n'
            f'path = {{ alpha = "{self.source}", beta = "{self.target}" }}\n{extra}'
        )

    def reach_beta_through(self, port: int) -> None:
        """Let alpha find beta at another port, from its next start on."""
        text = self.alpha.config.read_text()
        self.alpha.config.write_text(
            text.replace(f'address = "127.0.0.1:{self.beta.port}"', f'address = "127.0.0.1:{port}"')
        )

    def hand_out(self, agent: Agent) -> None:
        """Copy the node's certificate and key, and the authority's certificate and list, to where the agent reads them."""
        agent.pki.mkdir(exist_ok=True)
        for name in ("ca.crt", "ca.crl", f"{agent.name}.crt", f"{agent.name}.key"):
            shutil.copyfile(self.keys / name, agent.pki / name)
        (agent.pki / f"{agent.name}.key").chmod(0o600)

    def start(self) -> None:
        """Start both agents."""
        for agent in self.agents:
            agent.start()

    def begin(self) -> None:
        """Start both and wait until the first sync is through and both trees are equal."""
        self.start()
        self.mirror()

    def kill(self) -> None:
        """Kill both at the same moment."""
        for agent in self.agents:
            assert agent.process is not None
            agent.process.send_signal(signal.SIGKILL)
        for agent in self.agents:
            agent.kill()

    def stop(self) -> None:
        """Stop both, asking politely; one that does not end within 30 s fails the test."""
        for agent in self.agents:
            agent.kill(signal.SIGTERM)

    def home(self, agent: Agent) -> Path:
        """Where an agent keeps what it knows of the dataset."""
        return agent.state / "datasets" / "web"

    def settle(self, timeout: int = 120) -> None:
        """A final look, and everything applied on the standby."""
        self.alpha.json("reconcile", "web", timeout=timeout)
        self.alpha.json("wait", "web", "--applied", "--timeout", str(timeout), timeout=timeout + 10)

    def mirror(self, timeout: float = 60.0) -> None:
        """Wait until all that was written is applied; both trees must be equal then, in everything."""
        for agent in self.agents:
            agent.up()
        self.alpha.wait(within=timeout)
        found = differences(str(self.source), str(self.target))
        assert not found, "\n".join(found)


@contextmanager
def pair(extra: str = "", directory: str | None = None, **more: Any) -> Iterator[Pair]:
    """A pair in a fresh directory (on tmpfs unless told otherwise) that is gone afterwards, processes first.

    ``more`` is for :class:`Pair`. When the test fails, the ends of both logs are printed."""
    where = directory or ("/dev/shm" if os.path.isdir("/dev/shm") else None)
    base = Path(tempfile.mkdtemp(prefix="hikae-", dir=where))
    both: Pair | None = None
    try:
        both = Pair(base, extra, **more)
        yield both
    except BaseException:
        for agent in both.agents if both is not None else ():
            print(f"--- {agent.name}:\n{agent.tail()}")
        raise
    finally:
        for agent in both.agents if both is not None else ():
            agent.kill()
        shutil.rmtree(base, ignore_errors=True)
