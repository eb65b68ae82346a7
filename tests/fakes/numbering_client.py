"""A client of Redis behind a load balancer: ``python numbering_client.py HOST PORT RATE``. It sets ``key:0``, ``key:1`` to their
numbers, each until it was confirmed, at most RATE a second, and prints for each try the monotonic clock when it was over, the
number, and ``ok`` or what was wrong, in one word."""

from __future__ import annotations

import socket
import sys
import time

#: A write that is not confirmed within so many seconds has failed; the connection is given up with it.
_PATIENCE = 1.0


class _Connection:
    """One to the balancer, made anew after each failure."""

    def __init__(self, host: str, port: int) -> None:
        self._where = (host, port)
        self._socket: socket.socket | None = None

    def set(self, number: int) -> str:
        """``ok``, or why it was not confirmed."""
        try:
            if self._socket is None:
                self._socket = socket.create_connection(self._where, timeout=_PATIENCE)
            self._socket.sendall(b"SET key:%d %d\r\n" % (number, number))
            said = self._socket.recv(256)
        except OSError as error:
            self._give_up()
            return type(error).__name__
        if said == b"+OK\r\n":
            return "ok"
        self._give_up()
        return said[1:].split(b" ")[0].decode() or "closed"

    def _give_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None


def _main() -> None:
    connection = _Connection(sys.argv[1], int(sys.argv[2]))
    pause, number = 1 / float(sys.argv[3]), 0
    while True:
        found = connection.set(number)
        print(f"{time.monotonic():.3f} {number} {found}", flush=True)
        number += found == "ok"
        time.sleep(pause)


if __name__ == "__main__":
    _main()
