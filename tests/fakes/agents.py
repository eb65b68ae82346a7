"""Real agents on loopback, configured as the README says, each a process of its own that can be killed."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from agent import pki
from agent.api.client import AdminClient
from agent.core.errors import Refused, TryAgain, Unreachable
from agent.operations.declaration import Reached
from agent.operations.reading import StatusRequest
from agent.operations.waiting import WaitRequest
from fakes import forked
from fakes.eventually import eventually
from fakes.forked import Started
from fakes.trees import differences, remove_all

REPOSITORY = Path(__file__).resolve().parents[2]
USUAL_PROGRAM = (sys.executable, "-m", "agent.cli.main")
#: Of a dataset whose generations are taken by hand.
NO_SCHEDULE = 'generations.schedule = "none"\n'
#: For tests that delete and rewrite most of a tree again and again: the brake would be right to hold.
UNBRAKED = '[dataset.brake]\ndeleted = "100%"\nrewritten = "100%"\n'
#: Ports of tests: so many for each of so many workers, all below those of the kernel (ip_local_port_range).
PORTS_FROM, PORTS_EACH, WORKERS_MOST = 10_000, 3_000, 7
_AS_USUAL: Mapping[str, Any] = MappingProxyType({})


def _ports() -> Iterator[int]:
    """Round and round, those of this process: below the ones that the kernel gives to whoever dials, where a call of another test
    could take one before the agent listens on it; and of workers side by side each its own."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % WORKERS_MOST
    first, count = PORTS_FROM + worker * PORTS_EACH, PORTS_EACH
    start = os.getpid() % count
    return (first + (start + number) % count for number in itertools.count())


_next_port = _ports()


def free_port() -> int:
    """A loopback port that nobody listens on now, and that nobody else is given."""
    for port in _next_port:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("ports never end")


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
        self.socket = base / f"{name}.run" / "admin.sock"
        self.pki = base / f"{name}.pki"
        self.log = base / f"{name}.log"
        self.program: tuple[str, ...] = USUAL_PROGRAM
        self.environment: Mapping[str, str] | None = None
        self.process: Started | None = None
        self._commands: list[subprocess.Popen[str]] = []

    def start(self) -> None:
        """Start the agent; :meth:`up` waits until it answers."""
        with self.log.open("ab") as log:
            if self._may_fork():
                self.process = forked.fork(
                    ("--config", str(self.config), "agent"), REPOSITORY, log.fileno(), log.fileno()
                )
                return
            self.process = subprocess.Popen(
                [*self.program, "--config", str(self.config), "agent"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
                env=self.environment,
            )

    def _may_fork(self) -> bool:
        """Whether a fork of a process that has imported everything is the same as its program."""
        return self.program == USUAL_PROGRAM and self.environment is None and forked.may_fork()

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

    def ended(self, within: float = 60.0) -> int:
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
        self.stands_still()

    def stands_still(self) -> None:
        """Wait until every thread of the agent has stopped where it is."""
        assert self.process is not None
        tasks = Path(f"/proc/{self.process.pid}/task")
        eventually(lambda: all(_state_of(task) in "TtZ" for task in tasks.iterdir()))

    def go_on(self) -> None:
        """Let a stopped agent go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """One command of the command line, as an operator types it."""
        if self._may_fork():
            return forked.run(("--config", str(self.config), *arguments), REPOSITORY, timeout)
        return subprocess.run(
            [*self.program, "--config", str(self.config), *arguments],
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            cwd=REPOSITORY,
            check=False,
        )

    def typed(self, *words: str) -> subprocess.Popen[str]:
        """A command that goes on while the test does something else. It ends with the test at the latest: :meth:`leave`."""
        # Who was started beside a shell's work has Ctrl-C ignored; who sits at a terminal has not.
        line = ["env", "--default-signal=INT", *self.program, "--config", str(self.config), *words]
        command = subprocess.Popen(line, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._commands.append(command)
        return command

    def leave(self) -> None:
        """End the agent and each command of it."""
        self.kill()
        for command in self._commands:
            command.kill()
            command.wait()
            assert command.stdout is not None
            command.stdout.close()

    def json(self, *arguments: str, timeout: float = 120, again: Collection[int] = (69, 75)) -> Any:
        """A reading command's JSON; the command must succeed (``again``: 69, no agent yet, and 75, not yet, are tried again)."""
        deadline = time.monotonic() + timeout
        while True:
            done = self.run(*arguments, "--json", timeout=timeout)
            alive = self.process is not None and self.process.poll() is None
            if done.returncode in again and alive and time.monotonic() < deadline:
                continue
            assert done.returncode == 0, f"{arguments} on {self.name}: {done.returncode}\n{done.stderr}\n{self.tail()}"
            return json.loads(done.stdout)

    def seen(self) -> dict[str, Any] | None:
        """The status as the admin socket gives it; None while no agent answers there. Quicker than the command."""
        try:
            return AdminClient(str(self.socket)).ask(StatusRequest())
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

    def wait(self, level: Reached = "applied", within: float = 60.0, name: str = "web") -> None:
        """`hikae wait` by the admin socket: everything that was written before is there; tried again while it cannot be, and
        where it is refused: what stood in the way may have gone a moment ago, and be known for longer."""
        deadline = time.monotonic() + within

        def look() -> bool:
            self._must_run()
            left = max(0.1, deadline - time.monotonic())
            try:
                AdminClient(str(self.socket)).ask(WaitRequest(name, level, left))
            except (Unreachable, TryAgain, Refused):
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
        """Wait until all its peers are connected, or none is."""
        eventually(lambda: {whether} == {peer["connected"] for peer in self.look().get("peers", ())})

    def peer(self, peer: str, name: str = "web") -> dict[str, Any]:
        """What its status says of a peer; empty while no agent answers."""
        return next((one for one in self.look(name).get("peers", ()) if one["name"] == peer), {})

    def memory(self) -> int:
        """Bytes of memory that the process has now (resident)."""
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def dataset(self, name: str = "web") -> dict[str, Any]:
        """A dataset's part of the status."""
        rows: list[dict[str, Any]] = self.json("status")["datasets"]
        return next(row for row in rows if row["name"] == name)

    def _must_run(self) -> None:
        """Fail at once when the process is gone: nobody need wait for it."""
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.tail()}"

    def said_now(self) -> str:
        """What its status says, for a failing test; "" when it does not run."""
        if self.process is None or self.process.poll() is not None:
            return ""
        try:
            return self.run("status", "--json", timeout=10).stdout
        except subprocess.TimeoutExpired:
            return "it does not answer"

    def tail(self, lines: int = 60) -> str:
        """The end of the log, for a failing test."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])


@dataclass(frozen=True, slots=True)
class Shared:
    """A dataset of a fleet: whose it is, who keeps it, and where it lies on each node."""

    name: str
    primary: str
    standby: tuple[str, ...]
    paths: Mapping[str, Path]

    kind: str = "tree"

    def prepare(self) -> None:
        """Make what the primary's node needs before it starts."""
        if self.kind == "tree":
            self.paths[self.primary].mkdir(parents=True, exist_ok=True)

    def config(self, extra: str = "") -> str:
        """Its part of the configuration, the same on all nodes, with ``extra`` after it. Where that says nothing of generations
        none is taken by schedule: what a test sees does not hang on whether an hour ends meanwhile."""
        standby = ", ".join(f'"{name}"' for name in self.standby)
        paths = ", ".join(f'{name} = "{path}"' for name, path in self.paths.items())
        return (
            f'[[dataset]]\nname = "{self.name}"\nkind = "{self.kind}"\nprimary = "{self.primary}"\nstandby = [{standby}]\n'
            f"path = {{ {paths} }}\n{'' if 'generations' in extra else NO_SCHEDULE}{extra}"
        )


