"""The vault: every chunk of a dataset by its name, in append-only packs with an index beside them.

Receiver, applier and verifier use one vault at once. ``lock`` guards packs and index; reading, decompressing,
checking and syncing go on outside it. Whoever checks that chunks are there and relies on it holds ``keeping``
meanwhile, which collection also takes, or pins them (law 2).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from agent.core.errors import Damaged, NotFound, Refused, StoreFailed, TryAgain, WireError
from agent.core.patch import Patch, bases_of
from agent.fs.durable import sync_data, sync_dir
from agent.store.vault import index as index_file
from agent.store.vault import recovery
from agent.store.vault.codec import RAW, StoredChunk, compute_name, is_patch, open_patch
from agent.store.vault.index import Index
from agent.store.vault.open_packs import REPAIR, OpenPack, OpenPacks
from agent.store.vault.pack import (
    BATCH,
    HEADER_SIZE,
    PackEnd,
    PackWriter,
    Place,
    io_failure,
    numbers_in,
)
from agent.store.vault.patch_chains import Record, rebuild_record
from agent.store.vault.recent_chunks import RecentChunks

__all__ = ["PackEnd", "StoredChunk", "Vault"]

PACK_LIMIT = 1 << 30
CACHE_LIMIT = 64 << 20
_PENDING_LIMIT = 50_000
#: Pinned names that are remembered one by one (about 25 MiB); of a commit that names more, whatever is here stays meanwhile.
_PINS_MAX = 200_000
#: Bytes that may wait in the system to be written out: the sync of a small commit has to wait for them.
_UNSYNCED_LIMIT = 64 << 20
#: Entries that are worth a transaction; fewer wait, and are found in the packs after a crash.
_FLUSH = 20_000
_PAGE = 10_000


class Elsewhere(Protocol):
    """Chunks that are here, but not in packs yet: those of a tree that was adopted. Must not call the vault."""

    def rely(self, names: Sequence[bytes]) -> set[bytes]:
        """Those of ``names`` that are there; they stay, durably after :meth:`sync`, until they are in the packs."""
        ...

    def sync(self) -> None: ...

    def chunk(self, name: bytes) -> bytes | None:
        """Its bytes, checked; None when it is not there. Raises ``Damaged``."""
        ...

    def drop(self, names: Sequence[bytes]) -> None: ...


class Vault:
    """See the module. ``elsewhere``: what is here beside the packs; ``damage``: what opening found in them that was no record,
    in words."""

    @classmethod
    def open(
        cls,
        directory: str,
        committed: PackEnd,
        *,
        pack_limit: int = PACK_LIMIT,
        cache_limit: int = CACHE_LIMIT,
        sync_file: Callable[[int], None] = sync_data,
        sync_directory: Callable[[str], None] = sync_dir,
    ) -> Vault:
        """Open or create. ``committed``: ``Catalog.pack_end()``. ``sync_file``, ``sync_directory``: how packs are made durable.

        What lies behind the last end that is known to be durable is cut (law 1); an index that is missing, damaged or
        behind is caught up from the packs. Raises ``StoreFailed``, ``TryAgain`` (disk full)."""
        packs = os.path.join(os.path.abspath(directory), "packs")
        try:
            os.makedirs(packs, mode=0o700, exist_ok=True)
            numbers = numbers_in(packs)
            index = recovery.open_index(os.path.join(directory, "index.db"), packs, numbers)
        except OSError as error:
            raise io_failure(error, "open the vault", directory) from error
        vault = cls(packs, index, pack_limit, cache_limit, sync_file, sync_directory)
        try:
            vault._recover(numbers, committed)
        except OSError as error:
            vault.close()
            raise io_failure(error, "open the vault", directory) from error
        except BaseException:
            vault.close()
            raise
        return vault

    def __init__(
        self,
        packs: str,
        index: Index,
        pack_limit: int,
        cache_limit: int,
        sync_file: Callable[[int], None],
        sync_directory: Callable[[str], None],
    ) -> None:
        self._sync_file = sync_file
        self._sync_directory = sync_directory
        self.lock = threading.RLock()
        #: Held while chunks are taken away, and by who found some and makes what names them durable. Before ``lock``.
        self.keeping = threading.RLock()
        #: One sync at a time, and none behind one that failed: the kernel tells an error once for a file that was opened once.
        #: Whoever holds it asks for no other lock.
        self._syncing = threading.Lock()
        self.damage: list[str] = []
        self.elsewhere: Elsewhere | None = None
        self._packs = packs
        self._index = index
        self._pack_limit = pack_limit
        self._recent = RecentChunks(cache_limit)
        self._pinned: set[bytes] = set()
        #: They were too many to remember.
        self._all_pinned = False
        self._open = OpenPacks(packs)
        self._writer: PackWriter | None = None
        self._new_pack = False
        self._durable = PackEnd(0, 0)
        self._failed = False

    def close(self) -> None:
        """Give descriptors and the index back; safe to call twice. What was not synced may be lost."""
        with self.lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            self._open.close()
            self._index.close()
            self._failed = True

    def __enter__(self) -> Vault:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # --- adding

    def missing(self, names: Sequence[bytes]) -> list[bytes]:
        """Those of ``names`` that the vault does not hold, in their order. What it holds elsewhere stays there now."""
        with self.lock:
            missing = self._index.missing(names)
            if not missing or self.elsewhere is None:
                return missing
            held = self.elsewhere.rely(missing)
            return [name for name in missing if name not in held]

    def missing_in_packs(self, names: Sequence[bytes]) -> list[bytes]:
        """Those of ``names`` that no pack holds."""
        with self.lock:
            return self._index.missing(names)

    def add(self, chunks: Sequence[StoredChunk], raws: Sequence[bytes] = ()) -> None:
        """Append chunks; those that are there already are passed over. ``raws``: their opened bytes, as
        ``open_chunk`` gave them, to be kept for a while so that nobody need read them from disk.
        Durable after :meth:`sync`.

        Raises ``TryAgain`` when the disk is full: some may be in, adding them again is harmless. ``StoreFailed``."""
        with self.lock:
            writer = self._usable("write to the vault")
            by_name = {chunk.name: chunk for chunk in chunks}
            fresh = [by_name[name] for name in self._index.missing(list(by_name))]
            for start in range(0, len(fresh), BATCH):
                if writer.end >= self._pack_limit:
                    writer = self._next_pack(writer)
                part = fresh[start : start + BATCH]
                for chunk, place in zip(part, writer.append(part), strict=True):
                    self._index.put(chunk.name, place, bases_of(bytes(chunk.stored)) if is_patch(chunk.codec) else ())
            for chunk, raw in zip(chunks, raws, strict=bool(raws)):
                self._recent.put(chunk.name, raw)
            durable = self._durable.offset if self._durable.pack == writer.pack else 0
            crowded = self._index.waiting() > _PENDING_LIMIT or writer.end - durable > _UNSYNCED_LIMIT
        if crowded:
            self.sync()

    def wait_for_reader(self, timeout: float) -> None:
        """Before more is added: let the applier come closer, up to ``timeout`` seconds, if it is so far behind that it will have
        to read from disk what is added now."""
        self._recent.wait_for_reader(timeout)

    def sync(self) -> PackEnd:
        """Everything that was added before is durable, up to the end that comes back.

        Raises ``StoreFailed``: the vault must be opened again, and what was not durable is thrown away then (law 1)."""
        elsewhere = self.elsewhere
        if elsewhere is not None:
            elsewhere.sync()
        with self.lock:
            writer = self._usable("sync the vault")
            end = PackEnd(writer.pack, writer.end)
            if end == self._durable:
                return end
            writer.prepare(self._durable.offset if self._durable.pack == end.pack else 0)
            made = self._new_pack
            fd = os.dup(writer.fd)
        try:
            self._sync(fd, made)
        finally:
            os.close(fd)
        with self.lock:
            self._synced(end)
        return end

    def _sync(self, fd: int, made: bool) -> None:
        """Sync a pack, and the directory if it is new there."""
        with self._syncing:
            if self._failed:
                raise StoreFailed("sync the vault", self._packs, "an earlier sync failed", _REOPENED)
            try:
                self._sync_file(fd)
                if made:
                    self._sync_directory(self._packs)
            except OSError as error:
                self._failed = True
                raise StoreFailed("sync the vault", self._packs, str(error), _REOPENED) from error

    # --- reading

    def read(self, name: bytes) -> bytes:
        """The bytes of a chunk, checked against its name.

        Raises ``NotFound``, ``Damaged`` (what is stored is something else), ``StoreFailed``."""
        raw = self._recent.get(name)
        if raw is not None:
            return raw
        try:
            place, pack = self._find(name)
        except NotFound:
            raw = self.elsewhere.chunk(name) if self.elsewhere is not None else None
            if raw is None:
                raise
            return raw
        return self._opened_record(name, place, pack)

    def read_base(self, name: bytes) -> bytes:
        """:meth:`read` for one who patches it: what is kept for the applier is kept for the applier."""
        raw = self._recent.peek(name)
        return raw if raw is not None else self._opened_record(name, *self._find(name))

    def depths(self, names: Sequence[bytes]) -> list[int | None]:
        """How many other records are read for each of these chunks; None where it is not here."""
        with self.lock:
            places = [self._index.place(name) for name in names]
        return [place.depth if place is not None else None for place in places]

    def records(self, names: Sequence[bytes]) -> list[Record | None]:
        """What these chunks are stored as, and how deep they lie; None where one is not here. Nobody has checked their bytes.
        Raises ``Damaged``, ``StoreFailed``."""
        with self.lock:
            self._usable("read the vault")
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

    def check(self, deep: bool, look: Callable[[], None] = lambda: None) -> Iterator[tuple[bytes, str]]:
        """``(name, what is wrong)`` of every damaged chunk. Not ``deep``: that a record of that name is where the index
        says; ``deep``: its bytes are read and named again. ``look`` is called before each, and raises what is to end it."""
        for page in self._pages():
            for name, place in index_file.entries_in_order(page):
                look()
                try:
                    with self.lock:
                        pack = self._open(place.pack)
                    if deep:
                        self._opened_record(name, place, pack)
                    else:
                        pack.check_header(name, place)
                except (Damaged, NotFound, StoreFailed) as error:
                    yield name, error.reason

    # --- keeping and forgetting

    def pin(self, names: Iterable[bytes]) -> None:
        """An offer in flight relies on these: :meth:`forget` refuses them until :meth:`unpin_all`."""
        with self.lock:
            if not self._all_pinned:
                self._pinned.update(names)
                if len(self._pinned) > _PINS_MAX:
                    self._pinned.clear()
                    self._all_pinned = True

    def unpin_all(self) -> None:
        """Nothing is in flight any more."""
        with self.lock:
            self._pinned.clear()
            self._all_pinned = False

    def forget(self, names: Sequence[bytes]) -> None:
        """Drop chunks from the index (their room comes back when packs are compacted).

        Raises ``Refused``, and forgets none, when one is pinned, or a stored patch that is to stay needs it."""
        with self.keeping, self.lock:
            if not set(self._with_patches(names)).issubset(names):
                raise Refused(
                    "forget chunks", self._packs, "others are stored as patches of them", "forget those first"
                )
            self._forget(names)

    def lose(self, names: Sequence[bytes]) -> list[bytes]:
        """These are damaged: drop them and all that is stored as patches of them, which is lost with them; gives the names
        of all. Added again, they replace what was lost. Raises ``Refused``, and drops none, when one is pinned."""
        with self.keeping, self.lock:
            lost = self._with_patches(names)
            self._forget(lost)
        return lost

    def _forget(self, names: Sequence[bytes]) -> None:
        if self._all_pinned or not self._pinned.isdisjoint(names):
            raise Refused("forget chunks", self._packs, "some are in use by an offer in flight", "try again later")
        self._index.forget(names)
        if self.elsewhere is not None:
            self.elsewhere.drop(names)
        for name in names:
            self._recent.drop(name)

    def _with_patches(self, names: Sequence[bytes]) -> list[bytes]:
        """These, and every chunk that cannot be read without them."""
        found = dict.fromkeys(names)
        queue = list(found)
        while queue:
            base = queue.pop()
            for name in self._index.patches_of(base):
                if name not in found and self._needs(name, base):
                    found[name] = None
                    queue.append(name)
        return list(found)

    def _needs(self, name: bytes, base: bytes) -> bool:
        """Whether a chunk is a patch of ``base`` as it is stored now; one that cannot be told is."""
        place = self._index.place(name)
        if place is None or not is_patch(place.codec):
            return False
        try:
            return base in self._open(place.pack).bases(place)
        except (Damaged, WireError):
            return True

    # --- inside

    def _find(self, name: bytes) -> tuple[Place, OpenPack]:
        with self.lock:
            self._usable("read the vault")
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

    # --- inside, under the lock

    def _usable(self, operation: str) -> PackWriter:
        if self._failed or self._writer is None:
            raise StoreFailed(operation, self._packs, "an earlier sync failed, or it is closed", _REOPENED)
        return self._writer

    def _next_pack(self, writer: PackWriter) -> PackWriter:
        """A pack is synced when it is left, so every pack but the last is durable, and ends with its last record."""
        try:
            writer.trim()
        except OSError as error:
            raise io_failure(error, "write to the vault", writer.path) from error
        self._sync(writer.fd, self._new_pack)
        following = PackWriter.open(self._packs, writer.pack + 1, 0)
        writer.close()
        self._writer, self._new_pack = following, True
        return following

    def _synced(self, end: PackEnd) -> None:
        """Records before ``end`` are durable. Another thread's sync may have come further meanwhile."""
        if end <= self._durable:
            return
        if self._writer is not None and self._writer.pack == end.pack:
            self._new_pack = False
        self._durable = end
        if self._index.waiting() < _FLUSH:
            return
        try:
            self._index.flush(end)
        except TryAgain:
            if self._index.waiting() > 2 * _PENDING_LIMIT:
                raise

    def _pages(self) -> Iterator[list[tuple[bytes, Place]]]:
        with self.lock:
            self._usable("read the vault")
            page = self._index.unflushed()
        yield page
        passed = {name for name, _ in page}
        after = b""
        while True:
            with self.lock:
                self._usable("read the vault")
                page = self._index.page(after, _PAGE)
            if not page:
                return
            after = page[-1][0]
            yield [entry for entry in page if entry[0] not in passed]

    # --- at start

    def _recover(self, numbers: list[int], committed: PackEnd) -> None:
        """Cut what was not known to be durable, bring the index up to what is left, and go on writing there."""
        end = max(committed, self._index.durable, PackEnd(numbers[-1], 0) if numbers else PackEnd(0, 0))
        size = recovery.cut(self._packs, numbers, end)
        recovery.catch_up(self._index, self._packs, numbers, self.damage, _PENDING_LIMIT)
        if 0 <= size < end.offset or (size < 0 and end > PackEnd(0, 0)):
            # Records are gone that were durable: go on in a fresh pack, so that no new one lies before the known end.
            self.damage.append(f"pack {end.pack}: it ends at {max(size, 0)}, {end.offset} was committed")
            end = PackEnd(end.pack + 1, 0)
        self._writer = PackWriter.open(self._packs, end.pack, end.offset)
        self._sync(self._writer.fd, made=False)
        for directory in (self._packs, os.path.dirname(self._packs), os.path.dirname(os.path.dirname(self._packs))):
            self._sync_directory(directory)
        self._durable = end
        if end != self._index.durable:
            self._index.flush(end)


_REOPENED = "what was not durable is asked for again; see the kernel log for the disk"
