"""What systemd is told (sd_notify(3)): ready, alive, stopping. Nothing happens when it is not there."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


class Notifier:
    """The notification socket of the service manager, from ``NOTIFY_SOCKET``."""

    def __init__(self, address: str | None = None) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET") if address is None else address

    def ready(self) -> None:
        """The agent serves: start-up is complete."""
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """Feed the watchdog, with one line for ``systemctl status``."""
        self._send(f"WATCHDOG=1\nSTATUS={status.splitlines()[0] if status else ''}")

    def stopping(self) -> None:
        """A clean stop has begun."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.sendto(text.encode(), address)
