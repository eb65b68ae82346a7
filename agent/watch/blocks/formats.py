"""Where the kernel puts what in a trace record: read from each event's ``format`` file, never assumed.

Layouts differ between kernels: ``rwbs`` has 8 bytes or 10, and fields move with it.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import NamedTuple

_FIELD = re.compile(r"^\s*field:(?P<what>[^;]*);\s*offset:(?P<offset>\d+);\s*size:(?P<size>\d+);", re.MULTILINE)
_ID = re.compile(r"^ID:\s*(\d+)$", re.MULTILINE)
_NAME = re.compile(r"(\w+)\s*(?:\[[^\]]*\])?$")
_INTEGERS = {1: "B", 2: "H", 4: "I", 8: "Q"}


class UnknownFormat(ValueError):
    """A ``format`` file without what is needed; the text says what."""


class TraceField(NamedTuple):
    """One field of a record: where, and how many bytes."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class BlockEvent:
    """How a record of one block event is read. ``unpack`` gives device, sector, sectors and the first letter of ``rwbs``."""

    id: int
    unpack: struct.Struct


@dataclass(frozen=True, slots=True)
class RingPage:
    """How a page of a ring is read: the word that says how much is committed, and where records begin."""

    commit: TraceField
    data: int


def fields_of(text: str) -> dict[str, TraceField]:
    """The fields that a ``format`` file names."""
    found: dict[str, TraceField] = {}
    for match in _FIELD.finditer(text):
        name = _NAME.search(match["what"].strip())
        if name is not None:
            found.setdefault(name[1], TraceField(int(match["offset"]), int(match["size"])))
    return found


def block_event(text: str) -> BlockEvent:
    """A block event by its ``format`` file. Raises ``UnknownFormat``."""
    number = _ID.search(text)
    if number is None:
        raise UnknownFormat("no ID")
    fields = fields_of(text)
    return BlockEvent(int(number[1]), _reader(fields, ("dev", "sector", "nr_sector", "rwbs")))


def ring_page(text: str) -> RingPage:
    """The head of a ring's page by ``events/header_page``. Raises ``UnknownFormat``."""
    fields = fields_of(text)
    try:
        commit, data = fields["commit"], fields["data"]
    except KeyError as error:
        raise UnknownFormat(f"header_page has no field {error}") from error
    if commit.size not in (4, 8):
        raise UnknownFormat(f"the commit word has {commit.size} bytes")
    return RingPage(commit, data.offset)


def _reader(fields: dict[str, TraceField], names: tuple[str, ...]) -> struct.Struct:
    """A struct that reads these fields, which must stand in this order; of the last one, a text, its first byte."""
    layout, at = "=", 0
    for name in names:
        field = fields.get(name)
        if field is None:
            raise UnknownFormat(f"no field {name}")
        code = "B" if name == names[-1] else _INTEGERS.get(field.size)
        if code is None or field.offset < at:
            raise UnknownFormat(f"field {name} has {field.size} bytes at {field.offset}")
        layout += f"{field.offset - at}x{code}"
        at = field.offset + struct.calcsize("=" + code)
    return struct.Struct(layout)
