"""Asks one address at a steady rate until SIGTERM, then prints how long each answer took, as JSON: ``PORT RATE``. A line says
before that it has begun.

A time counts from when the request was due, not from when it could be sent: a server that stands still is not spared what it
kept from being asked."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time

_CONNECTIONS = 16
_REQUEST = b"GET /datasets/web/primary HTTP/1.1\r\nHost: bench\r\n\r\n"


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """One request; its code."""
    writer.write(_REQUEST)
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length"))
    await reader.readexactly(length)
    return int(lines[0].split()[1])


async def _one(port: int, gap: float, first: float, ended: asyncio.Event, took: list[float], codes: list[int]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    due = time.monotonic() + first
    while not ended.is_set():
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        codes.append(await _asked(reader, writer))
        took.append(time.monotonic() - due)
        due += gap
    writer.close()


async def _all(port: int, rate: float) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    took: list[float] = []
    codes: list[int] = []
    print("asking", flush=True)
    gap, begun = _CONNECTIONS / rate, time.monotonic()
    await asyncio.gather(
        *(_one(port, gap, number * gap / _CONNECTIONS, ended, took, codes) for number in range(_CONNECTIONS))
    )
    print(json.dumps({"took": took, "codes": sorted(set(codes)), "seconds": time.monotonic() - begun}))


if __name__ == "__main__":
    asyncio.run(_all(int(sys.argv[1]), float(sys.argv[2])))
