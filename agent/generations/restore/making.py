"""Making one entry as it was, beside or over what stands there: files, links, fifos and devices; directories are the walk's.

What stands is written into only where it is proved to be a file of this one name and where those who may read it may read what
comes: else a new one is made aside, in a directory that is ours alone, and takes its name. So no link that somebody plants in
the target, symbolic or hard, leads a byte out of it.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from agent.apply.output.directory import ease
from agent.apply.output.unkept import InTheWay
from agent.apply.results import ChunkLost
from agent.apply.writing import file_content
from agent.core.errors import Damaged, NotFound, WireError
from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow
from agent.fs.confined import create_file, link, make_node, make_symlink, open_pinned, rename, set_flags_pinned
from agent.fs.handles import is_mounted
from agent.fs.metadata import access_of, access_of_fd, apply_metadata, apply_metadata_fd
from agent.generations.reading import ReadChunk
from agent.generations.restore.results import Work

#: Smaller files are made anew where they differ, bytes.
WHOLE = 64 << 10
_NEW = b"new"
_NAME_MAX = 200


class EntryMaker:
    """For one process. ``temp``, ``displaced``: open directories of ours in the target, the first this process's alone;
    ``read``: the vault's; ``serial``: begins the names of what is displaced. What is done is added to ``work``."""

    def __init__(self, temp: int, displaced: int, read: ReadChunk, serial: str) -> None:
        self.work = Work()
        self._temp = temp
        self._displaced = displaced
        self._vault = read
        self._serial = serial
        self._count = itertools.count(1)

    def read(self, name: bytes) -> bytes:
        """A chunk, checked. ``ChunkLost`` with its name."""
        try:
            return self._vault(name)
        except (Damaged, NotFound) as error:
            raise ChunkLost("restore", name.hex(), error.reason, error.remedy) from error

    def make(self, directory: ObjectId, fd: int, name: bytes, row: ObjectRow, names: int, *, fresh: bool) -> None:
        """Make the entry; what does not go is noted. ``names``: how many the object has; ``fresh``: nobody else can have put
        anything into the directory. OSError for what ends the restore."""
        try:
            refused = (
                self._file(fd, name, row, names, fresh) if row.kind == stat.S_IFREG else self._special(fd, name, row)
            )
        except (ChunkLost, WireError) as error:
            self.lost(directory, name, error)
            return
        self.work.entries += 1
        self.work.size += row.size
        self.work.verified += row.size
        if refused:
            self.work.unmade.append((directory, name, f"without its {', '.join(refused)}", "", False))

    def lost(self, directory: ObjectId, name: bytes, error: ChunkLost | WireError) -> None:
        """Note a file whose content is not all there."""
        chunk = error.subject if isinstance(error, ChunkLost) else ""
        self.work.unmade.append((directory, name, error.reason, chunk, True))

    def _file(self, fd: int, name: bytes, row: ObjectRow, names: int, fresh: bool) -> list[str]:
        if fresh:
            try:
                return self._created(fd, name, row)
            except FileExistsError:
                pass
        try:
            pinned = open_pinned(fd, name)
        except FileNotFoundError:
            return self._aside(fd, name, row)
        try:
            return self._over(fd, name, pinned, row, names)
        finally:
            os.close(pinned)

    def _created(self, fd: int, name: bytes, row: ObjectRow) -> list[str]:
        made = create_file(fd, name)
        try:
            if row.size:
                self.work.written += file_content.write_new(made, row, self.read)
            return apply_metadata_fd(made, row)
        except (ChunkLost, WireError):
            os.unlink(name, dir_fd=fd)
            raise
        finally:
            os.close(made)

    def _over(self, fd: int, name: bytes, pinned: int, row: ObjectRow, names: int) -> list[str]:
        st = os.fstat(pinned)
        if not stat.S_ISREG(st.st_mode):
            self.displace(fd, name)
            return self._aside(fd, name, row)
        if is_mounted(fd, name):
            raise InTheWay(16, "something is mounted here", name)
        opened = os.open(b"/proc/self/fd/%d" % pinned, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            is_same = file_content.is_same(opened, row, self._vault, _no_end)
            ours = access_of_fd(opened) == access_of(row) or (st.st_uid == os.geteuid() and not st.st_mode & 0o077)
        finally:
            os.close(opened)
        if is_same and (st.st_nlink == 1 or (st.st_nlink <= names and ours)):
            return apply_metadata(pinned, b"", row, None)
        if st.st_nlink == 1 and ours and min(st.st_size, row.size) >= WHOLE:
            return self._mended(pinned, row)
        return self._aside(fd, name, row)

    def _mended(self, pinned: int, row: ObjectRow) -> list[str]:
        with suppress(OSError):
            set_flags_pinned(pinned, 0)
        opened = os.open(b"/proc/self/fd/%d" % pinned, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self.work.written += file_content.mend(opened, row, self.read, _no_end)
        finally:
            os.close(opened)
        return apply_metadata(pinned, b"", row, None)

    def _aside(self, fd: int, name: bytes, row: ObjectRow) -> list[str]:
        self.clear_temp()
        made = create_file(self._temp, _NEW)
        try:
            if row.size:
                self.work.written += file_content.write_new(made, row, self.read)
            refused = apply_metadata_fd(made, row._replace(flags=0))
            self._give_name(fd, name)
            return refused + (apply_metadata(made, b"", row, row) if row.flags else [])
        finally:
            os.close(made)

    def _special(self, fd: int, name: bytes, row: ObjectRow) -> list[str]:
        try:
            pinned = open_pinned(fd, name)
        except FileNotFoundError:
            return self._special_aside(fd, name, row)
        try:
            if _is_special(pinned, row):
                return apply_metadata(pinned, b"", row, None)
        finally:
            os.close(pinned)
        self.displace(fd, name)
        return self._special_aside(fd, name, row)

    def _special_aside(self, fd: int, name: bytes, row: ObjectRow) -> list[str]:
        self.clear_temp()
        if row.kind == stat.S_IFLNK:
            make_symlink(self._temp, _NEW, row.content)
        else:
            make_node(self._temp, _NEW, row.mode, row.rdev)
        pinned = open_pinned(self._temp, _NEW)
        try:
            refused = apply_metadata(pinned, b"", row, None)
        finally:
            os.close(pinned)
        self._give_name(fd, name)
        return refused

    def link(self, source_fd: int, source: bytes, fd: int, name: bytes, row: ObjectRow) -> None:
        """A further name of what was made at ``source``. OSError where there can be none, or something else stands there."""
        self.clear_temp()
        link(source_fd, source, self._temp, _NEW)
        made = os.stat(_NEW, dir_fd=self._temp, follow_symlinks=False)
        if stat.S_IFMT(made.st_mode) != row.kind:
            raise InTheWay(16, "something else stands at its other name", source)
        try:
            stands = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            pass
        else:
            if (stands.st_dev, stands.st_ino) == (made.st_dev, made.st_ino):
                self.clear_temp()
                return
            if stat.S_IFMT(stands.st_mode) != row.kind:
                self.displace(fd, name)
        self._give_name(fd, name)

    def displace(self, fd: int, name: bytes) -> None:
        """Move what stands at a name aside; nothing is deleted."""
        if is_mounted(fd, name):
            raise InTheWay(16, "something is mounted here", name)
        while True:
            aside = b"%s-%d-%s" % (self._serial.encode(), next(self._count), name[:_NAME_MAX])
            try:
                _eased(fd, name, partial(rename, fd, name, self._displaced, aside, replace=False))
            except FileExistsError:
                continue
            self.work.displaced += 1
            return

    def clear_temp(self) -> None:
        """Room for what is made aside."""
        with suppress(FileNotFoundError):
            os.unlink(_NEW, dir_fd=self._temp)

    def _give_name(self, fd: int, name: bytes) -> None:
        _eased(fd, name, lambda: rename(self._temp, _NEW, fd, name, replace=True))


def _is_special(pinned: int, row: ObjectRow) -> bool:
    """Whether an open link, fifo or device is what is wanted, and has no other name that somebody gave it."""
    st = os.fstat(pinned)
    if stat.S_IFMT(st.st_mode) != row.kind or st.st_nlink != 1:
        return False
    if row.kind == stat.S_IFLNK:
        return os.readlink(b"", dir_fd=pinned) == row.content
    return row.kind not in (stat.S_IFCHR, stat.S_IFBLK) or st.st_rdev == row.rdev


def _eased(fd: int, name: bytes, act: Callable[[], None]) -> None:
    try:
        act()
    except PermissionError:
        ease(fd, name)
        act()


def _no_end() -> None:
    """Nothing ends a comparison."""
