"""The addresses that the second process listens at, bound while it may still, and before it gives away what it may."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable

from agent.core.errors import ConfigError, Refused, TryAgain

_BACKLOG = 1024


def listen_at(key: str, address: str, within: float = 0.0, rest: Callable[[float], None] = time.sleep) -> socket.socket:
    """A listening socket at ``host:port``; ``key``: of the configuration, which the errors name. An address that is taken may
    become free ``within`` seconds. Raises ``Refused``, ``ConfigError``."""
    deadline = time.monotonic() + within
    while True:
        try:
            return _bound(key, address)
        except TryAgain as error:
            if time.monotonic() >= deadline:
                raise Refused(error.operation, error.subject, error.reason, error.remedy) from error
            rest(0.02)


def _bound(key: str, address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise ConfigError("listen", f"{key} = {address}", f"{host!r} is no host that is known", "correct it") from error
    listener = socket.socket(found[0], socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if found[0] == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(found[4])
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _cannot(key, address, error) from error
    return listener


def _cannot(key: str, address: str, error: OSError) -> TryAgain | Refused:
    subject = f"{key} = {address}"
    if error.errno == errno.EADDRINUSE:
        remedy = "see who listens there (ss -ltnp), stop it, or write another port"
        return TryAgain("listen", subject, "the address is taken", remedy)
    if error.errno == errno.EADDRNOTAVAIL:
        return Refused("listen", subject, "it is no address of this machine", "see ip address; write one of these")
    return Refused("listen", subject, error.strerror or str(error), "correct it in the configuration")
