"""What a secondary's stores hold after a power cut, opened by the real code, as an outside observer would see the tree."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from agent.core.chunks import HOLE, Chunk, unfold
from agent.core.commit import Commit
from agent.core.digest import digest_of
from agent.core.errors import HikaeError
from agent.core.ids import ROOT, CommitNumber, ObjectId
from agent.core.rows import ObjectRow, decode_name, decode_object, is_object
from agent.store.catalog.catalog import Catalog
from agent.store.vault.vault import Vault
from fakes.trees import Seen

_TEXTLESS = "surrogateescape"


def untruths(home: Path, named: CommitNumber, below: bytes, was: dict[bytes, Seen]) -> list[str]:
    """What is not so in the stores at ``home`` (catalog and vault), in words: none, when what ``wait`` said is true.

    ``named``: the commit that it named; ``was``: what was seen in ``below``, a directory of the root, before it was asked."""
    try:
        commit, rows, tree = _recover(home, below)
    except HikaeError as error:
        return [str(error)]
    if commit is None or commit.number < named:
        return [f"the newest commit is {commit}, {named} was named"]
    if commit.digest != digest_of(rows):
        return ["the digest is not that of the rows"]
    differing = sorted(path for path in tree.keys() | was.keys() if tree.get(path) != was.get(path))
    return [f"{path!r}: {tree.get(path)} != {was.get(path)}" for path in differing[:20]]


def _recover(home: Path, below: bytes) -> tuple[Commit | None, list[bytes], dict[bytes, Seen]]:
    with (
        Catalog.open(str(home / "catalog.db")) as catalog,
        Vault.open(str(home / "vault"), catalog.pack_end()) as vault,
    ):
        rows = [row for batch in catalog.rows_at() for row in batch]
        top = catalog.child(ROOT, below)
        return catalog.newest(), rows, {} if top is None else _tree(rows, top, vault.read)


def _tree(rows: Iterable[bytes], top: ObjectId, read: Callable[[bytes], bytes]) -> dict[bytes, Seen]:
    """What these rows describe below the directory ``top``, every file put together from its chunks."""
    objects: dict[ObjectId, ObjectRow] = {}
    entries: dict[ObjectId, list[tuple[bytes, ObjectId]]] = {}
    for row in rows:
        if is_object(row):
            decoded = decode_object(row)
            objects[decoded.id] = decoded
        else:
            name = decode_name(row)
            entries.setdefault(name.parent, []).append((name.name, name.object))
    paths = dict(_paths(top, entries))
    links: dict[ObjectId, list[bytes]] = {}
    for path, id in paths.items():
        links.setdefault(id, []).append(path)
    return {path: _seen(objects[id], sorted(links[id]), read) for path, id in paths.items()}


def _paths(top: ObjectId, entries: dict[ObjectId, list[tuple[bytes, ObjectId]]]) -> Iterator[tuple[bytes, ObjectId]]:
    waiting = [(b"", top)]
    while waiting:
        path, id = waiting.pop()
        yield path, id
        waiting += [(path + b"/" + name if path else name, child) for name, child in entries.get(id, ())]


def _seen(row: ObjectRow, links: list[bytes], read: Callable[[bytes], bytes]) -> Seen:
    content: str = ""
    holes: tuple[tuple[int, int], ...] = ()
    if row.kind == stat.S_IFREG:
        content, holes = _content(list(unfold(row.content, read)), read)
    return Seen(
        row.mode,
        row.uid,
        row.gid,
        row.mtime,
        row.size,
        row.rdev,
        row.content if row.kind == stat.S_IFLNK else b"",
        content,
        holes,
        tuple((name.decode(errors=_TEXTLESS), value) for name, value in row.xattrs),
        row.flags,
        tuple(links) if len(links) > 1 else (),
    )


def _content(entries: list[Chunk], read: Callable[[bytes], bytes]) -> tuple[str, tuple[tuple[int, int], ...]]:
    digest = hashlib.blake2b(digest_size=16)
    holes: list[tuple[int, int]] = []
    at = 0
    for entry in entries:
        if entry.kind == HOLE:
            holes.append((at, at + entry.length))
        digest.update(bytes(entry.length) if entry.kind == HOLE else read(entry.name))
        at += entry.length
    return digest.hexdigest(), tuple(holes)