class Fleet:
    """Any number of agents that know each other, with certificates of one authority, and the datasets that they share.

    ``extra`` follows the last dataset in every configuration; ``states``: where a node's state directory is, if not beside its
    configuration."""

    def __init__(
        self,
        base: Path,
        names: Sequence[str],
        datasets: Sequence[Shared],
        extra: str = "",
        states: Mapping[str, Path] = _AS_USUAL,
    ) -> None:
        self.base = base
        self.datasets = {dataset.name: dataset for dataset in datasets}
        self.keys = base / "pki"
        pki.init(str(self.keys))
        self.agents = tuple(Agent(base, name, free_port(), states.get(name, base / name)) for name in names)
        for dataset in datasets:
            dataset.prepare()
        for agent in self.agents:
            pki.issue(agent.name, str(self.keys), ["127.0.0.1"])
            self.hand_out(agent)
            agent.config.write_text(self._config(agent, extra))

    def __getitem__(self, name: str) -> Agent:
        return next(agent for agent in self.agents if agent.name == name)

    def _config(self, agent: Agent, extra: str) -> str:
        keys = agent.pki
        datasets = tuple(self.datasets.values())
        peers = "".join(f'[[peer]]\nname = "{peer.name}"\naddress = "127.0.0.1:{peer.port}"\n' for peer in self.agents)
        return (
            f'[node]\nname = "{agent.name}"\nstate_dir = "{agent.state}"\nlisten = "127.0.0.1:{agent.port}"\n'
            f'admin_socket = "{agent.socket}"\n'
            f'[tls]\nca = "{keys}/ca.crt"\ncert = "{keys}/{agent.name}.crt"\nkey = "{keys}/{agent.name}.key"\n{peers}'
            f"{''.join(dataset.config() for dataset in datasets[:-1])}{datasets[-1].config(extra) if datasets else extra}"
        )

    def reach_through(self, caller: str, peer: str, port: int) -> None:
        """Let ``caller`` find ``peer`` at another port, from its next start on."""
        config = self[caller].config
        old, new = (f'address = "127.0.0.1:{number}"' for number in (self[peer].port, port))
        config.write_text(config.read_text().replace(old, new))

    def hand_out(self, agent: Agent) -> None:
        """Copy the node's certificate and key, and the authority's certificate and list, to where the agent reads them."""
        agent.pki.mkdir(exist_ok=True)
        for name in ("ca.crt", "ca.crl", f"{agent.name}.crt", f"{agent.name}.key"):
            shutil.copyfile(self.keys / name, agent.pki / name)
        (agent.pki / f"{agent.name}.key").chmod(0o600)

    def start(self) -> None:
        """Start every agent."""
        for agent in self.agents:
            agent.start()

    def begin(self) -> None:
        """Start them and wait until the first syncs are through and all trees are equal."""
        self.start()
        self.mirror()

    def kill(self) -> None:
        """Kill all at the same moment."""
        for agent in self.agents:
            assert agent.process is not None
            agent.process.send_signal(signal.SIGKILL)
        for agent in self.agents:
            agent.kill()

    def stop(self) -> None:
        """Stop all, asking politely; one that does not end within 30 s fails the test."""
        for agent in self.agents:
            agent.kill(signal.SIGTERM)

    def settle(self, timeout: int = 120) -> None:
        """A final look at every dataset, and everything applied on every standby."""
        for name, dataset in self.datasets.items():
            primary = self[dataset.primary]
            primary.json("reconcile", name, timeout=timeout)
            primary.json("wait", name, "--applied", "--timeout", str(timeout), timeout=timeout + 10)

    def mirror(self, timeout: float = 60.0) -> None:
        """Wait until all that was written is applied; all trees must be equal then, in everything."""
        for agent in self.agents:
            agent.up()
        for name, dataset in self.datasets.items():
            words = ("wait", name, "--applied", "--timeout", f"{timeout:.0f}")
            # Refused (3) is what stood in the way for 5 s: it may have gone a moment ago, and be known for longer.
            self[dataset.primary].json(*words, timeout=timeout + 10, again=(3, 69, 75))
            self.must_equal(dataset)

    def must_equal(self, dataset: Shared) -> None:
        """The primary's tree and those of its standbys are equal in everything."""
        for name in dataset.standby:
            found = differences(str(dataset.paths[dataset.primary]), str(dataset.paths[name]))
            assert not found, "\n".join([f"{dataset.name} on {name}:", *found])


