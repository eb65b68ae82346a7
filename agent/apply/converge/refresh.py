"""Objects that stay and change: content first, then metadata. Directories' metadata waits until the end.

What nobody may read by its old owner, mode and ACL who may by the new ones, or the other way round, is never written into the
file that stands: it would be read by the wrong ones meanwhile, and for ever by who has the file open.
"""

from __future__ import annotations

import os
import stat
from itertools import islice
from typing import TypeAlias

from agent.apply.converge.place import build_object, holds_content, place
from agent.apply.converge.touched import touch
from agent.apply.output.directory import ease
from agent.apply.output.unkept import ACCESS, LEFT_OUT
from agent.apply.run.changed_keys import WorkSet
from agent.apply.run.fate import KnownBy
from agent.apply.run.late_files import LateFile, Writing
from agent.apply.run.one_run import Attempt, Making, Run
from agent.apply.run.standing_entries import Found
from agent.apply.writing import file_content
from agent.apply.writing.in_place import Overwrite, overwrites, write_changes
from agent.apply.writing.writer import ContentWriter
from agent.core.ids import NOTHING, ROOT, ObjectId
from agent.core.rows import ObjectRow, decode_object, object_id_of_key
from agent.fs.content import can_reflink, reflink
from agent.fs.metadata import access_of, access_of_fd

#: Smaller files are written anew, bytes.
WHOLE = 64 << 10
#: What may differ in a file that is changed in place, at most, as 1/n of it: in a large one, and in any other.
FEW, LITTLE = 2, 8
_NAMES_AT_ONCE = 1000

#: Parent and name of each entry of an object.
_Names: TypeAlias = list[tuple[ObjectId, bytes]]
#: Where an object stands for certain: an open directory, its id, the name there, and what was seen.
_Place: TypeAlias = tuple[int, ObjectId, bytes, Found]


def refresh(run: Run, work: WorkSet) -> None:
    """Make content and metadata of every object in the work set as wanted."""
    for batch in work.objects.batches():
        for key, old, new in batch:
            id = object_id_of_key(key)
            if new is not None and id not in run.plan.short and (old is not None or not run.plan.trusted):
                with Making(run, id):
                    refresh_object(run, decode_object(new), decode_object(old) if old is not None else None)
        run.tally.progress(len(batch))


def refresh_short(run: Run) -> None:
    """Objects of which an older version stands, or nothing: as wanted, if by now all of them is here."""
    for id in sorted(run.plan.short):
        with Making(run, id):
            row = run.wanted.row(id)
            if row is not None:
                refresh_object(run, row, None)


def refresh_object(run: Run, row: ObjectRow, old: ObjectRow | None) -> None:
    """``old``: what stands there for certain; None: nothing is believed, so content is read and compared."""
    if row.kind == stat.S_IFDIR:
        touch(run, row.id)
        return
    names = run.wanted.view.names_of(row.id, run.wanted.at)
    if not names:
        return
    if old is not None and old.kind == row.kind and not run.standing.was_unkept(row.id) & LEFT_OUT:
        found = _find(run, row, names[:_NAMES_AT_ONCE])
        if found is not None:
            _change(run, row, old, names, found)
            return
    run.late.drop(row.id)
    _unify(run, row, names)


def _find(run: Run, row: ObjectRow, names: _Names) -> _Place | None:
    """Where the object stands for certain."""
    for parent, name in names:
        try:
            fd = run.standing.fd(parent)
        except OSError:
            continue
        found = run.standing.look(fd, parent, name)
        if found is not None and found.id == row.id and found.identity is KnownBy.SURE and found.kind == row.kind:
            return fd, parent, name, found
    return None


def _change(run: Run, row: ObjectRow, old: ObjectRow, names: _Names, found: _Place) -> None:
    if row.id in run.late or (row.kind == stat.S_IFREG and run.wanted.leaves(row.id)):
        return
    if row.content != old.content:
        if run.plan.trusted and run.late.defer(old, row):
            return
        if not _changed_in_place(run, row, old, names, found):
            return
    _set_metadata(run, row, old, found)


def _set_metadata(run: Run, row: ObjectRow, old: ObjectRow | None, place: _Place) -> None:
    """``old``: what the object has; None when that is not known."""
    fd, _, name, found = place
    run.standing.set_metadata(row, old, fd, name, found.handle)


def go_on(run: Run) -> None:
    """A step of the late file whose turn it is, where all but such files is as the run's target wants it."""
    id, file = run.late.first()
    row = run.wanted.row(id)
    names = run.wanted.view.names_of(id, run.wanted.at)
    if row is None or not names:
        run.late.drop(id)
        return
    with Making(run, id):
        if file.writing is None and run.wanted.leaves(id):
            # The version before stands whole.
            run.late.drop(id)
            return
        found = _find(run, row, names[:_NAMES_AT_ONCE])
        if found is None:
            run.late.drop(id)
            _unify(run, row, names)
            return
        if file.writing is None and row.content == file.holds.content:
            # It was changed back, or comes to its turn again.
            run.late.drop(id)
            _set_metadata(run, row, None, found)
            return
        if file.writing is None:
            file.writing = _begun(run, row, file.holds, names, found)
        if file.writing is not None:
            _write_some(run, row, file, file.writing, names, found)


