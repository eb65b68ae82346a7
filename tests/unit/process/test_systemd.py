"""The service manager hears what it must, and its absence is no error."""

from __future__ import annotations

import socket
from pathlib import Path

from agent.process.systemd import Notifier


def test_messages_reach_the_socket(tmp_path: Path) -> None:
    """Ready, alive with a status of one line, stopping."""
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        notifier = Notifier(address)
        notifier.ready()
        notifier.alive("web streaming\nmore")
        notifier.stopping()
        heard = [manager.recv(1000) for _ in range(3)]
    assert [b"READY=1", b"WATCHDOG=1\nSTATUS=web streaming", b"STOPPING=1"] == heard


def test_no_service_manager_is_no_error() -> None:
    """Without an address nothing is sent."""
    Notifier("").ready()
