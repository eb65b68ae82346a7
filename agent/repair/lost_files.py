"""Which generations need chunks that the vault does not have? Presence alone is asked for; nothing is read but lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.core import chunks
from agent.core.chunks import PIECE
from agent.core.errors import Damaged, NotFound, StoreFailed, WireError
from agent.core.ids import NOTHING
from agent.store.catalog.generation import Generation
from agent.store.catalog.named import FileVersion
from agent.store.catalog.reader import CatalogReader
from agent.store.marks import Marks, marks_for

_PAGE = 100
#: So many names are remembered one by one.
_EXACT = 200_000
#: About how long a chunk is, for how many there may be.
_USUAL_CHUNK = 1 << 16


class HeldChunks(Protocol):
    """What is asked of a vault."""

    def missing(self, names: Sequence[bytes]) -> list[bytes]:
        """Those that it does not have."""
        ...

    def read(self, name: bytes) -> bytes:
        """The bytes of a chunk. Raises ``NotFound``, ``Damaged``, ``StoreFailed``."""
        ...


@dataclass(frozen=True, slots=True)
class LostFiles:
    """``chunks``: how many names are missing, one of several versions counted with each; ``obtainable``: those of them that the
    newest state names, so that its standby or its primary has them; ``files``: of each generation that loses some, by name, the
    number of files."""

    chunks: int
    obtainable: int
    files: dict[str, int]


def lost_files(
    reader: CatalogReader, vault: HeldChunks, generations: Sequence[Generation], look: Callable[[], None]
) -> LostFiles:
    """What is lost for good. ``look`` is called again and again, and raises what is to end it. Raises ``Damaged`` for a catalog
    that cannot be read, ``StoreFailed``."""
    newest = reader.newest()
    at = newest.number if newest is not None else NOTHING
    about = newest.bytes // _USUAL_CHUNK + newest.files if newest is not None else 0
    had: Marks = marks_for(about, _EXACT)
    for version, lacking in _lacking(reader, vault, look):
        if version.since <= at < version.until:
            for name in lacking:
                had.add(name)
    count = obtainable = 0
    files: dict[str, int] = {}
    for version, lacking in _lacking(reader, vault, look):
        lost = [name for name in lacking if name not in had]
        count, obtainable = count + len(lacking), obtainable + len(lacking) - len(lost)
        for one in generations if lost else ():
            if version.since <= one.number < version.until and not reader.owes(version.id, one.number):
                files[one.name] = files.get(one.name, 0) + 1
    return LostFiles(count, obtainable, files)


def _lacking(
    reader: CatalogReader, vault: HeldChunks, look: Callable[[], None]
) -> Iterator[tuple[FileVersion, list[bytes]]]:
    """Each sealed version of a file that needs what is not here, with these names."""
    newest = reader.newest()
    for page in reader.file_versions(_PAGE) if newest is not None else ():
        look()
        sealed = [one for one in page if newest is not None and one.since <= newest.number]
        named = {version: chunks.names_in(version.content) for version in sealed if version.content}
        missing = set(vault.missing([name for names in named.values() for _, name in names]))
        for version, names in named.items():
            if lacking := list(_with_those_below(names, missing, vault)):
                yield version, lacking


def _with_those_below(names: Iterable[tuple[int, bytes]], missing: set[bytes], vault: HeldChunks) -> Iterator[bytes]:
    """What of ``names``, and of what is below lists that are here, is missing."""
    waiting = list(names)
    while waiting:
        kind, name = waiting.pop()
        if name in missing:
            yield name
        elif kind == PIECE:
            try:
                below = chunks.names_in(vault.read(name))
            except (Damaged, NotFound, StoreFailed, WireError):
                yield name
                continue
            missing = missing | set(vault.missing([one for _, one in below]))
            waiting += below
