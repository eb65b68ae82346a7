"""Reading the vault: chunks by name, checked, whatever they are stored as."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from agent.core.errors import Damaged, HikaeError, NotFound, StoreFailed, WireError
from agent.core.patch import Patch
from agent.store.vault import index as index_file
from agent.store.vault.codec import RAW, compute_name, is_patch, open_patch
from agent.store.vault.index import Index
from agent.store.vault.limits import VaultLimits
from agent.store.vault.open_packs import REPAIR, OpenPack, OpenPacks
from agent.store.vault.pack import HEADER_SIZE, PackWriter, Place
from agent.store.vault.patch_chains import Record, rebuild_record
from agent.store.vault.pins import Pins
from agent.store.vault.recent_chunks import RecentChunks

REOPENED = "what was not durable is asked for again; see the kernel log for the disk"
_PAGE = 10_000
#: Whoever pins what a collection must leave.
COLLECTION = "collection"


class Elsewhere(Protocol):
    """Chunks that are here, but not in packs yet: those of a tree that was adopted. Must not call the vault."""

    def rely(self, names: Sequence[bytes]) -> set[bytes]:
        """Those of ``names`` that are there; they stay, durably after :meth:`sync`, until they are in the packs."""

    def sync(self) -> None: ...

    def chunk(self, name: bytes) -> bytes | None:
        """Its bytes, checked; None when it is not there. Raises ``Damaged``."""

    def drop(self, names: Sequence[bytes]) -> None: ...


class VaultReader:
    """The reading methods of a vault; thread-safe. ``elsewhere``: what is here beside the packs."""

    def __init__(self, packs: str, index: Index, limits: VaultLimits) -> None:
        self.lock = threading.RLock()
        self.elsewhere: Elsewhere | None = None
        self._packs = packs
        self._index = index
        self._limits = limits
        self._recent = RecentChunks(limits.cache)
        self._open = OpenPacks(packs)
        #: Whoever notes the packs' end notes one that is not before what another has noted.
        self._noting = threading.Lock()
        self._writer: PackWriter | None = None
        self._failed = False
        self._pins = Pins(limits.pins)
        self._collecting = False
        #: How many collections have begun.
        self.collections = 0

    def missing(self, names: Sequence[bytes]) -> list[bytes]:
        """Those of ``names`` that the vault does not hold, in their order. What it holds elsewhere stays there now."""
        with self.lock:
            self._spare(names)
            missing = self._index.missing(names)
            elsewhere = self.elsewhere
            if not missing or elsewhere is None:
                return missing
            held = elsewhere.rely(missing)
            return [name for name in missing if name not in held]

    def missing_in_packs(self, names: Sequence[bytes]) -> list[bytes]:
        """Those of ``names`` that no pack holds."""
        with self.lock:
            self._spare(names)
            return self._index.missing(names)

    def _spare(self, names: Iterable[bytes]) -> None:
        """Somebody may find these present: the collection that runs leaves them. Under the lock."""
        if self._collecting:
            self._pins.pin(names, COLLECTION)

    def read(self, name: bytes) -> bytes:
        """The bytes of a chunk, checked against its name.

        Raises ``NotFound``, ``Damaged`` (what is stored is something else), ``StoreFailed``."""
        raw = self._recent.get(name)
        if raw is not None:
            return raw
        try:
            place, pack = self._find(name)
        except NotFound as error:
            return self._from_elsewhere(name, error)
        return self._opened_record(name, place, pack)

    def read_base(self, name: bytes) -> bytes:
        """:meth:`read` for one who patches it: what is kept for the applier is kept for the applier."""
        raw = self._recent.peek(name)
        return raw if raw is not None else self.read_stored(name)

    def read_stored(self, name: bytes) -> bytes:
        """:meth:`read` for one who asks whether it can be: as it lies on the disk, whatever is kept in memory."""
        try:
            place, pack = self._find(name)
        except NotFound as error:
            return self._from_elsewhere(name, error)
        return self._opened_record(name, place, pack)

    def _from_elsewhere(self, name: bytes, error: HikaeError) -> bytes:
        """What no pack held. Another thread may copy it into the packs meanwhile, and only then lets it be changed where it was:
        what is not there, or is something else, is looked for in the packs once more."""
        elsewhere = self.elsewhere
        try:
            raw = elsewhere.chunk(name) if elsewhere is not None else None
        except Damaged as changed:
            raw, error = None, changed
        if raw is not None:
            return raw
        try:
            place, pack = self._find(name)
        except NotFound:
            raise error from None
        return self._opened_record(name, place, pack)

    def depths(self, names: Sequence[bytes]) -> list[int | None]:
        """How many other records are read for each of these chunks; None where it is not here."""
        with self.lock:
            places = [self._index.place(name) for name in names]
        return [place.depth if place is not None else None for place in places]

    def records(self, names: Sequence[bytes]) -> list[Record | None]:
        """What these chunks are stored as, and how deep they lie; None where one is not here. Nobody has checked their bytes.
        Raises ``Damaged``, ``StoreFailed``."""
        with self.lock:
            self._require_open("read the vault")
            places = [self._index.place(name) for name in names]
            packs = [self._open(place.pack) if place is not None else None for place in places]
        return [
            self._read(name, place, pack) if place is not None and pack is not None else None
            for name, place, pack in zip(names, places, packs, strict=True)
        ]

    def record(self, name: bytes) -> Record:
        """One of :meth:`records`. Raises also ``NotFound``."""
        return self._read(name, *self._find(name))

    def patch_of(self, name: bytes) -> Patch | None:
        """The patch as which a chunk is stored, checked against damage; None for a whole chunk. Raises as :meth:`read`."""
        place, pack = self._find(name)
        if not is_patch(place.codec):
            return None
        self._recent.get(name)  # Who has the patch has passed the chunk by.
        with pack.damage_told(place):
            return open_patch(place.codec, place.raw_length, pack.stored(name, place))

    def names(self) -> Iterator[bytes]:
        """The name of every chunk, in no order; those added meanwhile may be left out."""
        for page in self._pages():
            yield from (name for name, _ in page)

    def check(self, deep: bool, look: Callable[[], None]) -> Iterator[tuple[bytes, HikaeError]]:
        """``(name, what is wrong)`` of every damaged chunk: ``StoreFailed`` where the disk does not give it, else what was read
        twice is not that chunk. Not ``deep``: that a record of that name is where the index says; ``deep``: its bytes are read
        and named again. ``look`` is called before each, and raises what is to end it."""
        for page in self._pages():
            for name, place in index_file.entries_in_order(page):
                look()
                found = self._fault(name, place, deep)
                if isinstance(found, Damaged):
                    # What came wrong over the wire once may stand right on the disk: it is read anew.
                    found = self._fault(name, place, deep, anew=True)
                if found is not None and self._lies_at(name, place):
                    yield name, found

    def _fault(self, name: bytes, place: Place, deep: bool, *, anew: bool = False) -> HikaeError | None:
        try:
            with self.lock:
                pack = self._open(place.pack)
            if anew:
                pack.leave_memory(place)
            if deep:
                self._opened_record(name, place, pack)
            else:
                pack.check_header(name, place)
        except (Damaged, NotFound, StoreFailed) as error:
            return error
        return None

    def is_damaged(self, name: bytes) -> bool:
        """Whether a chunk, read anew from the disk, is not there or not what it should be; of what the disk does not give
        that is not known. Raises nothing."""
        try:
            place, pack = self._find(name)
            pack.leave_memory(place)
            self._opened_record(name, place, pack)
        except NotFound:
            return self.elsewhere is None or self.elsewhere.chunk(name) is None
        except Damaged:
            return True
        except StoreFailed:
            return False
        return False

    def _lies_at(self, name: bytes, place: Place) -> bool:
        """Whether a chunk still is where it was found before: it may have been collected since, and its pack with it."""
        with self.lock:
            return self._index.place(name) == place

    def _find(self, name: bytes) -> tuple[Place, OpenPack]:
        with self.lock:
            self._require_open("read the vault")
            place = self._index.place(name)
            if place is None:
                raise NotFound("read a chunk", name.hex(), "the vault does not hold it")
            return place, self._open(place.pack)

    def _opened_record(self, name: bytes, place: Place, pack: OpenPack) -> bytes:
        """A chunk's bytes, checked against its name."""
        if not is_patch(place.codec):
            return pack.chunk(name, place)
        with pack.damage_told(place):
            record = Record(place.codec, place.raw_length, place.depth, pack.stored(name, place))
            try:
                raw = rebuild_record(record, self.record)
            except NotFound as error:
                raise Damaged("read a chunk", pack.path, "a chunk that it is a patch of is lost", REPAIR) from error
            if compute_name(place.kind, raw) != name:
                raise WireError("read a chunk", "", "it is bytes that are not what their name says")
            return raw

    def _read(self, name: bytes, place: Place, pack: OpenPack) -> Record:
        raw = self._recent.peek(name)
        if raw is not None:
            return Record(RAW, len(raw), place.depth, raw)
        record = pack.record(name, place)
        stored = record[HEADER_SIZE:] if place.codec != RAW else memoryview(record)[HEADER_SIZE:]
        return Record(place.codec, place.raw_length, place.depth, stored)

    def _require_open(self, operation: str) -> None:
        if self._failed or self._writer is None:
            raise StoreFailed(operation, self._packs, "an earlier sync failed, or it is closed", REOPENED)

    def _pages(self) -> Iterator[list[tuple[bytes, Place]]]:
        with self.lock:
            self._require_open("read the vault")
            page = self._index.unflushed()
        yield page
        passed = {name for name, _ in page}
        after = b""
        while True:
            with self.lock:
                self._require_open("read the vault")
                page = self._index.page(after, _PAGE)
            if not page:
                return
            after = page[-1][0]
            yield [entry for entry in page if entry[0] not in passed]
