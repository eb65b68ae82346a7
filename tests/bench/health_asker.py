"""Asks for the primary, of one dataset and of all, at a steady rate until SIGTERM, then prints how long each answer took and how
often each code came, both from the first 200 on, as JSON: ``PORT RATE``. A line says before that it has begun.

A time counts from when the request was due, not from when it could be sent: a server that stands still is not spared what it
kept from being asked. Who asks in earnest is another machine: this process goes before all others where it may, and spends some
20 µs a request, so that it is not itself what is measured."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import time
from collections import Counter
from contextlib import suppress

_CONNECTIONS = 16
_REQUESTS = tuple(b"GET %b HTTP/1.1\r\nHost: bench\r\n\r\n" % path for path in (b"/primary", b"/datasets/web/primary"))
_LENGTH = b"\r\ncontent-length: "
_MOST = 65_536
#: Until the first of these the node waits for its peer to confirm it.
_SERVES = 200
#: Seconds from the beginning in which it must have been answered by who serves.
_PATIENCE = 30.0


class _Connection:
    """One that asks each ``gap`` seconds. ``due``: when next; ``asked``: whether an answer is waited for."""

    def __init__(self, port: int, request: bytes, due: float, gap: float) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = due
        self.asked = False
        self._gap = gap
        self._request = request
        self._got = b""

    def ask(self) -> None:
        self.socket.sendall(self._request)
        self.asked = True

    def receive(self) -> tuple[int, float] | None:
        """The code of an answer that is whole now, and how long it took."""
        got = self.socket.recv(_MOST)
        if not got:
            raise ConnectionError("the connection was closed")
        self._got += got
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().split(_LENGTH)[1].split(b"\r\n")[0]):
            return None
        took = time.monotonic() - self.due
        self._got, self.asked = b"", False
        self.due += self._gap
        return int(head.split(b" ", 2)[1]), took


def _all(port: int, rate: float) -> None:
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
    print("asking", flush=True)
    gap, begun = _CONNECTIONS / rate, time.monotonic()
    connections = [
        _Connection(port, _REQUESTS[number % 2], begun + number / rate, gap) for number in range(_CONNECTIONS)
    ]
    poll = select.poll()
    by_fd = {one.socket.fileno(): one for one in connections}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    took: list[float] = []
    codes = Counter[int]()
    # A first sync of few files may be over before the node that serves was met once.
    while not ended or (not took and time.monotonic() < begun + _PATIENCE):
        waiting = [one for one in connections if not one.asked]
        now = time.monotonic()
        for one in waiting:
            if one.due <= now:
                one.ask()
        nearest = min((one.due for one in connections if not one.asked), default=now + 1.0)
        for fd, _ in poll.poll(max(0.0, nearest - time.monotonic()) * 1000):
            if (answered := by_fd[fd].receive()) is not None:
                code, seconds = answered
                if codes or code == _SERVES:
                    codes[code] += 1
                    took.append(seconds)
    print(json.dumps({"took": took, "codes": codes, "seconds": time.monotonic() - begun}))


if __name__ == "__main__":
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    _all(int(sys.argv[1]), float(sys.argv[2]))
