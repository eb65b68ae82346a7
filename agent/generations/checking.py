"""Is every chunk that a moment needs there, and what its name says? Which files of which generations does it hurt where not?

Chunks are read and named again. What is damaged is few, so the rows that name it are looked for afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from agent.core import chunks
from agent.core.chunks import DEVICE_CHUNK, PIECE
from agent.core.dataset_kind import DatasetKind
from agent.core.errors import Damaged, NotFound, StoreFailed, WireError
from agent.core.ids import NOTHING, CommitNumber
from agent.generations.devices.words import bytes_words
from agent.generations.paths_at import PathsAt
from agent.store.catalog.generation import Generation
from agent.store.catalog.named import FileVersion
from agent.store.catalog.reader import CatalogReader

#: Paths that are told of one chunk.
PATHS_MOST = 100
_PAGE = 1000
#: Names that were read already, in memory (some 100 bytes each); what falls out is read once more.
_PASSED_MOST = 500_000
#: So many chunks that the disk does not give are damage of these; more are a disk, or a way to it, that fails as a whole.
UNREAD_MOST = 100
_Named = tuple[int, bytes]


class CheckedVault(Protocol):
    """What is asked of a vault."""

    def read_stored(self, name: bytes) -> bytes:
        """The bytes of a chunk, checked. Raises ``NotFound``, ``Damaged``, ``StoreFailed``."""
        ...


@dataclass(frozen=True, slots=True)
class DamagedChunk:
    """A chunk that cannot be read. ``paths``: at most ``PATHS_MOST`` of the files that need it; ``generations``: by name, those
    in which they do, and ``newest`` for the state of now; ``versions``: how many versions of files, of history too."""

    name: bytes
    reason: str
    paths: tuple[bytes, ...] = ()
    generations: tuple[str, ...] = ()
    versions: int = 0


def every_name(_name: bytes) -> bool:
    """All chunks are looked at."""
    return True


@dataclass(slots=True)
class ChunkCheck:
    """One look. ``among``: which chunks are read; of the others only lists, to come to what is below them. ``damaged``: by name,
    why; ``unread``: those of them that the disk did not give, so that nobody knows what is there."""

    vault: CheckedVault
    look: Callable[[int], None]
    among: Callable[[bytes], bool]
    checked_bytes: int = 0
    damaged: dict[bytes, str] = field(default_factory=dict)
    unread: set[bytes] = field(default_factory=set)
    _passed: set[bytes] = field(default_factory=set)

    def run(self, catalog: CatalogReader, at: CommitNumber | None) -> None:
        """Read all that the commit ``at`` needs, or any moment. ``look`` is called with the bytes so far, and raises what is to
        end it. Raises ``Damaged`` for a catalog that cannot be read, ``StoreFailed``."""
        for page in _sealed_versions(catalog):
            for version in page:
                if at is None or version.since <= at < version.until:
                    self._read(chunks.names_in(version.content), catalog, version)
            self.look(self.checked_bytes)

    def _read(self, named: Iterable[_Named], catalog: CatalogReader, version: FileVersion) -> None:
        waiting = list(named)
        while waiting:
            kind, name = waiting.pop()
            if (kind != PIECE and not self.among(name)) or name in self._passed or name in self.damaged:
                continue
            if len(self._passed) >= _PASSED_MOST:
                self._passed.clear()
            try:
                raw = self.vault.read_stored(name)
                below = chunks.names_in(raw) if kind == PIECE else []
            except (Damaged, NotFound, WireError) as error:
                if not _is_owed(error, catalog, version):
                    self.damaged[name] = error.reason
                continue
            except StoreFailed as error:
                self._not_given(name, error)
                continue
            self._passed.add(name)
            self.checked_bytes += len(raw)
            waiting += below
            self.look(self.checked_bytes)

    def _not_given(self, name: bytes, error: StoreFailed) -> None:
        if len(self.unread) >= UNREAD_MOST:
            raise error
        self.unread.add(name)
        self.damaged[name] = f"the disk does not give it: {error.reason}"


def _sealed_versions(catalog: CatalogReader) -> Iterator[list[FileVersion]]:
    """Pages of versions of files. What is staged is left out: its chunks may be on their way."""
    pages = catalog.file_versions(_PAGE)
    while True:
        newest = catalog.newest()
        page = next(pages, None)
        if page is None or newest is None:
            return
        yield [version for version in page if version.since <= newest.number]


def _is_owed(error: Exception, catalog: CatalogReader, version: FileVersion) -> bool:
    """What never came is no damage: the files that owe it are told apart."""
    return isinstance(error, NotFound) and catalog.owes(version.id, CommitNumber(version.since))


def hurt_by(
    damaged: dict[bytes, str],
    vault: CheckedVault,
    catalog: CatalogReader,
    moments: list[Generation],
    look: Callable[[], None],
) -> list[DamagedChunk]:
    """What each damaged chunk hurts: files by their path where they need it, in ``moments`` and in the newest state. What no row
    names any more is left out: it went while it was looked for. ``look`` is called now and then, and raises what is to end
    it."""
    newest = catalog.newest()
    named = [(one.number, one.name) for one in moments]
    if newest is not None:
        named.append((newest.number, "newest"))
    found = {name: _Hurt() for name in damaged}
    places = _Places(catalog)
    for page in _sealed_versions(catalog) if damaged else ():
        for version in page:
            for name in _below(version.content, vault, damaged):
                found[name].add(version, named, places)
        look()
    return [
        DamagedChunk(name, reason, tuple(sorted(hurt.paths)), tuple(hurt.generations), hurt.versions)
        for name, reason in damaged.items()
        for hurt in (found[name],)
        if hurt.versions
    ]


@dataclass(slots=True)
class _Hurt:
    paths: set[bytes] = field(default_factory=set)
    generations: dict[str, None] = field(default_factory=dict)
    versions: int = 0

    def add(
        self,
        version: FileVersion,
        moments: list[tuple[CommitNumber, str]],
        places: _Places,
    ) -> None:
        self.versions += 1
        needing = [(number, name) for number, name in moments if version.since <= number < version.until]
        self.generations.update(dict.fromkeys(name for _, name in needing))
        number = needing[-1][0] if needing else CommitNumber(max(version.since, NOTHING))
        if len(self.paths) < PATHS_MOST:
            self.paths.add(places.of(version, number))


class _Places:
    """Where what is hurt stands: a file's path at a commit, the bytes of a device's chunk."""

    def __init__(self, catalog: CatalogReader) -> None:
        self._catalog = catalog
        self._is_device = catalog.kind() is DatasetKind.DEVICE
        self._paths: dict[int, PathsAt] = {}

    def of(self, version: FileVersion, number: CommitNumber) -> bytes:
        """Of a version that lives at the commit."""
        if self._is_device:
            start = (version.id - 1) * DEVICE_CHUNK
            return bytes_words(start, start + chunks.length_of(version.content))
        return self._paths.setdefault(number, PathsAt(self._catalog, number)).path_of(version.id)[0]


def _below(content: bytes, vault: CheckedVault, damaged: dict[bytes, str]) -> Iterator[bytes]:
    """The damaged ones among the chunks and lists of a file."""
    waiting, passed = chunks.names_in(content), set[bytes]()
    while waiting:
        kind, name = waiting.pop()
        if name in passed:
            continue
        passed.add(name)
        if name in damaged:
            yield name
        elif kind == PIECE:
            try:
                waiting += chunks.names_in(vault.read_stored(name))
            except (Damaged, NotFound, StoreFailed, WireError):
                continue
