"""A network of its own on this machine: namespaces that see each other over a bridge and nothing else. Needs root, and ip."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fakes.agents import REPOSITORY


@dataclass(slots=True)
class Lan:
    """``hosts``: the namespace of each host by its name, and its address. What is started in it is killed at its end."""

    hosts: Mapping[str, tuple[str, str]]
    log: Path
    processes: ExitStack = field(default_factory=ExitStack)

    def start(self, host: str, *words: str, log: Path | None = None) -> subprocess.Popen[bytes]:
        """A program in a host's network."""
        with (log or self.log).open("ab") as out:
            process = subprocess.Popen(
                [*self.inside(host), *words], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=REPOSITORY
            )
        self.processes.callback(end, process)
        return process

    def inside(self, host: str) -> Sequence[str]:
        """The words before a program that make it run on a host."""
        return ("ip", "netns", "exec", self.hosts[host][0])

    def said(self) -> str:
        """All that the programs said."""
        return self.log.read_text(errors="replace")


def end(process: subprocess.Popen[bytes]) -> None:
    """Killed and waited for; twice is no harm."""
    process.kill()
    process.wait()


@contextmanager
def private_lan(base: Path, addresses: Mapping[str, str]) -> Iterator[Lan]:
    """Hosts by name with their addresses in one /24, each with an interface ``eth0``."""
    mark = f"hikae{os.getpid()}"
    bridge = f"{mark}-lan"
    made: list[str] = []
    try:
        _add(bridge, made)
        _run("-n", bridge, "link", "add", "lan", "type", "bridge")
        _run("-n", bridge, "link", "set", "lan", "up")
        for number, (name, address) in enumerate(addresses.items()):
            space = f"{mark}-{name}"
            _add(space, made)
            port = f"port{number}"
            _run("-n", bridge, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", space)
            _run("-n", bridge, "link", "set", port, "master", "lan", "up")
            _run("-n", space, "address", "add", f"{address}/24", "dev", "eth0")
            _run("-n", space, "link", "set", "eth0", "up")
            _run("-n", space, "link", "set", "lo", "up")
        lan = Lan({name: (f"{mark}-{name}", address) for name, address in addresses.items()}, base / "lan.log")
        with lan.processes:
            yield lan
    finally:
        for space in made:
            subprocess.run(["ip", "netns", "delete", space], check=False)


def _add(space: str, made: list[str]) -> None:
    _run("netns", "add", space)
    made.append(space)


def _run(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
