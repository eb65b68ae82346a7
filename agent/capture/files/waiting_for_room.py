"""Entries that wait for the link: what is small would go with its commit, were there not so much else to be sent before.

They are looked at when a peer has room, the oldest and the newest in turn: what was written just now does not wait for all that
was written before it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from agent.capture.batch import Name
from agent.capture.outstanding import Outstanding

#: More do not wait: they go with their commit, however long that takes then.
_MOST = 20_000


class _Entry(NamedTuple):
    """``size``: bytes that are new in it, about; ``asked``: monotonic seconds; ``serial``: of the work that ends with it."""

    size: int
    asked: float
    serial: int


class Later:
    """Names of entries, each once. Belongs to the pump's thread, but for ``bytes`` and ``since``."""

    def __init__(self, outstanding: Outstanding) -> None:
        #: Of all that wait; and since when the first has, None without any.
        self.bytes = 0
        self.since: float | None = None
        self._outstanding = outstanding
        self._entries: OrderedDict[Name, _Entry] = OrderedDict()
        self._newest = False

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def full(self) -> bool:
        """Whether no more may wait."""
        return len(self._entries) >= _MOST

    def add(self, name: Name, size: int, now: float) -> None:
        """Ask for one; it may wait already."""
        waiting = self._entries.get(name)
        if waiting is not None:
            self._outstanding.join(waiting.serial)
            return
        self._entries[name] = _Entry(size, now, self._outstanding.begin())
        self.bytes += size
        self._tell()

    def waiting_names(self, most: int) -> list[tuple[Name, int]]:
        """The first of them, and how many bytes are new in each. From any thread."""
        return [(name, entry.size) for name, entry in tuple(self._entries.items())[:most]]

    def take(self) -> tuple[Name, float, int] | None:
        """The next one, since when it has waited, and the serial to be given to :meth:`done` once it is in the batch."""
        if not self._entries:
            return None
        name, entry = self._entries.popitem(last=self._newest)
        self._newest = not self._newest
        self.bytes -= entry.size
        self._tell()
        return name, entry.asked, entry.serial

    def done(self, serial: int) -> None:
        """An entry that was taken was looked at."""
        self._outstanding.end(serial)

    def _tell(self) -> None:
        first = next(iter(self._entries.values()), None)
        self.since = None if first is None else first.asked
