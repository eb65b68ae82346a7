"""Rows, headers and chunks in one line, and a plain dict that behaves like the catalog."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from agent.core import chunks
from agent.core.commit import Changes
from agent.core.ids import NOTHING, ROOT, CommitNumber, Epoch, ObjectId, commit_number
from agent.core.rows import ObjectRow, encode_name, encode_object, key_of
from agent.store.catalog.catalog import Catalog, CatalogLimits, Header
from agent.store.catalog.expiring.expiry import Expiry, Horizons
from agent.store.vault.codec import StoredChunk, pack_chunk

Item = TypeVar("Item")

AS_USUAL = CatalogLimits()
EPOCH = Epoch(1, "alpha", b"0123456789abcdef")


def file_row(id: int, size: int = 5, salt: bytes = b"") -> bytes:
    """A regular file of one chunk, whose name depends on ``salt``."""
    content = chunks.encode_one(size, chunks.name_of(salt + b"%d" % id)) if size else b""
    return encode_object(ObjectRow(ObjectId(id), stat.S_IFREG | 0o644, 0, 0, 7, 0, size, 0, (), content))


def dir_row(id: int, mtime: int = 7) -> bytes:
    """A directory."""
    return encode_object(ObjectRow(ObjectId(id), stat.S_IFDIR | 0o755, 0, 0, mtime))


def name_row(parent: int, name: bytes, id: int) -> bytes:
    """A directory entry."""
    return encode_name(parent, name, id)


def number(seq: int, epoch: int = 1) -> CommitNumber:
    """A commit number of epoch 1."""
    return commit_number(epoch, seq)


def header(seq: int, parent: int | None = None, *, time: int = 100, digest: bytes | None = None) -> Header:
    """The header of commit ``seq`` of epoch 1; its parent is the one before unless told."""
    before = (number(seq - 1) if seq > 1 else NOTHING) if parent is None else CommitNumber(parent)
    return Header(number(seq), before, time, time, True, 0, digest)


def begun(path: str, limits: CatalogLimits = AS_USUAL) -> Catalog:
    """A new catalog in epoch 1 with the root as its first commit."""
    catalog = Catalog.open(path, limits)
    catalog.begin_epoch(EPOCH)
    catalog.write(Changes((dir_row(ROOT),)), header(1))
    return catalog


def expire(catalog: Catalog, upto: CommitNumber, slice_rows: int = 5000) -> int:
    """One whole upkeep: nothing before ``upto`` can be read any more but what is kept; how many slices it took."""
    expiry, slices = Expiry(catalog, slice_rows), 0
    while expiry.turn(Horizons(upto, upto)):
        slices += 1
    return slices


def chunk(raw: bytes, kind: int = chunks.DATA) -> StoredChunk:
    """A chunk as it is stored."""
    name = chunks.name_of(raw) if kind == chunks.DATA else chunks.name_of_list(raw)
    return pack_chunk(name, kind, raw)


def some_chunks(count: int, size: int = 1000) -> tuple[list[StoredChunk], list[bytes]]:
    """Chunks of random bytes, and the bytes."""
    raws = [os.urandom(size) for _ in range(count)]
    return [chunk(raw) for raw in raws], raws


@dataclass
class DictCatalog:
    """What the catalog must answer: every state kept whole, by commit number."""

    states: dict[CommitNumber, dict[bytes, bytes]] = field(default_factory=lambda: {NOTHING: {}})
    touched: dict[CommitNumber, set[bytes]] = field(default_factory=dict)
    staged: dict[bytes, bytes] = field(default_factory=dict)
    staged_keys: set[bytes] = field(default_factory=set)

    @property
    def newest(self) -> CommitNumber:
        """The newest sealed commit."""
        return max(self.states)

    def begin(self, restart: bool = False) -> None:
        """Start the next commit from the newest state, or from nothing."""
        live = self.states[self.newest]
        self.staged = {} if restart else dict(live)
        self.staged_keys = set(live) if restart else set()

    def stage(self, changes: Changes) -> None:
        """Add rows to it."""
        for row in changes.puts:
            self.staged[key_of(row)] = row
            self.staged_keys.add(key_of(row))
        for key in changes.drops:
            del self.staged[key]
            self.staged_keys.add(key)

    def seal(self, commit: CommitNumber) -> None:
        """Make it the newest."""
        self.states[commit] = self.staged
        self.touched[commit] = self.staged_keys

    def difference(self, a: CommitNumber, b: CommitNumber) -> dict[bytes, tuple[bytes | None, bytes | None]]:
        """Net, by key."""
        old, new = self.states[a], self.states[b]
        return {key: (old.get(key), new.get(key)) for key in old | new if old.get(key) != new.get(key)}

    def touched_between(self, a: CommitNumber, b: CommitNumber) -> set[bytes]:
        """Every key that began or ended in (a, b]."""
        return {key for commit, keys in self.touched.items() if a < commit <= b for key in keys}


def flat(batches: Iterable[list[Item]]) -> list[Item]:
    """The items of all batches."""
    return [item for batch in batches for item in batch]
