"""Once a day what nothing names any more leaves a standby's vault; a thread of its own, for as long as that takes."""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from agent.core.clock import Clock
from agent.core.errors import Damaged, HikaeError, StoreFailed
from agent.store.catalog.reader import CatalogReader
from agent.store.collection import collect
from agent.store.local import Local
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault

#: Seconds from one collection to the next: what came since the last one is left alone.
EVERY = 86_400.0
#: Seconds until one that failed is tried again.
_AGAIN = 3600.0
_KEY = "collected"
#: When the last one began (UTC ns), and where the packs ended then.
_LAST = struct.Struct(">QQQ")
_log = structlog.get_logger("store")


class _Ended(Exception):
    """The node leaves the dataset."""


@dataclass(frozen=True, slots=True)
class CollectedStores:
    """What a collection works on; ``catalog`` gives a reader of its own."""

    vault: Vault
    catalog: Callable[[], CatalogReader]
    local: Local


class Collector:
    """``tick`` and ``close`` belong to one thread. ``failed`` is told that the vault cannot go on."""

    def __init__(
        self, stores: CollectedStores, clock: Clock, failed: Callable[[HikaeError], None], every: float = EVERY
    ) -> None:
        self._stores = stores
        self._clock = clock
        self._failed = failed
        self._every = every
        self._not_before = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def tick(self) -> None:
        """Begin a collection if it is time. While chunks of an adopted tree are not in packs yet, nothing goes."""
        if self._thread is not None:
            if self._thread.is_alive():
                return
            self._thread.join()
            self._thread = None
        if self._stores.vault.elsewhere is not None or self._clock.monotonic() < self._not_before:
            return
        last = self._last()
        if last is None:
            self._note(self._stores.vault.end())
        elif self._clock.now_ns() - last[0] >= self._every * 1e9 or last[0] > self._clock.now_ns():
            self._thread = threading.Thread(target=self._run, args=(last[1],), name="hikae-collect")
            self._thread.start()

    def close(self) -> None:
        """End a collection that runs, within a moment."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, before: PackEnd) -> None:
        try:
            self._collect(before)
        except _Ended:
            return
        except StoreFailed as error:
            self._failed(error)
        except Damaged as error:
            # Whoever reads or verifies it mends it; until then nobody can tell what it stands for.
            self._later("a chunk list cannot be read", error)
        except HikaeError as error:
            self._later("it is tried again", error)

    def _collect(self, before: PackEnd) -> None:
        stores = self._stores
        end = stores.vault.sync()
        with stores.catalog() as reader:
            gone = collect(stores.vault, reader, before, self._look)
        stores.vault.sync()
        self._note(end)
        if gone.chunks:
            _log.info(
                "chunks that nothing names left the vault", chunks=gone.chunks, bytes=gone.bytes, packs=gone.packs
            )

    def _look(self) -> None:
        if self._stop.is_set():
            raise _Ended

    def _later(self, why: str, error: HikaeError) -> None:
        self._not_before = self._clock.monotonic() + _AGAIN
        _log.warning("nothing leaves the vault now", why=why, reason=str(error))

    def _note(self, end: PackEnd) -> None:
        self._stores.local.set_value(_KEY, _LAST.pack(self._clock.now_ns(), end.pack, end.offset))

    def _last(self) -> tuple[int, PackEnd] | None:
        value = self._stores.local.value(_KEY)
        if value is None or len(value) != _LAST.size:
            return None
        begun, pack, offset = _LAST.unpack(value)
        return begun, PackEnd(pack, offset)
