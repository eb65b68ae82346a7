"""Up to where packs are durable, noted beside them before packs go whose chunks were moved behind what the last commit names.

An opening cuts what nobody is known to have made durable. The index knows as much, but may be lost.
"""

from __future__ import annotations

import os
import struct

from xxhash import xxh3_64_intdigest

from agent.fs.durable import write_durably
from agent.store.vault.pack import PackEnd

_NAME = "durable.end"
_END = struct.Struct(">QQ")
_CHECK = struct.Struct(">Q")


def note_end(directory: str, end: PackEnd) -> None:
    """From now on an opening knows that packs are durable up to ``end``. Raises ``OSError``."""
    told = _END.pack(end.pack, end.offset)
    write_durably(os.path.join(directory, _NAME), told + _CHECK.pack(xxh3_64_intdigest(told)))


def noted_end(directory: str) -> PackEnd:
    """What was noted last; the beginning where nothing can be read. Raises ``OSError``."""
    try:
        with open(os.path.join(directory, _NAME), "rb") as file:
            told = file.read(_END.size + _CHECK.size + 1)
    except FileNotFoundError:
        return PackEnd(0, 0)
    if len(told) != _END.size + _CHECK.size or _CHECK.unpack_from(told, _END.size)[0] != xxh3_64_intdigest(
        told[: _END.size]
    ):
        return PackEnd(0, 0)
    return PackEnd(*_END.unpack_from(told))
