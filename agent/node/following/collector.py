"""Once a day, or when it is asked for, what nothing names any more leaves a standby's vault, and packs of which much is dead are
rewritten; a thread of its own, for as long as that takes."""

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
from agent.core.errors import Damaged, HikaeError, StoreFailed, TryAgain
from agent.core.ids import NOTHING, CommitNumber
from agent.store.catalog.reader import CatalogReader
from agent.store.collection import Collected, CollectionLimits, collect, plan_collection
from agent.store.local import Local
from agent.store.vault.pack import PackEnd
from agent.store.vault.pack_use import CompactionPlan
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
_OPERATION = "collect"
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


class AskedCollection:
    """One that somebody waits for; ended by the collector."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._gone: Collected | None = None
        self._error: HikaeError | None = None

    def end(self, gone: Collected | None = None, error: HikaeError | None = None) -> None:
        """It came to its end, or could not begin."""
        self._gone, self._error = gone, error
        self._over.set()

    def wait(self, seconds: float) -> Collected | None:
        """What went; None: it goes on. Raises why there is none."""
        if not self._over.wait(seconds):
            return None
        if self._error is not None:
            raise self._error
        return self._gone


@dataclass(frozen=True, slots=True)
class PlannedCollection:
    """What a collection would do now, and since when (UTC ns) what came is left alone by it."""

    plan: CompactionPlan
    since: int


class Collector:
    """``tick`` and ``close`` belong to one thread, ``ask`` and ``plan`` to any. ``failed`` is told that the vault cannot go
    on."""

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
        #: Held by who goes over the vault.
        self._at_work = threading.Lock()
        self._asking = threading.Lock()
        self._asked: list[AskedCollection] = []

    def ask(self) -> AskedCollection:
        """Have one as soon as it can be, however short the last is ago."""
        asked = AskedCollection()
        with self._asking:
            if self._stop.is_set():
                asked.end(error=_closing())
            else:
                self._asked.append(asked)
        return asked

    def plan(self, look: Callable[[], None]) -> PlannedCollection:
        """What one would do now; changes nothing. ``look`` is called now and then, and raises what is to end it.

        Raises ``TryAgain`` while a collection goes on, or where none can be, and as ``store.collection.collect``."""
        last = self._last()
        if last is None or self._stores.vault.elsewhere is not None:
            raise self._none_yet()
        if not self._at_work.acquire(blocking=False):
            raise TryAgain(_OPERATION, "the vault", "a collection goes on", "try again once it is through")

        def rests() -> None:
            look()
            self._look()

        try:
            if self._stop.is_set():
                raise _closing()
            self._rested = time.monotonic()
            with self._stores.catalog() as reader:
                limits = CollectionLimits(self._stores.room())
                return PlannedCollection(
                    plan_collection(self._stores.vault, reader, last.end, rests, limits), last.begun
                )
        except _Ended:
            raise _closing() from None
        finally:
            self._at_work.release()

    def tick(self, *, hurry: bool = False) -> None:
        """Begin a collection if it is time; ``hurry``: sooner, as room is short. Nothing goes while chunks of an adopted tree are
        not in packs yet, nor before a commit was sealed since the last one: that may take days on a slow link, and what came for
        it is named by no row. Where room is short that is not waited for, as nothing more may be received."""
        if self._thread is not None:
            if self._thread.is_alive():
                return
            self._thread.join()
            self._thread = None
        with self._asking:
            asked, self._asked = self._asked, []
        if self._stores.vault.elsewhere is not None:
            _end(asked, error=self._none_yet())
            return
        if not asked and self._clock.monotonic() < self._not_before:
            return
        last = self._last()
        if last is None:
            self._note(self._stores.vault.end())
            _end(asked, error=self._none_yet())
        elif not hurry and self._newest() == last.newest:
            _end(asked, error=self._none_yet())
        elif asked or self._is_due(last, hurry):
            self._thread = threading.Thread(target=self._run, args=(last.end, asked), name="hikae-collect")
            self._thread.start()

    def _is_due(self, last: _Last, hurry: bool) -> bool:
        now = self._clock.now_ns()
        return now - last.begun >= self._pause(hurry) * 1e9 or last.begun > now

    def _none_yet(self) -> TryAgain:
        if self._stores.vault.elsewhere is not None:
            reason = "the tree that was adopted stands for chunks that are not in the vault yet"
            return TryAgain(_OPERATION, "the vault", reason, "hikae status says how far that is")
        if self._last() is None:
            reason = "what is in it was not noted yet, so nothing is told to be old"
            return TryAgain(_OPERATION, "the vault", reason, "try again in a moment")
        reason = "no commit was received since the last collection, so nothing can be told to be dead since"
        return TryAgain(_OPERATION, "the vault", reason, "try again after the next change on the primary")

    def close(self) -> None:
        """End a collection that runs, within a moment."""
        with self._asking:
            self._stop.set()
            asked, self._asked = self._asked, []
        _end(asked, error=_closing())
        if self._thread is not None:
            self._thread.join()
        # A plan that is being made ends by itself within a moment, and reads the vault until then.
        with self._at_work:
            pass

    def _run(self, before: PackEnd, asked: list[AskedCollection]) -> None:
        with self._at_work:
            try:
                _end(asked, gone=self._collect(before))
            except _Ended:
                _end(asked, error=_closing())
            except HikaeError as error:
                self._fails(error)
                _end(asked, error=error)

    def _fails(self, error: HikaeError) -> None:
        if isinstance(error, StoreFailed):
            self._failed(error)
        elif isinstance(error, Damaged):
            # Whoever reads or verifies it mends it; until then nobody can tell what it stands for.
            self._later("a chunk list cannot be read", error)
        else:
            self._later("it is tried again", error)

    def _collect(self, before: PackEnd) -> Collected:
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
        return gone

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


def _end(asked: list[AskedCollection], gone: Collected | None = None, error: HikaeError | None = None) -> None:
    for one in asked:
        one.end(gone, error)


def _closing() -> TryAgain:
    return TryAgain(_OPERATION, "the vault", "the dataset is being closed", "try again once it is open")
