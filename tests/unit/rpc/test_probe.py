"""Why a peer is not reached, seen by hand: nobody listens, nobody resolves, or somebody takes the connection and says nothing."""

from __future__ import annotations

import socket
from pathlib import Path

from agent import pki
from agent.rpc.probe import reached, reached_plainly
from agent.rpc.tls import TlsFiles


def files(base: Path) -> TlsFiles:
    """A node's good certificate."""
    pki.init(str(base))
    pki.issue("alpha", str(base))
    return TlsFiles(str(base / "ca.crt"), str(base / "alpha.crt"), str(base / "alpha.key"), str(base / "ca.crl"))


def test_an_agent_that_hangs_is_no_network_that_is_cut(tmp_path: Path) -> None:
    """The kernel takes the connection of a stopped process: it is the agent there that is to be restarted."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        fault = reached("beta", address, files(tmp_path / "pki"))
        assert fault is not None
        assert "its agent says nothing" in fault.reason
        assert fault.remedy.startswith("on beta: systemctl restart hikae")
        assert reached_plainly("beta", address) is None


def test_where_nobody_listens_or_no_name_is_known() -> None:
    """Each says what to correct."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"127.0.0.1:{gone.getsockname()[1]}"
    for at, words in ((address, "nothing listens"), ("no-such-host.invalid:1", "cannot be resolved")):
        fault = reached_plainly("beta", at)
        assert fault is not None
        assert words in fault.reason
