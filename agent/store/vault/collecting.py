"""Collection, the vault's part: what was marked as dead goes, unless somebody found it present meanwhile.

From :meth:`VaultCollecting.collecting` on whatever anybody pins, adds or finds present is pinned for the collection too, in one
step under the vault's lock; what was pinned when it began is as well. So a sweep takes nothing that a coming commit may name,
however long the marking took.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from agent.core.errors import Damaged, WireError
from agent.store.vault.codec import is_patch
from agent.store.vault.forgetting import VaultForgetting
from agent.store.vault.open_packs import OpenPack
from agent.store.vault.pack import TOMBSTONE, PackEnd, Place, io_failure, numbers_in, path_of, records, tombstone
from agent.store.vault.reading import COLLECTION

#: Chunks that one step of a sweep takes: some ms of the vault's lock.
_SWEPT_AT_ONCE = 200


class VaultCollecting(VaultForgetting):
    """Used by one collection at a time; thread-safe beside everybody else. What was found to be whole before one began
    (``collections``) is to be looked at again."""

    @contextmanager
    def collecting(self) -> Iterator[frozenset[bytes]]:
        """A collection runs; gives the names that are in use already, which nothing durable may name yet. What came before is
        in the index on entry, so that :meth:`entries` leaves out none of it. Raises ``TryAgain`` (disk full), ``StoreFailed``."""
        self.sync()
        with self.keeping, self.lock:
            self._index.flush(self._durable)
            self._collecting = True
            self.collections += 1
            in_use = self._pins.gather(COLLECTION)
        try:
            yield in_use
        finally:
            with self.lock:
                self._collecting = False
                self._pins.release(COLLECTION)

    def end(self) -> PackEnd:
        """Where the packs end now."""
        with self.lock:
            writer = self._usable("read the vault")
            return PackEnd(writer.pack, writer.end)

    def count(self) -> int:
        """About how many chunks there are."""
        with self.lock:
            self._usable("read the vault")
            return self._index.count()

    def entries(self, after: bytes, limit: int) -> list[tuple[bytes, Place]]:
        """At most ``limit`` chunks with a name greater than ``after``, by name; those that came a moment ago are left out."""
        with self.lock:
            self._usable("read the vault")
            return self._index.page(after, limit)

    def needed_by(self, name: bytes) -> list[bytes]:
        """The chunks that are stored as patches of this one."""
        with self.lock:
            return [patch for patch in self._index.patches_of(name) if self._needs(patch, name)]

    def is_piece(self, name: bytes, kind: int) -> bool:
        """Whether a chunk of this name is here and of that kind."""
        with self.lock:
            place = self._index.place(name)
        return place is not None and place.kind == kind

    def sweep(self, dead: Sequence[tuple[bytes, Place]]) -> list[tuple[bytes, Place]]:
        """Forget these, the deepest patches first, but for what somebody found present since and what that is made of; gives
        those that went. Raises ``TryAgain`` (disk full), ``StoreFailed``."""
        gone: list[tuple[bytes, Place]] = []
        saved: set[bytes] = set()
        for first in range(0, len(dead), _SWEPT_AT_ONCE):
            with self.keeping, self.lock:
                going = [one for one in dead[first : first + _SWEPT_AT_ONCE] if self._may_go(*one, saved)]
                self._forget([name for name, _ in going])
            gone += going
        return gone

    def _may_go(self, name: bytes, place: Place, saved: set[bytes]) -> bool:
        if self._index.place(name) != place:
            return False
        if name not in saved and not self._pins.holds_any((name,)):
            return True
        if is_patch(place.codec):
            try:
                saved.update(self._open(place.pack).bases(place))
            except (Damaged, WireError):
                saved.add(name)
        return False

    def drop_packs(self, in_use: Counter[int], before: int) -> int:
        """Delete the packs below ``before`` in which nothing lies any more; how many. What they say was forgotten is said again
        where an older pack may still hold it. Raises ``TryAgain``, ``StoreFailed``."""
        numbers = numbers_in(self._packs)
        dead = [number for number in numbers if number < before and not in_use[number]]
        if dead:
            # Else a power cut could bring back an index that finds there what is gone.
            with self.lock:
                self._index.settle()
        for number in dead:
            if numbers[0] < number:
                self._repeat_tombstones(number)
            numbers.remove(number)
            with self.keeping, self.lock:
                self._open.forget(number)
                try:
                    os.unlink(path_of(self._packs, number))
                    self._sync_directory(self._packs)
                except OSError as error:
                    raise io_failure(error, "drop a pack", path_of(self._packs, number)) from error
        return len(dead)

    def _repeat_tombstones(self, number: int) -> None:
        pack = OpenPack(path_of(self._packs, number))
        found = records(pack.fd, number, 0, os.fstat(pack.fd).st_size, [])
        names = {name for name, place in found if place.kind == TOMBSTONE}
        with self.lock:
            for _ in self._append([tombstone(name) for name in names if self._index.place(name) is None]):
                pass
        self.sync()
