"""Which part of a tree is asked for: paths → whether an entry is part of it, leads to a part, or neither. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from agent.core.errors import UsageError
from agent.core.rows import PRIVATE_DIR
from agent.status.text import shown


class Cover(Enum):
    """What a path is to what is asked for: within it, on the way to some of it, or outside."""

    WITHIN = "within"
    ON_THE_WAY = "on the way"
    OUTSIDE = "outside"


class Parts:
    """The parts that are asked for, none of them below another; without any it is the whole."""

    def __init__(self, paths: Iterable[bytes] = ()) -> None:
        given = sorted(set(paths))
        self.paths = tuple(path for path in given if not any(is_below(path, other) for other in given))
        self._ways = {path[:at] for path in self.paths for at in range(len(path)) if path[at : at + 1] == b"/"} | {b""}

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return not self.paths or self.paths == (b"",)

    def cover(self, path: bytes) -> Cover:
        """What ``path`` (b"" for the root) is to them."""
        if self.is_whole or any(path == part or is_below(path, part) for part in self.paths):
            return Cover.WITHIN
        return Cover.ON_THE_WAY if path in self._ways else Cover.OUTSIDE


def is_below(path: bytes, directory: bytes) -> bool:
    """Whether a path lies below another one."""
    return path != directory and (not directory or path.startswith(directory + b"/"))


def part_of(said: bytes, root: bytes) -> bytes:
    """A path as an operator types it, relative to the dataset's root or below ``root``, as the moment has it.

    Raises ``UsageError`` for one that leads elsewhere."""
    path = said
    if path.startswith(b"/"):
        if path != root and not is_below(path, root):
            told = f"it is not below {shown(root.decode(errors='backslashreplace'))}"
            raise UsageError("restore", _text(said), told, "write paths as they are below the dataset's root")
        path = path[len(root) :]
    names = [name for name in path.split(b"/") if name not in (b"", b".")]
    if b".." in names or b"\0" in path:
        raise UsageError("restore", _text(said), "a path with .. leads elsewhere", "write the path without it")
    if names[:1] == [PRIVATE_DIR]:
        raise UsageError("restore", _text(said), f"{PRIVATE_DIR.decode()} is hikae's own and in no moment")
    return b"/".join(names)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "backslashreplace")
