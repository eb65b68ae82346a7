"""A mount of a dataset's history: opened from the files of this node, by a process that is not the agent's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.core.dataset_kind import DatasetKind
from agent.core.errors import HikaeError, NotFound
from agent.generations.afar import OpenMoment
from agent.generations.moments import Moment, Watching, moment_of
from agent.generations.mounting.attributes import Shown
from agent.generations.mounting.chunk_cache import ChunkCache
from agent.generations.mounting.content import FileContent
from agent.generations.mounting.filesystem import HistoryFilesystem
from agent.generations.mounting.from_afar import fetching, lay_down
from agent.generations.mounting.fuse import MountOptions, serve_mount
from agent.generations.mounting.images import ShownImages
from agent.generations.mounting.nodes import OpenedFile, ShownNode
from agent.generations.mounting.shown_history import HistorySource, ShownHistory
from agent.generations.reading import ReadChunk
from agent.store.catalog.reader import CatalogReader
from agent.store.vault.beside import VaultBeside


@dataclass(frozen=True, slots=True)
class Mounted:
    """What is to be mounted: the history of ``dataset``, or of it one moment, a ``generation`` or ``at`` a time, "" for neither.
    ``home``, ``vault``: where they are kept; ``writes``: the directory for what is written over images, "" where they are only
    read."""

    dataset: str
    home: Path
    vault: Path
    kind: DatasetKind
    generation: str = ""
    at: str = ""
    writes: str = ""


@dataclass(frozen=True, slots=True)
class MountedAfar:
    """Of which dataset another node gives a moment, and what that is here. ``writes``: as in ``Mounted``."""

    dataset: str
    kind: DatasetKind
    writes: str = ""


@dataclass(frozen=True, slots=True)
class MountTelling:
    """``meant`` is called with the moment, before it is mounted; ``mounted`` once it is; ``trouble`` with what cannot be read."""

    meant: Callable[[Moment], None]
    mounted: Callable[[], None]
    trouble: Callable[[str, HikaeError], None]


def mount_history(what: Mounted, directory: str, options: MountOptions, telling: MountTelling) -> None:
    """Returns once it is unmounted, or the process is told to end. For the main thread.

    Raises ``NotFound`` (no history here, no such moment, no libfuse), ``UsageError``, ``Refused``, ``Damaged``,
    ``StoreFailed``."""
    with (
        CatalogReader.open(str(what.home / "catalog.db")) as reader,
        VaultBeside.open_beside(str(what.vault)) as vault,
        closing(ChunkCache(vault.read)) as cache,
        _history(what, reader, cache, directory) as history,
    ):
        serve_mount(_filesystem(_top(what, reader, history, telling), cache, reader, telling), directory, options)


def mount_from_afar(
    what: MountedAfar, opened: OpenMoment, directory: str, options: MountOptions, telling: MountTelling
) -> None:
    """As :func:`mount_history`, of one moment of another node, ``opened``. Raises also ``Unreachable``, ``OtherDigest``,
    ``TryAgain``."""
    with TemporaryDirectory(prefix="hikae-mount-") as scratch:
        telling.meant(opened.found.moment)
        path = Path(scratch) / "catalog.db"
        moment = lay_down(opened, path, what.kind, lambda: None)
        with (
            CatalogReader.open(str(path)) as reader,
            closing(ChunkCache(opened.chunk, send_for=fetching(opened))) as cache,
            _history(what, reader, cache, directory) as history,
        ):
            serve_mount(_filesystem(history.moment(moment), cache, reader, telling), directory, options)


@contextmanager
def _history(
    what: Mounted | MountedAfar, reader: CatalogReader, cache: ChunkCache, directory: str
) -> Iterator[ShownHistory]:
    who = f"hikae mount at {os.path.abspath(directory)}, process {os.getpid()}"
    shown = Shown(os.geteuid(), os.getegid(), time.time_ns())
    images = ShownImages(what.dataset, what.writes) if what.kind is DatasetKind.DEVICE else None
    source = HistorySource(what.dataset, reader, _reading(cache, reader), who, time.time_ns, shown, images)
    with closing(ShownHistory(source)) as history:
        yield history


def _reading(cache: ChunkCache, reader: CatalogReader) -> ReadChunk:
    """Reads chunks, and parts of long lists: of what was captured on this node those stand in the catalog."""

    def read(name: bytes) -> bytes:
        try:
            return cache.get(name)
        except NotFound:
            piece = reader.piece(name)
            if piece is None:
                raise
            return piece

    return read


def _top(what: Mounted, reader: CatalogReader, history: ShownHistory, telling: MountTelling) -> ShownNode:
    if not (what.generation or what.at):
        return history.top()
    moment = moment_of(reader, what.dataset, what.generation, what.at, Watching(time.time_ns()))
    telling.meant(moment)
    return history.moment(moment)


def _filesystem(top: ShownNode, cache: ChunkCache, reader: CatalogReader, telling: MountTelling) -> HistoryFilesystem:
    def content(file: OpenedFile) -> FileContent:
        cache.begin()
        return FileContent(file.content, cache, over=file.over)

    def size() -> tuple[int, int]:
        newest = reader.newest()
        return (newest.bytes, newest.entries) if newest is not None else (0, 0)

    return HistoryFilesystem(top, content, size, telling.mounted, telling.trouble)
