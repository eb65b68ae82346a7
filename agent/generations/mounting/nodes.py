"""What stands at a path of a mounted history: an entry of a moment, or a directory or link that is no object's."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from agent.core.chunks import Chunk
from agent.core.ids import CommitNumber, ObjectId
from agent.core.rows import ObjectRow
from agent.generations.mounting.attributes import (
    Attributes,
    Shown,
    attributes_of,
    inode,
    virtual_directory,
    virtual_link,
)
from agent.generations.mounting.written_over import WrittenOver
from agent.generations.reading import MomentEntry, MomentReader

#: Names of one object that are counted.
_LINKS = 65_000


class DirectoryEntry(NamedTuple):
    """An entry of a directory: ``node`` where it is known already."""

    name: bytes
    mode: int
    inode: int
    node: ShownNode | None


class RangedContent(Protocol):
    """What an open file holds, by ranges."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    def within(self, offset: int, length: int) -> Iterator[tuple[int, Chunk]]:
        """``(offset, chunk)`` of the data and holes that lie in a range, wholly or in part, without gaps."""
        ...


class RowContent(NamedTuple):
    """Of a regular file of a moment."""

    moment: MomentReader
    row: ObjectRow

    @property
    def size(self) -> int:
        """See ``RangedContent``."""
        return self.row.size

    def within(self, offset: int, length: int) -> Iterator[tuple[int, Chunk]]:
        """See ``RangedContent``."""
        return self.moment.within(self.row, offset, length)


class OpenedFile(NamedTuple):
    """A regular file that somebody opens. ``hold`` keeps its moment, and gives what is called when the file is closed; ``over``:
    what takes what is written to it, None for a file that is only read."""

    content: RangedContent
    hold: Callable[[], Callable[[], None]]
    over: WrittenOver | None = None


class ShownNode(Protocol):
    """What is asked of anything that stands at a path. All raise ``HikaeError``."""

    def attributes(self) -> Attributes: ...

    def child(self, name: bytes) -> ShownNode | None:
        """What stands at a name, in a directory; None where nothing does."""
        ...

    def entries(self, after: bytes) -> list[DirectoryEntry]:
        """Some entries behind this name, by name; none at the end."""
        ...

    def lasts(self) -> bool:
        """Whether what stands at the path stays what it is, so that it may be remembered."""
        ...

    def opened(self) -> OpenedFile | None:
        """What is read, of a regular file; None of all else."""
        ...


@dataclass(frozen=True, slots=True)
class MomentNode:
    """An object of ``moment``. ``linked``: whether it has other names, None: not known. ``hold``: called before its content is
    read, and gives what is called when that ends; it keeps the moment meanwhile."""

    moment: MomentReader
    row: ObjectRow
    linked: bool | None
    hold: Callable[[CommitNumber], Callable[[], None]]

    def attributes(self) -> Attributes:
        """See ``ShownNode``."""
        return attributes_of(self.row, self.moment.number, self._links(), self.moment.chunk)

    def _links(self) -> int:
        if self.row.kind == stat.S_IFDIR or self.linked is False:
            return 1
        return max(1, len(self.moment.catalog.some_names(self.row.id, _LINKS, self.moment.number)))

    def child(self, name: bytes) -> MomentNode | None:
        """See ``ShownNode``."""
        if self.row.kind != stat.S_IFDIR:
            return None
        id = self.moment.catalog.child(self.row.id, name, self.moment.number)
        row = self.moment.object(id) if id is not None else None
        return MomentNode(self.moment, row, None, self.hold) if row is not None else None

    def entries(self, after: bytes) -> list[DirectoryEntry]:
        """See ``ShownNode``."""
        return [self._listed(entry) for entry in self.moment.entries(self.row.id, after)]

    def _listed(self, entry: MomentEntry) -> DirectoryEntry:
        row = entry.row
        node = MomentNode(self.moment, row, bool(entry.linked), self.hold)
        return DirectoryEntry(entry.name, row.mode, inode(self.moment.number, row.id), node)

    def lasts(self) -> bool:
        """See ``ShownNode``."""
        return True

    def opened(self) -> OpenedFile | None:
        """See ``ShownNode``."""
        if self.row.kind != stat.S_IFREG:
            return None
        return OpenedFile(RowContent(self.moment, self.row), partial(self.hold, self.moment.number))


@dataclass(frozen=True, slots=True)
class LinkNode:
    """A symbolic link that is no object's."""

    shown: Shown
    number: int
    target: Callable[[], bytes]

    def attributes(self) -> Attributes:
        """See ``ShownNode``."""
        return virtual_link(self.shown, self.number, self.target())

    def child(self, name: bytes) -> None:
        """See ``ShownNode``."""
        return

    def entries(self, after: bytes) -> list[DirectoryEntry]:
        """See ``ShownNode``."""
        return []

    def lasts(self) -> bool:
        """See ``ShownNode``."""
        return False

    def opened(self) -> None:
        """See ``ShownNode``."""
        return


@dataclass(frozen=True, slots=True)
class VirtualNode:
    """A directory that is no object's. ``find``: what stands at a name; ``names``: all that it shows, by name, with the file type
    of each; ``access``: its mode's bits."""

    shown: Shown
    number: int
    find: Callable[[bytes], ShownNode | None]
    names: Callable[[], Iterator[tuple[bytes, int]]]
    access: int = 0o555

    def attributes(self) -> Attributes:
        """See ``ShownNode``."""
        return virtual_directory(self.shown, self.number, self.access)

    def child(self, name: bytes) -> ShownNode | None:
        """See ``ShownNode``."""
        return self.find(name)

    def entries(self, after: bytes) -> list[DirectoryEntry]:
        """See ``ShownNode``."""
        return [
            DirectoryEntry(name, mode, virtual_inode(b"%d/%s" % (self.number, name)), None)
            for name, mode in self.names()
            if name > after
        ]

    def lasts(self) -> bool:
        """See ``ShownNode``."""
        return False

    def opened(self) -> None:
        """See ``ShownNode``."""
        return


def virtual_inode(path: bytes) -> int:
    """Of a path that is no object's; objects have others."""
    number = 0xCBF29CE484222325
    for byte in path:
        number = (number ^ byte) * 0x100000001B3 & (1 << 61) - 1
    return number | 1 << 61


def directory_row_of(moment: MomentReader, id: ObjectId) -> ObjectRow | None:
    """The row of a directory at a moment; None where there is none."""
    row = moment.object(id)
    return row if row is not None and row.kind == stat.S_IFDIR else None
