"""The seam between capture and the files: the same looks go over what stands there now and over what stood there at one
moment."""

from __future__ import annotations

import os
from typing import Protocol

from agent.fs.confined import open_dir, open_file
from agent.fs.handles import handle_and_mount, handle_of, handle_of_fd
from agent.fs.metadata import Metadata, read_metadata
from agent.fs.walk import Listing


class FileAccess(Protocol):
    """Entries of open directories, and open objects: each as the function of its name in ``os`` and ``fs``, with its errors.

    Whoever uses one takes the function off it once: what is there now costs no call more than without the seam."""

    def stat(self, name: bytes, /, *, dir_fd: int, follow_symlinks: bool) -> os.stat_result:
        """``os.stat``; links are not followed."""
        ...

    def fstat(self, fd: int, /) -> os.stat_result:
        """``os.fstat`` of a directory or of what :meth:`open_file` opened."""
        ...

    def readlink(self, name: bytes, /, *, dir_fd: int) -> bytes:
        """``os.readlink``."""
        ...

    def open_file(self, dir_fd: int, name: bytes, /) -> int:
        """``fs.confined.open_file``; to be closed by the caller."""
        ...

    def open_dir(self, dir_fd: int, name: bytes, /) -> int:
        """``fs.confined.open_dir``; to be closed by the caller."""
        ...

    def handle_of(self, dir_fd: int, name: bytes, /) -> bytes:
        """``fs.handles.handle_of``."""
        ...

    def handle_and_mount(self, dir_fd: int, name: bytes, /) -> tuple[bytes, int]:
        """``fs.handles.handle_and_mount``."""
        ...

    def handle_of_fd(self, fd: int, /) -> bytes:
        """``fs.handles.handle_of_fd`` of a directory or of what :meth:`open_file` opened."""
        ...

    def metadata(self, dir_fd: int, name: bytes, st: os.stat_result, fd: int | None, /) -> Metadata:
        """``fs.metadata.read_metadata``."""
        ...

    def listing(self, dir_fd: int, scratch: str | None, /) -> Listing:
        """``fs.walk.Listing``."""
        ...


class LiveAccess:
    """What stands there now. Satisfies ``FileAccess``."""

    stat = staticmethod(os.stat)
    fstat = staticmethod(os.fstat)
    readlink = staticmethod(os.readlink)
    open_file = staticmethod(open_file)
    open_dir = staticmethod(open_dir)
    handle_of = staticmethod(handle_of)
    handle_and_mount = staticmethod(handle_and_mount)
    handle_of_fd = staticmethod(handle_of_fd)
    metadata = staticmethod(read_metadata)
    listing = staticmethod(Listing)


LIVE = LiveAccess()
