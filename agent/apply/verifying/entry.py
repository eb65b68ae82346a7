"""One entry of the standby beside its row: metadata, links and, deep, every byte and hole."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator

from agent.apply.output.unkept import LEFT_OUT, Unkept
from agent.apply.results import ChunkLost, Difference
from agent.apply.verifying.comparison import Comparison
from agent.apply.verifying.findings import Place, VerifyFindings
from agent.apply.writing import file_content
from agent.core.errors import WireError
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import ObjectRow, decode_object
from agent.fs.confined import open_file
from agent.fs.dir_tree import DirTree
from agent.fs.handles import handle_of, is_mounted
from agent.fs.metadata import Metadata, read_metadata

#: Of so many objects with several names it is kept what was found out once.
_LINKED = 100_000
#: A file that changed so often while it was read is not tried again.
_TRIES = 3
#: What explains a difference, if local facts say so of the object; that it is left out explains all.
_UNKEPT = {
    "uid": Unkept.OWNER,
    "gid": Unkept.OWNER,
    "mode": Unkept.MODE,
    "flags": Unkept.FLAGS,
    "xattrs": Unkept.ATTRIBUTES,
    "links": Unkept.LINKS,
}
_FIELDS = ("uid", "gid", "mtime", "flags", "xattrs")
#: Where what is found of the root itself stands: no entry is called so.
ROOT_ITSELF: Place = (ObjectId(0), b"")


class EntryCheck:
    """Compares entries for one verify; what differs goes into ``found``.

    ``asked`` and ``dirs`` are replaced with each slice. ``inside`` gives the steps in a directory that is there; ``bytes`` counts
    the sizes of files."""

    def __init__(
        self, asked: Comparison, found: VerifyFindings, inside: Callable[[ObjectId], Iterator[bool]], *, deep: bool
    ) -> None:
        self.asked = asked
        self._inside = inside
        self.found = found
        self.deep = deep
        self.bytes = 0
        self.dirs = DirTree(asked.output.root, self._locate)
        #: Files that are still being written, by their paths: to be looked at later.
        self.waiting: dict[ObjectId, bytes] = {}
        #: How often the applier went on.
        self.moves = 0
        self._changed: set[ObjectId] = set()
        self._tries: dict[ObjectId, int] = {}
        #: Of objects with several names: how many, and the first.
        self._linked: dict[ObjectId, tuple[int, Place]] = {}
        #: Those whose content was compared at one of them, and by which handles.
        self._compared: dict[ObjectId, set[bytes]] = {}

    def begin(self, asked: Comparison) -> None:
        """A slice begins."""
        if asked.number != self.asked.number:
            self.moves += 1
            self._changed.clear()
        self.asked = asked
        self.dirs = DirTree(asked.output.root, self._locate)

    def end(self) -> None:
        """A slice ends: no descriptor stays open but of a file that is being compared, so that the standby could be unmounted."""
        self.dirs.close()

    def changed(self, id: ObjectId) -> None:
        """The applier changed an object, or where it stands, since the slice before."""
        self._changed.add(id)
        self._linked.pop(id, None)
        self._compared.pop(id, None)

    def root(self) -> None:
        """Compare the root itself."""
        self.found.forget(ROOT_ITSELF)
        raw = self.asked.view.object(ROOT, self.asked.number)
        if raw is not None:
            root = self.asked.output.root
            self._metadata(decode_object(raw), root, ROOT_ITSELF, os.fstat(root), b"")

    def entry(self, parent: ObjectId, name: bytes, child: ObjectId, path: bytes) -> Iterator[bool] | None:
        """Compare an entry; where there is content to be read, the steps that do so."""
        self.asked.look()
        raw = self.asked.view.object(child, self.asked.number)
        if raw is None or self.is_owed(child, path):
            return None
        if child in self.asked.late:
            self.waiting[child] = path
            return None
        row, place = decode_object(raw), (parent, name)
        try:
            fd = self.dirs.fd(parent)
            if row.kind == stat.S_IFDIR and is_mounted(fd, name):
                self.differs(place, path, "mounted", row.id)
                return None
            st = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if stat.S_IFMT(st.st_mode) != row.kind:
                self.differs(place, path, "type", row.id)
                return None
            self._metadata(row, fd, place, st, path)
            if row.kind == stat.S_IFDIR:
                return self._inside(row.id)
            self._links(row, place, st, path)
            return self._content(row, fd, place, st, path)
        except FileNotFoundError:
            self.differs(place, path, "missing", row.id)
        except OSError as error:
            self.differs(place, path, f"unreadable: {error.strerror}", row.id)
        return None

    def is_owed(self, id: ObjectId, path: bytes) -> bool:
        """Whether a file is passed over, since it is not all here."""
        if id not in self.asked.short:
            return False
        self.found.owes(id, path)
        return True

    def differs(self, place: Place, path: bytes, what: str, object: ObjectId | None = None) -> None:
        """A difference, unless the filesystem is known not to keep that."""
        bits = _UNKEPT.get(what, Unkept.NOTHING) | LEFT_OUT
        known = self.asked.known(object) if object is not None else None
        if known is None or not known.unkept & bits:
            self.found.differs(place, self.asked.number, Difference(path, what, object))

    def _metadata(self, row: ObjectRow, fd: int, place: Place, st: os.stat_result, path: bytes) -> None:
        name = place[1]
        have = read_metadata(fd, name, st, None if name else fd)
        if have.mode != row.mode and row.kind != stat.S_IFLNK:
            self.differs(place, path, "mode", row.id)
        for field_name in _FIELDS:
            if getattr(have, field_name) != getattr(row, field_name) and not self._is_as_kept(field_name, have, row.id):
                self.differs(place, path, field_name, row.id)

    def _links(self, row: ObjectRow, place: Place, st: os.stat_result, path: bytes) -> None:
        many, first = self._names(row.id, st.st_nlink)
        if st.st_nlink != many or (many > 1 and first != place and not self._are_one(first, place)):
            self.differs(place, path, "links", row.id)

    def _are_one(self, *places: Place) -> bool:
        return len({handle_of(self.dirs.fd(parent), name) for parent, name in places}) == 1

    def _names(self, id: ObjectId, links: int) -> tuple[int, Place]:
        """How many names an object should have, and the first; kept for those that have several: each is come to by itself."""
        known = self._linked.get(id)
        if known is None:
            names = self.asked.view.names_of(id, self.asked.number)
            known = len(names), names[0]
            if links > 1 and len(self._linked) < _LINKED:
                self._linked[id] = known
        return known

    def _content(self, row: ObjectRow, fd: int, place: Place, st: os.stat_result, path: bytes) -> Iterator[bool] | None:
        if row.kind == stat.S_IFLNK:
            if os.readlink(place[1], dir_fd=fd) != row.content:
                self.differs(place, path, "target", row.id)
        elif row.kind in (stat.S_IFCHR, stat.S_IFBLK):
            if st.st_rdev != row.rdev:
                self.differs(place, path, "rdev", row.id)
        elif row.kind == stat.S_IFREG:
            self.bytes += row.size
            if st.st_size != row.size:
                self.differs(place, path, "size", row.id)
            elif self.deep and row.size:
                return self._compare(row, fd, place, path)
        return None

    def _compare(self, row: ObjectRow, fd: int, place: Place, path: bytes) -> Iterator[bool] | None:
        handle = handle_of(fd, place[1])
        if row.id in self.found.changing or handle in self._compared.get(row.id, ()):
            return None
        return self._comparing(row, open_file(fd, place[1]), place, path, handle)

    def _comparing(self, row: ObjectRow, opened: int, place: Place, path: bytes, handle: bytes) -> Iterator[bool]:
        """The steps of a comparison of content. What changes meanwhile is looked at again by who is told of it."""
        moves, what = self.moves, ""
        try:
            for what in file_content.comparing(opened, row, self.asked.read, self.asked.look):
                if what:
                    break
                yield False
                if moves != self.moves and row.id in self._changed:
                    self._give_up(row.id, path)
                    return
                moves = self.moves
        except (ChunkLost, WireError) as error:
            what = f"cannot be compared: {error.reason}"
        except OSError as error:
            what = f"unreadable: {error.strerror}"
        finally:
            os.close(opened)
        if what:
            self.differs(place, path, what, row.id)
        if row.id in self._linked:
            self._compared.setdefault(row.id, set()).add(handle)

    def _give_up(self, id: ObjectId, path: bytes) -> None:
        self._tries[id] = self._tries.get(id, 0) + 1
        if self._tries[id] >= _TRIES:
            self.found.changing[id] = path

    def _is_as_kept(self, what: str, have: Metadata, id: ObjectId) -> bool:
        """Whether a time that differs is what the filesystem made of the one that it was given."""
        if what != "mtime":
            return False
        known = self.asked.known(id)
        return known is not None and bool(known.unkept & Unkept.TIMES) and known.mtime == have.mtime

    def _locate(self, id: ObjectId) -> Place | None:
        names = self.asked.view.names_of(id, self.asked.number)
        return names[0] if names else None