class Pair(Fleet):
    """A primary ``alpha`` and a secondary ``beta`` with one dataset ``web``."""

    def __init__(
        self,
        base: Path,
        extra: str = "",
        source: Path | None = None,
        standby: Path | None = None,
        states: Mapping[str, Path] = _AS_USUAL,
    ) -> None:
        self.source = source or base / "source"
        self.target = standby or base / "standby"
        web = Shared("web", "alpha", ("beta",), {"alpha": self.source, "beta": self.target})
        super().__init__(base, ("alpha", "beta"), [web], extra, states)
        self.alpha, self.beta = self.agents

    def reach_beta_through(self, port: int) -> None:
        """Let alpha find beta at another port, from its next start on."""
        self.reach_through("alpha", "beta", port)

    def home(self, agent: Agent) -> Path:
        """Where an agent keeps what it knows of the dataset."""
        return agent.state / "datasets" / "web"


FleetT = TypeVar("FleetT", bound=Fleet)


@contextmanager
def running(make: Callable[[Path], FleetT], directory: str | None = None) -> Iterator[FleetT]:
    """A fleet in a fresh directory (on tmpfs unless told otherwise) that is gone afterwards, processes first.

    When the test fails, the ends of all logs are printed."""
    where = directory or ("/dev/shm" if os.path.isdir("/dev/shm") else None)
    base = Path(tempfile.mkdtemp(prefix="hikae-", dir=where))
    made: FleetT | None = None
    try:
        made = make(base)
        yield made
    except BaseException:
        for agent in made.agents if made is not None else ():
            print(f"--- {agent.name}:\n{agent.tail()}\n{agent.said_now()}")
        raise
    finally:
        for agent in made.agents if made is not None else ():
            agent.leave()
        remove_all(base)


@contextmanager
def pair(extra: str = "", directory: str | None = None, **more: Any) -> Iterator[Pair]:
    """A pair in a fresh directory; ``more`` is for :class:`Pair`. See :func:`running`."""
    with running(lambda base: Pair(base, extra, **more), directory) as both:
        yield both


@contextmanager
def fleet(*names: str, extra: str = "") -> Iterator[Fleet]:
    """The first of ``names`` is the primary of ``web``, the others are its standbys; ``extra`` as for :class:`Fleet`. See
    :func:`running`."""

    def make(base: Path) -> Fleet:
        paths = {name: base / ("source" if name == names[0] else f"standby-{name}") for name in names}
        return Fleet(base, names, [Shared("web", names[0], names[1:], paths)], extra)

    with running(make) as all_of_them:
        yield all_of_them
