"""What fewer may reach is closed to the others before anything comes or moves: a directory that became private gets its entries
long before its own metadata, which comes last, and a file that became private may get a public place before its mode."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from agent.apply.run.changed_keys import WorkSet
from agent.apply.run.one_run import Run
from agent.core.ids import ObjectId
from agent.core.rows import ObjectRow, access_in, decode_object, file_type_of, object_id_of_key
from agent.fs.metadata import Access, access_of

_OURS_ALONE = 0o700


def tighten(run: Run, work: WorkSet) -> None:
    """Narrow objects that stand and whose owner, mode or ACL changes to what both commits permit; they get what is wanted as
    ever. Only of a standby that equals the run's base: of any other nothing is known to be narrower."""
    moves = work.names.count > 0
    for batch in work.objects.batches() if run.plan.trusted else ():
        for key, old, new in batch:
            if old is None or new is None or not _may_differ(old, new) or not (moves or _is_directory(new)):
                continue
            before, after = decode_object(old), decode_object(new)
            if access_of(before) != access_of(after):
                _narrow(run, object_id_of_key(key), access_of(before), after)


def _may_differ(old: bytes, new: bytes) -> bool:
    """Whether owner, mode or ACL may be another; most objects change in content and times alone."""
    return access_in(old) != access_in(new) or b"posix_acl_access" in (old + new)


def _is_directory(row: bytes) -> bool:
    return file_type_of(row) == stat.S_IFDIR


def _narrow(run: Run, id: ObjectId, before: Access, row: ObjectRow) -> None:
    # What stands otherwise than is known here is met again, and told, by who makes it as wanted.
    with suppress(OSError):
        pinned = _pinned(run, id, row)
        if pinned >= 0:
            try:
                _close_to_others(pinned, before, access_of(row))
            finally:
                os.close(pinned)


def _pinned(run: Run, id: ObjectId, row: ObjectRow) -> int:
    """The object, open as itself; -1 for a file that keeps its place, where its mode comes with its content."""
    if row.kind == stat.S_IFDIR:
        return os.open(b"/proc/self/fd/%d" % run.standing.fd(id), os.O_PATH | os.O_CLOEXEC)
    names = run.wanted.view.names_of(id, run.plan.base)
    handle = run.standing.ledger.handle_of(id)
    if handle is None or not names or names == run.wanted.view.names_of(id, run.wanted.at):
        return -1
    return run.output.expect.pin(run.standing.fd(names[0][0]), names[0][1], handle)


def _close_to_others(pinned: int, before: Access, after: Access) -> None:
    path = b"/proc/self/fd/%d" % pinned
    same_owner = before[:2] == after[:2] and before.acl == after.acl
    narrow = before.mode & after.mode & 0o7777 | _OURS_ALONE if same_owner else _OURS_ALONE
    if same_owner and before.mode & 0o7777 == narrow:
        return
    with suppress(PermissionError):
        os.chmod(path, narrow)
        if not same_owner:
            os.chown(path, after.uid, after.gid)
