"""Making what is wanted stand at its name: moved back, linked, or built."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from enum import Enum

from agent.apply.converge.holding import carry_out, discard, displace, take
from agent.apply.converge.touched import touch
from agent.apply.converge.untouched import require_free
from agent.apply.output.directory import TEMP
from agent.apply.output.unkept import InTheWay, Unkept
from agent.apply.run.fate import Fate, KnownBy, Wanted, fate
from agent.apply.run.one_run import Making, Run
from agent.apply.run.standing_entries import Found
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


def place(run: Run, parent: ObjectId, name: bytes, id: ObjectId, *, expect: bool) -> None:
    """Make the object stand at the name. ``expect``: something may stand there, so look first; else only when it turns out so."""
    with Making(run, id, parent, name):
        try:
            _place(run, parent, name, id, expect=expect)
        except Unplaceable:
            _impossible(run, parent, name)


def _place(run: Run, parent: ObjectId, name: bytes, id: ObjectId, *, expect: bool) -> None:
    row = run.wanted.row(id)
    if row is None or id == ROOT:
        raise Unplaceable
    if row.kind == stat.S_IFDIR and run.wanted.view.names_of(id, run.wanted.at)[0] != (parent, name):
        raise Unplaceable  # a directory has one name
    fd = reach(run, parent)
    way = _make_way(run, fd, parent, name, row) if expect else _Way.FREE
    for _ in range(3):
        if way is _Way.SETTLED:
            return
        try:
            _put(run, fd, parent, name, row, replace=way is _Way.REPLACE)
        except FileExistsError:
            way = _make_way(run, fd, parent, name, row)
        except FileNotFoundError:
            # The directory that we hold open was removed under us.
            run.standing.dirs.forget(parent)
            fd = reach(run, parent)
        except OSError as error:
            if error.errno == errno.EINVAL and row.kind == stat.S_IFDIR:
                raise Unplaceable from error  # a directory below itself
            raise
        else:
            touch(run, parent)
            return
    raise FileExistsError(errno.EEXIST, "somebody else keeps creating this entry", name)


def reach(run: Run, id: ObjectId) -> int:
    """The open directory, built where it is missing. Raises ``Unplaceable`` when the rows lead nowhere."""
    try:
        return run.standing.fd(id)
    except OSError:
        return _build_way(run, id)


def _build_way(run: Run, id: ObjectId) -> int:
    for directory, parent, name in reversed(_way_up(run, id)):
        try:
            run.standing.fd(directory)
        except OSError:
            _place(run, parent, name, directory, expect=True)
    try:
        return run.standing.fd(id)
    except FileNotFoundError as error:
        raise Unplaceable from error


def _way_up(run: Run, id: ObjectId) -> list[tuple[ObjectId, ObjectId, bytes]]:
    """``(directory, parent, name)`` from ``id`` up to the first ancestor that is there."""
    way: list[tuple[ObjectId, ObjectId, bytes]] = []
    passed: set[ObjectId] = set()
    at = id
    while at != ROOT:
        row = run.wanted.row(at)
        names = run.wanted.view.names_of(at, run.wanted.at)
        if row is None or row.kind != stat.S_IFDIR or not names or at in passed:
            raise Unplaceable
        passed.add(at)
        way.append((at, *names[0]))
        at = names[0][0]
        try:
            run.standing.fd(at)
        except OSError:
            continue
        break
    return way


def _impossible(run: Run, parent: ObjectId, name: bytes) -> None:
    message = "the catalog names this where no directory can be; it is left out"
    remedy = "hikae reconcile on the primary; if it stays, its catalog is damaged"
    run.problem(IMPOSSIBLE_ROW, run.wanted.path(parent, name), message, remedy)


# -- the name is taken ---------------------------------------------------------------------------------------------------


def _make_way(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow) -> _Way:
    found = run.standing.look(fd, parent, name)
    if found is None:
        return _Way.FREE
    wanted = Wanted.DIRECTORY if row.kind == stat.S_IFDIR else Wanted.OTHER
    if found.id == row.id and found.kind == row.kind:
        return _own(run, fd, parent, name, row, found)
    if found.identity is KnownBy.FOREIGN:
        return _foreign(run, fd, parent, name, row, found)
    assert found.id is not None
    directory = stat.S_ISDIR(found.st.st_mode)
    alive = found.id != row.id and run.wanted.raw(found.id) is not None
    verdict = fate(found.identity, directory=directory, alive=alive, wanted=wanted)
    if verdict is Fate.LEAVE:
        return _Way.REPLACE
    if carry_out(run, verdict, fd, parent, name, found):
        return _Way.FREE
    if wanted is Wanted.DIRECTORY:
        return adopt_directory(run, fd, name, row, found)
    raise InTheWay(errno.EBUSY, "what stands here is not to be touched", name)


def _own(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> _Way:
    """The object itself stands there, or what a run that was cut short left of it."""
    if found.identity is KnownBy.SURE:
        if row.kind != stat.S_IFDIR:
            run.standing.stands(row.id, parent, name)
        return _Way.SETTLED
    if row.kind == stat.S_IFDIR:
        return _take_directory(run, fd, parent, name, row, found)
    if _stands_elsewhere(run, row.id, parent, name) or not is_takeable(run, fd, row, found):
        return _Way.REPLACE
    if row.kind == stat.S_IFREG and run.wanted.leaves(row.id):
        run.standing.ledger.record(row.id, found.handle, found.st)
        run.standing.stands(row.id, parent, name)
        return _Way.SETTLED
    if not equals(run, fd, name, row, found):
        return _Way.REPLACE
    return _adopt(run, fd, parent, name, row, found)


def _foreign(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> _Way:
    if found.mounted:
        raise InTheWay(errno.EBUSY, "something is mounted here", name)
    if found.kind == row.kind == stat.S_IFDIR:
        return _take_directory(run, fd, parent, name, row, found)
    if found.kind == row.kind and is_takeable(run, fd, row, found) and equals(run, fd, name, row, found):
        if _stands_elsewhere(run, row.id, parent, name):
            return _Way.REPLACE
        return _adopt(run, fd, parent, name, row, found)
    if found.kind == stat.S_IFREG and not found.st.st_size and row.kind != stat.S_IFDIR:
        return _Way.REPLACE  # nothing is lost; after a power cut ours may be empty too
    require_free(run, fd, parent, name, found.kind)
    displace(run, fd, parent, name)
    return _Way.FREE


def is_takeable(run: Run, fd: int, row: ObjectRow, found: Found) -> bool:
    """Whether an object that is not known by its handle may be taken for the wanted one: where nobody else could have put it
    there, where it has the wanted owner already, so that nothing is given to anybody, or where a tree is to be taken over; what
    is mounted there never."""
    if found.mounted:
        return False
    return run.plan.adopt or (found.st.st_uid, found.st.st_gid) == (row.uid, row.gid) or is_ours_alone(fd)


def _take_directory(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> _Way:
    if is_takeable(run, fd, row, found):
        return adopt_directory(run, fd, name, row, found)
    require_free(run, fd, parent, name, found.kind)
    displace(run, fd, parent, name)
    return _Way.FREE


def adopt_directory(run: Run, fd: int, name: bytes, row: ObjectRow, found: Found) -> _Way:
    """Take an unknown directory for the wanted one; strangers in it are looked for later."""
    if run.standing.is_held(row.id):
        # The object itself waits in .hikae/m, with what belongs into it.
        discard(run, fd, name, row.id)
        return _Way.FREE
    run.standing.ledger.record(row.id, found.handle, found.st)
    run.standing.dirs.forget(row.id)
    run.due.doubtful.append(row.id)
    touch(run, row.id)
    return _Way.SETTLED


def _adopt(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, found: Found) -> _Way:
    run.standing.set_metadata(row, None, fd, name, found.handle)
    run.standing.stands(row.id, parent, name)
    run.standing.finished(row.id)
    return _Way.SETTLED


def equals(run: Run, fd: int, name: bytes, row: ObjectRow, found: Found) -> bool:
    """Whether an entry of the right type has the wanted content (metadata aside)."""
    if row.kind == stat.S_IFLNK:
        return os.readlink(name, dir_fd=fd) == row.content
    if row.kind in _DEVICES:
        return found.st.st_rdev == row.rdev
    if row.kind != stat.S_IFREG:
        return True
    if run.wanted.leaves(row.id):
        return False  # What it should hold may not even be known: its list can be among what lacks.
    return found.st.st_size == row.size and holds_content(run, fd, name, row, found)


def holds_content(run: Run, fd: int, name: bytes, row: ObjectRow, found: Found) -> bool:
    """Whether the file can be opened for reading and holds the wanted bytes and holes."""
    try:
        opened = run.standing.open_expected(fd, name, found.handle)
    except PermissionError:
        return False
    try:
        if not run.plan.trusted and not run.plan.survey:
            # It may have been written in vain: after a write error the cache still holds what the disk does not, and no later
            # sync says so again (law 1). What is clean is read from the disk.
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
        return file_content.is_same(opened, row, run.means.read, run.means.look_for_end)
    finally:
        os.close(opened)


# -- the name is free, or what stands there may be replaced ----------------------------------------------------------------


def _put(run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, *, replace: bool) -> None:
    if run.standing.holding and take(run, fd, name, row, replace=replace):
        if row.kind != stat.S_IFDIR:
            run.standing.stands(row.id, parent, name)
        return
    if row.kind == stat.S_IFDIR:
        _put_directory(run, fd, name, row)
        return
    elsewhere = _elsewhere(run, row.id, parent, name)
    if elsewhere is None and row.kind == stat.S_IFREG and run.wanted.leaves(row.id):
        if replace:
            # What stood there is another object, which has lost this name.
            run.output.unlink(fd, name)
        return
    if elsewhere is None or not _put_link(run, elsewhere, fd, name, row, replace=replace):
        build_object(run, fd, parent, name, row, replace=replace)
    else:
        # Of very many names each would be looked for among all the others.
        run.standing.stands(row.id, *elsewhere)


def _put_directory(run: Run, fd: int, name: bytes, row: ObjectRow) -> None:
    made = _make_directory(run, fd, name, row)
    run.standing.record(row.id, made)
    run.standing.dirs.adopt(row.id, made)
    run.standing.made_directory(row.id)
    if run.wanted.existed(row.id) and row.id not in run.due.surveyed:
        # Somebody removed it here: what stood in it and did not change is missing too.
        run.due.surveyed.add(row.id)
        run.due.hollow.append(row.id)
    touch(run, row.id)


def _make_directory(run: Run, fd: int, name: bytes, row: ObjectRow) -> int:
    """A new directory, open. Where others may exchange names it is made aside, so that it is known which one is ours, and given
    to its owner before it has a name, so that a redo may take it."""
    world = run.output
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


def _stands_elsewhere(run: Run, id: ObjectId, parent: ObjectId, name: bytes) -> bool:
    return run.standing.is_held(id) or _elsewhere(run, id, parent, name) is not None


def _elsewhere(run: Run, id: ObjectId, parent: ObjectId, name: bytes) -> tuple[ObjectId, bytes] | None:
    """Another wanted name at which the object stands already."""
    place = run.standing.places.get(id)
    if place is not None and place != (parent, name):
        return place
    if run.wanted.is_new(id) and run.standing.has_all_places:
        return None
    handle = run.standing.ledger.handle_of(id)
    if handle is None:
        return None
    for other in run.wanted.view.names_of(id, run.wanted.at):
        if other != (parent, name) and _stands_at(run, handle, other):
            return other
    return None


def _stands_at(run: Run, handle: bytes, place: tuple[ObjectId, bytes]) -> bool:
    try:
        return handle_of(run.standing.fd(place[0]), place[1]) == handle
    except OSError:
        return False


def _put_link(run: Run, source: tuple[ObjectId, bytes], fd: int, name: bytes, row: ObjectRow, *, replace: bool) -> bool:
    """A further name; False when the source is not there any more, or has all the names that it may have."""
    world = run.output
    handle = run.standing.ledger.handle_of(row.id)
    world.step("link")
    try:
        pinned = world.expect.pin(run.standing.fd(source[0]), source[1], handle or b"")
    except StaleEntry:
        return False
    except FileNotFoundError:
        run.standing.places.pop(row.id, None)
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
        run.standing.record(row.id, pinned)
    except FileNotFoundError:
        run.standing.places.pop(row.id, None)
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        run.standing.copied.add(row.id)
        return False
    finally:
        os.close(pinned)
    if row.flags:
        touch(run, row.id)
    return True


def build_object(
    run: Run, fd: int, parent: ObjectId, name: bytes, row: ObjectRow, *, replace: bool, content_fd: int = -1
) -> None:
    """A new file, symlink, fifo or device with all its metadata, made aside and given its name in one step. ``content_fd``: a
    file without a name that has the content already; it stays the caller's."""
    if row.kind == stat.S_IFREG and content_fd >= 0:
        run.output.clear_temp()
        give_name(content_fd, run.output.temp, TEMP)
        _finish_file(run, content_fd, fd, name, row, over=replace)
    elif row.kind == stat.S_IFREG:
        _build_file(run, fd, name, row, over=replace)
    elif not _build_special(run, fd, name, row, over=replace):
        return
    run.standing.stands(row.id, parent, name)
    run.standing.finished(row.id)
    if row.flags:
        touch(run, row.id)


