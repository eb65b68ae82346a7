"""Raw connections at the peers' door: how many there may be, and from one address, before anybody has said who he is.

gRPC bounds them in all and ends a handshake that does not; it knows no bound for one address. Its sockets are this process's own
descriptors, so whichever are too many are shut down here, and gRPC sees them closed.
"""

from __future__ import annotations

import os
import resource
import socket
import stat
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

#: From one address, beside those that carry a call: a peer needs one.
IDLE_PER_ADDRESS = 16
_TOTAL = 1024
#: Below so many open descriptors there is nothing to look at.
_WORTH_A_LOOK = 64


@dataclass(frozen=True, slots=True)
class Connection:
    """One that is open: its descriptor, and the address and port that it comes from."""

    fd: int
    address: str
    port: int


def most() -> int:
    """How many connections may be open at once: a quarter of what this process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _TOTAL if soft == resource.RLIM_INFINITY else max(IDLE_PER_ADDRESS, min(_TOTAL, soft // 4))


def surplus(
    open_now: Sequence[Connection], calling: Collection[tuple[str, int]], per_address: int = IDLE_PER_ADDRESS
) -> list[Connection]:
    """Those to be shut: of each address that has more than ``per_address`` without a call, the first that are found. ``calling``:
    address and port of those that carry one, which are never among them. Pure."""
    idle: dict[str, list[Connection]] = defaultdict(list)
    for one in open_now:
        if (one.address, one.port) not in calling:
            idle[one.address].append(one)
    return [one for some in idle.values() for one in some[: max(0, len(some) - per_address)]]


def crowded() -> bool:
    """Whether so many descriptors are open that connections may be too many; costs little."""
    return len(os.listdir("/proc/self/fd")) > _WORTH_A_LOOK


def accepted(port: int) -> list[Connection]:
    """The connections that were accepted at a port of ours, lowest descriptor first."""
    numbers = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    return [Connection(number, *came) for number in numbers for came in _came_from(number, port)]


def shut(connection: Connection, port: int) -> None:
    """End a connection. One that has ended meanwhile, or whose descriptor is another by now, is left alone."""
    for own in _own(connection.fd):
        with own:
            if _peer_at(own, port) == (connection.address, connection.port):
                own.shutdown(socket.SHUT_RDWR)


def peer_of(told: str) -> tuple[str, int]:
    """Address and port from what gRPC calls a peer: ``ipv4:192.0.2.1:7440``, ``ipv6:%5B::1%5D:7440``."""
    address, _, port = told.partition(":")[2].rpartition(":")
    bare = address.replace("%5B", "").replace("%5D", "").strip("[]")
    return bare, int(port) if port.isdecimal() else 0


def _came_from(number: int, port: int) -> Iterator[tuple[str, int]]:
    for own in _own(number):
        with own:
            came = _peer_at(own, port)
            if came is not None:
                yield came


def _own(number: int) -> Iterator[socket.socket]:
    """A descriptor of our own for the same socket; none for what is no socket, or is closed."""
    try:
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            return
        yield socket.socket(fileno=os.dup(number))
    except OSError:
        return


def _peer_at(own: socket.socket, port: int) -> tuple[str, int] | None:
    """Whom a connection that came in at the port is with."""
    if own.family not in (socket.AF_INET, socket.AF_INET6) or own.type != socket.SOCK_STREAM:
        return None
    try:
        if own.getsockname()[1] != port:
            return None
        address, came_from = own.getpeername()[:2]
    except OSError:
        return None
    return address.removeprefix("::ffff:"), came_from
