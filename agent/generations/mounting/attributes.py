"""What ``stat`` says of an entry."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from typing import TypeAlias

from agent.core.chunks import DATA, PIECE, decode, opened
from agent.core.errors import HikaeError
from agent.core.ids import CommitNumber, ObjectId
from agent.core.rows import ObjectRow
from agent.generations.reading import ReadChunk

#: By the names of ``struct stat``; times in ns.
Attributes: TypeAlias = dict[str, int]

_BLOCK, _PAGE = 512, 4096
#: Parts of a chunk list that are opened to find the holes; what lies beyond counts as data.
_PARTS = 64
_MIX = 0x9E3779B97F4A7C15


@dataclass(frozen=True, slots=True)
class Shown:
    """Of whom and when virtual directories are."""

    uid: int
    gid: int
    time: int


def attributes_of(row: ObjectRow, number: CommitNumber, links: int, read: ReadChunk) -> Attributes:
    """Of an object at a moment; ``links``: its names, for a directory 1: how many it holds is not counted."""
    size = row.size if row.kind == stat.S_IFREG else len(row.content) if row.kind == stat.S_IFLNK else 0
    return {
        "st_ino": inode(number, row.id),
        "st_mode": row.mode,
        "st_nlink": links,
        "st_uid": row.uid,
        "st_gid": row.gid,
        "st_rdev": row.rdev,
        "st_size": size,
        "st_blocks": _blocks(row, read) if row.kind == stat.S_IFREG else 0,
        "st_atime": row.mtime,
        "st_mtime": row.mtime,
        "st_ctime": row.mtime,
    }


def virtual_directory(shown: Shown, inode_number: int, access: int = 0o555) -> Attributes:
    """Of a directory that is no object's."""
    return _virtual(shown, inode_number, stat.S_IFDIR | access, 0)


def virtual_link(shown: Shown, inode_number: int, target: bytes) -> Attributes:
    """Of a symbolic link that is no object's."""
    return _virtual(shown, inode_number, stat.S_IFLNK | 0o777, len(target))


def virtual_file(shown: Shown, inode_number: int, mode: int, size: int, room: int, time: int) -> Attributes:
    """Of a file that is no object's; ``room``: bytes of it that are no holes; ``time``: ns."""
    times = dict.fromkeys(("st_atime", "st_mtime", "st_ctime"), time)
    blocks = -(-room // _PAGE) * (_PAGE // _BLOCK)
    return {**_virtual(shown, inode_number, mode, size), **times, "st_blocks": blocks}


def inode(number: CommitNumber, id: ObjectId) -> int:
    """One for the names of one object at one moment, another for all else."""
    return ((number * _MIX ^ id) * _MIX & (1 << 63) - 1) | 1 << 62


def _virtual(shown: Shown, inode_number: int, mode: int, size: int) -> Attributes:
    times = dict.fromkeys(("st_atime", "st_mtime", "st_ctime"), shown.time)
    own = {"st_ino": inode_number, "st_mode": mode, "st_nlink": 1, "st_uid": shown.uid, "st_gid": shown.gid}
    return {**own, **times, "st_size": size, "st_blocks": 0}


def _blocks(row: ObjectRow, read: ReadChunk) -> int:
    """In units of 512 bytes, what is no hole."""
    try:
        return -(-_data_in(row.content, read) // _PAGE) * (_PAGE // _BLOCK)
    except HikaeError:
        return -(-row.size // _BLOCK)  # whoever reads it is told


def _data_in(content: bytes, read: ReadChunk) -> int:
    total, parts = 0, 0
    waiting = [(entry, 1) for entry in decode(content)]
    while waiting:
        entry, depth = waiting.pop()
        if entry.kind == PIECE and parts < _PARTS:
            parts += 1
            waiting += [(one, depth + 1) for one in opened(entry, read, depth)]
        elif entry.kind in (DATA, PIECE):
            total += entry.length
    return total
