"""What a verify compares at one moment: the root, the commit that stands in it, and what is known of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from agent.apply.output.seam import Output
from agent.apply.ports import CatalogView, LeftOut, ReadChunk
from agent.apply.writing import file_content
from agent.core.ids import CommitNumber, ObjectId
from agent.store.local import LocalRow

Known: TypeAlias = Callable[[ObjectId], LocalRow | None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A root and the commit ``number``, which it equals, or should, as long as this value is used. ``known``: what local facts
    say of an object; what the filesystem is known not to keep of it is no difference. ``short``: files that are owed, of which
    the last version stands, or nothing: they are named and not compared. ``late``: files that are still being written.
    ``look`` is called for every entry, and raises what is to end it; ``most``: so many differences are listed, further ones
    counted."""

    output: Output
    view: CatalogView
    number: CommitNumber
    read: ReadChunk
    known: Known
    left_out: LeftOut
    short: frozenset[ObjectId]
    late: frozenset[ObjectId]
    look: file_content.Look
    most: int