def _begun(run: Run, row: ObjectRow, holds: ObjectRow, names: _Names, found: _Place) -> Writing | None:
    """A late file's next version on its way; None where it had to be written at once."""
    fd, _, name, entry = found
    if _worth_patching(run, row, holds, len(names)):
        opened = _opened_to_patch(run, row, holds, fd, name, entry)
        if opened >= 0:
            steps = file_content.patching(_late_writer(run, opened), holds, row, run.means.read, run.means.patch_of)
            return Writing(opened, row, steps, False, run.means.limits)
    run.output.step("create")
    made = run.output.create_nameless(run.output.temp)
    if made < 0:
        _rewrite(run, row, names, found)
        return None
    return Writing(
        made, row, file_content.writing(_late_writer(run, made), row, run.means.read), True, run.means.limits
    )


def _late_writer(run: Run, fd: int) -> ContentWriter:
    """What is written beside other commits is synced at each step: their sync must not wait for it."""
    return ContentWriter(fd, run.means.limits.slice)


def _write_some(run: Run, row: ObjectRow, file: LateFile, writing: Writing, names: _Names, found: _Place) -> None:
    run.output.step("patch")
    written, is_whole = writing.go_on(run.means.clock.monotonic)
    run.tally.done_bytes += written
    if not is_whole:
        return
    if writing.aside:
        # A version goes with its own owner and mode, whatever the next one has.
        one = row if row.content == writing.new.content else writing.new
        _rewrite(run, one, names, found, content_fd=writing.fd)
    writing.close()
    file.holds, file.writing = writing.new, None
    if row.content != writing.new.content:
        run.late.again(row.id)
        return
    run.late.drop(row.id)
    if not writing.aside:
        _set_metadata(run, row, None, found)


def _changed_in_place(run: Run, row: ObjectRow, old: ObjectRow, names: _Names, found: _Place) -> bool:
    """Give the file its content; False: a new file took its place, with all its metadata.

    A reader of the standby may see a file that is changed in place half-written. After a crash nothing of it is believed: it is
    in what changed between the checkpoint and the newest commit, both of which are durable before anything is written."""
    fd, _, name, entry = found
    if max(row.size, old.size) <= run.means.limits.large:
        return _overwritten(run, row, old, names, found)
    if _worth_patching(run, row, old, len(names)) and _patched(run, row, old, fd, name, entry):
        return True
    _rewrite(run, row, names, found)
    return False


def _overwritten(run: Run, row: ObjectRow, old: ObjectRow, names: _Names, found: _Place) -> bool:
    """As :func:`_changed_in_place`, of a file of bounded size: only what differs is written, if that is little."""
    fd, _, name, entry = found
    linked = len(names) > 1
    opened = -1
    if row.kind == stat.S_IFREG and (linked or min(row.size, old.size) >= WHOLE):
        opened = _opened_to_patch(run, row, old, fd, name, entry)
    try:
        few = row.size // LITTLE if not linked else run.means.limits.large
        changes = overwrites(opened, old, row, run.means.read, run.means.patch_of, few) if opened >= 0 else None
        if changes is None:
            _rewrite(run, row, names, found)
            return False
        if not linked and _cloned(run, opened, changes, row, names, found):
            return False
        run.tally.done_bytes += write_changes(opened, changes, row.size)
        return True
    finally:
        if opened >= 0:
            os.close(opened)


def _cloned(run: Run, opened: int, changes: list[Overwrite], row: ObjectRow, names: _Names, found: _Place) -> bool:
    """Where the filesystem lets files share what they have in common: a new file, so that nobody sees it half-written."""
    if not can_reflink(opened):
        return False
    made = run.output.create_nameless(run.output.temp)
    if made < 0:
        return False
    try:
        if not reflink(opened, made):
            return False
        run.tally.done_bytes += write_changes(made, changes, row.size)
        _rewrite(run, row, names, found, content_fd=made)
        return True
    finally:
        os.close(made)


