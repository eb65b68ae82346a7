"""Which object is meant by a path."""

from __future__ import annotations

from agent.apply.ports import CatalogView
from agent.core.ids import ROOT, CommitNumber, ObjectId


def object_at(view: CatalogView, path: bytes, at: CommitNumber | None = None) -> ObjectId | None:
    """The object that a commit has at a path below the root (None: the newest); None: there is none."""
    id: ObjectId | None = ROOT
    for name in path.split(b"/"):
        id = view.child(id, name, at) if id is not None else None
    return id
