"""The moment's tree, top down: directories are made here, what stands in them and is none of it is moved aside, and the rest is
given to the crew, directory by directory."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agent.apply.converge.untouched import first_untouched
from agent.apply.output.directory import LOST_AND_FOUND
from agent.apply.output.unkept import InTheWay
from agent.apply.ports import LeftOut
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import PRIVATE_DIR, ObjectRow, file_type_of, size_of
from agent.fs.confined import create_file, make_dir, open_pinned
from agent.fs.dir_tree import DirTree
from agent.fs.handles import is_directory, is_mounted
from agent.fs.walk import entries
from agent.generations.reading import MomentEntry, MomentReader
from agent.generations.restore.asked import Cover, Parts
from agent.generations.restore.crew import Crew
from agent.generations.restore.making import EntryMaker
from agent.generations.restore.ranges import SHARED, stretches
from agent.generations.restore.results import Done, Unmade, as_fatal
from agent.generations.restore.scratch import LaterEntry, RestoreScratch
from agent.generations.restore.worker import ENTRIES, STRETCH

#: What one task has, at most: entries, and about so many bytes.
_ENTRIES, _BYTES = 250, 8 << 20


@dataclass(frozen=True, slots=True)
class RestoreRun:
    """What a walk works with. ``root``: the open target; ``left_out``: what in it is not the dataset's, whatever stands there;
    ``look``: called at every directory, and raises what is to end it; ``owes_any``: whether some file's content never came."""

    moment: MomentReader
    parts: Parts
    root: int
    dirs: DirTree
    crew: Crew
    maker: EntryMaker
    scratch: RestoreScratch
    done: Done
    left_out: LeftOut
    look: Callable[[], None]
    owes_any: bool


class DirectoryTask:
    """What is gathered for the crew of one directory."""

    def __init__(self, run: RestoreRun, directory: ObjectId, fresh: bool) -> None:
        self._run, self._directory, self._fresh = run, directory, fresh
        self._entries: list[tuple[bytes, bytes, int]] = []
        self._bytes = 0

    def add(self, name: bytes, raw: bytes, names: int, size: int) -> None:
        """An entry, which is given away with others."""
        self._entries.append((name, raw, names))
        self._bytes += size
        if len(self._entries) >= _ENTRIES or self._bytes >= _BYTES:
            self.give()

    def give(self) -> None:
        """Give away what there is."""
        if self._entries:
            self._run.crew.give((ENTRIES, int(self._directory), self._fresh, self._entries))
        self._entries, self._bytes = [], 0


def walk(run: RestoreRun, fresh: bool) -> None:
    """Make all that is asked for but further names and the metadata of directories. ``fresh``: the target is empty.

    Raises what ends a restore: ``TryAgain`` (disk full), ``StoreFailed``, ``Damaged`` (the catalog)."""
    walk_below(run, ROOT, b"", fresh)
    run.crew.settle()


def walk_below(run: RestoreRun, start: ObjectId, at: bytes, fresh: bool) -> None:
    """The same of what is in one directory, which stands at the path ``at``; the crew goes on with it."""
    levels: list[Iterator[tuple[ObjectId, bytes, bool]]] = [iter(((start, at, fresh),))]
    while levels:
        found = next(levels[-1], None)
        if found is None:
            levels.pop()
            continue
        id, path, is_new = found
        run.look()
        try:
            levels.append(iter(_directory(run, id, path, is_new)))
        except OSError as error:
            note(run, path, error)


def _directory(run: RestoreRun, id: ObjectId, path: bytes, fresh: bool) -> list[tuple[ObjectId, bytes, bool]]:
    """Make what is in one directory; its directories, which come next: id, path, whether it is new."""
    cover = run.parts.cover(path)
    if not fresh and cover is Cover.WITHIN:
        _clear(run, id, path)
    below, task = [], DirectoryTask(run, id, fresh)
    for entry in run.moment.every_entry(id):
        inner = path_below(path, entry.name)
        if cover is not Cover.WITHIN and run.parts.cover(inner) is Cover.OUTSIDE:
            continue
        if file_type_of(entry.raw) == stat.S_IFDIR:
            made = make_directory(run, id, entry, inner)
            if made is not None:
                below.append((entry.id, inner, made))
        else:
            give_entry(run, id, entry, inner, task)
    task.give()
    return below


def entries_below(
    moment: MomentReader, parts: Parts, start: ObjectId, at: bytes
) -> Iterator[tuple[bytes, MomentEntry]]:
    """Each entry of the moment, with its path, that is asked for, or leads to what is, below a directory at ``at``."""
    levels = [(start, at)]
    while levels:
        id, path = levels.pop()
        for entry in moment.every_entry(id):
            inner = path_below(path, entry.name)
            if parts.cover(inner) is not Cover.OUTSIDE:
                yield inner, entry
                if entry.is_directory:
                    levels.append((entry.id, inner))


def make_directory(run: RestoreRun, parent: ObjectId, entry: MomentEntry, path: bytes) -> bool | None:
    """Make a directory, or take the one that stands; whether it is new, None where there can be none."""
    fd = run.dirs.fd(parent)
    try:
        is_new = _made_here(run, fd, entry.name)
        if not is_new and is_mounted(fd, entry.name):
            raise InTheWay(errno.EBUSY, "something is mounted here", entry.name)
        run.dirs.fd(entry.id)
    except OSError as error:
        note(run, path, error)
        return None
    # What only leads to what is asked for, and stood before, stays as it is.
    if is_new or run.parts.cover(path) is Cover.WITHIN:
        run.scratch.directory(entry.id, entry.raw)
    run.done.entries += 1
    return is_new