def _worth_patching(run: Run, row: ObjectRow, old: ObjectRow, links: int) -> bool:
    if row.kind != stat.S_IFREG:
        return False
    if links > 1:
        return True
    if min(row.size, old.size) <= run.means.limits.large:
        return False
    return file_content.few_bytes_differ(old, row, run.means.read, run.means.patch_of, row.size // FEW)


def _patched(run: Run, row: ObjectRow, old: ObjectRow | None, fd: int, name: bytes, found: Found) -> bool:
    """Change the file in place; False when it may not be. Half done, it is mended by the next redo."""
    opened = _opened_to_patch(run, row, old, fd, name, found)
    if opened < 0:
        return False
    try:
        if old is None:
            run.tally.done_bytes += file_content.mend(opened, row, run.means.read, run.means.look_for_end)
        else:
            run.tally.done_bytes += file_content.patch(opened, old, row, run.means.read, run.means.patch_of)
    finally:
        os.close(opened)
    return True


def _opened_to_patch(run: Run, row: ObjectRow, old: ObjectRow | None, fd: int, name: bytes, found: Found) -> int:
    """The file that was found, about to be changed in place; -1 when it may not be: it cannot be opened for writing, or others
    may read it than may read ``row``."""
    run.output.step("patch")
    try:
        opened = _open_for_writing(run, fd, name, found)
    except PermissionError:
        return -1
    try:
        if _is_open_to_others(run, opened, row, old):
            os.close(opened)
            return -1
        run.output.adopted.before_change(fd, name)
    except BaseException:
        os.close(opened)
        raise
    return opened


def _is_open_to_others(run: Run, opened: int, row: ObjectRow, old: ObjectRow | None) -> bool:
    """Where the standby's filesystem does not keep an owner, mode or ACL, what the commits say of it decides."""
    if run.standing.was_unkept(row.id) & ACCESS:
        return old is not None and access_of(old) != access_of(row)
    return access_of_fd(opened) != access_of(row)


def _open_for_writing(run: Run, fd: int, name: bytes, found: Found) -> int:
    try:
        return run.standing.open_expected(fd, name, found.handle, os.O_RDWR)
    except PermissionError:
        ease(fd, name)
        return run.standing.open_expected(fd, name, found.handle, os.O_RDWR)


def _rewrite(run: Run, row: ObjectRow, names: _Names, found: _Place, content_fd: int = -1) -> None:
    """A new file in place of the old one, and its other names with it. ``content_fd``: see :func:`build_object`."""
    fd, parent, name, entry = found
    run.standing.ledger.supersede(row.id, entry.handle)
    build_object(run, fd, parent, name, row, replace=True, content_fd=content_fd)
    touch(run, parent)
    if len(names) > 1:
        _relink(run, row, names, (parent, name))


def _unify(run: Run, row: ObjectRow, names: _Names) -> None:
    """Nothing is believed: find the object or build it, compare its content, and make every name lead to it."""
    for parent, _ in names:
        touch(run, parent)
    found = _find(run, row, names)
    if row.kind == stat.S_IFREG and run.wanted.leaves(row.id):
        if found is not None and len(names) > 1:
            _relink(run, row, names, found[1:3])
        return
    if found is None:
        place(run, *names[0], row.id, expect=True)
        found = _find(run, row, list(islice(names, 1)))
    if found is None:
        return  # reported by place
    fd, parent, name, entry = found
    is_the_old_one = True
    if row.id not in run.standing.done and not _is_as_wanted(run, row, fd, name, entry):
        is_the_old_one = remake(run, row, fd, parent, name, entry)
    if is_the_old_one:
        run.standing.set_metadata(row, None, fd, name, entry.handle)
    run.standing.finished(row.id)
    if len(names) > 1:
        _relink(run, row, names, (parent, name))


def remake(run: Run, row: ObjectRow, fd: int, parent: ObjectId, name: bytes, found: Found) -> bool:
    """Give a file of ours that is not as wanted its content: in place where it is large or has several names, and
    True; else by a new file with all its metadata, and False."""
    is_linked = len(run.wanted.view.names_of(row.id, run.wanted.at)) > 1
    in_place = row.kind == stat.S_IFREG and (is_linked or row.size > run.means.limits.large)
    if in_place and _patched(run, row, None, fd, name, found):
        return True
    run.standing.ledger.supersede(row.id, found.handle)
    build_object(run, fd, parent, name, row, replace=True)
    touch(run, parent)
    return False


def _is_as_wanted(run: Run, row: ObjectRow, fd: int, name: bytes, found: Found) -> bool:
    if row.kind == stat.S_IFREG:
        return found.st.st_size == row.size and holds_content(run, fd, name, row, found)
    if row.kind == stat.S_IFLNK:
        return os.readlink(name, dir_fd=fd) == row.content
    return found.st.st_rdev == row.rdev if row.kind in (stat.S_IFCHR, stat.S_IFBLK) else True


def _relink(run: Run, row: ObjectRow, names: _Names, good: tuple[ObjectId, bytes]) -> None:
    run.standing.stands(row.id, *good)
    for parent, name in names:
        if (parent, name) != good:
            place(run, parent, name, row.id, expect=True)


def check_taken(run: Run) -> None:
    """Look into the files that came back from ``.hikae/m`` with nobody knowing what is in them."""
    while run.due.unchecked:
        id = run.due.unchecked.pop()
        with Attempt(run, id):
            row = run.wanted.row(id)
            if row is not None:
                refresh_object(run, row, None)


def forget_dead(run: Run, work: WorkSet) -> None:
    """Drop what is known of objects that are no more; only when nothing of them can stand anywhere."""
    for batch in work.objects.batches():
        for key, _, new in batch:
            if new is None:
                run.standing.ledger.forget(object_id_of_key(key))


def refresh_root(run: Run) -> None:
    """The root's own metadata, when our directory was made in it just now or nothing is believed; at first, always: nobody
    places the root."""
    if run.output.fresh or not run.plan.trusted or run.plan.base == NOTHING:
        touch(run, ROOT)
