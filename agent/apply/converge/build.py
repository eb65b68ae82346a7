"""Making an object: linked to a name at which it stands already, or built aside and given its name in one step."""

from __future__ import annotations

import errno
import os
import stat

from agent.apply.converge.touched import touch
from agent.apply.output.directory import TEMP
from agent.apply.output.unkept import Unkept
from agent.apply.run.one_run import Run
from agent.apply.writing import file_content
from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow
from agent.fs.confined import create_file, give_name, make_node, make_symlink, open_pinned
from agent.fs.expected import StaleEntry
from agent.fs.handles import handle_of, handle_of_fd
from agent.fs.metadata import apply_metadata, apply_metadata_fd

#: Filesystems without links, or no more of them.
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK)


def stands_elsewhere(run: Run, id: ObjectId, parent: ObjectId, name: bytes) -> bool:
    """Whether the object stands at another wanted name, or waits for one."""
    return run.standing.is_held(id) or stands_elsewhere_at(run, id, parent, name) is not None


def stands_elsewhere_at(run: Run, id: ObjectId, parent: ObjectId, name: bytes) -> tuple[ObjectId, bytes] | None:
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


def put_link(run: Run, source: tuple[ObjectId, bytes], fd: int, name: bytes, row: ObjectRow, *, replace: bool) -> bool:
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
        believed = run.standing.ledger.is_as_noted(row.id, os.fstat(pinned))
        if replace:
            world.clear_temp()
            world.link(pinned, world.temp, TEMP)
            world.rename(world.temp, TEMP, fd, name, replace=True)
            # Nothing is renamed onto another name of the same object (rename(2)); it would have one name too many.
            world.clear_temp()
        else:
            world.link(pinned, fd, name)
        run.standing.record(row.id, handle_of_fd(pinned), os.fstat(pinned), believed=believed)
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