def _build_file(run: Run, fd: int, name: bytes, row: ObjectRow, *, over: bool) -> None:
    world = run.output
    run.late.drop(row.id)
    world.step("create")
    try:
        made = create_file(world.temp, TEMP)
    except FileExistsError:
        world.clear_temp()
        made = create_file(world.temp, TEMP)
    try:
        if row.size:
            run.tally.done_bytes += file_content.write_new(made, row, run.means.read)
        _finish_file(run, made, fd, name, row, over=over)
    finally:
        os.close(made)


def _finish_file(run: Run, made: int, fd: int, name: bytes, row: ObjectRow, *, over: bool) -> None:
    """The temporary entry, which is open as ``made``, gets its metadata and its name."""
    # Immutable comes at the end: nothing can be renamed or linked once it is set.
    refused = apply_metadata_fd(made, row._replace(flags=0) if row.flags else row)
    run.output.rename(run.output.temp, TEMP, fd, name, replace=over)
    run.standing.made(row, made, refused)


def _build_special(run: Run, fd: int, name: bytes, row: ObjectRow, *, over: bool) -> bool:
    run.output.step("create")
    run.output.clear_temp()
    try:
        _make_special(run, run.output.temp, fd, name, row, over=over)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # It must be of its directory's project from the beginning: nothing can give it one (fs.project).
        with run.output.temp_of_project(fd) as temp:
            _make_special(run, temp, fd, name, row, over=over)
    except _NotPermitted:
        run.standing.leave_out(row.id, Unkept.OBJECT)
        return False
    return True


class _NotPermitted(Exception):
    """Such an object cannot be made here at all."""


def _make_special(run: Run, temp: int, fd: int, name: bytes, row: ObjectRow, *, over: bool) -> None:
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
        run.output.rename(temp, TEMP, fd, name, replace=over)
        run.standing.made(row, made, refused)
    finally:
        os.close(made)
