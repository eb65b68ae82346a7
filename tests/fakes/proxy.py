"""A wire between two agents that can be cut after so many bytes, hang without a word, or be slow."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Literal, TypeAlias

#: From who connects, or to it.
Way: TypeAlias = Literal["out", "back"]
_BLOCK = 1 << 14
#: RST instead of FIN: what a cut looks like to whoever writes on.
_AT_ONCE = struct.pack("ii", 1, 0)


class Proxy:
    """Carries TCP connections made to ``port`` on to ``target``, both on loopback. Two threads a connection."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._came = False
        self._carried = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._budget: int | None = None
        self._hung: set[socket.socket] = set()
        self._moved = threading.Condition(self._lock)
        self._held: frozenset[str] = frozenset()
        self._stopped = self._refuses = False
        self._healed = threading.Event()
        self._rate: float | None = None
        self._free_at = 0.0
        self._accepting = threading.Thread(target=self._accept, name="proxy")

    def cut_after(self, count: int) -> None:
        """Let ``count`` more bytes pass, both ways together; then everything that is connected is cut, once."""
        with self._lock:
            self._budget = count

    def take_cut(self) -> bool:
        """Whether such a cut has come since this was asked last."""
        with self._lock:
            came, self._came = self._came, False
            return came

    @property
    def carried(self) -> int:
        """Bytes that passed so far, both ways together: TLS and all."""
        with self._lock:
            return self._carried

    def cut(self) -> None:
        """Cut everything that is connected now."""
        with self._lock:
            self._cut()

    def refuse(self, whether: bool = True) -> None:
        """Cut everything that is connected, and carry nothing that comes, or again what comes."""
        with self._lock:
            self._refuses = whether
            self._cut()

    def hang(self) -> None:
        """Carry nothing more over what is connected now, and do not say so: half-open. New connections work."""
        with self._lock:
            self._hung.update(self._ends)

    def hold(self, *ways: Way) -> None:
        """Keep what goes these ways, on what is connected and on what comes, and do not say so; none: it goes on."""
        with self._moved:
            self._held = frozenset(ways)
            self._moved.notify_all()

    def throttle(self, rate: float | None) -> None:
        """Carry so many bytes a second, both ways and all connections together; None: as fast as it goes."""
        with self._lock:
            self._rate = rate

    def start(self) -> None:
        """Begin to listen."""
        self._accepting.start()

    def stop(self) -> None:
        """End; every thread is gone then."""
        self._healed.set()
        with self._moved:
            self._stopped = True
            self._moved.notify_all()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self._refuses:
                    raise ConnectionRefusedError
                far = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._ends += [near, far]
                ways: tuple[tuple[socket.socket, socket.socket, Way], ...] = ((near, far, "out"), (far, near, "back"))
                for one, other, way in ways:
                    thread = threading.Thread(target=self._carry, args=(one, other, way), name="proxy-carry")
                    self._threads.append(thread)
                    thread.start()

    def _carry(self, source: socket.socket, sink: socket.socket, way: Way) -> None:
        with suppress(OSError):
            while block := source.recv(_BLOCK):
                if source in self._hung:
                    self._healed.wait()
                    break
                self._until_let(way)
                self._pace(len(block))
                block, cut = self._allowed(block)
                sink.sendall(block)
                if cut:
                    self.cut()
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _until_let(self, way: Way) -> None:
        with self._moved:
            self._moved.wait_for(lambda: self._stopped or way not in self._held)

    def _pace(self, count: int) -> None:
        """Wait for this block's turn on the wire; the end of the proxy ends it."""
        with self._lock:
            if self._rate is None:
                return
            now = time.monotonic()
            due = max(now, self._free_at)
            self._free_at = due + count / self._rate
        self._healed.wait(due - now)

    def _allowed(self, block: bytes) -> tuple[bytes, bool]:
        with self._lock:
            self._carried += len(block if self._budget is None else block[: self._budget])
            if self._budget is None:
                return block, False
            block = block[: self._budget]
            self._budget -= len(block)
            if self._budget:
                return block, False
            self._budget = None
            self._came = True
            return block, True

    def _cut(self) -> None:
        for end in self._ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()
        self._hung.clear()


@contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A proxy to a port, as long as the block lasts."""
    one = Proxy(target)
    one.start()
    try:
        yield one
    finally:
        one.stop()
