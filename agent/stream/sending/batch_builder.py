"""One batch in the making: chunks go into one payload, other parts between them keep their order."""

from __future__ import annotations

from collections.abc import Callable

from agent.core.patch import Runs
from agent.store.vault.codec import is_patch, pack_chunk, pack_patch
from agent.stream.messages import (
    CHUNKS_MAX,
    OPENED_TARGET,
    PARTS_MAX,
    PATCHES_TARGET,
    Batch,
    Data,
    Offer,
    Pieces,
    PrimaryPart,
)


class Load:
    """Gathers parts until a batch is worth sending. Used by one thread."""

    def __init__(self, level: Callable[[], int], target: Callable[[], int]) -> None:
        """``level``: how hard chunks are to be packed, of zstd; ``target``: bytes at which a batch is worth sending. Both are
        asked when a batch begins."""
        self._level = level
        self._target = target
        self._level_now, self._target_now = 0, 1
        self._parts: list[PrimaryPart] = []
        self._size = self._opened = self._patches = 0
        self._clear()

    def _clear(self) -> None:
        self._content = 0
        self._kinds = bytearray()
        self._codecs = bytearray()
        self._raw: list[int] = []
        self._stored: list[int] = []
        self._payload: list[bytes | memoryview] = []

    def __bool__(self) -> bool:
        return bool(self._parts or self._payload)

    @property
    def full(self) -> bool:
        """Whether it is time to send: by what travels, or by what the peer will have to open of it."""
        return (
            self._size >= self._target_now
            or self._opened >= OPENED_TARGET
            or self._patches >= PATCHES_TARGET
            or len(self._parts) >= PARTS_MAX // 2
            or len(self._raw) >= CHUNKS_MAX // 2
        )

    @property
    def raw(self) -> int:
        """Bytes of content and rows in it, in the clear."""
        return self._opened

    def fits(self, size: int) -> bool:
        """Whether ``size`` bytes more leave it well within what a receiver takes."""
        return self._size + size <= 2 * self._target()

    def chunk(self, kind: int, name: bytes, raw: bytes, runs: Runs = (), content: int = 0) -> None:
        """Add a chunk, compressed where that helps; as a patch where ``runs`` make a clearly smaller one.
        ``content``: see ``Data``."""
        if not self._size:
            self._begin()
        if content != self._content:
            self._close_data()
            self._content = content
        packed = (runs and pack_patch(name, kind, raw, runs)) or pack_chunk(name, kind, raw, self._level_now)
        self._kinds.append(kind)
        self._codecs.append(packed.codec)
        self._raw.append(packed.raw_length)
        self._stored.append(len(packed.stored))
        self._payload.append(packed.stored)
        self._size += len(packed.stored) + 10
        self._opened += packed.raw_length
        self._patches += is_patch(packed.codec)

    def part(self, part: PrimaryPart) -> None:
        """Add any other part, after the chunks given so far."""
        if not self._size:
            self._begin()
        self._close_data()
        self._parts.append(part)
        self._size += 96
        if isinstance(part, Offer):
            self._size += len(part.rows) + 33 * len(part.asked)
            self._opened += part.rows_length or len(part.rows)

    def take(self) -> Batch:
        """The batch, which may be empty; begins the next."""
        self._close_data()
        batch = tuple(self._parts)
        self._parts = []
        self._size = self._opened = self._patches = 0
        return batch

    def _begin(self) -> None:
        self._level_now, self._target_now = self._level(), self._target()

    def _close_data(self) -> None:
        if self._payload:
            kinds, codecs, payload = bytes(self._kinds), bytes(self._codecs), Pieces(self._payload)
            self._parts.append(Data(kinds, codecs, self._raw, self._stored, payload, self._content))
            self._clear()
