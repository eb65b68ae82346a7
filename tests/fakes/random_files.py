"""Random changes of a directory of files: holes, lists of lists, patches, hard links, what comes back after it was gone."""

from __future__ import annotations

import random
import stat
from dataclasses import dataclass, field

from agent.core import chunks
from agent.core.chunks import DATA, HOLE, PIECE, Chunk, name_of
from agent.core.ids import ROOT, object_id
from agent.core.patch import between
from agent.core.rows import ObjectRow, decode_object, encode_name, encode_object, is_object, name_key, object_key
from agent.store.vault.codec import StoredChunk, pack_chunk, pack_patch
from agent.store.vault.vault import Vault

#: Who pins what a coming commit names.
CALL = "a call"
_IDS = [object_id(1, counter) for counter in range(1, 9)]
_NAMES = [b"name %d" % one for one in range(12)]
#: Chunks of a file that has a list of lists.
_MANY = 1100
Rows = dict[bytes, bytes]


@dataclass
class RandomFiles:
    """``raws``, ``lists``: the bytes of every chunk and every list that there ever was, by name."""

    chance: random.Random
    raws: dict[bytes, bytes] = field(default_factory=dict)
    lists: dict[bytes, bytes] = field(default_factory=dict)
    _count: int = 0

    def change(self, rows: Rows, vault: Vault) -> None:
        """One change; what it needs is in the vault, and pinned for ``CALL``, when it returns."""
        self._vault = vault
        objects = (decode_object(row) for row in rows.values() if is_object(row))
        self._live = {name for one in objects for _, name in chunks.names_in(one.content)}
        self._count += 1
        id, name = self.chance.choice(_IDS), self.chance.choice(_NAMES)
        if self.chance.random() < 0.2:
            rows.pop(name_key(ROOT, name), None)
            return
        if object_key(id) not in rows or self.chance.random() < 0.8:
            content = self._content()
            mode = stat.S_IFREG | self.chance.choice((0o600, 0o4755))
            xattrs = self.chance.choice(((), ((b"user.a", b"%d" % self._count),)))
            size = chunks.length_of(content)
            row = ObjectRow(
                id, mode, self.chance.randrange(3), 0, self.chance.randrange(9), 0, size, 0, xattrs, content
            )
            rows[object_key(id)] = encode_object(row)
        rows[name_key(ROOT, name)] = encode_name(ROOT, name, id)

    def _content(self) -> bytes:
        if self.chance.random() < 0.03:
            entries = [self._has(self.chance.randbytes(60)) for _ in range(_MANY)]
            return chunks.fold(entries, self._has_list)
        entries = []
        for _ in range(self.chance.randrange(1, 4)):
            if self.chance.random() < 0.2 and (not entries or entries[-1].kind != HOLE):
                entries.append(Chunk(HOLE, 4096 * self.chance.randrange(1, 9), b""))
            entries.append(self._has(*self._bytes()))
        return chunks.encode(entries)

    def _bytes(self) -> tuple[bytes, bytes | None]:
        """Of a chunk, and what it is a patch of: new ones, such as there were once, and such as are nearly one of these."""
        large = [raw for raw in self.raws.values() if len(raw) > 1000]
        kind = self.chance.random()
        if not large or kind < 0.4:
            return self.chance.randbytes(self.chance.choice((300, 3000, 9000))), None
        raw = self.chance.choice(large)
        if kind < 0.7:
            return self.chance.choice(self._left(large)[:20] or large), None
        at = self.chance.randrange(len(raw) - 30)
        return raw[:at] + self.chance.randbytes(20) + raw[at + 20 :], raw

    def _left(self, raws: list[bytes]) -> list[bytes]:
        """Those that are in the vault although the newest commit does not name them: a collection may be about to take them."""
        return [
            raw for raw in raws if (name := name_of(raw)) not in self._live and self._vault.place_of(name) is not None
        ]

    def _has(self, raw: bytes, base: bytes | None = None) -> Chunk:
        """It is in the vault when its commit is sealed."""
        name = name_of(raw)
        self._vault.pin([name], CALL)
        if self._vault.missing([name]):
            self._vault.add([self._stored(name, raw, base)], [raw])
        self.raws[name] = raw
        return Chunk(DATA, len(raw), name)

    def _stored(self, name: bytes, raw: bytes, base: bytes | None) -> StoredChunk:
        if base is not None and not self._vault.missing([name_of(base)]):
            (depth,) = self._vault.depths([name_of(base)])
            packed = pack_patch(name, DATA, raw, between(raw, name_of(base), base))
            if packed is not None and depth is not None and depth < 20:
                return packed._replace(depth=depth + 1)
        return pack_chunk(name, DATA, raw)

    def _has_list(self, name: bytes, data: bytes) -> None:
        self._vault.pin([name], CALL)
        if self._vault.missing([name]):
            self._vault.add([pack_chunk(name, PIECE, data)], [data])
        self.lists[name] = data
