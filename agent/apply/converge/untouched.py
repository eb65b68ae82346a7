"""What stands in the standby and is not the replication's: what `exclude` names, and what is mounted there.

On a node that was primary it is the application's. It is not moved, removed, taken over or called foreign, and a directory that
would have to go and holds such stays, and is said.
"""

from __future__ import annotations

import errno
import os
import stat

from agent.apply.output.unkept import InTheWay
from agent.apply.ports import LeftOut, nothing_left_out
from agent.apply.run.one_run import Run
from agent.apply.run.standing_entries import Found
from agent.core.ids import ObjectId
from agent.core.problem import Severity
from agent.core.problem_codes import EXCLUDED_STAYS
from agent.fs.confined import open_dir
from agent.fs.handles import is_directory, is_mounted
from agent.fs.walk import entries


def is_untouched(run: Run, parent: ObjectId, name: bytes, found: Found) -> bool:
    """Whether an entry that no commit wants is not ours to touch."""
    directory = found.kind == stat.S_IFDIR
    if run.means.left_out is not nothing_left_out and run.means.left_out(run.wanted.path(parent, name), directory):
        return True
    return found.mounted


def stays(run: Run, fd: int, parent: ObjectId, name: bytes) -> bool:
    """Whether a directory that is not wanted as it is has to stay for what it holds; then it is said."""
    path = run.wanted.path(parent, name)
    found = first_untouched(fd, name, path, run.means.left_out)
    if found is None:
        return False
    shown = found.decode("utf-8", "backslashreplace")
    message = f"is not wanted any more, and stays: it holds what exclude names, or a mount, first: {shown!r}"
    run.problem(EXCLUDED_STAYS, path, message, "remove it once nobody needs what is in it", Severity.WARNING)
    return True


def require_free(run: Run, fd: int, parent: ObjectId, name: bytes, kind: int) -> None:
    """Raise ``InTheWay`` when what stands at a wanted name, of type ``kind``, may not be moved."""
    if is_mounted(fd, name) or (kind == stat.S_IFDIR and stays(run, fd, parent, name)):
        raise InTheWay(errno.EBUSY, "what stands here is not to be touched", name)


def first_untouched(fd: int, name: bytes, path: bytes, left_out: LeftOut) -> bytes | None:
    """The path of the first entry, however deep, that is not to be touched; None: there is none."""
    levels: list[tuple[int, bytes, list[bytes]]] = []
    try:
        if not _enter(levels, fd, name, path):
            return path
        while levels:
            at, above, names = levels[-1]
            if not names:
                levels.pop()
                os.close(at)
                continue
            inner = names.pop()
            below = above + b"/" + inner
            directory = is_directory(at, inner)
            if left_out(below, directory) or is_mounted(at, inner):
                return below
            if directory and not _enter(levels, at, inner, below):
                return below
    finally:
        for at, _, _ in levels:
            os.close(at)
    return None


def _enter(levels: list[tuple[int, bytes, list[bytes]]], fd: int, name: bytes, path: bytes) -> bool:
    """False for a mount."""
    try:
        opened = open_dir(fd, name)
    except OSError as error:
        return error.errno != errno.EXDEV
    levels.append((opened, path, list(entries(opened))))
    return True
