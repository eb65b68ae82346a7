"""What the applier asks of its neighbours. ``store.catalog.catalog.CatalogReader`` and ``store.local.Local`` satisfy these."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeAlias

from agent.core.chunks import Chunk
from agent.core.commit import Commit
from agent.core.dataset_kind import DatasetKind
from agent.core.ids import CommitNumber, ObjectId
from agent.core.patch import Patch
from agent.store.catalog.losses import Ended, More
from agent.store.local import FactsMark, LocalRow, Signature

#: Gives the bytes of a chunk, verified against its name. Raises ``Damaged`` or ``NotFound``.
ReadChunk: TypeAlias = Callable[[bytes], bytes]

#: The patch as which a chunk is stored, checked against damage; None for a whole one, and where that cannot be told.
ReadPatch: TypeAlias = Callable[[bytes], Patch | None]


def no_patch(_: bytes) -> Patch | None:
    """A :data:`ReadPatch`: every chunk is whole."""
    return None


#: Whether a path (bytes from the root) is left out of the dataset, given that no directory above it is; the second: it is a
#: directory.
LeftOut: TypeAlias = Callable[[bytes, bool], bool]


def nothing_left_out(_path: bytes, _directory: bool) -> bool:
    """A :data:`LeftOut`: no rule."""
    return False


#: ``(key, old row, new row)``, None where there is no row.
KeyChange: TypeAlias = tuple[bytes, bytes | None, bytes | None]


class LossCounts(Protocol):
    """What stretches of history took away from a dataset of one kind, see ``store.catalog.losses``."""

    def ended(
        self, after: CommitNumber, upto: CommitNumber, oldest: CommitNumber
    ) -> tuple[list[Ended], list[Ended]]: ...

    def deleted(self, base: CommitNumber, target: CommitNumber) -> int: ...

    def rewritten(self, base: CommitNumber, target: CommitNumber) -> int: ...

    def first_deleted(self, base: CommitNumber, target: CommitNumber) -> CommitNumber: ...

    def first_rewritten(self, base: CommitNumber, target: CommitNumber) -> CommitNumber: ...

    def one_deleted(self, base: CommitNumber, target: CommitNumber) -> bytes | None: ...

    def one_rewritten(self, base: CommitNumber, target: CommitNumber) -> bytes | None: ...

    def lost_more(self, base: CommitNumber, after: CommitNumber, target: CommitNumber) -> More | None: ...


class CatalogView(Protocol):
    """A dataset's rows at any moment; used by one thread. ``at`` None is the newest sealed commit."""

    def newest(self) -> Commit | None: ...

    def commits(self, after: CommitNumber, limit: int) -> list[Commit]: ...

    def row(self, key: bytes, at: CommitNumber | None = None) -> bytes | None: ...

    def object(self, id: ObjectId, at: CommitNumber | None = None) -> bytes | None: ...

    def child(self, parent: ObjectId, name: bytes, at: CommitNumber | None = None) -> ObjectId | None: ...

    def children(
        self, parent: ObjectId, at: CommitNumber | None = None, after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, ObjectId]]: ...

    def next_directory(self, after: ObjectId) -> ObjectId | None: ...

    def names_of(self, id: ObjectId, at: CommitNumber | None = None) -> list[tuple[ObjectId, bytes]]: ...

    def path_of(self, id: ObjectId, at: CommitNumber | None = None) -> bytes | None: ...

    def difference(self, a: CommitNumber, b: CommitNumber, batch: int = 1000) -> Iterator[list[KeyChange]]: ...

    def touched(self, a: CommitNumber, b: CommitNumber, batch: int = 1000) -> Iterator[list[bytes]]: ...

    def rows_at(self, at: CommitNumber | None = None, batch: int = 1000) -> Iterator[list[bytes]]: ...

    def owed_count(self, at: CommitNumber | None = None) -> int: ...

    def owes(self, id: ObjectId, at: CommitNumber | None = None) -> bool: ...

    def horizon(self) -> CommitNumber: ...

    def is_readable(self, at: CommitNumber) -> bool: ...

    def losses(self, kind: DatasetKind) -> LossCounts: ...

    def last_of_stretches(
        self, after: CommitNumber, upto: CommitNumber, start: int, width: int
    ) -> list[CommitNumber]: ...

    def last_before(self, after: CommitNumber, upto: CommitNumber, start: int) -> CommitNumber: ...

    def first_consistent(self, first: CommitNumber, upto: CommitNumber) -> CommitNumber | None: ...

    def rollbacks(self, after: CommitNumber, upto: CommitNumber) -> list[tuple[CommitNumber, list[CommitNumber]]]: ...

    def begun_anew(self, after: CommitNumber, upto: CommitNumber) -> CommitNumber: ...

    def close(self) -> None: ...


class LocalFacts(Protocol):
    """Which object on the disk is which; used by any thread."""

    def get(self, id: ObjectId) -> LocalRow | None: ...

    def signature_of(self, handle: bytes) -> Signature | None: ...

    def write(self, puts: Iterable[LocalRow], drops: Iterable[ObjectId] = ()) -> None: ...

    def unkept(self) -> dict[int, tuple[int, list[ObjectId]]]: ...

    def vouch(self, synced: int, mark: FactsMark) -> None: ...

    def doubt(self, ids: Iterable[ObjectId] | None = None) -> None: ...

    def value(self, key: str) -> bytes | None: ...

    def set_value(self, key: str, value: bytes, durable: bool = False) -> None: ...

    def note_value(self, key: str, value: bytes) -> None: ...


class Early(Protocol):
    """Content that came before the commit that names it."""

    def step(self, directory: Callable[[], int]) -> bool: ...

    def take(self, entries: Iterable[Chunk], directory: Callable[[], int]) -> int:
        """The descriptor, now the caller's, of a nameless file in the standby that holds exactly these entries, else -1."""
        ...


class NothingEarly:
    """No content comes before its commit."""

    def step(self, directory: Callable[[], int]) -> bool:
        return False

    def take(self, entries: Iterable[Chunk], directory: Callable[[], int]) -> int:
        return -1


NOTHING_EARLY = NothingEarly()


class Adopted(Protocol):
    """What is known of a tree that was there before us, and relied on."""

    def content(self, handle: bytes, st: os.stat_result) -> bytes | None:
        """The chunk list of a file that did not change since it was read; None: it must be read."""
        ...

    def may_patch(self) -> bool:
        """Whether a file may be written into where it stands; else a new one takes its place."""
        ...

    def before_change(self, fd: int, name: bytes) -> bool:
        """An entry is about to be overwritten or removed. Whether it is gone already: what stands there by now is another's, and
        is no more to be overwritten or removed than it was. Raises errors of our own stores; it must stay then."""
        ...


class NothingAdopted:
    """There was no tree."""

    def content(self, handle: bytes, st: os.stat_result) -> bytes | None:
        return None

    def may_patch(self) -> bool:
        return True

    def before_change(self, fd: int, name: bytes) -> bool:
        return False
