"""Is the standby what the catalog says? Compares names, all metadata, links and, deep, every byte and hole; changes nothing.

Walks the wanted tree and lists each directory beside it, so what is missing, foreign or altered is found alike.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from agent.apply.commit_numbers import commit_at
from agent.apply.converge.untouched import first_untouched
from agent.apply.output.directory import LOST_AND_FOUND
from agent.apply.output.seam import Output
from agent.apply.output.unkept import LEFT_OUT, Unkept
from agent.apply.ports import CatalogView, LeftOut, ReadChunk
from agent.apply.results import ApplyProgress, ChunkLost, Difference, Report, VerifyReport, silent
from agent.apply.writing import file_content
from agent.core.commit import Commit
from agent.core.errors import WireError
from agent.core.ids import NOTHING, ROOT, CommitNumber, ObjectId
from agent.core.rows import PRIVATE_DIR, ObjectRow, decode_object
from agent.fs.confined import open_file
from agent.fs.dir_tree import DirTree
from agent.fs.handles import handle_of, is_directory, is_mounted
from agent.fs.metadata import Metadata, read_metadata
from agent.fs.walk import entries
from agent.store.local import LocalRow

#: Of so many objects with several names it is kept what was found out once.
_LINKED = 100_000
_PAGE = 500
#: What explains a difference, if local facts say so of the object; that it is left out explains all.
_UNKEPT = {
    "uid": Unkept.OWNER,
    "gid": Unkept.OWNER,
    "mode": Unkept.MODE,
    "flags": Unkept.FLAGS,
    "xattrs": Unkept.ATTRIBUTES,
    "links": Unkept.LINKS,
}
Known: TypeAlias = Callable[[ObjectId], LocalRow | None]
_FIELDS = ("uid", "gid", "mtime", "flags", "xattrs")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A root and the commit ``number``, which it should equal and which must stay applied meanwhile. ``known``: what local facts
    say of an object; what the filesystem is known not to keep of it is no difference. ``short``: files that are owed, of which
    the last version stands, or nothing: they are named and not compared. ``look`` is called for every entry, and raises what is
    to end it; ``most``: so many differences are listed, further ones counted."""

    output: Output
    view: CatalogView
    number: CommitNumber
    read: ReadChunk
    known: Known
    left_out: LeftOut
    short: frozenset[ObjectId]
    look: file_content.Look
    most: int


def verify(comparison: Comparison, *, deep: bool, progress: Report = silent) -> VerifyReport:
    """Compare. ``deep``: every byte and hole too."""
    check = _Check(comparison, comparison.view, comparison.number, deep)
    if check.at == NOTHING:
        return check.report()
    try:
        check.whole_tree(commit_at(check.view, check.at), progress)
    finally:
        check.dirs.close()
    return check.report()


