"""How much a restore makes, and how much room that takes. Nothing is changed here."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from agent.core import chunks
from agent.core.chunks import HOLE, PIECE
from agent.core.errors import HikaeError
from agent.core.ids import ROOT, CommitNumber, ObjectId
from agent.generations.reading import MomentEntry, MomentReader
from agent.generations.restore.asked import Parts
from agent.generations.restore.changed import changed_entries
from agent.generations.restore.walk import entries_below

#: What an entry takes beside its content, and the unit in which a filesystem gives room, bytes.
_BLOCK = 4096
#: Of ``st_blocks``, bytes.
_SECTOR = 512


@dataclass(frozen=True, slots=True)
class NeededRoom:
    """What a restore makes: entries, bytes of their sizes, and bytes that they take on a disk, holes as holes."""

    entries: int
    size: int
    room: int


def needed(moment: MomentReader, parts: Parts, since: CommitNumber | None = None, *, exactly: bool) -> NeededRoom:
    """What a restore of these parts makes; ``since``: of what differs from that moment only. Not ``exactly``: holes are taken for
    data, which costs no look into long lists. Raises as :meth:`MomentReader.content`."""
    entries = size = room = 0
    counted: set[ObjectId] = set()
    for _, entry in _asked(moment, parts, since):
        row = entry.row
        entries += 1
        room += _BLOCK
        if row.kind == stat.S_IFREG and entry.id not in counted:
            if entry.linked:
                counted.add(entry.id)
            size += row.size
            room += _whole(_data(moment, row.content) if exactly else row.size)
    return NeededRoom(entries, size, room)


def still_needed(moment: MomentReader, parts: Parts, root: str, since: CommitNumber | None = None) -> NeededRoom:
    """What of that does not stand in the tree at ``root`` yet, holes as holes: at least so much room a restore in place takes,
    as nothing that stands there is deleted. Raises as :meth:`MomentReader.content`."""
    entries = size = room = 0
    top = os.fsencode(root)
    linked: dict[ObjectId, int] = {}
    for path, entry in _asked(moment, parts, since):
        row = entry.row
        there = _standing(os.path.join(top, path))
        if there is None:
            entries += 1
            room += _BLOCK
        if row.kind != stat.S_IFREG:
            continue
        taken = there.st_blocks * _SECTOR if there is not None and stat.S_ISREG(there.st_mode) else 0
        if there is not None and (there.st_size, there.st_mtime_ns) == (row.size, row.mtime):
            taken = row.size  # Its filesystem keeps it in less, as those that compress do.
        lacking = max(0, _whole(_data(moment, row.content)) - taken) if row.size > taken else 0
        if entry.linked:
            # One of its names is made of another that stands.
            linked[entry.id] = min(lacking, linked.get(entry.id, lacking))
        else:
            size, room = size + lacking, room + lacking
    of_linked = sum(linked.values())
    return NeededRoom(entries, size + of_linked, room + of_linked)


def _asked(moment: MomentReader, parts: Parts, since: CommitNumber | None) -> Iterator[tuple[bytes, MomentEntry]]:
    return entries_below(moment, parts, ROOT, b"") if since is None else changed_entries(moment, parts, since)


def _standing(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _whole(size: int) -> int:
    """In blocks of a filesystem."""
    return size + -size % _BLOCK


def _data(moment: MomentReader, content: bytes) -> int:
    try:
        return sum(one.length for one in chunks.unfold(content, moment.chunk) if one.kind != HOLE)
    except HikaeError:
        # What cannot be read is told by the restore itself.
        return sum(one.length for one in chunks.decode(content) if one.kind not in (HOLE, PIECE))
