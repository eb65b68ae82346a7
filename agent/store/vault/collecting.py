"""Collection, the vault's part: what was marked as dead goes, unless somebody found it present meanwhile.

From :meth:`VaultCollecting.collecting` on whatever anybody pins, adds or finds present is pinned for the collection too, in one
step under the vault's lock; what was pinned when it began is as well. So a sweep takes nothing that a coming commit may name,
however long the marking took.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager

from agent.core.errors import TryAgain
from agent.store.vault.forgetting import VaultForgetting
from agent.store.vault.index import count_of
from agent.store.vault.noted_end import note_end
from agent.store.vault.open_packs import OpenPack
from agent.store.vault.pack import TOMBSTONE, PackEnd, Place, io_failure, numbers_in, path_of, records, tombstone
from agent.store.vault.reading import COLLECTION

#: Chunks that one step of a sweep takes: some ms of the vault's lock.
_SWEPT_AT_ONCE = 200
_SWEPT_ON_A_FULL_DISK = 10
#: Entries that one step writes into the index.
_FLUSHED_AT_ONCE = 500
#: Old records that one step looks at.
_OLD_AT_ONCE = 2000


class VaultCollecting(VaultForgetting):
    """Used by one collection at a time; thread-safe beside everybody else. What was found to be whole before one began
    (``collections``) is to be looked at again."""

    #: Whether chunks were moved since the packs' end was noted beside them.
    _moved = False

    @contextmanager
    def collecting(self) -> Iterator[frozenset[bytes]]:
        """A collection runs; gives the names that are in use already, which nothing durable may name yet. What came before is
        in the index on entry, so that :meth:`entries` leaves out none of it. Raises ``TryAgain`` (disk full), ``StoreFailed``."""
        self.write_index()
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

    def write_index(self) -> None:
        """What was added so far is durable, and in the index: in steps, so that nobody waits long. Raises as :meth:`sync`."""
        end = self.sync()
        done = False
        while not done:
            with self.lock:
                self._usable("write the index")
                done = self._index.flush(end, _FLUSHED_AT_ONCE)

    def note_end(self) -> None:
        """What was added so far is durable, and no opening cuts it, though no commit comes that says so; where the index is
        lost, what was moved and forgotten until now is found in the packs. For any thread. Raises as :meth:`sync`."""
        with self._noting:
            moved, self._moved = self._moved, False
            try:
                note_end(os.path.dirname(self._packs), self.sync())
            except OSError as error:
                self._moved = moved
                raise io_failure(error, "note the end of the packs", self._packs) from error
            except BaseException:
                self._moved = moved
                raise

    def end(self) -> PackEnd:
        """Where the packs end now."""
        with self.lock:
            writer = self._usable("read the vault")
            return PackEnd(writer.pack, writer.end)

    def count(self) -> int:
        """About how many chunks there are. Counted beside whoever stores: only what stood in the index at its begin counts."""
        with self.lock:
            self._usable("read the vault")
            path = self._index.path
        return count_of(path)

    def entries(self, after: bytes, limit: int) -> list[tuple[bytes, Place]]:
        """At most ``limit`` chunks with a name greater than ``after``, by name; those that came a moment ago are left out."""
        with self.lock:
            self._usable("read the vault")
            return self._index.page(after, limit)

    def needed_by(self, name: bytes) -> list[bytes]:
        """The chunks that are stored as patches of this one."""
        with self.lock:
            return [patch for patch in self._index.patches_of(name) if self._needs(patch, name)]

    def place_of(self, name: bytes) -> Place | None:
        """Where a chunk lies now."""
        with self.lock:
            return self._index.place(name)

    def is_piece(self, name: bytes, kind: int) -> bool:
        """Whether a chunk of this name is here and of that kind."""
        place = self.place_of(name)
        return place is not None and place.kind == kind

    def pack_sizes(self) -> dict[int, int]:
        """Bytes of each pack that is not written to any more, and wholly in the index, by number. Raises ``StoreFailed``."""
        with self.lock:
            current = min(self._usable("read the vault").pack, self._index.durable.pack)
        try:
            return {
                number: os.stat(path_of(self._packs, number)).st_size
                for number in numbers_in(self._packs)
                if number < current
            }
        except OSError as error:
            raise io_failure(error, "look at the packs", self._packs) from error

    def sweep(self, dead: Sequence[tuple[bytes, Place]], going: Container[int] = ()) -> list[tuple[bytes, Place]]:
        """Forget these with all that is stored as patches of them, but for what somebody found present since and what that is
        made of; gives those that went. ``going``: packs that are to be dropped when nothing is left in them.

        Raises ``TryAgain`` (disk full), ``StoreFailed``."""
        gone: list[tuple[bytes, Place]] = []
        at, step = 0, _SWEPT_AT_ONCE
        while at < len(dead):
            try:
                gone += self._sweep_some(dead[at : at + step], going, full=step != _SWEPT_AT_ONCE)
                at += step
            except TryAgain:
                if step != _SWEPT_AT_ONCE:
                    raise
                step = _SWEPT_ON_A_FULL_DISK
        return gone

    def _sweep_some(
        self, dead: Sequence[tuple[bytes, Place]], going: Container[int], *, full: bool
    ) -> list[tuple[bytes, Place]]:
        leaving: dict[bytes, Place] = {}
        with self.keeping, self.lock:
            if full:
                # The index's log begins anew: what is written next takes no more of the disk than was written before.
                self._index.settle()
            for name, place in dead:
                if name not in leaving and self._index.place(name) == place:
                    leaving.update(self._leaving(name))
            if leaving:
                self._forget(list(leaving), going)
        return list(leaving.items())

    def _leaving(self, name: bytes) -> dict[bytes, Place]:
        """A chunk and all that cannot be read without it; nothing where somebody relies on one of these."""
        names = self._with_patches([name])
        if self._pins.holds_any(names):
            return {}
        return {one: place for one in names if (place := self._index.place(one)) is not None}

    def drop_packs(self, numbers: Sequence[int]) -> int:
        """Delete these packs, in which nothing lies any more; how many. What they say was forgotten is said again where an older
        pack still holds it; what there is no room for is left. Raises ``TryAgain`` then, ``StoreFailed``."""
        if not numbers:
            return 0
        self._make_moves_last()
        dropped, full = 0, None
        for number in numbers:
            try:
                self._repeat_tombstones(number)
            except TryAgain as error:
                full = error
                continue
            self._unlink(number)
            dropped += 1
        self._drop_old()
        if full is not None:
            raise full
        return dropped

    def _make_moves_last(self) -> None:
        """Else a power cut could bring back an index that finds in these packs what is gone, or cut off what was moved."""
        self.write_index()
        if self._moved:
            self.note_end()
        self._index.settle_ahead()
        with self.lock:
            self._index.settle()

    def _unlink(self, number: int) -> None:
        with self.keeping, self.lock:
            self._open.forget(number)
            try:
                os.unlink(path_of(self._packs, number))
            except OSError as error:
                raise io_failure(error, "drop a pack", path_of(self._packs, number)) from error
        try:
            self._sync_directory(self._packs)
        except OSError as error:
            raise io_failure(error, "drop a pack", self._packs) from error

    def _repeat_tombstones(self, number: int) -> None:
        older = {one for one in numbers_in(self._packs) if one < number}
        if not older:
            return
        pack = OpenPack(path_of(self._packs, number))
        found = records(pack.fd, number, 0, os.fstat(pack.fd).st_size, [])
        told = list({name for name, place in found if place.kind == TOMBSTONE})
        again = False
        for first in range(0, len(told), _SWEPT_AT_ONCE):
            with self.lock:
                part = told[first : first + _SWEPT_AT_ONCE]
                held = {name for name, old in self._index.old_places(part) if old in older}
                for _ in self._append([tombstone(name) for name in held if self._index.place(name) is None]):
                    again = True
        if again:
            self.sync()

    def _drop_old(self) -> None:
        """What the index knows of old records in packs that are gone is dropped."""
        packs = set(numbers_in(self._packs))
        at: tuple[bytes, int] | None = (b"", -1)
        while at is not None:
            with self.lock:
                self._usable("collect")
                at = self._index.drop_old(packs, at, _OLD_AT_ONCE)
