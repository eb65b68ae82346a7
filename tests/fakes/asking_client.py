"""A client of a load balancer: ``python asking_client.py HOST PORT``. It asks all the time and prints, for each time, the
monotonic clock and who answered, or ``-``."""

from __future__ import annotations

import socket
import sys
import time


def _answer() -> str:
    try:
        with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=0.5) as connection:
            connection.settimeout(0.5)
            return connection.recv(64).decode().strip() or "-"
    except OSError:
        return "-"


if __name__ == "__main__":
    while True:
        found = _answer()
        print(f"{time.monotonic():.3f} {found}", flush=True)
        time.sleep(0.02)
