"""The next content of a file that stands: written into it where that is little, else in a new file that takes its place.

What nobody may read by its old owner, mode and ACL who may by the new ones, or the other way round, is never written into the
file that stands: it would be read by the wrong ones meanwhile, and for ever by who has the file open.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import TypeAlias

from agent.apply.converge.build import build_object
from agent.apply.converge.place import place
from agent.apply.converge.touched import touch
from agent.apply.output.directory import ease
from agent.apply.output.unkept import ACCESS
from agent.apply.run.one_run import Run
from agent.apply.run.standing_entries import Found
from agent.apply.writing import file_content
from agent.apply.writing.in_place import Overwrite, overwrites, write_changes
from agent.chunking.difference import Difference, Differences
from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow
from agent.fs.content import can_reflink, reflink
from agent.fs.metadata import access_of, access_of_fd

#: Smaller files are written anew, bytes.
_WHOLE = 64 << 10
#: What may differ in a file that is changed in place, at most, as 1/n of it: in a large one, and in any other.
_FEW, _LITTLE = 2, 8
#: Parent and name of each entry of an object.
EntryNames: TypeAlias = list[tuple[ObjectId, bytes]]
#: Where an object stands for certain: an open directory, its id, the name there, and what was seen.
StandsAt: TypeAlias = tuple[int, ObjectId, bytes, Found]


def set_its_metadata(run: Run, row: ObjectRow, old: ObjectRow | None, place: StandsAt, *, believed: bool) -> None:
    """As ``StandingEntries.set_metadata``, where the object stands."""
    fd, _, name, found = place
    run.standing.set_metadata(row, old, fd, name, found.handle, believed=believed)


def changed_in_place(run: Run, row: ObjectRow, old: ObjectRow, names: EntryNames, found: StandsAt) -> bool:
    """Give the file its content; False: a new file took its place, with all its metadata.

    A reader of the standby may see a file that is changed in place half-written. After a crash nothing of it is believed: it is
    in what changed between the checkpoint and the newest commit, both of which are durable before anything is written."""
    fd, _, name, entry = found
    if max(row.size, old.size) <= run.means.limits.large:
        return _overwritten(run, row, old, names, found)
    differences = Differences(old.content, row.content, run.means.read)
    if worth_patching(run, row, old, len(names), differences) and _patched(run, row, fd, name, entry, old, differences):
        return True
    rewrite(run, row, names, found)
    return False


def _overwritten(run: Run, row: ObjectRow, old: ObjectRow, names: EntryNames, found: StandsAt) -> bool:
    """As :func:`changed_in_place`, of a file of bounded size: only what differs is written, if that is little."""
    fd, _, name, entry = found
    linked = len(names) > 1
    opened = -1
    if row.kind == stat.S_IFREG and (linked or min(row.size, old.size) >= _WHOLE):
        opened = opened_to_patch(run, row, old, fd, name, entry)
    try:
        few = row.size // _LITTLE if not linked else run.means.limits.large
        changes = overwrites(opened, old, row, run.means.read, run.means.patch_of, few) if opened >= 0 else None
        if changes is None:
            rewrite(run, row, names, found)
            return False
        if not linked and _cloned(run, opened, changes, row, names, found):
            return False
        run.tally.done_bytes += write_changes(opened, changes, row.size)
        return True
    finally:
        if opened >= 0:
            os.close(opened)


def _cloned(
    run: Run, opened: int, changes: list[Overwrite], row: ObjectRow, names: EntryNames, found: StandsAt
) -> bool:
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
        rewrite(run, row, names, found, content_fd=made)
        return True
    finally:
        os.close(made)


def worth_patching(run: Run, row: ObjectRow, old: ObjectRow, links: int, differences: Iterable[Difference]) -> bool:
    """Whether a file that has ``links`` names is better changed in place: a large one of which little differs, or any with
    several names, which would all have to be made anew."""
    if row.kind != stat.S_IFREG:
        return False
    if links > 1:
        return True
    if min(row.size, old.size) <= run.means.limits.large:
        return False
    return file_content.few_bytes_differ(differences, old.size, run.means.patch_of, row.size // _FEW)


def _patched(
    run: Run,
    row: ObjectRow,
    fd: int,
    name: bytes,
    found: Found,
    old: ObjectRow | None = None,
    differences: Iterable[Difference] = (),
) -> bool:
    """Change the file, which holds ``old`` or nobody knows what, in place; False when it may not be. Half done, it is mended by
    the next redo."""
    opened = opened_to_patch(run, row, old, fd, name, found)
    if opened < 0:
        return False
    means = run.means
    try:
        if old is None:
            run.tally.done_bytes += file_content.mend(opened, row, means.read, means.look_for_end)
        else:
            run.tally.done_bytes += file_content.patch(opened, differences, row.size, means.read, means.patch_of)
    finally:
        os.close(opened)
    return True


def opened_to_patch(run: Run, row: ObjectRow, old: ObjectRow | None, fd: int, name: bytes, found: Found) -> int:
    """The file that was found, about to be changed in place; -1 when it may not be: it cannot be opened for writing, or others
    may read it than may read ``row``, or nothing is to be written into what stands."""
    run.output.step("patch")
    if not run.output.adopted.may_patch():
        return -1
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


def rewrite(run: Run, row: ObjectRow, names: EntryNames, found: StandsAt, content_fd: int = -1) -> None:
    """A new file in place of the old one, and its other names with it. ``content_fd``: see :func:`build_object`."""
    fd, parent, name, entry = found
    run.standing.ledger.supersede(row.id, entry.handle)
    build_object(run, fd, parent, name, row, replace=True, content_fd=content_fd)
    touch(run, parent)
    if len(names) > 1:
        relink(run, row, names, (parent, name))


def remake(run: Run, row: ObjectRow, fd: int, parent: ObjectId, name: bytes, found: Found) -> bool:
    """Give a file of ours that is not as wanted its content: in place where it is large or has several names, and
    True; else by a new file with all its metadata, and False."""
    is_linked = len(run.wanted.view.names_of(row.id, run.wanted.at)) > 1
    in_place = row.kind == stat.S_IFREG and (is_linked or row.size > run.means.limits.large)
    if in_place and _patched(run, row, fd, name, found):
        return True
    run.standing.ledger.supersede(row.id, found.handle)
    build_object(run, fd, parent, name, row, replace=True)
    touch(run, parent)
    return False


def relink(run: Run, row: ObjectRow, names: EntryNames, good: tuple[ObjectId, bytes]) -> None:
    """Make every name lead to the object that stands at ``good``."""
    run.standing.stands(row.id, *good)
    for parent, name in names:
        if (parent, name) != good:
            place(run, parent, name, row.id, expect=True)
