"""What the next commit of a device will hold: chunks that differ from the catalog, by their numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from agent.core.commit import Changes
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.patch import Runs
from agent.core.rows import chunk_key
from agent.store.catalog.catalog import Catalog
from agent.store.local import Local, LocalRow

#: A commit in the middle of a look at everything is cut at about so many rows, or bytes of content.
BULK_ROWS, BULK_BYTES = 8000, 64 << 20
#: More rows are not kept in memory for a moment that stands still: what was gathered is committed, and is not consistent.
MOST_ROWS = 1 << 16
#: Prints of chunks that did not change are written so many at a time.
_SETTLED = 1000
#: A token that no peer's queue has seen.
_NEVER_SENT = -1


class DeviceBatch:
    """Satisfies ``ports.Batch``. Belongs to the pump's thread. ``token``: under which its content is sent ahead; ``bytes``: of
    content that was read for it, ``content`` those of what it holds: what is written again and again is read as often. Any thread
    may ask for these."""

    def __init__(self, catalog: Catalog, local: Local) -> None:
        self._catalog = catalog
        self._local = local
        self._tokens: Iterator[int] = itertools.count(1)
        self._settled: list[tuple[int, bytes]] = []
        self.changed = 0
        self.begin_empty()

    def begin_empty(self) -> None:
        """Forget what was gathered, over the newest commit."""
        newest = self._catalog.newest()
        self.at: CommitNumber = newest.number if newest is not None else NOTHING
        self.token = next(self._tokens)
        self.bytes = self.content = 0
        self._sizes: dict[int, int] = {}
        self.fuzzy = 0
        self.since: float | None = None
        self.rows_by_number: dict[int, bytes | None] = {}
        self.prints: dict[int, bytes] = {}
        self._unread: set[int] = set()
        self.chunks: dict[bytes, tuple[int, bytes]] = {}
        self.patches: dict[bytes, Runs] = {}
        self.pieces: dict[bytes, bytes] = {}

    @property
    def ahead(self) -> list[tuple[int, ObjectId]]:
        """All content was sent under one token, but for that which could not be read: it was never sent."""
        return [
            (_NEVER_SENT if number in self._unread else self.token, ObjectId(number))
            for number, row in self.rows_by_number.items()
            if row is not None
        ]

    def put(self, number: int, row: bytes | None, kept: bytes, size: int) -> None:
        """A chunk is another than in the catalog; None: it became zeros, or was cut off. ``kept``: its print, empty for none."""
        self.changed += 1
        self.bytes += size
        self.content += size - self._sizes.get(number, 0)
        self._sizes[number] = size
        self.rows_by_number[number] = row
        self.prints[number] = kept
        self._unread.discard(number)

    def put_unreadable(self, number: int, row: bytes) -> None:
        """A chunk cannot be read; its row names what nobody has."""
        self.put(number, row, b"", 0)
        self._unread.add(number)

    def same(self, number: int, kept: bytes) -> None:
        """A chunk is as in the catalog (again)."""
        self.rows_by_number.pop(number, None)
        self.prints.pop(number, None)
        self.content -= self._sizes.pop(number, 0)
        if kept:
            self._settled.append((number, kept))
            if len(self._settled) >= _SETTLED:
                self._keep_settled()

    def waited(self, since: float) -> None:
        """Something of it was written then, or later (monotonic seconds)."""
        if self.since is None or since < self.since:
            self.since = since

    # --- ``ports.Batch``

    @property
    def rows(self) -> int:
        """See ``Batch``."""
        return len(self.rows_by_number)

    @property
    def full(self) -> bool:
        """See ``Batch``."""
        return self.rows >= MOST_ROWS

    @property
    def full_of_bulk(self) -> bool:
        """See ``Batch``."""
        return self.rows >= BULK_ROWS or self.bytes >= BULK_BYTES

    @property
    def has_facts(self) -> bool:
        """See ``Batch``: prints say by themselves what they are of, and are written beside."""
        return False

    @property
    def is_fresh(self) -> bool:
        """See ``Batch``."""
        return not self.rows_by_number

    def changes(self) -> Changes:
        """See ``Batch``."""
        rows = self.rows_by_number
        return Changes(
            [row for row in rows.values() if row is not None],
            [chunk_key(number) for number, row in rows.items() if row is None],
        )

    def facts_to_write(self) -> tuple[list[LocalRow], list[ObjectId]]:
        """See ``Batch``."""
        return [], []

    def begin(self) -> None:
        """See ``Batch``."""
        self._settled += [(number, kept) for number, kept in self.prints.items() if kept]
        self._keep_settled()
        self.begin_empty()

    def forget(self) -> None:
        """See ``Batch``."""
        self.begin_empty()

    def _keep_settled(self) -> None:
        self._local.put_prints(self._settled)
        self._settled = []
