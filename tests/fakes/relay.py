"""A relay that holds packets back: as a program, it carries TCP connections on and delivers each byte so much later.

    python relay.py ADDRESS PORT TARGET-PORT SECONDS

What it reads at once it delivers at once, so the rate stays that of the link; only the way takes longer. It never reads far
ahead, so that the sender feels the link and not the relay's memory.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

_BLOCK = 1 << 14
#: Blocks on the way: what does not fit waits in the kernel, whose window then closes.
_ON_THE_WAY = 64


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """One direction of a connection, to its end."""
    loop = asyncio.get_running_loop()
    way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_ON_THE_WAY)

    async def deliver() -> None:
        while True:
            due, block = await way.get()
            await asyncio.sleep(due - loop.time())
            if not block:
                break
            writer.write(block)
            await writer.drain()

    delivering = asyncio.ensure_future(deliver())
    with suppress(OSError):
        while block := await reader.read(_BLOCK):
            await way.put((loop.time() + delay, block))
    await way.put((loop.time() + delay, b""))
    with suppress(OSError):
        await delivering
    writer.close()


async def main(address: str, port: int, target: int, delay: float) -> None:
    """Listen until killed."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, far_writer, delay), carry(far_reader, writer, delay), return_exceptions=True)

    server = await asyncio.start_server(accept, address, port, limit=_BLOCK)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
