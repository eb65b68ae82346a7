"""A client behind HAProxy, or keepalived, through a real failover and back: two agents on hosts of their own, by commands."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from agent.web.start import BESIDE
from fakes import asking_client, named_application
from fakes.agents import REPOSITORY, UNBRAKED, Agent, pair
from fakes.balanced_client import BalancedClient
from fakes.eventually import eventually
from fakes.keepalived import SHARED, start_keepalived
from fakes.lan_agents import live_on
from fakes.private_lan import Lan, end, private_lan

ADDRESSES = {"alpha": "10.0.0.1", "beta": "10.0.0.2", "balancer": "10.0.0.3", "client": "10.0.0.4"}
HOOKS = '[dataset.hooks]\nstart = "none"\nstop = "none"\n'
#: A client's errors end so many seconds after the operator's command; a machine on which nine others work may add as many again.
WITHIN, LOADED = 2.0, 3.0

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="ip is not installed (package iproute2)"),
]


def needs(program: str) -> pytest.MarkDecorator:
    """Skipped where the program of the package of that name is not installed."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed (package {program})")


def _application(lan: Lan, name: str) -> Callable[[], None]:
    process = lan.start(name, sys.executable, named_application.__file__, "80", name)
    return lambda: end(process)


def _web(agent: Agent) -> int:
    """The process that answers for the agent; it may be on its way where nobody has asked it yet."""
    place = agent.socket.parent / BESIDE
    return int(eventually(lambda: place.read_text() if place.exists() else ""))


def _ready(agent: Agent) -> bool:
    """Whether it could take over, but that its primary lives."""
    gates = (agent.look().get("promotion") or {}).get("gates") or [{"ok": False, "name": "none"}]
    return all(gate["ok"] for gate in gates if gate["name"] != "primary")


def _by_haproxy(example: str, lan: Lan, _base: Path) -> str:
    """HAProxy by one of the examples; the address that a client asks."""
    lan.start("balancer", "haproxy", "-db", "-f", str(REPOSITORY / "docs" / "load-balancers" / example))
    return ADDRESSES["balancer"]


def _by_keepalived(lan: Lan, base: Path) -> str:
    """An address that moves between the nodes themselves."""
    for name, peer in (("alpha", "beta"), ("beta", "alpha")):
        start_keepalived(lan, base, name, peer)
    return SHARED


WAYS = [
    pytest.param(partial(_by_haproxy, "haproxy.cfg"), id="http", marks=needs("haproxy")),
    pytest.param(partial(_by_haproxy, "haproxy-agent-check.cfg"), id="agent-check", marks=needs("haproxy")),
    pytest.param(_by_keepalived, id="keepalived", marks=[needs("keepalived"), needs("curl")]),
]


@pytest.mark.parametrize("balanced", WAYS)
def test_a_client_follows_promote_rejoin_and_switchover(tmp_path: Path, balanced: Callable[[Lan, Path], str]) -> None:
    """alpha's server dies; beta is promoted; alpha comes back, rejoins, and takes its place again."""
    with pair(UNBRAKED + HOOKS) as both, private_lan(tmp_path, ADDRESSES) as lan:
        live_on(lan, both)
        dies = _application(lan, "alpha")
        _application(lan, "beta")
        (both.source / "file").write_bytes(b"x" * 1000)
        both.begin()
        address, log = balanced(lan, tmp_path), tmp_path / "client.log"
        lan.start("client", sys.executable, asking_client.__file__, address, "80", log=log)
        client = BalancedClient(log)
        client.until("alpha")
        eventually(
            lambda: all(gate["ok"] for gate in both.beta.look()["promotion"]["gates"] if gate["name"] != "primary")
        )

        web = _web(both.alpha)
        both.alpha.kill()
        with suppress(ProcessLookupError):  # it ends with its agent, sooner or later
            os.kill(web, 9)
        dies()
        client.until("-")
        both.beta.json("promote", "web", "--yes")
        promoted = client.moved(time.monotonic(), "beta")

        _application(lan, "alpha")
        both.alpha.start()
        both.alpha.up()
        both.alpha.told("fenced")
        both.alpha.json("rejoin", "web", "--yes")
        eventually(lambda: both.alpha.look().get("role") == "standby" and _ready(both.alpha))
        client.until("beta")
        assert "alpha" not in {who for _, who in client.seen()[-20:]}
        both.beta.json("switchover", "web", "--yes")
        switched = client.moved(time.monotonic(), "alpha")
        assert (True, True) == (promoted < WITHIN + LOADED, switched < WITHIN + LOADED), (promoted, switched)
        print(f"errors after promote {promoted:.2f} s, after switchover {switched:.2f} s")
