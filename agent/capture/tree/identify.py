"""Which known object is the entry that was found? Pure."""

from __future__ import annotations

from dataclasses import dataclass

from agent.core.ids import ObjectId
from agent.fs.handles import is_same_stand_in


@dataclass(frozen=True, slots=True)
class Candidate:
    """A live object of the catalog. ``handle`` is None when this machine has no facts of it."""

    id: ObjectId
    kind: int
    handle: bytes | None


def identify(kind: int, handle: bytes, by_handle: Candidate | None, by_name: Candidate | None) -> ObjectId | None:
    """The object that an entry of this ``kind`` with this ``handle`` is; None: a new one.

    ``by_handle``: the object that had the entry's handle when it was last seen; ``by_name``: what the catalog has at this
    place. An object keeps its type for life, so another type is another object, whatever the handle says. Where the local
    facts were lost, or are of another mount of an overlay, the place decides: wrongly guessed it costs reading, and the content
    read is the truth either way."""
    if by_handle is not None and by_handle.kind == kind:
        return by_handle.id
    if by_name is None or by_name.kind != kind:
        return None
    return by_name.id if by_name.handle is None or is_same_stand_in(by_name.handle, handle) else None
