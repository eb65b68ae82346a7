"""Chunks that are about to be needed come with the one that is: a small file is then no round trip of its own."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from agent.apply.ports import CatalogView
from agent.core.chunks import DATA, names_in
from agent.core.commit import Commit
from agent.core.errors import NotFound
from agent.core.rows import content_of, is_object, size_of
from agent.generations.reading import ReadChunk

#: So many come together; of files that are longer each chunk comes alone.
_AT_ONCE, _SMALL = 64, 128 << 10
#: So many are taken to be at hand still.
_REMEMBERED = 4 * _AT_ONCE


class FetchedAhead:
    """Reads chunks of a moment by ``read``; ``fetch`` has several at hand, in one round; ``names``: what will be asked for, about
    in that order. Several threads may ask."""

    def __init__(self, read: ReadChunk, fetch: Callable[[Sequence[bytes]], None], names: Iterator[bytes]) -> None:
        self._read = read
        self._fetch = fetch
        self._names = names
        self._lock = threading.Lock()
        self._here: set[bytes] = set()
        self._order: deque[bytes] = deque()

    def chunk(self, name: bytes) -> bytes:
        """A chunk. Raises what ``read`` raises."""
        with self._lock:
            if name in self._here:
                self._here.discard(name)
            else:
                self._bring(name)
            return self._read(name)

    def _bring(self, name: bytes) -> None:
        ahead = [one for one in islice(self._names, _AT_ONCE - 1) if one not in self._here]
        if not ahead:
            return
        try:
            self._fetch([name, *ahead])
        except NotFound:
            return  # whichever it is, who asks for it is told
        self._here.update(ahead)
        self._order.extend(ahead)
        while len(self._order) > _REMEMBERED:
            self._here.discard(self._order.popleft())


def small_files_between(view: CatalogView, target: Commit) -> Iterator[bytes]:
    """The chunks of small files that are new with a commit, by the ids of their objects."""
    for batch in view.difference(target.parent, target.number):
        for _, _, new in batch:
            if new is not None and is_object(new) and size_of(new) <= _SMALL:
                yield from (name for kind, name in names_in(content_of(new)) if kind == DATA)
