"""What became of one path between two moments. Pure."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from enum import StrEnum

from agent.core.rows import ObjectRow, decode_object


class ChangeKind(StrEnum):
    """What became of a path. The words are public."""

    ADDED = "added"
    CHANGED = "changed"
    MOVED = "moved"
    DELETED = "deleted"


#: What may differ of an object, in the order in which it is told; of these words JSON and pages are made.
_ASPECTS = ("type", "content", "mode", "owner", "mtime", "xattrs", "flags")


@dataclass(frozen=True, slots=True)
class Change:
    """``path``: where it stands at the later moment, or stood, if it is deleted; ``source``: where what was moved stood before.
    ``old``, ``new``: the object at each moment, None where there is none. ``names``: by how many names the object is known at
    the later moment, one of which is told."""

    kind: ChangeKind
    path: bytes
    source: bytes | None
    old: ObjectRow | None
    new: ObjectRow | None
    names: int = 1

    @property
    def differs(self) -> tuple[str, ...]:
        """What of the object differs, see ``differing``; of one that came or went nothing."""
        return differing(self.old, self.new) if self.old is not None and self.new is not None else ()


def differing(old: ObjectRow, new: ObjectRow) -> tuple[str, ...]:
    """In what two objects differ that may be one through time, or stand at one path.

    The time of a directory follows from what happens in it: where nothing else differs, it does not count."""
    is_same = (
        old.kind == new.kind,
        (old.content, old.size, old.rdev) == (new.content, new.size, new.rdev),
        stat.S_IMODE(old.mode) == stat.S_IMODE(new.mode),
        (old.uid, old.gid) == (new.uid, new.gid),
        old.mtime == new.mtime,
        old.xattrs == new.xattrs,
        old.flags == new.flags,
    )
    found = tuple(aspect for aspect, same in zip(_ASPECTS, is_same, strict=True) if not same)
    return () if found == ("mtime",) and new.kind == stat.S_IFDIR else found


def is_unchanged(old: bytes, new: bytes) -> bool:
    """Whether two rows of objects show no difference."""
    return not differing(decode_object(old), decode_object(new))
