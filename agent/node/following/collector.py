"""Once a day what nothing names any more leaves a standby's vault, and packs of which much is dead are rewritten; a thread of its
own, for as long as that takes."""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.errors import Damaged, HikaeError, StoreFailed
from agent.core.ids import NOTHING, CommitNumber
from agent.store.catalog.reader import CatalogReader
from agent.store.collection import CollectionLimits, collect
from agent.store.local import Local
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault

#: Seconds from one collection to the next: what came since the last one is left alone.
EVERY = 86_400.0
#: Where somebody let go of moments (generations were expired), or where room is short.
_AFTER_EXPIRY, _HURRIED = 3600.0, 600.0
#: Seconds until one that failed is tried again.
_AGAIN = 3600.0
#: Seconds of one rest.
_REST_MOST = 1.0
_KEY = "collected"
#: When the last one began (UTC ns), where the packs ended then, and the newest commit.
_LAST = struct.Struct(">QQQQ")
_log = structlog.get_logger("store")


class _Ended(Exception):
    """The node leaves the dataset."""


@dataclass(frozen=True, slots=True)
class CollectedStores:
    """What a collection works on; ``catalog`` gives a reader of its own, ``newest`` what was sealed last. ``room``: bytes that
    may be written before any comes back; ``let_go``: how often somebody
    let go of kept commits; ``damaged``: told of chunks that are not what they should be, and why."""

    vault: Vault
    catalog: Callable[[], CatalogReader]
    newest: Callable[[], Commit | None]
    local: Local
    room: Callable[[], int]
    let_go: Callable[[], int]
    damaged: Callable[[list[bytes], str], None]


class _Last(NamedTuple):
    """The last collection: see ``_LAST``."""

    begun: int
    end: PackEnd
    newest: CommitNumber


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
        self._let_go = stores.let_go()
        #: How many came to their end since the start.
        self.ended = 0
        self._rested = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def tick(self, *, hurry: bool = False) -> None:
        """Begin a collection if it is time; ``hurry``: sooner, as room is short. Nothing goes while chunks of an adopted tree are
        not in packs yet, nor before a commit was sealed since the last one: that may take days on a slow link, and what came for
        it is named by no row. Where room is short that is not waited for, as nothing more may be received."""
        if self._thread is not None:
            if self._thread.is_alive():
                return
            self._thread.join()
            self._thread = None
        if self._stores.vault.elsewhere is not None or self._clock.monotonic() < self._not_before:
            return
        last, now = self._last(), self._clock.now_ns()
        if last is None:
            self._note(self._stores.vault.end())
        elif (hurry or self._newest() != last.newest) and (
            now - last.begun >= self._pause(hurry) * 1e9 or last.begun > now
        ):
            self._thread = threading.Thread(target=self._run, args=(last.end,), name="hikae-collect")
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
        self._rested = time.monotonic()
        let_go = stores.let_go()
        end = stores.vault.sync()
        with stores.catalog() as reader:
            gone = collect(stores.vault, reader, before, self._look, CollectionLimits(stores.room()))
        stores.vault.sync()
        self._note(end)
        self.ended += 1
        self._let_go = let_go
        if gone.compacted.damaged:
            stores.damaged([name for name, _ in gone.compacted.damaged], gone.compacted.damaged[-1][1])
        if gone.chunks or gone.packs:
            _log.info(
                "chunks that nothing names left the vault",
                chunks=gone.chunks,
                bytes=gone.bytes,
                packs=gone.packs,
                rewritten=gone.compacted.written,
            )

    def _look(self) -> None:
        """Rest for as long as was worked since the last time, so that whoever receives and applies has half of a processor and of
        the disk at least."""
        worked = time.monotonic() - self._rested
        if self._stop.wait(min(worked, _REST_MOST)):
            raise _Ended
        self._rested = time.monotonic()

    def _pause(self, hurry: bool) -> float:
        """Seconds from the last one to the next."""
        if hurry:
            return min(self._every, _HURRIED)
        return min(self._every, _AFTER_EXPIRY) if self._let_go != self._stores.let_go() else self._every

    def _later(self, why: str, error: HikaeError) -> None:
        self._not_before = self._clock.monotonic() + _AGAIN
        _log.warning("nothing leaves the vault now", why=why, reason=str(error))

    def _newest(self) -> CommitNumber:
        newest = self._stores.newest()
        return newest.number if newest is not None else NOTHING

    def _note(self, end: PackEnd) -> None:
        self._stores.local.set_value(_KEY, _LAST.pack(self._clock.now_ns(), end.pack, end.offset, self._newest()))

    def _last(self) -> _Last | None:
        value = self._stores.local.value(_KEY)
        if value is None or len(value) != _LAST.size:
            return None
        begun, pack, offset, newest = _LAST.unpack(value)
        return _Last(begun, PackEnd(pack, offset), CommitNumber(newest))
