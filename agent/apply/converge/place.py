"""Making what is wanted stand at its name: moved back, linked, or built."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from enum import Enum

from agent.apply.converge.fate import Fate, KnownBy, Wanted, fate
from agent.apply.converge.holding import carry_out, take
from agent.apply.converge.run import Found, Making, Mirror
from agent.apply.converge.untouched import require_free
from agent.apply.output.directory import TEMP
from agent.apply.output.unkept import InTheWay, Unkept
from agent.apply.writing import file_content
from agent.core.ids import ROOT, ObjectId
from agent.core.problem_codes import IMPOSSIBLE_ROW
from agent.core.rows import ObjectRow
from agent.fs.confined import create_file, give_name, make_node, make_symlink, open_dir, open_pinned
from agent.fs.expected import StaleEntry, is_ours_alone
from agent.fs.handles import handle_of
from agent.fs.metadata import apply_metadata, apply_metadata_fd

_DEVICES = (stat.S_IFCHR, stat.S_IFBLK)
#: Filesystems without links, or no more of them.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK)


class _Way(Enum):
    FREE = "free"
    REPLACE = "replace"
    SETTLED = "settled"


class Unplaceable(Exception):
    """Rows that no filesystem could hold: a name in nothing, in a file, or below itself."""


def place(mirror: Mirror, parent: ObjectId, name: bytes, id: ObjectId, *, expect: bool) -> None:
    """Make the object stand at the name. ``expect``: something may stand there, so look first; else only when it turns out so."""
    with Making(mirror, id, parent, name):
        try:
            _place(mirror, parent, name, id, expect=expect)
        except Unplaceable:
            _impossible(mirror, parent, name)


def _place(mirror: Mirror, parent: ObjectId, name: bytes, id: ObjectId, *, expect: bool) -> None:
    row = mirror.row(id)
    if row is None or id == ROOT:
        raise Unplaceable
    if row.kind == stat.S_IFDIR and mirror.view.names_of(id, mirror.at)[0] != (parent, name):
        raise Unplaceable  # a directory has one name
    fd = reach(mirror, parent)
    way = _make_way(mirror, fd, parent, name, row) if expect else _Way.FREE
    for _ in range(3):
        if way is _Way.SETTLED:
            return
        try:
            _put(mirror, fd, parent, name, row, replace=way is _Way.REPLACE)
        except FileExistsError:
            way = _make_way(mirror, fd, parent, name, row)
        except FileNotFoundError:
            # The directory that we hold open was removed under us.
            mirror.dirs.forget(parent)
            fd = reach(mirror, parent)
        except OSError as error:
            if error.errno == errno.EINVAL and row.kind == stat.S_IFDIR:
                raise Unplaceable from error  # a directory below itself
            raise
        else:
            mirror.touch(parent)
            return
    raise FileExistsError(errno.EEXIST, "somebody else keeps creating this entry", name)


def reach(mirror: Mirror, id: ObjectId) -> int:
    """The open directory, built where it is missing. Raises ``Unplaceable`` when the rows lead nowhere."""
    try:
        return mirror.fd(id)
    except OSError:
        return _build_way(mirror, id)


def _build_way(mirror: Mirror, id: ObjectId) -> int:
    for directory, parent, name in reversed(_way_up(mirror, id)):
        try:
            mirror.fd(directory)
        except OSError:
            _place(mirror, parent, name, directory, expect=True)
    try:
        return mirror.fd(id)
    except FileNotFoundError as error:
        raise Unplaceable from error


def _way_up(mirror: Mirror, id: ObjectId) -> list[tuple[ObjectId, ObjectId, bytes]]:
    """``(directory, parent, name)`` from ``id`` up to the first ancestor that is there."""
    way: list[tuple[ObjectId, ObjectId, bytes]] = []
    passed: set[ObjectId] = set()
    at = id
    while at != ROOT:
        row = mirror.row(at)
        names = mirror.view.names_of(at, mirror.at)
        if row is None or row.kind != stat.S_IFDIR or not names or at in passed:
            raise Unplaceable
        passed.add(at)
        way.append((at, *names[0]))
        at = names[0][0]
        try:
            mirror.fd(at)
        except OSError:
            continue
        break
    return way


def _impossible(mirror: Mirror, parent: ObjectId, name: bytes) -> None:
    message = "the catalog names this where no directory can be; it is left out"
    remedy = "hikae reconcile on the primary; if it stays, its catalog is damaged"
    mirror.problem(IMPOSSIBLE_ROW, mirror.path(parent, name), message, remedy)


# -- the name is taken ---------------------------------------------------------------------------------------------------


def _make_way(mirror: Mirror, fd: int, parent: ObjectId, name: bytes, row: ObjectRow) -> _Way:
    found = mirror.look(fd, parent, name)
    if found is None:
        return _Way.FREE
    wanted = Wanted.DIRECTORY if row.kind == stat.S_IFDIR else Wanted.OTHER
    if found.id == row.id and found.kind == row.kind:
        return _own(mirror, fd, parent, name, row, found)
    if found.identity is KnownBy.FOREIGN:
        return _foreign(mirror, fd, parent, name, row, found)
    assert found.id is not None
    directory = stat.S_ISDIR(found.st.st_mode)
    alive = found.id != row.id and mirror.raw(found.id) is not None
    verdict = fate(found.identity, directory=directory, alive=alive, wanted=wanted)
    if verdict is Fate.LEAVE:
        return _Way.REPLACE
    if carry_out(mirror, verdict, fd, parent, name, found):
        return _Way.FREE
    if wanted is Wanted.DIRECTORY:
        return adopt_directory(mirror, fd, name, row, found)
    raise InTheWay(errno.EBUSY, "what stands here is not to be touched", name)


def _own(mirror: Mirror, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> _Way:
    """The object itself stands there, or what a run that was cut short left of it."""
    if found.identity is KnownBy.SURE:
        if row.kind != stat.S_IFDIR:
            mirror.stands(row.id, parent, name)
        return _Way.SETTLED
    if row.kind == stat.S_IFDIR:
        return _take_directory(mirror, fd, parent, name, row, found)
    if _stands_elsewhere(mirror, row.id, parent, name) or not is_takeable(mirror, fd, row, found):
        return _Way.REPLACE
    if row.kind == stat.S_IFREG and mirror.leaves(row.id):
        mirror.ledger.record(row.id, found.handle, found.st)
        mirror.stands(row.id, parent, name)
        return _Way.SETTLED
    if not equals(mirror, fd, name, row, found):
        return _Way.REPLACE
    return _adopt(mirror, fd, parent, name, row, found)


def _foreign(mirror: Mirror, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> _Way:
    if found.mounted:
        raise InTheWay(errno.EBUSY, "something is mounted here", name)
    if found.kind == row.kind == stat.S_IFDIR:
        return _take_directory(mirror, fd, parent, name, row, found)
    if found.kind == row.kind and is_takeable(mirror, fd, row, found) and equals(mirror, fd, name, row, found):
        if _stands_elsewhere(mirror, row.id, parent, name):
            return _Way.REPLACE
        return _adopt(mirror, fd, parent, name, row, found)
    if found.kind == stat.S_IFREG and not found.st.st_size and row.kind != stat.S_IFDIR:
        return _Way.REPLACE  # nothing is lost; after a power cut ours may be empty too
    require_free(mirror, fd, parent, name, found.kind)
    mirror.displace(fd, parent, name)
    return _Way.FREE


def is_takeable(mirror: Mirror, fd: int, row: ObjectRow, found: Found) -> bool:
    """Whether an object that is not known by its handle may be taken for the wanted one: where nobody else could have put it
    there, where it has the wanted owner already, so that nothing is given to anybody, or where a tree is to be taken over; what
    is mounted there never."""
    if found.mounted:
        return False
    return mirror.run.adopt or (found.st.st_uid, found.st.st_gid) == (row.uid, row.gid) or is_ours_alone(fd)


def _take_directory(mirror: Mirror, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> _Way:
    if is_takeable(mirror, fd, row, found):
        return adopt_directory(mirror, fd, name, row, found)
    require_free(mirror, fd, parent, name, found.kind)
    mirror.displace(fd, parent, name)
    return _Way.FREE


def adopt_directory(mirror: Mirror, fd: int, name: bytes, row: ObjectRow, found: Found) -> _Way:
    """Take an unknown directory for the wanted one; strangers in it are looked for later."""
    if mirror.is_held(row.id):
        # The object itself waits in .hikae/m, with what belongs into it.
        mirror.discard(fd, name, row.id)
        return _Way.FREE
    mirror.ledger.record(row.id, found.handle, found.st)
    mirror.dirs.forget(row.id)
    mirror.doubtful.append(row.id)
    mirror.touch(row.id)
    return _Way.SETTLED


def _adopt(mirror: Mirror, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> _Way:
    mirror.set_metadata(row, None, fd, name, found.handle)
    mirror.stands(row.id, parent, name)
    mirror.finished(row.id)
    return _Way.SETTLED


def equals(mirror: Mirror, fd: int, name: bytes, row: ObjectRow, found: Found) -> bool:
    """Whether an entry of the right type has the wanted content (metadata aside)."""
    if row.kind == stat.S_IFLNK:
        return os.readlink(name, dir_fd=fd) == row.content
    if row.kind in _DEVICES:
        return found.st.st_rdev == row.rdev
    if row.kind != stat.S_IFREG:
        return True
    if mirror.leaves(row.id):
        return False  # What it should hold may not even be known: its list can be among what lacks.
    return found.st.st_size == row.size and holds_content(mirror, fd, name, row, found)


def holds_content(mirror: Mirror, fd: int, name: bytes, row: ObjectRow, found: Found) -> bool:
    """Whether the file can be opened for reading and holds the wanted bytes and holes."""
    try:
        opened = mirror.open_expected(fd, name, found.handle)
    except PermissionError:
        return False
    try:
        if not mirror.run.trusted and not mirror.run.survey:
            # It may have been written in vain: after a write error the cache still holds what the disk does not, and no later
            # sync says so again (law 1). What is clean is read from the disk.
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
        return file_content.is_same(opened, row, mirror.read, mirror.look_for_end)
    finally:
        os.close(opened)


# -- the name is free, or what stands there may be replaced ----------------------------------------------------------------


def _put(mirror: Mirror, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, *, replace: bool) -> None:
    if mirror.holding and take(mirror, fd, name, row, replace=replace):
        if row.kind != stat.S_IFDIR:
            mirror.stands(row.id, parent, name)
        return
    if row.kind == stat.S_IFDIR:
        _put_directory(mirror, fd, name, row)
        return
    elsewhere = _elsewhere(mirror, row.id, parent, name)
    if elsewhere is None and row.kind == stat.S_IFREG and mirror.leaves(row.id):
        if replace:
            # What stood there is another object, which has lost this name.
            mirror.world.unlink(fd, name)
        return
    if elsewhere is None or not _put_link(mirror, elsewhere, fd, name, row, replace=replace):
        build_object(mirror, fd, parent, name, row, replace=replace)
    else:
        # Of very many names each would be looked for among all the others.
        mirror.stands(row.id, *elsewhere)


def _put_directory(mirror: Mirror, fd: int, name: bytes, row: ObjectRow) -> None:
    made = _make_directory(mirror, fd, name, row)
    mirror.record(row.id, made)
    mirror.dirs.adopt(row.id, made)
    mirror.made_directory(row.id)
    if mirror.existed(row.id) and row.id not in mirror.surveyed:
        # Somebody removed it here: what stood in it and did not change is missing too.
        mirror.surveyed.add(row.id)
        mirror.hollow.append(row.id)
    mirror.touch(row.id)


def _make_directory(mirror: Mirror, fd: int, name: bytes, row: ObjectRow) -> int:
    """A new directory, open. Where others may exchange names it is made aside, so that it is known which one is ours, and given
    to its owner before it has a name, so that a redo may take it."""
    world = mirror.world
    if is_ours_alone(fd):
        world.mkdir(fd, name)
        return open_dir(fd, name)
    world.clear_temp()
    world.mkdir(world.temp, TEMP)
    made = open_dir(world.temp, TEMP)
    try:
        with suppress(OSError):
            os.fchown(made, row.uid, row.gid)  # what is refused is said when all its metadata is set
        world.rename(world.temp, TEMP, fd, name)
    except BaseException:
        os.close(made)
        raise
    return made


def _stands_elsewhere(mirror: Mirror, id: ObjectId, parent: ObjectId, name: bytes) -> bool:
    return mirror.is_held(id) or _elsewhere(mirror, id, parent, name) is not None


def _elsewhere(mirror: Mirror, id: ObjectId, parent: ObjectId, name: bytes) -> tuple[ObjectId, bytes] | None:
    """Another wanted name at which the object stands already."""
    place = mirror.standing.get(id)
    if place is not None and place != (parent, name):
        return place
    if mirror.is_new(id) and mirror.standing_whole:
        return None
    handle = mirror.ledger.handle_of(id)
    if handle is None:
        return None
    for other in mirror.view.names_of(id, mirror.at):
        if other != (parent, name) and _stands_at(mirror, handle, other):
            return other
    return None


def _stands_at(mirror: Mirror, handle: bytes, place: tuple[ObjectId, bytes]) -> bool:
    try:
        return handle_of(mirror.fd(place[0]), place[1]) == handle
    except OSError:
        return False


def _put_link(
    mirror: Mirror, source: tuple[ObjectId, bytes], fd: int, name: bytes, row: ObjectRow, *, replace: bool
) -> bool:
    """A further name; False when the source is not there any more, or has all the names that it may have."""
    world = mirror.world
    handle = mirror.ledger.handle_of(row.id)
    world.step("link")
    try:
        pinned = world.expect.pin(mirror.fd(source[0]), source[1], handle or b"")
    except StaleEntry:
        return False
    except FileNotFoundError:
        mirror.standing.pop(row.id, None)
        return False
    try:
        if replace:
            world.clear_temp()
            world.link(pinned, world.temp, TEMP)
            world.rename(world.temp, TEMP, fd, name, replace=True)
            # Nothing is renamed onto another name of the same object (rename(2)); it would have one name too many.
            world.clear_temp()
        else:
            world.link(pinned, fd, name)
        mirror.record(row.id, pinned)
    except FileNotFoundError:
        mirror.standing.pop(row.id, None)
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        mirror.copied.add(row.id)
        return False
    finally:
        os.close(pinned)
    if row.flags:
        mirror.touch(row.id)
    return True


def build_object(
    mirror: Mirror, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, *, replace: bool, content_fd: int = -1
) -> None:
    """A new file, symlink, fifo or device with all its metadata, made aside and given its name in one step. ``content_fd``: a
    file without a name that has the content already; it stays the caller's."""
    if row.kind == stat.S_IFREG and content_fd >= 0:
        mirror.world.clear_temp()
        give_name(content_fd, mirror.world.temp, TEMP)
        _finish_file(mirror, content_fd, fd, name, row, over=replace)
    elif row.kind == stat.S_IFREG:
        _build_file(mirror, fd, name, row, over=replace)
    elif not _build_special(mirror, fd, name, row, over=replace):
        return
    mirror.stands(row.id, parent, name)
    mirror.finished(row.id)
    if row.flags:
        mirror.touch(row.id)


