"""A catalog and a vault whose content is collected."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from agent.core import chunks
from agent.core.chunks import DATA, PIECE, Chunk, name_of, name_of_list
from agent.core.commit import Changes
from agent.core.ids import ObjectId
from agent.core.patch import between
from agent.core.rows import ObjectRow, encode_object, object_key
from agent.store.collection import Collected, CollectionLimits, collect
from agent.store.vault.codec import StoredChunk, pack_chunk, pack_patch
from agent.store.vault.index import remove_index
from agent.store.vault.limits import VaultLimits
from agent.store.vault.pack import PackEnd
from agent.store.vault.vault import Vault
from fakes.store_fakes import begun, chunk, expire, header, number

LIMITS = VaultLimits(pack=60_000, cache=0, flush=1)
#: No pack is rewritten.
NO_ROOM = CollectionLimits(room=-(1 << 40))


def list_of(*raws: bytes) -> list[Chunk]:
    """The entries of a file of these chunks."""
    return [Chunk(DATA, len(raw), name_of(raw)) for raw in raws]


class Stores:
    """A catalog and a vault; files whose content is in both."""

    def __init__(self, place: Path, limits: VaultLimits = LIMITS) -> None:
        self.place = place
        self.limits = limits
        self.catalog = begun(str(place / "catalog.db"))
        self.vault = Vault.open(str(place / "vault"), PackEnd(0, 0), limits)
        self.seq = 1
        #: Up to where the newest commit says that packs are durable.
        self.committed = PackEnd(0, 0)
        self.lists: dict[bytes, bytes] = {}

    def reopened(self, *, without_index: bool = False) -> None:
        """The vault as it is after the agent ended; its index perhaps lost."""
        self.vault.close()
        if without_index:
            remove_index(str(self.place / "vault" / "index.db"))
        self.vault = Vault.open(str(self.place / "vault"), self.committed, self.limits)

    def __enter__(self) -> Stores:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Both."""
        self.vault.close()
        self.catalog.close()

    def write(self, id: int, content: bytes) -> None:
        """A commit with this content of a file."""
        size = chunks.length_of(content)
        row = encode_object(ObjectRow(ObjectId(id), stat.S_IFREG | 0o644, 0, 0, 7, size=size, content=content))
        self._commit(Changes((row,)))

    def remove(self, id: int) -> None:
        """A commit without the file, and all history before it gone."""
        self._commit(Changes((), (object_key(ObjectId(id)),)))
        expire(self.catalog, number(self.seq))

    def put(self, *raws: bytes) -> bytes:
        """These chunks are in the vault; a flat list of them."""
        self.vault.add([chunk(raw) for raw in raws], raws)
        return chunks.encode(list_of(*raws))

    def put_tree(self, raws: list[bytes]) -> bytes:
        """The same as a list of lists."""
        self.put(*raws)
        content = chunks.fold(list_of(*raws), self.lists.__setitem__)
        self.put_lists()
        return content

    def put_lists(self) -> None:
        """Only the lists."""
        self.vault.add([pack_chunk(name, PIECE, data) for name, data in self.lists.items()], list(self.lists.values()))

    def put_chain(self, links: int, changed: bytes = b"other") -> list[bytes]:
        """A chunk and patches, each made of the one before; their bytes."""
        raws = [os.urandom(20_000)]
        self.put(raws[0])
        for depth in range(1, links + 1):
            raw = raws[-1][: depth * 100] + changed + raws[-1][depth * 100 + len(changed) :]
            packed = pack_patch(name_of(raw), DATA, raw, between(raw, name_of(raws[-1]), raws[-1]))
            assert packed is not None
            self.vault.add([StoredChunk(packed.name, DATA, packed.codec, len(raw), packed.stored, depth)], [raw])
            raws.append(raw)
        return raws

    def collect(self, limits: CollectionLimits = NO_ROOM) -> Collected:
        """Of all that is there now."""
        before = self.vault.sync()
        with self.catalog.reader() as reader:
            return collect(self.vault, reader, before, lambda: None, limits)

    def held(self, *raws: bytes) -> list[bool]:
        """Which of these the vault holds, and can read."""
        names = [name_of(raw) for raw in raws]
        missing = self.vault.missing(names)
        assert all(self.vault.read(name) == raw for name, raw in zip(names, raws, strict=True) if name not in missing)
        return [name not in missing for name in names]

    def must_read(self) -> set[bytes]:
        """Every chunk that any row names; their names."""
        found = set()
        with self.catalog.reader() as reader:
            for page in reader.chunks_named(100):
                for kind, name in page:
                    raw = self.vault.read(name)
                    assert name == (name_of(raw) if kind == DATA else name_of_list(raw))
                    found.add(name)
        return found

    def _commit(self, changes: Changes) -> None:
        self.seq += 1
        self.committed = self.vault.sync()
        self.catalog.write(changes, header(self.seq))