@dataclass(slots=True)
class _Check:
    asked: Comparison
    view: CatalogView
    at: CommitNumber
    deep: bool
    owed: set[ObjectId] = field(default_factory=set)
    owed_paths: list[bytes] = field(default_factory=list)
    found: list[Difference] = field(default_factory=list)
    #: Of objects with several names: how many, and the first.
    linked: dict[ObjectId, tuple[int, tuple[ObjectId, bytes]]] = field(default_factory=dict)
    #: Those whose content was compared at one of them.
    compared: set[tuple[ObjectId, bytes]] = field(default_factory=set)
    more: int = 0
    checked_entries: int = 0
    checked_bytes: int = 0
    dirs: DirTree = field(init=False)

    def __post_init__(self) -> None:
        self.dirs = DirTree(self.asked.output.root, self._locate)

    def report(self) -> VerifyReport:
        equal = not self.found and not self.more
        return VerifyReport(
            equal,
            self.checked_entries,
            self.checked_bytes if self.deep else 0,
            tuple(self.found),
            self.more,
            number=self.at,
            owed=len(self.owed),
            owed_paths=tuple(self.owed_paths),
        )

    def whole_tree(self, commit: Commit | None, progress: Report) -> None:
        total_entries, total_bytes = (commit.entries, commit.bytes) if commit else (0, 0)
        self._root()
        levels: list[Iterator[tuple[bytes, ObjectId]]] = []
        paths: list[bytes] = []
        levels.append(self._directory(ROOT, b""))
        paths.append(b"")
        while levels:
            below = next(levels[-1], None)
            if below is None:
                levels.pop()
                paths.pop()
                continue
            path = _join(paths[-1], below[0])
            levels.append(self._directory(below[1], path))
            paths.append(path)
            progress(ApplyProgress(self.checked_entries, total_entries, self.checked_bytes, total_bytes))

    def _root(self) -> None:
        raw = self.view.object(ROOT, self.at)
        if raw is not None:
            st = os.fstat(self.asked.output.root)
            self._metadata(decode_object(raw), self.asked.output.root, b"", st, b"")

    def _directory(self, id: ObjectId, path: bytes) -> Iterator[tuple[bytes, ObjectId]]:
        """Compare one directory's entries; give those that are directories on both sides."""
        try:
            fd = self.dirs.fd(id)
            standing = entries(fd, self.asked.output.scratch)
            stands = next(standing, None)
        except OSError as error:
            self._differs(path, f"unreadable: {error.strerror}", id)
            return
        for name, child in self._children(id):
            while stands is not None and stands < name:
                self._foreign(id, path, stands)
                stands = next(standing, None)
            if stands == name:
                stands = next(standing, None)
                self._entry(id, name, child, _join(path, name))
            else:
                self.checked_entries += 1
                if not self._is_owed(child, _join(path, name)):
                    self._differs(_join(path, name), "missing", child)
        while stands is not None:
            self._foreign(id, path, stands)
            stands = next(standing, None)
        yield from self._directories_below(id)

    def _children(self, id: ObjectId) -> Iterator[tuple[bytes, ObjectId]]:
        after = b""
        while page := self.view.children(id, self.at, after, _PAGE):
            yield from page
            after = page[-1][0]

    def _directories_below(self, id: ObjectId) -> Iterator[tuple[bytes, ObjectId]]:
        for name, child in self._children(id):
            raw = self.view.object(child, self.at)
            if raw is None or decode_object(raw).kind != stat.S_IFDIR:
                continue
            if self.view.names_of(child, self.at)[0] == (id, name) and self._is_directory(id, name):
                yield name, child

    def _is_directory(self, parent: ObjectId, name: bytes) -> bool:
        try:
            return is_directory(self.dirs.fd(parent), name)
        except OSError:
            return False

    def _foreign(self, parent: ObjectId, path: bytes, name: bytes) -> None:
        if parent == ROOT and name in (PRIVATE_DIR, LOST_AND_FOUND):
            return
        if not self._is_untouched(parent, _join(path, name), name):
            self._differs(_join(path, name), "foreign")

    def _is_untouched(self, parent: ObjectId, path: bytes, name: bytes) -> bool:
        """Whether an entry is not ours to judge, or a directory that holds such."""
        fd = self.dirs.fd(parent)
        directory = self._is_directory(parent, name)
        if self.asked.left_out(path, directory) or is_mounted(fd, name):
            return True
        return directory and first_untouched(fd, name, path, self.asked.left_out) is not None

    def _entry(self, parent: ObjectId, name: bytes, child: ObjectId, path: bytes) -> None:
        self.asked.look()
        self.checked_entries += 1
        raw = self.view.object(child, self.at)
        if raw is None or self._is_owed(child, path):
            return
        row = decode_object(raw)
        try:
            fd = self.dirs.fd(parent)
            if row.kind == stat.S_IFDIR and is_mounted(fd, name):
                self._differs(path, "mounted", row.id)
                return
            st = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if stat.S_IFMT(st.st_mode) != row.kind:
                self._differs(path, "type", row.id)
                return
            self._metadata(row, fd, name, st, path)
            if row.kind != stat.S_IFDIR:
                self._links(row, parent, name, st, path)
                self._content(row, fd, name, st, path)
        except OSError as error:
            self._differs(path, f"unreadable: {error.strerror}", row.id)

    def _is_owed(self, id: ObjectId, path: bytes) -> bool:
        if id not in self.asked.short:
            return False
        if id not in self.owed and len(self.owed_paths) < self.asked.most:
            self.owed_paths.append(path)
        self.owed.add(id)
        return True

    def _metadata(self, row: ObjectRow, fd: int, name: bytes, st: os.stat_result, path: bytes) -> None:
        have = read_metadata(fd, name, st, None if name else fd)
        if have.mode != row.mode and row.kind != stat.S_IFLNK:
            self._differs(path, "mode", row.id)
        for field_name in _FIELDS:
            if getattr(have, field_name) != getattr(row, field_name) and not self._is_as_kept(field_name, have, row.id):
                self._differs(path, field_name, row.id)

    def _links(self, row: ObjectRow, parent: ObjectId, name: bytes, st: os.stat_result, path: bytes) -> None:
        many, first = self._names(row.id, st.st_nlink)
        if st.st_nlink != many or (many > 1 and first != (parent, name) and not self._are_one(first, (parent, name))):
            self._differs(path, "links", row.id)

    def _are_one(self, *places: tuple[ObjectId, bytes]) -> bool:
        return len({handle_of(self.dirs.fd(parent), name) for parent, name in places}) == 1

    def _names(self, id: ObjectId, links: int) -> tuple[int, tuple[ObjectId, bytes]]:
        """How many names an object should have, and the first; kept for those that have several: each is come to by itself."""
        known = self.linked.get(id)
        if known is None:
            names = self.view.names_of(id, self.at)
            known = len(names), names[0]
            if links > 1 and len(self.linked) < _LINKED:
                self.linked[id] = known
        return known

    def _content(self, row: ObjectRow, fd: int, name: bytes, st: os.stat_result, path: bytes) -> None:
        if row.kind == stat.S_IFLNK:
            if os.readlink(name, dir_fd=fd) != row.content:
                self._differs(path, "target", row.id)
        elif row.kind in (stat.S_IFCHR, stat.S_IFBLK):
            if st.st_rdev != row.rdev:
                self._differs(path, "rdev", row.id)
        elif row.kind == stat.S_IFREG:
            self.checked_bytes += row.size
            if st.st_size != row.size:
                self._differs(path, "size", row.id)
            elif self.deep and row.size:
                self._compare(row, fd, name, path)

    def _compare(self, row: ObjectRow, fd: int, name: bytes, path: bytes) -> None:
        handle = handle_of(fd, name)
        if (row.id, handle) in self.compared:
            return
        if row.id in self.linked:
            self.compared.add((row.id, handle))
        opened = open_file(fd, name)
        try:
            what = file_content.content_difference(opened, row, self.asked.read, self.asked.look)
        except (ChunkLost, WireError) as error:
            what = f"cannot be compared: {error.reason}"
        finally:
            os.close(opened)
        if what:
            self._differs(path, what, row.id)

    def _is_as_kept(self, what: str, have: Metadata, id: ObjectId) -> bool:
        """Whether a time that differs is what the filesystem made of the one that it was given."""
        if what != "mtime":
            return False
        known = self.asked.known(id)
        return known is not None and bool(known.unkept & Unkept.TIMES) and known.mtime == have.mtime

    def _differs(self, path: bytes, what: str, object: ObjectId | None = None) -> None:
        bits = _UNKEPT.get(what, Unkept.NOTHING) | LEFT_OUT
        known = self.asked.known(object) if object is not None else None
        if known is not None and known.unkept & bits:
            return
        if len(self.found) < self.asked.most:
            self.found.append(Difference(path, what, object))
        else:
            self.more += 1

    def _locate(self, id: ObjectId) -> tuple[ObjectId, bytes] | None:
        names = self.view.names_of(id, self.at)
        return names[0] if names else None


def _join(path: bytes, name: bytes) -> bytes:
    return path + b"/" + name if path else name
