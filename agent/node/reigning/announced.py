"""What waits on a primary for one of its standbys and would be lost with the primary, as the standby is told it.

Three kinds: what a hint points at, what waits to be read (large files, and what waits for a slow link), and what is committed and
not durable there. Off the hot path: it is looked at by the thread that speaks to the peer, twice a second at most.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from agent.core.clock import Clock
from agent.core.commit import Commit
from agent.core.errors import NotFound
from agent.core.ids import NOTHING, CommitNumber, ObjectId
from agent.core.rows import key_is_object, object_id_of_key, parent_and_name_of_key
from agent.fs.confined import open_root
from agent.node.reigning.captures import Captures
from agent.node.reigning.replica import Replica
from agent.store.catalog.reader import CatalogReader
from agent.stream.messages import PATHS_BYTES, PATHS_MAX, Announce

#: What was written may stand in the kernel's queue, and in ours, for so many seconds before a hint is held.
_UNSEEN = 0.1
#: What is committed is on its way within that, in seconds: only what needs longer is named.
_ON_ITS_WAY = 1.0


@dataclass(frozen=True, slots=True)
class WaitingForPeer:
    """``stream.sending.talk.announcing.Waiting`` of one standby. ``reader``: of the catalog, for one look."""

    replica: Replica
    pump: Captures
    newest: Callable[[], Commit | None]
    reader: Callable[[], CatalogReader]
    path: str
    clock: Clock

    @property
    def stirs(self) -> object:
        return self._newest(), self.pump.facts().hints

    def announce(self) -> Announce:
        now, number = self.clock.monotonic(), self._newest()
        facts, lag = self.pump.facts(), self.replica.received.seconds()
        hinted = self.pump.hinted(PATHS_MAX)
        named, whole = _bounded(self._paths(hinted, number, lag))
        oldest = max((now - since for _, since in hinted), default=0.0)
        waits = facts.hints + facts.large_waiting
        as_of = self.replica.received.as_of(max(facts.put_off, oldest))
        return Announce(
            max(waits, len(named)),
            tuple(named),
            whole and waits <= len(named),
            self.clock.now_ns() - int(oldest * 1e9) if hinted else 0,
            tuple(named.values()),
            number,
            max(lag, facts.put_off, oldest) if lag is not None else None,
            max(0.0, (self.clock.now_ns() - as_of) / 1e9) + _UNSEEN if as_of is not None else None,
        )

    def _newest(self) -> CommitNumber:
        newest = self.newest()
        return newest.number if newest is not None else NOTHING

    def _paths(
        self, hinted: Sequence[tuple[bytes, float]], number: CommitNumber, lag: float | None
    ) -> Iterator[tuple[bytes, int]]:
        """Each with its size, as it stands now."""
        unread = self.pump.unread(PATHS_MAX)
        late = lag is not None and lag > _ON_ITS_WAY and not self.replica.first_sync()
        if not (hinted or unread or late):
            return
        try:
            root = open_root(self.path)
        except OSError:
            return
        try:
            yield from ((path, _size(root, path)) for path, _ in hinted if path)
            if unread or late:
                with self.reader() as reader:
                    yield from _unread(reader, unread)
                    if late:
                        there = self.replica.positions.position.durable
                        yield from ((path, _size(root, path)) for path in _committed(reader, there, number))
        finally:
            os.close(root)


def _unread(reader: CatalogReader, unread: Sequence[tuple[ObjectId, bytes, int]]) -> Iterator[tuple[bytes, int]]:
    for parent, name, size in unread:
        above = reader.path_of(parent)
        if above is not None:
            yield (above + b"/" + name if above else name), size


def _committed(reader: CatalogReader, there: CommitNumber, number: CommitNumber) -> Iterator[bytes]:
    """Paths of what changed after the commit ``there``; none where that is not kept."""
    keys = (key for batch in reader.touched(there, number) for key in batch)
    with suppress(NotFound):
        for key in islice(keys, 2 * PATHS_MAX):
            place = _place(reader, key)
            above = reader.path_of(place[0]) if place is not None else None
            if place is not None and above is not None:
                yield above + b"/" + place[1] if above else place[1]


def _place(reader: CatalogReader, key: bytes) -> tuple[ObjectId, bytes] | None:
    if not key_is_object(key):
        return parent_and_name_of_key(key)
    return next(iter(reader.some_names(object_id_of_key(key), 1)), None)


def _bounded(found: Iterator[tuple[bytes, int]]) -> tuple[dict[bytes, int], bool]:
    """The first of them, as far as one message holds them; and whether these are all."""
    named: dict[bytes, int] = {}
    size = 0
    for path, bytes_ in found:
        size += len(path) if path not in named else 0
        if len(named) >= PATHS_MAX or size > PATHS_BYTES:
            return named, False
        named[path] = bytes_
    return named, True


def _size(root: int, path: bytes) -> int:
    """Bytes of what stands there now; 0 for what is gone, or no file."""
    with suppress(OSError, ValueError):
        return os.stat(path, dir_fd=root, follow_symlinks=False).st_size
    return 0
