"""The console by mutual TLS, asked with real certificates: right, none, foreign, revoked before the start and after it."""

from __future__ import annotations

import http.client
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import pki
from fakes.agents import Agent, pair
from fakes.eventually import eventually
from fakes.web_agents import asked, with_web

HOOKS = '[dataset.hooks]\nstart = "none"\nstop = "none"\n'


class Console:
    """One agent's console, and the authority that is not that of its peers."""

    def __init__(self, base: Path, agent: Agent) -> None:
        self.keys = base / "console"
        pki.init(str(self.keys))
        for name in ("console", "monitor", "gone"):
            pki.issue(name, str(self.keys), ["127.0.0.1"])
        pki.revoke("gone", str(self.keys))
        self.there = base / "console-pki"
        self.there.mkdir()
        self.hand_out()
        cert, key = (self.there / f"console.{ending}" for ending in ("crt", "key"))
        more = f'client_ca = "{self.there}/ca.crt"\ncert = "{cert}"\nkey = "{key}"\n'
        self.ports = with_web(agent, more)

    def hand_out(self) -> None:
        """What the node is given of the authority."""
        for name in ("ca.crt", "ca.crl", "console.crt", "console.key"):
            shutil.copyfile(self.keys / name, self.there / name)

    def asked(self, path: str, keys: Path | None, name: str = "") -> int:
        """The code for who shows that certificate (None: none); 0 where he is not let in."""
        context = ssl.create_default_context(cafile=str(self.keys / "ca.crt"))
        if keys is not None:
            context.load_cert_chain(keys / f"{name}.crt", keys / f"{name}.key")
        connection = http.client.HTTPSConnection("127.0.0.1", self.ports.console, timeout=10, context=context)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


@pytest.fixture
def console() -> Iterator[Console]:
    """Of a primary that runs."""
    with pair(HOOKS) as both:
        # As /etc/hikae is: the process that reads the list again is nobody in particular by then.
        both.base.chmod(0o755)
        made = Console(both.base, both.alpha)
        both.begin()
        eventually(lambda: asked(made.ports.health, "/datasets/web/primary")[0] == 200)
        yield made


def test_who_is_let_in(console: Console, tmp_path: Path) -> None:
    """A certificate of the authority opens /status and /metrics; none, one of another authority, and a revoked one open nothing;
    health stays open to all."""
    pki.init(str(tmp_path / "foreign"))
    pki.issue("monitor", str(tmp_path / "foreign"))
    codes = {
        "right": [console.asked(path, console.keys, "monitor") for path in ("/status", "/metrics")],
        "none": [console.asked(path, None) for path in ("/status", "/metrics")],
        "foreign": [console.asked("/status", tmp_path / "foreign", "monitor")],
        "revoked": [console.asked(path, console.keys, "gone") for path in ("/status", "/metrics")],
    }
    assert {"right": [200, 200], "none": [0, 0], "foreign": [0], "revoked": [0, 0]} == codes
    assert 200 == asked(console.ports.health, "/datasets/web/primary")[0]
    assert 0 == asked(console.ports.console, "/status")[0]


def test_who_is_revoked_while_it_runs_is_let_in_no_more(console: Console) -> None:
    """The list is read again once its file changes; no restart is needed."""
    assert 200 == console.asked("/status", console.keys, "monitor")
    pki.revoke("monitor", str(console.keys))
    console.hand_out()
    eventually(lambda: console.asked("/status", console.keys, "monitor") == 0)
    pki.issue("second", str(console.keys))
    assert 200 == console.asked("/status", console.keys, "second")
