"""From the adopted tree into the vault, step by step, and the vault's and the applier's questions meanwhile.

:meth:`Seeding.step` belongs to the applying thread: so nothing is moved while it reads, and what is applied comes first.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import structlog

from agent.adopt import placements
from agent.adopt.first_reading import Indexer, open_below
from agent.adopt.placements import ChunkPlace, KnownFile, Placements
from agent.apply.ports import LeftOut, nothing_left_out
from agent.core.chunks import DATA, PIECE, name_of
from agent.core.clock import Clock
from agent.core.errors import Damaged, TryAgain
from agent.fs.confined import open_root
from agent.fs.content import read_exact
from agent.fs.expected import BY_HANDLE
from agent.fs.handles import handle_of, open_by_handle
from agent.store.vault.codec import StoredChunk, pack_chunk
from agent.store.vault.vault import Vault

#: How long one step of indexing takes, seconds, and how much one of copying reads, bytes.
STEP_SECONDS = 0.05
STEP_BYTES = 2 << 20
_STEP_CHUNKS = 256
_GONE_MAX = 100_000
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_log = structlog.get_logger("adopt")

#: Told of chunks that were relied on and are not what they were: they are asked of the primary.
Lost = Callable[[list[bytes], str], None]


class Seeding:
    """See the module. ``directory``: that of the vault; ``root``: the standby; ``expected``: a tree may have to be adopted, so
    :attr:`ready` is false until :meth:`step` knows. Except for :meth:`step`, any thread."""

    def __init__(
        self,
        directory: str,
        root: str,
        vault: Vault,
        clock: Clock,
        *,
        expected: bool,
        left_out: LeftOut = nothing_left_out,
    ) -> None:
        self._root = root
        self._vault = vault
        self._clock = clock
        self._path = os.path.join(directory, "standby.db")
        self._expected = expected
        self._left_out = left_out
        self._places: Placements | None = None
        self._over: Placements | None = None
        self._walk: Iterator[int] | None = None
        self._cursor = (-1, -1)
        self._copied = 0
        self._gone: set[bytes] = set()
        self.lost: Lost = _untold

    def open(self) -> bool:
        """Go on with what was begun before; whether there was something. Raises ``Damaged`` when it cannot be read any more:
        it is removed, and what was relied on is lost."""
        if not os.path.exists(self._path):
            return False
        try:
            self._begin()
        except Damaged:
            placements.remove_placements(self._path)
            raise
        return True

    def close(self) -> None:
        """Give everything back; safe to call twice."""
        self._walk = None
        for places in (self._places, self._over):
            if places is not None:
                places.close()

    # --- for status and for calls

    @property
    def ready(self) -> bool:
        """Whether it is known what stands in the tree, so that the primary can be asked for the rest."""
        places = self._places
        return places.indexed if places is not None else not self._expected

    @property
    def at_work(self) -> bool:
        """Whether there is, or may be, something to do."""
        return self._places is not None or self._expected

    @property
    def seeds(self) -> bool:
        """Whether chunks lie in the tree only."""
        return self._places is not None and self._places.indexed

    @property
    def read(self) -> tuple[int, int]:
        """Files that were read so far, and their bytes."""
        return self._places.files if self._places is not None else (0, 0)

    @property
    def left(self) -> tuple[int, int]:
        """Chunks that are still to be copied, and their bytes."""
        return self._places.left if self._places is not None else (0, 0)

    @property
    def progress(self) -> tuple[int, int]:
        """Bytes that were copied since this agent was started, of how many."""
        return self._copied, self._copied + self.left[1]

    # --- for the vault (``store.vault.reading.Elsewhere``)

    def rely(self, names: Sequence[bytes]) -> set[bytes]:
        """Those of ``names`` that stand in the tree; they are kept until they are in the packs."""
        places = self._places
        return places.rely(names) if places is not None else set()

    def sync(self) -> None:
        """What is relied on is known durably."""
        if self._places is not None:
            self._places.sync()

    def chunk(self, name: bytes) -> bytes | None:
        """The bytes of a chunk in the tree, None when it was never there. Raises ``Damaged``: they are others now."""
        places = self._places
        place = places.place(name) if places is not None else None
        if places is None or place is None:
            return None
        data = self._bytes_at(places, place)
        if data is None:
            raise Damaged("read a chunk", name.hex(), "the adopted file that held it was changed", _ASKED)
        return data

    def drop(self, names: Sequence[bytes]) -> None:
        """These are not to be looked for here any more."""
        if self._places is not None:
            self._places.drop(names)

    # --- for the applier (``apply.ports.Adopted``)

    def content(self, handle: bytes, st: os.stat_result) -> bytes | None:
        """The chunk list of a file that did not change since it was read; None: it must be read."""
        known = self._places.by_handle(handle) if self._places is not None else None
        return known[1].content if known is not None and known[1].is_unchanged(st) else None

    def before_change(self, fd: int, name: bytes) -> None:
        """The entry is about to be overwritten or removed: what is relied on in it is copied, durably."""
        places = self._places
        if places is None:
            return
        try:
            known = places.by_handle(handle_of(fd, name))
        except FileNotFoundError:
            return
        due = places.take(known[0]) if known is not None else []
        if due:
            opened = self._open(known[1]) if known is not None else None
            try:
                for run in _runs(due):
                    self._copy(places, run, opened)
            finally:
                if opened is not None:
                    os.close(opened)

    # --- the work

    def step(self, adopting: bool | None) -> bool:
        """A little work, if there is any; whether there is more. ``adopting``: whether the applier found a tree that is still
        to be taken over; None: it does not know yet."""
        if self._places is None:
            if not self._expected or adopting is None:
                return False
            self._expected = False
            if not adopting:
                return False
            self._begin()
        assert self._places is not None
        if not self._places.indexed:
            return self._index(self._places)
        return self._seed(self._places, done=not adopting)

    def _begin(self) -> None:
        self._places = Placements.open(self._path)
        self._vault.elsewhere = self

    def _index(self, places: Placements) -> bool:
        if self._walk is None:
            _log.info("reading the tree that stands there", path=self._root)
            self._walk = Indexer(
                self._root, places, self._keep_piece, self._vault.read, self._clock, self._left_out
            ).run()
        until = time.monotonic() + STEP_SECONDS
        try:
            while time.monotonic() < until:
                next(self._walk)
        except StopIteration:
            self._walk = None
            files, size = places.files
            _log.info("what stands there is known", files=files, bytes=size)
        except OSError as error:
            self._walk = None
            reason = error.strerror or str(error)
            raise TryAgain("read the standby's tree", self._root, reason, "it is tried again") from error
        except BaseException:
            self._walk = None
            raise
        return True

    def _keep_piece(self, name: bytes, data: bytes) -> None:
        self._vault.add([pack_chunk(name, PIECE, data)], [data])

    def _seed(self, places: Placements, *, done: bool) -> bool:
        places.sync()
        due = places.due(self._cursor, _STEP_CHUNKS)
        if not due:
            self._tell_gone(places)
            if self._cursor != (-1, -1):
                self._cursor = (-1, -1)
                return True
            if done and places.forget_rest():
                self._end(places)
            return False
        some = next(_runs(due))
        self._cursor = (some[-1].file, some[-1].offset)
        gone: set[bytes] = set()
        for file in sorted({place.file for place in some}):
            with self._opened(places, file) as opened:
                gone.update(self._gather([place for place in some if place.file == file], opened))
        self._vault.sync()
        places.drop([place.name for place in some if place.name not in gone])
        self._gone |= gone
        if len(self._gone) > _GONE_MAX:
            self._tell_gone(places)
        return True

    def _tell_gone(self, places: Placements) -> None:
        """Told together, at the end of a pass: each telling makes the primary offer everything."""
        if self._gone:
            self.lost(list(self._gone), _CHANGED)
            places.drop(self._gone)
            self._gone = set()

    def _end(self, places: Placements) -> None:
        """Everything is in the packs. Who still asks finds nothing; the connection is closed with the rest."""
        self._vault.elsewhere = None
        self._places, self._over = None, places
        placements.remove_placements(self._path)
        _log.info("the vault holds all that was taken from the standby")

    def _copy(self, places: Placements, due: Sequence[ChunkPlace], fd: int | None) -> None:
        """Into the packs, durably; then they need not be looked for here."""
        gone = self._gather(due, fd)
        self._vault.sync()
        if gone:
            self.lost(gone, _CHANGED)
        places.drop([place.name for place in due])

    def _gather(self, due: Sequence[ChunkPlace], fd: int | None) -> list[bytes]:
        """Into the packs; the names of those that are not there any more."""
        names = [place.name for place in due]
        lacking = set(self._vault.missing_in_packs(names))
        packed: list[StoredChunk] = []
        raws: list[bytes] = []
        gone: list[bytes] = []
        for place in due:
            if place.name not in lacking:
                continue
            data = _read(fd, place)
            if data is None:
                gone.append(place.name)
            else:
                packed.append(pack_chunk(place.name, DATA, data))
                raws.append(data)
                self._copied += len(data)
        if packed:
            self._vault.add(packed, raws)
        return gone

    def _bytes_at(self, places: Placements, place: ChunkPlace) -> bytes | None:
        with self._opened(places, place.file) as fd:
            return _read(fd, place)

    @contextmanager
    def _opened(self, places: Placements, number: int) -> Iterator[int | None]:
        """A file by its number, wherever it stands now; None when it cannot be found."""
        file = places.file(number)
        fd = self._open(file) if file is not None else None
        try:
            yield fd
        finally:
            if fd is not None:
                os.close(fd)

    def _open(self, file: KnownFile) -> int | None:
        try:
            root = open_root(self._root)
        except OSError:
            return None
        try:
            try:
                return open_by_handle(root, file.handle, _OPEN)
            except OSError:
                # Without the privilege, or without handles: where it stood.
                return _open_at(root, file)
        except OSError:
            return None
        finally:
            os.close(root)


def _untold(_names: list[bytes], _reason: str) -> None:
    return None


def _open_at(root: int, file: KnownFile) -> int:
    directory, _, name = file.path.rpartition(b"/")
    fd = open_below(root, directory)
    try:
        return BY_HANDLE.open(fd, name, file.handle)
    finally:
        os.close(fd)


def _read(fd: int | None, place: ChunkPlace) -> bytes | None:
    """The bytes there, if they are still what the name says."""
    if fd is None:
        return None
    try:
        data = read_exact(fd, place.offset, place.length)
    except OSError:
        return None
    return data if name_of(data) == place.name else None


def _runs(due: Sequence[ChunkPlace]) -> Iterator[list[ChunkPlace]]:
    """What is copied at once: bounded in bytes."""
    run: list[ChunkPlace] = []
    size = 0
    for place in due:
        if run and size + place.length > STEP_BYTES:
            yield run
            run, size = [], 0
        run.append(place)
        size += place.length
    if run:
        yield run


_CHANGED = "files of the adopted tree were changed before the vault had their content"
_ASKED = "it is asked of the primary again"