def _build_file(mirror: Mirror, fd: int, name: bytes, row: ObjectRow, *, over: bool) -> None:
    world = mirror.world
    mirror.late.drop(row.id)
    world.step("create")
    try:
        made = create_file(world.temp, TEMP)
    except FileExistsError:
        world.clear_temp()
        made = create_file(world.temp, TEMP)
    try:
        if row.size:
            mirror.tally.done_bytes += file_content.write_new(made, row, mirror.read)
        _finish_file(mirror, made, fd, name, row, over=over)
    finally:
        os.close(made)


def _finish_file(mirror: Mirror, made: int, fd: int, name: bytes, row: ObjectRow, *, over: bool) -> None:
    """The temporary entry, which is open as ``made``, gets its metadata and its name."""
    # Immutable comes at the end: nothing can be renamed or linked once it is set.
    refused = apply_metadata_fd(made, row._replace(flags=0) if row.flags else row)
    mirror.world.rename(mirror.world.temp, TEMP, fd, name, replace=over)
    mirror.made(row, made, refused)


def _build_special(mirror: Mirror, fd: int, name: bytes, row: ObjectRow, *, over: bool) -> bool:
    mirror.world.step("create")
    mirror.world.clear_temp()
    try:
        _make_special(mirror, mirror.world.temp, fd, name, row, over=over)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # It must be of its directory's project from the beginning: nothing can give it one (fs.project).
        with mirror.world.temp_of_project(fd) as temp:
            _make_special(mirror, temp, fd, name, row, over=over)
    except _NotPermitted:
        mirror.leave_out(row.id, Unkept.OBJECT)
        return False
    return True


class _NotPermitted(Exception):
    """Such an object cannot be made here at all."""


def _make_special(mirror: Mirror, temp: int, fd: int, name: bytes, row: ObjectRow, *, over: bool) -> None:
    try:
        if row.kind == stat.S_IFLNK:
            make_symlink(temp, TEMP, row.content)
        else:
            make_node(temp, TEMP, row.mode, row.rdev)
    except PermissionError as error:
        raise _NotPermitted from error
    made = open_pinned(temp, TEMP)
    try:
        refused = apply_metadata(made, b"", row, None)
        mirror.world.rename(temp, TEMP, fd, name, replace=over)
        mirror.made(row, made, refused)
    finally:
        os.close(made)
