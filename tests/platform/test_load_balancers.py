"""The configurations of docs/load-balancers.md before two nodes, each host a network namespace, with Debian's programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.status.facts import DatasetFacts
from agent.status.state import Role
from fakes import asking_client, named_application
from fakes.agents import REPOSITORY
from fakes.api_fakes import a_dataset, a_node
from fakes.balanced_client import BalancedClient
from fakes.eventually import eventually
from fakes.keepalived import SHARED, start_keepalived
from fakes.private_lan import Lan, private_lan
from fakes.web_fakes import publish

EXAMPLES = REPOSITORY / "docs" / "load-balancers"
ADDRESSES = {"alpha": "10.0.0.1", "beta": "10.0.0.2", "balancer": "10.0.0.3", "client": "10.0.0.4"}
#: A client's errors end so many seconds after the operator's command.
WITHIN = 2.0
#: So much may a machine add on which nine others work.
LOADED = 3.0
#: A state of before this moment was made old on purpose.
_OLD = 1_000_000.0
PRIMARY, STANDBY = a_dataset(), a_dataset(role=Role.STANDBY, peers=())

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="ip is not installed (package iproute2)"),
]
needs_haproxy = pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed (package haproxy)")
needs_keepalived = pytest.mark.skipif(
    shutil.which("keepalived") is None or shutil.which("curl") is None,
    reason="keepalived or curl is not installed (packages keepalived, curl)",
)


@dataclass(frozen=True, slots=True)
class Node:
    """A host with an application, and ``hikae web`` over what is published in ``place``."""

    name: str
    place: Path
    config: Path

    def is_now(self, dataset: DatasetFacts) -> None:
        """Publish this of a dataset, as an agent that lives does."""
        publish(self.place, a_node(dataset))

    def say_again(self) -> None:
        """What stands published is so still, unless a test made it old."""
        for path in self.place.glob("state*.json"):
            if path.stat().st_mtime > _OLD:
                os.utime(path)


def _node(lan: Lan, base: Path, name: str) -> Node:
    place = base / f"{name}.run"
    place.mkdir(mode=0o755)
    config = base / f"{name}.toml"
    config.write_text(
        f'[node]\nname = "{name}"\nadmin_socket = "{place}/admin.sock"\n[health]\nagent_check = "0.0.0.0:7443"\n'
    )
    node = Node(name, place, config)
    lan.start(name, sys.executable, "-m", "agent.cli.main", "--config", str(config), "web")
    lan.start(name, sys.executable, named_application.__file__, "80", name)
    return node


def _client(lan: Lan, base: Path, address: str) -> BalancedClient:
    log = base / "client.log"
    log.touch()
    lan.start("client", sys.executable, asking_client.__file__, address, "80", log=log)
    return BalancedClient(log)


@contextmanager
def _alive(nodes: Sequence[Node]) -> Iterator[None]:
    """Each second, as an agent that lives does."""
    ends = threading.Event()

    def go_on() -> None:
        while not ends.wait(1.0):
            for node in nodes:
                node.say_again()

    thread = threading.Thread(target=go_on, name="say-again")
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


@contextmanager
def _network(base: Path) -> Iterator[tuple[Lan, Node, Node]]:
    with private_lan(base, ADDRESSES) as lan:
        nodes = _node(lan, base, "alpha"), _node(lan, base, "beta")
        try:
            with _alive(nodes):
                yield lan, *nodes
        except BaseException:
            print(lan.said())
            raise


def _swap(old: Node, new: Node, client: BalancedClient) -> float:
    """The role moves; seconds until the client is at the new one and nowhere else."""
    old.is_now(STANDBY)
    new.is_now(PRIMARY)
    return client.moved(time.monotonic(), new.name)


@needs_haproxy
@pytest.mark.parametrize("example", ["haproxy.cfg", "haproxy-agent-check.cfg"])
def test_haproxy_follows_the_primary_and_back(tmp_path: Path, example: str) -> None:
    """Whichever way it asks: both applications run all the time, and only the primary's gets anybody."""
    with _network(tmp_path) as (lan, alpha, beta):
        alpha.is_now(PRIMARY)
        beta.is_now(STANDBY)
        lan.start("balancer", "haproxy", "-db", "-f", str(EXAMPLES / example))
        client = _client(lan, tmp_path, ADDRESSES["balancer"])
        client.until("alpha")
        there, back = _swap(alpha, beta, client), _swap(beta, alpha, client)
        assert (True, True) == (there < WITHIN + LOADED, back < WITHIN + LOADED), (there, back)


@needs_haproxy
def test_haproxy_sends_nobody_to_a_node_that_is_stale_or_unconfirmed(tmp_path: Path) -> None:
    """Where no node serves, a client is refused: a wrong answer would be worse."""
    with _network(tmp_path) as (lan, alpha, beta):
        alpha.is_now(PRIMARY)
        beta.is_now(STANDBY)
        lan.start("balancer", "haproxy", "-db", "-f", str(EXAMPLES / "haproxy.cfg"))
        client = _client(lan, tmp_path, ADDRESSES["balancer"])
        client.until("alpha")
        alpha.is_now(a_dataset(unconfirmed=True))
        client.until("-")
        alpha.is_now(PRIMARY)
        client.until("alpha")

        def is_nobodys() -> bool:
            # Each time: who says once a second that it lives may have looked at its age right before.
            os.utime(alpha.place / "state.json", (1, 1))
            return {"-"} == {who for _, who in client.seen()[-10:]}

        eventually(is_nobodys)


@needs_keepalived
def test_keepalived_takes_the_address_to_the_primary_and_back(tmp_path: Path) -> None:
    """The address follows the role, never a priority; nobody else holds it."""
    with _network(tmp_path) as (lan, alpha, beta):
        alpha.is_now(PRIMARY)
        beta.is_now(STANDBY)
        for node, peer in ((alpha, beta), (beta, alpha)):
            start_keepalived(lan, tmp_path, node.name, peer.name)
        client = _client(lan, tmp_path, SHARED)
        client.until("alpha")
        there, back = _swap(alpha, beta, client), _swap(beta, alpha, client)
        assert (True, True) == (there < WITHIN + LOADED, back < WITHIN + LOADED), (there, back)
        assert (True, False) == tuple(SHARED in _addresses(lan, name) for name in ("alpha", "beta"))


def _addresses(lan: Lan, name: str) -> str:
    words = [*lan.inside(name), "ip", "-brief", "address", "show", "eth0"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout
