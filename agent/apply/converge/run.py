"""One run's knowledge and tally: what is wanted, what stands, what was done. The phases share it and add verbs."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from agent.apply.converge.deferred import LateFiles
from agent.apply.converge.fate import KnownBy
from agent.apply.output.directory import DISPLACED_DIR, HELD_DIR, StandbyTree, whole
from agent.apply.output.ledger import Ledger
from agent.apply.output.unkept import Unkept, could_be_kept_as, of_error, of_refusals
from agent.apply.ports import (
    NOTHING_EARLY,
    CatalogView,
    Early,
    LeftOut,
    ReadChunk,
    ReadPatch,
    no_patch,
    nothing_left_out,
)
from agent.apply.results import ApplyProgress, ChunkLost, Report, silent
from agent.apply.writing.file_content import Look, goes_on
from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.errors import WireError
from agent.core.ids import NOTHING, ROOT, CommitNumber, ObjectId
from agent.core.problem import Problem, ProblemBoard, ProblemCode, Severity
from agent.core.problem_codes import APPLY_FAILED, CHUNK_DAMAGED, DISPLACED
from agent.core.rows import PRIVATE_DIR, ObjectRow, decode_object
from agent.fs.confined import DirTree, open_pinned
from agent.fs.expected import StaleEntry
from agent.fs.handles import handle_and_mount, handle_and_mount_of_fd, handle_of_fd, mount_of_fd, stat_of_mounted
from agent.fs.metadata import apply_metadata

#: Objects that only ``locate`` knows: ``.hikae/m`` and ``.hikae``.
_HELD = ObjectId(0)
_PRIVATE = ObjectId(-1)
_NO_HANDLE = b"none"

_TOUCHED_LIMIT = 50_000
_STANDING_LIMIT = 50_000
_DONE_LIMIT = 200_000


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


@dataclass(frozen=True, slots=True)
class Run:
    """What a run is asked for. ``base`` → ``target``; ``trusted``: the standby is known to equal ``base``;
    ``attempts``: commits that runs before may have left half-applied, newest first; ``survey``: no
    difference can be believed, so the whole tree is looked at. ``adopt``: what stands was there before us and may be
    rewritten; ``doubted``: objects that may hold anything, whatever their stat and the commits say; None: all may;
    ``short``: those that the base owed, so that an older version of them stands, or nothing."""

    base: CommitNumber
    target: Commit
    trusted: bool
    attempts: Sequence[CommitNumber] = ()
    survey: bool = False
    adopt: bool = False
    doubted: frozenset[ObjectId] | None = frozenset()
    short: frozenset[ObjectId] = frozenset()


@dataclass(slots=True)
class Tally:
    """What was done so far."""

    done_entries: int = 0
    total_entries: int = 0
    done_bytes: int = 0
    total_bytes: int = 0
    displaced: int = 0
    failed: int = 0
    unkept: int = 0


@dataclass(slots=True)
class Mirror:
    """The world beside the catalog, for one run in one thread. ``close`` gives the directory descriptors back."""

    world: StandbyTree
    view: CatalogView
    ledger: Ledger
    read: ReadChunk
    board: ProblemBoard
    clock: Clock
    run: Run
    report: Report = silent
    patch_of: ReadPatch = no_patch
    look_for_end: Look = goes_on
    early: Early = NOTHING_EARLY
    late: LateFiles = field(default_factory=LateFiles)
    #: What is not the dataset's, whatever stands there.
    left_out: LeftOut = nothing_left_out
    #: What the standby's filesystem is known not to have kept of any object, before this run.
    unkept: Unkept = Unkept.NOTHING
    #: Objects of which a further name had to be a file of its own.
    copied: set[ObjectId] = field(default_factory=set)
    tally: Tally = field(default_factory=Tally)
    #: Rows as of the target, of the objects that change, when they are few; (old, new).
    rows: dict[ObjectId, tuple[bytes | None, bytes | None]] | None = None
    #: Where files that were placed in this run stand, for further names of them.
    standing: dict[ObjectId, tuple[ObjectId, bytes]] = field(default_factory=dict)
    standing_whole: bool = True
    #: Objects whose content this run made or compared.
    done: set[ObjectId] = field(default_factory=set)
    #: Directories that we adopted without knowing them: strangers may be inside.
    doubtful: list[ObjectId] = field(default_factory=list)
    #: Directories that should have been there and had to be made anew: all below is to be looked at, once.
    hollow: list[ObjectId] = field(default_factory=list)
    surveyed: set[ObjectId] = field(default_factory=set)
    #: Files that came back from ``.hikae/m`` during a survey: what is in them is not known.
    unchecked: list[ObjectId] = field(default_factory=list)
    new_directories: set[ObjectId] = field(default_factory=set)
    touched: set[ObjectId] = field(default_factory=set)
    #: Objects of the target that are not all here, and stand as they did.
    left: set[ObjectId] = field(default_factory=set)
    holding: bool = False
    moment: CommitNumber = NOTHING
    dirs: DirTree = field(init=False)
    _serial: int = 0
    _owes_any: bool = False
    _mount: int = 0
    _above: tuple[ObjectId, bytes] | None = None

    def __post_init__(self) -> None:
        self.moment = self.run.target.number
        self._mount = mount_of_fd(self.world.root)
        self._owes_any = self.view.owed_count(self.moment) > 0
        self.dirs = DirTree(self.world.root, self._locate, self._expect)

    def close(self) -> None:
        """The run is over. What it held must not wait until garbage is looked for: the tree of directories refers back to us."""
        self.dirs.close()
        self.rows = None
        self.standing, self.done, self.touched = {}, set(), set()

    # -- what is wanted ------------------------------------------------------------------------------------------------

    @property
    def at(self) -> CommitNumber:
        """The commit that the standby is to equal."""
        return self.run.target.number

    def raw(self, id: ObjectId) -> bytes | None:
        """The wanted row of an object, as bytes; None when it is not to exist."""
        if self.rows is not None:
            pair = self.rows.get(id)
            if pair is not None:
                return pair[1]
        return self.view.object(id, self.at)

    def row(self, id: ObjectId) -> ObjectRow | None:
        """The wanted row of an object."""
        raw = self.raw(id)
        return decode_object(raw) if raw is not None else None

    def leaves(self, id: ObjectId) -> bool:
        """Whether the object is not all here, so that its last version is left to stand, or nothing (law 9). Noted if so."""
        if not self._owes_any or not self.view.owes(id, self.at):
            return False
        self.left.add(id)
        return True

    def has_place(self, id: ObjectId) -> bool:
        """Whether the object is wanted, and by names that lead to the root."""
        return self.raw(id) is not None and self.view.path_of(id, self.at) is not None

    def is_new(self, id: ObjectId) -> bool:
        """Whether the object cannot stand anywhere yet."""
        if not self.run.trusted:
            return False
        if self.rows is not None:
            pair = self.rows.get(id)
            return pair is not None and pair[0] is None
        return self.view.object(id, self.run.base) is None

    def existed(self, id: ObjectId) -> bool:
        """Whether the object was there at the base."""
        if self.is_new(id) or self.run.base == NOTHING or self.run.survey:
            return False
        return self.view.object(id, self.run.base) is not None

    # -- what stands ---------------------------------------------------------------------------------------------------

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
            os.stat(b"%x" % id, dir_fd=self.world.held, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def _guess(self, parent: ObjectId, name: bytes, st: os.stat_result, fd: int) -> ObjectId | None:
        """Whose it is if a run that was cut short made it and could not note it down any more."""
        if self.run.trusted:
            return None
        for moment in (*self.run.attempts, self.run.base):
            id = self.view.child(parent, name, moment)
            raw = self.view.object(id, moment) if id is not None else None
            if raw is None:
                continue
            row = decode_object(raw)
            if _looks_like(row, st, fd, name) or (_could_become(row, st) and not self._was_there(parent)):
                return id
        return None

    def _was_there(self, directory: ObjectId) -> bool:
        base = self.run.base
        return base != NOTHING and self.view.object(directory, base) is not None

    def _locate(self, id: ObjectId) -> tuple[ObjectId, bytes] | None:
        if id <= 0:
            return (_PRIVATE, HELD_DIR) if id == _HELD else (ROOT, PRIVATE_DIR)
        if self.is_held(id):
            return _HELD, b"%x" % id
        names = self.view.names_of(id, self.moment)
        return names[0] if names else None

    def _expect(self, id: ObjectId) -> bytes | None:
        if id <= 0 or self.is_held(id):
            return None
        # What stands at the place of an unknown directory may be any other: it must be adopted first.
        return self.ledger.handle_of(id) or _NO_HANDLE

    # -- what was done -------------------------------------------------------------------------------------------------

    def record(self, id: ObjectId, pinned: int) -> None:
        """Note down an open object (O_PATH will do) as this one; what is not kept of it stays so."""
        self.ledger.record(id, handle_of_fd(pinned), os.fstat(pinned), self.was_unkept(id))

    def made(self, row: ObjectRow, fd: int, refused: list[str], handle: bytes | None = None) -> None:
        """Note down an open object (O_PATH will do) that has got all its metadata but what was refused."""
        st = os.fstat(fd)
        unkept = of_refusals(refused, row, st)
        if row.id in self.copied or (self.unkept & Unkept.LINKS and self.was_unkept(row.id) & Unkept.LINKS):
            unkept |= Unkept.LINKS
        if unkept:
            self.tally.unkept += 1
        self.ledger.record(row.id, handle or handle_of_fd(fd), st, unkept)

    def was_unkept(self, id: ObjectId) -> Unkept:
        """What is known not to be kept of an object."""
        known = self.ledger.row_of(id) if self.unkept or self.tally.unkept else None
        return Unkept(known.unkept) if known is not None else Unkept.NOTHING

    def leave_out(self, id: ObjectId, what: Unkept) -> None:
        """The standby's filesystem cannot hold the object."""
        self.tally.unkept += 1
        self.ledger.left_out(id, what)

    def set_metadata(self, row: ObjectRow, old: ObjectRow | None, fd: int, name: bytes, handle: bytes) -> None:
        """Make the metadata of the entry that was seen to have this handle as wanted, and note it down as the row's object.
        ``old``: what it has; None when that is not known. ``StaleEntry``: another stands there by now."""
        self.world.step("metadata")
        pinned = self.world.expect.pin(fd, name, handle)
        try:
            self.made(row, pinned, apply_metadata(pinned, b"", row, old), handle)
        finally:
            os.close(pinned)

    def open_expected(self, fd: int, name: bytes, handle: bytes, flags: int = os.O_RDONLY) -> int:
        """The regular file that was seen to have this handle. ``StaleEntry``: another stands there by now."""
        return self.world.expect.open(fd, name, handle, flags)

    def move_aside(self, fd: int, name: bytes, held: bytes, handle: bytes) -> None:
        """Move the entry that was seen to have this handle to ``.hikae/m``. FileExistsError; ``StaleEntry``: another had taken
        its name, which has it back, or was moved to ``displaced`` because something stands there again."""
        world = self.world
        world.rename(fd, name, world.held, held)
        if world.expect.arrived(world.held, held, handle):
            return
        try:
            world.rename(world.held, held, fd, name)
        except FileExistsError:
            self._set_aside(world.held, held)
        raise StaleEntry(errno.ESTALE, "another object was moved than was looked at", name)

    def stands(self, id: ObjectId, parent: ObjectId, name: bytes) -> None:
        """A file stands at this name now: its further names can be links to it."""
        if len(self.standing) >= _STANDING_LIMIT:
            self.standing.clear()
            self.standing_whole = False
        self.standing[id] = (parent, name)

    def finished(self, id: ObjectId) -> None:
        """The object's content is as wanted; a redo need not read it again."""
        if not self.run.trusted and len(self.done) < _DONE_LIMIT:
            self.done.add(id)

    def made_directory(self, id: ObjectId) -> None:
        """We made the directory, after the checkpoint: nothing that is not ours is in it."""
        if len(self.new_directories) < _DONE_LIMIT:
            self.new_directories.add(id)

    def touch(self, id: ObjectId) -> None:
        """The directory's entries changed, or metadata waits for the end: it is set when everything inside is done."""
        self.touched.add(id)
        if len(self.touched) >= _TOUCHED_LIMIT:
            self.settle_touched()

    def restore_flags(self, id: ObjectId) -> None:
        """One of the object's names is moved or removed, for which its flags may have to be lifted."""
        row = self.row(id)
        if row is not None and row.flags:
            self.touch(id)

    def settle_touched(self) -> None:
        """Set the metadata of every touched object. One touched again later is set again."""
        for id in sorted(self.touched):
            row = self.row(id)
            if row is None or (row.kind == stat.S_IFREG and self.leaves(id)):
                continue
            with Attempt(self, id):
                self._settle(id, row)
        self.touched.clear()

    def _settle(self, id: ObjectId, row: ObjectRow) -> None:
        if row.kind == stat.S_IFDIR:
            self.world.step("metadata")
            try:
                fd = self.fd(id)
            except OSError:
                if self.view.path_of(id, self.at) is None:
                    return  # that was reported when it could not be placed
                raise
            self.made(row, fd, apply_metadata(fd, b"", row, None))
            return
        handle = self.ledger.handle_of(id)
        for parent, name in self.view.names_of(id, self.at)[:1] if handle is not None else ():
            self.set_metadata(row, None, self.fd(parent), name, handle or b"")

    def displace(self, fd: int, parent: ObjectId, name: bytes) -> None:
        """Move a foreign entry aside, and say so."""
        aside = self._set_aside(fd, name)
        self.tally.displaced += 1
        self.touch(parent)
        if self.run.adopt:
            return  # one problem for all of them
        where = (PRIVATE_DIR + b"/" + DISPLACED_DIR + b"/" + aside).decode("utf-8", "backslashreplace")
        # After a power cut it may be ours: of what was not synced nothing is known.
        message = f"something that is not known here stood in the way (a stranger's, or of before a power cut); it is now {where}"
        self.problem(DISPLACED, self.path(parent, name), message, "look at it, then remove it", Severity.WARNING)

    def _set_aside(self, fd: int, name: bytes) -> bytes:
        """Move an entry to ``.hikae/displaced``; its name there."""
        stamp = datetime.fromtimestamp(self.clock.now_ns() // 1_000_000_000, UTC).strftime("%Y%m%dT%H%M%SZ")
        while True:
            self._serial += 1
            aside = b"%s-%d-%s" % (stamp.encode(), self._serial, name[:200])
            try:
                self.world.rename(fd, name, self.world.displaced, aside)
            except FileExistsError:
                continue
            return aside

    def discard(self, fd: int, name: bytes, id: ObjectId | None = None) -> None:
        """Move a whole entry to ``.hikae/m`` for the sweep to remove. ``id``: what it was, or was taken for."""
        self.holding = True
        while True:
            self._serial += 1
            try:
                self.world.rename(fd, name, self.world.held, b"x%d.%x" % (self._serial, id or 0))
                return
            except FileExistsError:
                continue

    # -- what went wrong -----------------------------------------------------------------------------------------------

    def path(self, parent: ObjectId, name: bytes) -> bytes:
        """The path of a name, for messages and rules; asked of one directory after the other."""
        if self._above is None or self._above[0] != parent:
            found = self.view.path_of(parent, self.at) or self.view.path_of(parent, self.run.base) or b""
            self._above = parent, found
        above = self._above[1]
        return above + b"/" + name if above else name

    def problem(
        self, code: ProblemCode, path: bytes, message: str, remedy: str, severity: Severity = Severity.ERROR
    ) -> None:
        """Put it on the board."""
        self.board.put(Problem(code, severity, self.clock.now_ns(), path, message, remedy))

    def progress(self, entries: int) -> None:
        """So many keys more are done."""
        tally = self.tally
        tally.done_entries = min(tally.done_entries + entries, tally.total_entries)
        self.report(ApplyProgress(tally.done_entries, tally.total_entries, tally.done_bytes, tally.total_bytes))


class Attempt:
    """``with Attempt(mirror, id, parent, name):`` one object fails alone: a problem on the board, and the run goes on.

    What concerns the whole standby (full, broken, our store) is raised as what ends the run."""

    __slots__ = ("_id", "_mirror", "_name", "_parent")

    def __init__(self, mirror: Mirror, id: ObjectId, parent: ObjectId = ROOT, name: bytes = b"") -> None:
        self._mirror, self._id, self._parent, self._name = mirror, id, parent, name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if error is None:
            return False
        if isinstance(error, (ChunkLost, WireError)):
            self._failed(CHUNK_DAMAGED, error.sentence, "it is fetched from the primary again; the rest goes on")
            return True
        if not isinstance(error, OSError):
            return False
        mapped = whole(error, self._mirror.world.path)
        if mapped is not None:
            self._mirror.world.clear_temp()
            raise mapped from error
        if self._is_left_out(error):
            return True
        reason = error.strerror or str(error)
        self._failed(APPLY_FAILED, f"cannot be made as wanted: {reason}", "see what stands there; it is tried again")
        return True

    def _is_left_out(self, error: OSError) -> bool:
        return False

    def _failed(self, code: ProblemCode, message: str, remedy: str) -> None:
        mirror = self._mirror
        mirror.world.clear_temp()
        mirror.tally.failed += 1
        path = mirror.path(self._parent, self._name) if self._name else mirror.view.path_of(self._id, mirror.at) or b""
        mirror.problem(code, path, message, remedy)


class Making(Attempt):
    """An :class:`Attempt` to make the object itself. What the standby's filesystem cannot hold is left out, and no failure."""

    __slots__ = ()

    def _is_left_out(self, error: OSError) -> bool:
        what = of_error(error)
        if not what:
            return False
        self._mirror.world.clear_temp()
        self._mirror.late.drop(self._id)
        self._mirror.leave_out(self._id, what)
        return True


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
