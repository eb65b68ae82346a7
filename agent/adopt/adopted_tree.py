"""A tree that was there before us, and which chunks lie where in it, as long as any lie in it only."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from agent.adopt.first_reading import open_below
from agent.adopt.placements import ChunkPlace, KnownFile, Placements, remove_placements
from agent.core.chunks import name_of
from agent.core.errors import Damaged
from agent.fs.confined import open_root
from agent.fs.content import read_exact
from agent.fs.expected import BY_HANDLE
from agent.fs.handles import open_by_handle

_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


class AdoptedTree:
    """The tree at ``root``; its placements stand in ``directory``, the vault's. Any thread.

    ``known`` is None before the reading began, and again once all that is relied on lies in the packs."""

    def __init__(self, directory: str, root: str) -> None:
        self.root = root
        self.known: Placements | None = None
        self._path = os.path.join(directory, "standby.db")
        self._over: Placements | None = None

    def open(self) -> bool:
        """Go on with what was begun before; whether there was something. Raises ``Damaged`` when it cannot be read any more:
        it is removed, and what was relied on is lost."""
        if not os.path.exists(self._path):
            return False
        try:
            self.begin()
        except Damaged:
            remove_placements(self._path)
            raise
        return True

    def begin(self) -> None:
        """From now on placements are kept."""
        self.known = Placements.open(self._path)

    def end(self) -> None:
        """Nothing lies in the tree only. Who still asks finds nothing; the connection is closed with the rest."""
        self.known, self._over = None, self.known
        remove_placements(self._path)

    def close(self) -> None:
        """Give the connections back; safe to call twice."""
        for known in (self.known, self._over):
            if known is not None:
                known.close()

    @contextmanager
    def opened(self, known: Placements, number: int) -> Iterator[int | None]:
        """A file by its number, wherever it stands now; None when it cannot be found."""
        file = known.file(number)
        fd = self.open_file(file) if file is not None else None
        try:
            yield fd
        finally:
            if fd is not None:
                os.close(fd)

    def open_file(self, file: KnownFile) -> int | None:
        """The file, wherever it stands now, the caller's to close; None when it cannot be found."""
        try:
            root = open_root(self.root)
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


def bytes_at(fd: int | None, place: ChunkPlace) -> bytes | None:
    """The bytes there, if they are still what the name says. ``fd``: the place's file; None where it is gone."""
    if fd is None:
        return None
    try:
        data = read_exact(fd, place.offset, place.length)
    except OSError:
        return None
    return data if name_of(data) == place.name else None


def _open_at(root: int, file: KnownFile) -> int:
    directory, _, name = file.path.rpartition(b"/")
    fd = open_below(root, directory)
    try:
        return BY_HANDLE.open(fd, name, file.handle)
    finally:
        os.close(fd)
