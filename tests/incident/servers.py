"""Two servers, a load balancer and a client, each a host of a private network: hikae and Redis on both servers, by Debian's
programs and the configuration that docs/load-balancers.md has."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from fakes import numbering_client
from fakes.agents import REPOSITORY, UNBRAKED, Agent, Fleet, Shared, running
from fakes.lan_agents import die, live_on
from fakes.private_lan import Lan, private_lan

DATASET = "shop"
ADDRESSES: Mapping[str, str] = MappingProxyType(
    {"alpha": "10.0.0.1", "beta": "10.0.0.2", "balancer": "10.0.0.3", "client": "10.0.0.4"}
)
PROGRAMS = ("ip", "haproxy", "redis-server", "redis-cli")
_HERE = Path(__file__).parent
_REDIS_PORT = "6379"


@dataclass(frozen=True, slots=True)
class Servers:
    """``base``: where all of it lies."""

    lan: Lan
    fleet: Fleet
    base: Path

    @property
    def alpha(self) -> Agent:
        """The node that begins as the primary."""
        return self.fleet["alpha"]

    @property
    def beta(self) -> Agent:
        """The node that begins as the standby."""
        return self.fleet["beta"]

    def place(self, host: str) -> Path:
        """Where the dataset lies on a host."""
        return self.fleet.datasets[DATASET].paths[host]

    def balance(self) -> None:
        """HAProxy runs from now on, as documented but for the dataset's name and the application's port."""
        text = (REPOSITORY / "docs" / "load-balancers" / "haproxy.cfg").read_text()
        text = text.replace("/datasets/web/", f"/datasets/{DATASET}/").replace(":80\n", f":{_REDIS_PORT}\n")
        text = text.replace(":80 ", f":{_REDIS_PORT} ")
        path = self.base / "haproxy.cfg"
        path.write_text(text)
        self.lan.start("balancer", "haproxy", "-db", "-f", str(path))

    def write(self, rate: float) -> Path:
        """A client writes from now on, at most so many numbers a second; its log."""
        log = self.base / "client.log"
        log.touch()
        words = (numbering_client.__file__, ADDRESSES["balancer"], _REDIS_PORT, str(rate))
        self.lan.start("client", sys.executable, *words, log=log)
        return log

    def dies(self, host: str) -> None:
        """All that runs on a host is killed at once."""
        die(self.lan, host)
        self.fleet[host].kill()

    def missing(self, host: str, count: int) -> list[int]:
        """Those of the first ``count`` numbers that Redis on a host has not."""
        asked = "".join(f"GET key:{number}\n" for number in range(count))
        said = self.redis(host, asked).splitlines()
        return [number for number in range(count) if said[number : number + 1] != [str(number)]]

    def redis(self, host: str, commands: str) -> str:
        """What Redis on a host answers, a line each."""
        words = (*self.lan.inside(host), "redis-cli")
        return subprocess.run(words, input=commands, capture_output=True, text=True, check=True, timeout=120).stdout


@contextmanager
def servers(directory: str | None = None) -> Iterator[Servers]:
    """Two servers that do not run yet, in a fresh directory below ``directory``. Nothing of them is left afterwards."""
    with running(_fleet, directory) as fleet, private_lan(fleet.base, ADDRESSES) as lan:
        live_on(lan, fleet)
        made = Servers(lan, fleet, fleet.base)
        for agent in fleet.agents:
            _configure_redis(made, agent.name)
        try:
            yield made
        finally:
            for agent in fleet.agents:
                with suppress(subprocess.CalledProcessError):
                    die(lan, agent.name)


def _fleet(base: Path) -> Fleet:
    paths = {name: base / f"{name}.redis" for name in ("alpha", "beta")}
    hooks = (_HERE / "hooks.toml").read_text().replace("/etc/redis", str(base))
    return Fleet(base, ("alpha", "beta"), [Shared(DATASET, "alpha", ("beta",), paths)], UNBRAKED + hooks)


def _configure_redis(made: Servers, host: str) -> None:
    text = (_HERE / "redis.conf").read_text()
    (made.base / f"{host}.conf").write_text(f"{text}dir {made.place(host)}\nlogfile {made.base}/{host}-redis.log\n")
