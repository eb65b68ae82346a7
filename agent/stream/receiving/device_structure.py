"""What the rows of a commit must be together, so that they describe a device (law 6): chunks, of which the last may be short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.core.chunks import DEVICE_CHUNK
from agent.core.errors import WireError
from agent.core.ids import CommitNumber
from agent.core.rows import CHUNK_TAG, ChunkRow, Row, chunk_number_of_key, decode_chunk, tag_of_key


class StagedChunks(Protocol):
    """What is asked of the catalog; ``at`` a staged number shows the staged state, None the sealed one."""

    def last_chunk(self, at: CommitNumber | None = None) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class _End:
    """The last chunk of a state: its number (0: there is none), and whether it is short."""

    number: int = 0
    short: bool = False


@dataclass(slots=True)
class _Coming:
    """What the commit in the making does to the end: the highest chunk put, the short one among them, whether the old end was
    put anew, and the commit (0: not) that drops it."""

    highest: int = 0
    short: int = 0
    replaced: bool = False
    dropped_by: int = 0


class DeviceStructure:
    """Checks one commit after the other. Used by the catalog's writing thread.

    On entry no chunk of the sealed state is short but its last. A commit can break that with a chunk that it puts short, or by
    leaving the old end as it is and putting others behind it: so nothing else is remembered of it."""

    def __init__(self, catalog: StagedChunks) -> None:
        self._catalog = catalog
        self._end: _End | None = None
        self._coming = _Coming()

    def check_types(self, rows: Sequence[Row]) -> None:
        """Before they are staged: a device has chunks, and one end. Raises ``WireError``."""
        end, coming = self._sealed_end(), self._coming
        for row in rows:
            if type(row) is not ChunkRow:
                raise _bad("an object or a name in a device")
            coming.highest = max(coming.highest, row.number)
            coming.replaced = coming.replaced or row.number == end.number
            if row.length < DEVICE_CHUNK:
                if coming.short:
                    raise _bad("a device with two ends")
                coming.short = row.number

    def look(self, number: CommitNumber, rows: Sequence[Row], drops: Sequence[bytes]) -> None:
        """After they are staged under ``number``. Raises ``WireError``."""
        end = self._sealed_end()
        for key in drops:
            if tag_of_key(key) != CHUNK_TAG:
                raise _bad("a drop of an object or a name of a device")
            if chunk_number_of_key(key) == end.number:
                self._coming.dropped_by = number

    def settle(self) -> None:
        """Everything fits now, or ``WireError``. On exit the staged state is what the next commit comes after."""
        before, coming = self._sealed_end(), self._coming
        now = self._end_now(before)
        if coming.short not in (0, now.number):
            raise _bad("a short chunk that is not the last of its device")
        if before.short and before.number < now.number and not (coming.replaced or coming.dropped_by):
            raise _bad("chunks behind the short one that was the last")
        self._end = now
        self.forget_open()

    def with_content(self, rows: Sequence[Row]) -> Sequence[ChunkRow]:
        """Those that stand for content: all."""
        return [row for row in rows if type(row) is ChunkRow]

    def forget_open(self) -> None:
        """The commit is sealed: nothing of it is open."""
        self._coming = _Coming()

    def withdrawn(self) -> None:
        """The staged rows are void, and with them what was learned from them."""
        self._end = None
        self.forget_open()

    def begun_anew(self) -> None:
        """Every chunk ends with the commit that is to come."""
        self._end = _End()
        self.forget_open()

    def _sealed_end(self) -> _End:
        if self._end is None:
            self._end = _end_of(self._catalog.last_chunk())
        return self._end

    def _end_now(self, before: _End) -> _End:
        coming = self._coming
        if coming.dropped_by:
            return _end_of(self._catalog.last_chunk(CommitNumber(coming.dropped_by)))
        if coming.highest < before.number or (coming.highest == before.number and not coming.replaced):
            return before
        return _End(coming.highest, coming.short == coming.highest != 0)


def _end_of(row: bytes | None) -> _End:
    if row is None:
        return _End()
    last = decode_chunk(row)
    return _End(last.number, last.length < DEVICE_CHUNK)


def _bad(what: str) -> WireError:
    return WireError(
        "take a commit", "", f"the peer sent {what}", "the sender is faulty or hostile; nothing was stored"
    )
