"""What stands: entries of the root as a run sees them, whose they are, and where what it placed stands now."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice, product

from agent.apply.output.directory import HELD_DIR
from agent.apply.output.ledger import Ledger
from agent.apply.output.seam import Output
from agent.apply.output.unkept import Unkept, could_be_kept_as, of_refusals
from agent.apply.run.fate import KnownBy
from agent.apply.run.wanted import WantedRows
from agent.core.ids import NOTHING, ROOT, CommitNumber, ObjectId
from agent.core.rows import PRIVATE_DIR, ObjectRow, decode_object
from agent.fs.confined import open_pinned
from agent.fs.dir_tree import DirTree
from agent.fs.handles import handle_and_mount, handle_and_mount_of_fd, handle_of_fd, mount_of_fd, stat_of_mounted
from agent.fs.metadata import apply_metadata

#: Objects that only ``locate`` knows: ``.hikae/m`` and ``.hikae``.
_HELD = ObjectId(0)
_PRIVATE = ObjectId(-1)
_NO_HANDLE = b"none"

_PLACES_LIMIT = 50_000
_DONE_LIMIT = 200_000
#: So many others, newest first, a directory may be; so many places it may have had.
_OTHERS_LIMIT = 16


@dataclass(frozen=True, slots=True)
class Found:
    """What stands at a name. ``id`` is None exactly when ``identity`` is FOREIGN; ``mounted``: through another mount."""

    st: os.stat_result
    handle: bytes
    id: ObjectId | None
    identity: KnownBy
    mounted: bool = False

    @property
    def kind(self) -> int:
        """The file type."""
        return stat.S_IFMT(self.st.st_mode)


@dataclass(slots=True)
class StandingEntries:
    """The root beside what is known of it, for one run in one thread."""

    output: Output
    ledger: Ledger
    wanted: WantedRows
    #: Directories made since the checkpoint: a redo knows them to be new, and what is half-written in them to be ours.
    new_directories: set[ObjectId]
    #: What the root's filesystem is known not to have kept of any object, before this run.
    unkept: Unkept
    #: Objects of which a further name had to be a file of its own.
    copied: set[ObjectId] = field(default_factory=set)
    #: Of how many objects this run found that something is not kept.
    newly_unkept: int = 0
    #: Where files that were placed in this run stand, for further names of them; whether all of them are here.
    places: dict[ObjectId, tuple[ObjectId, bytes]] = field(default_factory=dict)
    has_all_places: bool = True
    #: Objects whose content this run made or compared.
    done: set[ObjectId] = field(default_factory=set)
    #: Of the last entry that was moved aside or is to be removed: their names differ by it.
    serial: int = 0
    #: Whether something waits in ``.hikae/m``.
    holding: bool = False
    #: Directories that were taken for an object by their place alone.
    taken: set[ObjectId] = field(default_factory=set)
    #: What else one of those may be: what stands in it may be of these. Asked of the catalog where something unknown stands.
    also: dict[ObjectId, tuple[ObjectId, ...]] = field(default_factory=dict)
    #: The commit by whose names directories are found.
    moment: CommitNumber = NOTHING
    dirs: DirTree = field(init=False)
    _mount: int = 0
    #: Whether some object is known to have lost its further names: flags are slow to ask, and this is asked of each file.
    _loses_links: bool = False

    def __post_init__(self) -> None:
        self.moment = self.wanted.at
        self._mount = mount_of_fd(self.output.root)
        self._loses_links = Unkept.LINKS in self.unkept
        self.dirs = DirTree(self.output.root, self._locate, self._expect)

    def close(self) -> None:
        """Give the descriptors and the memory back."""
        self.dirs.close()
        self.places, self.done, self.taken, self.also = {}, set(), set(), {}

    # -- looking -------------------------------------------------------------------------------------------------------

    def fd(self, id: ObjectId) -> int:
        """The open directory of an object, wherever it is now. OSError when it is not there."""
        return self.dirs.fd(id)

    def look(self, fd: int, parent: ObjectId, name: bytes) -> Found | None:
        """What stands at a name; None for nothing. Of what is not known by its handle, stat and handle are those of one object,
        however often the name is exchanged; of what is, the handle decides, and is compared again when something is done."""
        try:
            handle, mount = handle_and_mount(fd, name)
            if mount != self._mount:
                # Its handles are another filesystem's, and who serves it may never answer.
                return Found(stat_of_mounted(fd, name), handle, None, KnownBy.FOREIGN, mounted=True)
            id = self.ledger.id_of(handle)
            if id is not None:
                return Found(os.stat(name, dir_fd=fd, follow_symlinks=False), handle, id, KnownBy.SURE)
            pinned = open_pinned(fd, name)
        except FileNotFoundError:
            return None
        try:
            handle, mount = handle_and_mount_of_fd(pinned)
            if mount != self._mount:
                return Found(stat_of_mounted(pinned, b""), handle, None, KnownBy.FOREIGN, mounted=True)
            st = os.fstat(pinned)
        finally:
            os.close(pinned)
        id = self.ledger.id_of(handle)
        if id is not None:
            return Found(st, handle, id, KnownBy.SURE)
        id = self.ledger.former(handle) or self._guess(parent, name, st, fd)
        return Found(st, handle, id, KnownBy.FOREIGN if id is None else KnownBy.GUESSED)

    def is_held(self, id: ObjectId) -> bool:
        """Whether the object waits in ``.hikae/m``."""
        if not self.holding:
            return False
        try:
            os.stat(b"%x" % id, dir_fd=self.output.held, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def open_expected(self, fd: int, name: bytes, handle: bytes, flags: int = os.O_RDONLY) -> int:
        """The regular file that was seen to have this handle. ``StaleEntry``: another stands there by now."""
        return self.output.expect.open(fd, name, handle, flags)

    def _guess(self, parent: ObjectId, name: bytes, st: os.stat_result, fd: int) -> ObjectId | None:
        """Whose it is if a run that was cut short made it and could not note it down any more."""
        plan, view = self.wanted.plan, self.wanted.view
        if plan.trusted:
            return None
        for origin, moment in self._origins(parent):
            id = view.child(origin, name, moment)
            raw = view.object(id, moment) if id is not None else None
            if raw is None:
                continue
            row = decode_object(raw)
            if _looks_like(row, st, fd, name) or (_could_become(row, st) and not self.wanted.was_there(origin)):
                return id
        return None

    def _moments(self) -> tuple[CommitNumber, ...]:
        """By which a run that was cut short can have left something."""
        return (*self.wanted.plan.attempts, self.wanted.plan.base)

    def _origins(self, directory: ObjectId) -> Iterator[tuple[ObjectId, CommitNumber]]:
        """As what the directory may have got something, and when."""
        yield from product((directory,), self._moments())
        yield from product(self._others(directory), self._moments())

    def _others(self, directory: ObjectId) -> tuple[ObjectId, ...]:
        """What else a directory may be that was taken for an object by its place alone: what had that place by another moment.
        What is above it comes first: it may be another too."""
        way, met = [directory], {directory}
        while way:
            id = way[-1]
            if id in self.also or not self._is_doubtful(id):
                way.pop()
                continue
            places = self._places(id)
            above = {parent for parent, _ in places} - met
            if above:
                met |= above
                way.extend(sorted(above))
            else:
                self.also[id] = self._others_at(id, places)
        return self.also.get(directory, ())

    def _is_doubtful(self, directory: ObjectId) -> bool:
        """Whether it was taken for this object by its place alone, by this run or by one before it."""
        return directory in self.taken or (directory != ROOT and self.ledger.handle_of(directory) is None)

    def _places(self, directory: ObjectId) -> list[tuple[ObjectId, bytes]]:
        names = (self.wanted.view.names_of(directory, moment)[:1] for moment in self._moments())
        return list(islice(dict.fromkeys(chain.from_iterable(names)), _OTHERS_LIMIT))

    def _others_at(self, directory: ObjectId, places: list[tuple[ObjectId, bytes]]) -> tuple[ObjectId, ...]:
        found = (
            self.wanted.view.child(origin, name, moment)
            for moment in self._moments()
            for parent, name in places
            for origin in (parent, *self.also.get(parent, ()))
        )
        others = dict.fromkeys(id for id in found if id is not None and id != directory)
        return tuple(islice(others, _OTHERS_LIMIT))

    def _locate(self, id: ObjectId) -> tuple[ObjectId, bytes] | None:
        if id <= 0:
            return (_PRIVATE, HELD_DIR) if id == _HELD else (ROOT, PRIVATE_DIR)
        if self.is_held(id):
            return _HELD, b"%x" % id
        names = self.wanted.view.names_of(id, self.moment)
        return names[0] if names else None

    def _expect(self, id: ObjectId) -> bytes | None:
        if id <= 0 or self.is_held(id):
            return None
        # What stands at the place of an unknown directory may be any other: it must be adopted first.
        return self.ledger.handle_of(id) or _NO_HANDLE

    # -- noting --------------------------------------------------------------------------------------------------------

    def record(self, id: ObjectId, handle: bytes, st: os.stat_result, *, believed: bool) -> None:
        """Note an object down with its stat of now; what is not kept of it stays so. ``believed``: it was what was noted down of
        it until we touched it. Else what somebody else did to it would be vouched for as ours (law 5)."""
        self.ledger.record(id, handle, st, self.was_unkept(id))
        if not believed:
            self.ledger.doubt(id)

    def made(self, row: ObjectRow, fd: int, refused: list[str], handle: bytes | None = None) -> None:
        """Note down an open object (O_PATH will do) that has got all its metadata but what was refused."""
        st = os.fstat(fd)
        unkept = of_refusals(refused, row, st)
        if row.id in self.copied or (self._loses_links and Unkept.LINKS in self.was_unkept(row.id)):
            unkept |= Unkept.LINKS
        if unkept is not Unkept.NOTHING:
            self.newly_unkept += 1
        self.ledger.record(row.id, handle or handle_of_fd(fd), st, unkept)

    def was_unkept(self, id: ObjectId) -> Unkept:
        """What is known not to be kept of an object."""
        known = self.ledger.row_of(id) if self.unkept or self.newly_unkept else None
        return Unkept(known.unkept) if known is not None else Unkept.NOTHING

    def leave_out(self, id: ObjectId, what: Unkept) -> None:
        """The root's filesystem cannot hold the object."""
        self.newly_unkept += 1
        self.ledger.left_out(id, what)

    def set_metadata(
        self, row: ObjectRow, old: ObjectRow | None, fd: int, name: bytes, handle: bytes, *, believed: bool = True
    ) -> None:
        """Make the metadata of the entry that was seen to have this handle as wanted, and note it down as the row's object.
        ``old``: what it has; None when that is not known; ``believed``: whether its content was compared or made, or is what was
        noted down. ``StaleEntry``: another stands there by now."""
        self.output.step("metadata")
        pinned = self.output.expect.pin(fd, name, handle)
        try:
            self.made(row, pinned, apply_metadata(pinned, b"", row, old), handle)
        finally:
            os.close(pinned)
        if not believed:
            self.ledger.doubt(row.id)

    def guessed(self, id: ObjectId) -> None:
        """A directory was taken for this object by its place alone. Others had that place by another moment, and what was made in
        them was not noted down either: it is ours all the same, and no stranger's."""
        if not self.wanted.plan.trusted and len(self.taken) < _DONE_LIMIT:
            self.taken.add(id)

    @contextmanager
    def as_taken(self, id: ObjectId) -> Iterator[None]:
        """For as long as one looks at what is in a directory that was taken for this object by its place, and is another."""
        if self.wanted.plan.trusted or id in self.taken:
            yield
            return
        self.taken.add(id)
        try:
            yield
        finally:
            # What is in the object itself is no more than it was.
            self.taken.discard(id)
            self.also.pop(id, None)

    def stands(self, id: ObjectId, parent: ObjectId, name: bytes) -> None:
        """A file stands at this name now: its further names can be links to it."""
        if len(self.places) >= _PLACES_LIMIT:
            self.places.clear()
            self.has_all_places = False
        self.places[id] = (parent, name)

    def finished(self, id: ObjectId) -> None:
        """The object's content is as wanted; a redo need not read it again."""
        if not self.wanted.plan.trusted and len(self.done) < _DONE_LIMIT:
            self.done.add(id)

    def made_directory(self, id: ObjectId) -> None:
        """We made the directory, after the checkpoint: nothing that is not ours is in it."""
        if len(self.new_directories) < _DONE_LIMIT:
            self.new_directories.add(id)


def _could_become(row: ObjectRow, st: os.stat_result) -> bool:
    """A file that was being written under its own name, in a directory that was new."""
    return row.kind == stat.S_IFREG == stat.S_IFMT(st.st_mode) and st.st_size <= row.size


def _looks_like(row: ObjectRow, st: os.stat_result, fd: int, name: bytes) -> bool:
    """Type, and what a finished temporary entry had before it was given its name."""
    if stat.S_IFMT(st.st_mode) != row.kind:
        return False
    if row.kind == stat.S_IFREG:
        return st.st_size == row.size and could_be_kept_as(row.mtime, st.st_mtime_ns)
    if row.kind == stat.S_IFLNK:
        return os.readlink(name, dir_fd=fd) == row.content
    return True