def _made_here(run: RestoreRun, fd: int, name: bytes) -> bool:
    try:
        make_dir(fd, name)
    except FileExistsError:
        if is_directory(fd, name):
            return False
        run.maker.displace(fd, name)
        make_dir(fd, name)
    return True


def give_entry(run: RestoreRun, parent: ObjectId, entry: MomentEntry, path: bytes, task: DirectoryTask) -> None:
    """Anything but a directory: for the crew now, or for later."""
    kind = file_type_of(entry.raw)
    if kind == stat.S_IFREG and run.owes_any and run.moment.owes(entry.id):
        run.done.is_owed(path)
        return
    names = 1
    if entry.linked:
        standing = places(run, entry.id)
        if standing[0] != (parent, entry.name):
            run.scratch.link(LaterEntry(parent, entry.name, entry.raw))
            return
        names = len(standing)
    size = size_of(entry.raw)
    if size >= SHARED and kind == stat.S_IFREG and _shared(run, parent, entry, entry.row):
        return
    task.add(entry.name, entry.raw, names, size)


def places(run: RestoreRun, id: ObjectId) -> list[tuple[ObjectId, bytes]]:
    """The names of an object that are asked for."""
    names = run.moment.catalog.names_of(id, run.moment.number)
    if run.parts.is_whole:
        return names
    return [one for one in names if run.parts.cover(path_in(run, *one)) is Cover.WITHIN]


def _shared(run: RestoreRun, parent: ObjectId, entry: MomentEntry, row: ObjectRow) -> bool:
    """Share a large file out in stretches, where nothing stands, or what a restore that was cut off has left of it."""
    fd = run.dirs.fd(parent)
    try:
        opened = create_file(fd, entry.name)
    except FileExistsError:
        if not _is_begun(fd, entry.name):
            return False
    else:
        os.close(opened)
    _sized(fd, entry.name, row.size)
    run.scratch.large(LaterEntry(parent, entry.name, entry.raw))
    for offset, length in stretches(row.size):
        run.crew.give((STRETCH, int(parent), entry.name, entry.raw, offset, length))
    return True


def _is_begun(fd: int, name: bytes) -> bool:
    """Whether a file stands there that only we read and write."""
    st = os.stat(name, dir_fd=fd, follow_symlinks=False)
    return stat.S_ISREG(st.st_mode) and st.st_nlink == 1 and st.st_uid == os.geteuid() and not st.st_mode & 0o077


def _sized(fd: int, name: bytes, size: int) -> None:
    pinned = open_pinned(fd, name)
    try:
        st = os.fstat(pinned)
        if st.st_nlink != 1 or not stat.S_ISREG(st.st_mode):
            raise InTheWay(errno.EBUSY, "somebody else changed it meanwhile", name)
        if st.st_size != size:
            opened = os.open(b"/proc/self/fd/%d" % pinned, os.O_RDWR | os.O_CLOEXEC)
            try:
                os.ftruncate(opened, size)
            finally:
                os.close(opened)
    finally:
        os.close(pinned)


def _clear(run: RestoreRun, id: ObjectId, path: bytes) -> None:
    """Move aside what stands in a directory and is none of the moment, or is a directory where it has none, or the other way
    round; what is not the dataset's stays."""
    fd = run.dirs.fd(id)
    for name in entries(fd):
        if id != ROOT or name not in (PRIVATE_DIR, LOST_AND_FOUND):
            clear_name(run, id, fd, name, path)


def clear_name(run: RestoreRun, id: ObjectId, fd: int, name: bytes, path: bytes) -> None:
    """Move one entry aside, if it is such. ``fd``, ``path``: of its directory."""
    inner, is_dir = path_below(path, name), is_directory(fd, name)
    child = run.moment.catalog.child(id, name, run.moment.number)
    raw = run.moment.catalog.object(child, run.moment.number) if child is not None else None
    if raw is not None and (file_type_of(raw) == stat.S_IFDIR) == is_dir:
        return
    if run.left_out(inner, is_dir) or is_mounted(fd, name):
        return
    if is_dir and (first := first_untouched(fd, name, inner, run.left_out)) is not None:
        shown = first.decode("utf-8", "backslashreplace")
        run.done.not_made(Unmade(inner, f"it stays, as it holds what exclude names, or a mount: {shown}", "", False))
        return
    run.maker.displace(fd, name)


def note(run: RestoreRun, path: bytes, error: OSError) -> None:
    """An entry that could not be made. Raises what ends the restore."""
    fatal = as_fatal(error, os.fsdecode(os.readlink(b"/proc/self/fd/%d" % run.root)))
    if fatal is not None:
        raise fatal from error
    run.done.not_made(Unmade(path, error.strerror or str(error)))


def path_below(path: bytes, name: bytes) -> bytes:
    """The path of an entry of the directory at ``path``."""
    return path + b"/" + name if path else name


def path_in(run: RestoreRun, parent: ObjectId, name: bytes) -> bytes:
    """The path of an entry."""
    return path_below(run.moment.catalog.path_of(parent, run.moment.number) or b"", name)
