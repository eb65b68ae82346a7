"""A vault as another process than its agent's reads it: chunks by name, checked, while the agent adds, collects and compacts.

The index says where a chunk lies. What came a moment ago waits in the agent's memory for its turn in the index: it is found in
the tail of the packs. A pack that a compaction replaced is gone by the time that it is opened: its chunks are looked up anew, as
they stood in the index at their new place before it went.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import apsw

from agent.core.errors import Damaged, NotFound, StoreFailed, TryAgain
from agent.store.sqlite import Synchronous, failure, open_database, query
from agent.store.vault.index import Index
from agent.store.vault.limits import DEFAULT, VaultLimits
from agent.store.vault.open_packs import OpenPack
from agent.store.vault.pack import TOMBSTONE, PackEnd, Place, numbers_in, path_of, records
from agent.store.vault.patch_chains import Record
from agent.store.vault.reading import VaultReader
from agent.store.vault.runs import opened_run, runs_of

#: KiB of the index's pages that are kept.
_CACHE_KIB = 4096
#: Bytes that are read at once of a pack's tail: most of it are bytes of chunks, which are passed over.
_TAIL_READ = 4096
#: A chunk may be moved again while it is looked up anew: so often is it followed.
_FOLLOWED = 5
#: Look-ups after which packs that went are let go of: their room does not come back before.
_LOOKED = 256


class IndexBeside(Index):
    """The index as it stands, and behind its end what the packs' tail holds. Writes nothing. Not thread-safe."""

    @classmethod
    def open_beside(cls, path: str) -> IndexBeside:
        """Raises ``NotFound``, ``Damaged``, ``TryAgain``, ``StoreFailed``."""
        connection = open_database(path, Synchronous.NORMAL, _CACHE_KIB, create=False)
        return cls(path, connection, PackEnd(0, 0), empty=False)

    def read_tail(self, packs: str, most: int) -> None:
        """Look for what came into the packs and is not in the index yet. Raises ``TryAgain`` where that are more than ``most``
        chunks: the index is made anew, which only the agent does."""
        self.durable = self._written_end()
        self._pending.clear()
        for number in numbers_in(packs):
            if number >= self.durable.pack:
                self._read_pack(packs, number, self.durable.offset if number == self.durable.pack else 0)
            if self.waiting() > most:
                raise TryAgain(
                    "read the vault", packs, "its index is being made anew", "start the agent, and try again"
                )

    def written_place(self, name: bytes) -> Place | None:
        """Where the index alone says that a chunk lies."""
        self.drop_waiting(name)
        return self.place(name)

    def _written_end(self) -> PackEnd:
        try:
            return PackEnd(*query(self._connection, "select pack, offset from durable")[0])
        except apsw.Error as error:
            raise failure(error, "use the vault's index", self.path) from error

    def _read_pack(self, packs: str, number: int, start: int) -> None:
        try:
            pack = OpenPack(path_of(packs, number))
        except Damaged:
            return  # It went meanwhile; what stayed of it lies further on.
        for name, place in records(pack.fd, number, start, os.fstat(pack.fd).st_size, [], read=_TAIL_READ):
            if place.kind == TOMBSTONE:
                self.drop_waiting(name)
            else:
                self.put(name, place)


class VaultBeside(VaultReader):
    """See the module. Thread-safe; ``with`` closes it."""

    @classmethod
    def open_beside(cls, directory: str, limits: VaultLimits = DEFAULT) -> VaultBeside:
        """The vault in ``directory``, whether its agent runs or not. Raises ``NotFound``, ``Damaged``, ``TryAgain``,
        ``StoreFailed``."""
        packs = os.path.join(os.path.abspath(directory), "packs")
        index = IndexBeside.open_beside(os.path.join(directory, "index.db"))
        vault = cls(packs, index, limits)
        try:
            index.read_tail(packs, vault._tail_most)
        except OSError as error:
            vault.close()
            raise StoreFailed("read the vault", packs, str(error)) from error
        except BaseException:
            vault.close()
            raise
        return vault

    def __init__(self, packs: str, index: IndexBeside, limits: VaultLimits) -> None:
        super().__init__(packs, index, limits)
        self._beside = index
        self._tail_most = 2 * (limits.pending + limits.flush)
        self._looked = 0

    def close(self) -> None:
        """Give all back; safe to call twice."""
        with self.lock:
            self._failed = True
            self._open.close()
            self._index.close()

    def __enter__(self) -> VaultBeside:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def missing_in_packs(self, names: Sequence[bytes]) -> list[bytes]:
        """Those of ``names`` that no pack holds."""
        with self.lock:
            self._require_open("read the vault")
            missing = self._index.missing(names)
            if missing:
                self._beside.read_tail(self._packs, self._tail_most)
                missing = self._index.missing(missing)
            return missing

    def records(self, names: Sequence[bytes]) -> list[Record | None]:
        """As :meth:`VaultReader.records`."""
        found: list[Record | None] = []
        for name in names:
            try:
                found.append(self.record(name))
            except NotFound:
                found.append(None)
        return found

    def read_many(self, names: Sequence[bytes]) -> dict[bytes, bytes | memoryview]:
        """Of these chunks those that lie whole in the packs, each checked, in few calls. Who misses one asks :meth:`read` for it,
        which finds it or says why. Raises ``StoreFailed``."""
        with self.lock:
            self._require_open("read the vault")
            self._looked += 1
            places = self._index.places(names)
        found: dict[bytes, bytes | memoryview] = {}
        for run in runs_of(places):
            try:
                with self.lock:
                    pack = self._open(run[0][1].pack)
            except Damaged:
                continue  # A compaction replaced it.
            start = run[0][1].offset
            found.update(opened_run(pack.read(start, run[-1][1].end - start), start, run))
        return found

    def _require_open(self, operation: str) -> None:
        if self._failed:
            raise StoreFailed(operation, self._packs, "it is closed")

    def _find(self, name: bytes) -> tuple[Place, OpenPack]:
        with self.lock:
            self._require_open("read the vault")
            self._looked += 1
            if self._looked % _LOOKED == 0:
                self._open.forget_gone()
            place = self._index.place(name)
            if place is None:
                self._beside.read_tail(self._packs, self._tail_most)
                place = self._index.place(name)
            return self._follow(name, place)

    def _follow(self, name: bytes, place: Place | None) -> tuple[Place, OpenPack]:
        """A chunk's pack, which may have gone since the index told where it lies."""
        for _ in range(_FOLLOWED):
            if place is None:
                break
            try:
                return place, self._open(place.pack)
            except Damaged:
                before, place = place, self._beside.written_place(name)
                if place == before:
                    raise
        raise NotFound("read a chunk", name.hex(), "the vault does not hold it")
