"""Where a path leads, and by whose word: who owns a symbolic link on the way says what is opened in the end."""

from __future__ import annotations

import os
import stat
from collections.abc import Container
from typing import NamedTuple

#: So many components are followed; the kernel follows 40 links (path_resolution(7)).
_STEPS = 4096
_ROOT = 0


class ForeignLink(NamedTuple):
    """A symbolic link at ``path`` that belongs to user ``uid``."""

    path: str
    uid: int


def foreign_link(path: str, trusted: Container[int] | None = None) -> ForeignLink | None:
    """The first link on the way to an absolute path that belongs to none of the users ``trusted`` (None: root and who runs
    this); None for none.

    A user who owns a directory can put a link into it, at any time, that leads to a disk which is none of his."""
    trusted = (_ROOT, os.geteuid()) if trusted is None else trusted
    left, at = path.split("/"), ""
    for _ in range(_STEPS):
        if not left:
            break
        name = left.pop(0)
        if name in ("", "."):
            continue
        here = os.path.dirname(at) if name == ".." else f"{at}/{name}"
        try:
            found = os.lstat(here or "/")
            if not stat.S_ISLNK(found.st_mode):
                at = here.rstrip("/")
                continue
            if found.st_uid not in trusted:
                return ForeignLink(here, found.st_uid)
            target = os.readlink(here)
        except OSError:
            return None  # It leads nowhere: whoever opens it says so.
        at, left = "" if target.startswith("/") else at, target.split("/") + left
    return None
