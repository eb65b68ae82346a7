"""What of the vault stays because somebody relies on it, and how chunks leave it."""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Sequence

from agent.core.errors import Damaged, Refused, WireError
from agent.store.vault.appending import VaultWriter
from agent.store.vault.codec import is_patch
from agent.store.vault.pack import tombstone


class VaultForgetting(VaultWriter):
    """Pins, and chunks that are dropped. Thread-safe."""

    def pin(self, names: Iterable[bytes], owner: Hashable) -> None:
        """``owner``, as an offer in flight, relies on these: nobody takes them away until it calls :meth:`unpin`."""
        with self.lock:
            held = list(names)
            self._pins.pin(held, owner)
            self._spare(held)

    def unpin(self, owner: Hashable) -> None:
        """``owner`` relies on nothing any more; what others rely on stays."""
        with self.lock:
            self._pins.release(owner)

    def forget(self, names: Sequence[bytes]) -> None:
        """Drop chunks (their room comes back when packs are compacted).

        Raises ``Refused``, and forgets none, when one is pinned, or a stored patch that is to stay needs it."""
        with self.keeping, self.lock:
            if not set(self._with_patches(names)).issubset(names):
                raise Refused(
                    "forget chunks", self._packs, "others are stored as patches of them", "forget those first"
                )
            self._forget(names)

    def lose(self, names: Sequence[bytes]) -> list[bytes]:
        """These are damaged: drop them and all that is stored as patches of them, which is lost with them; gives the names
        of all. Added again, they replace what was lost. Raises ``Refused``, and drops none, when one is pinned."""
        with self.keeping, self.lock:
            lost = self._with_patches(names)
            self._forget(lost)
        return lost

    def _forget(self, names: Sequence[bytes], going: Container[int] = ()) -> None:
        """``going``: packs that are deleted next, so that nobody need be told that what lies in them does not count."""
        if self._pins.holds_any(names):
            raise Refused("forget chunks", self._packs, "some are in use by an offer in flight", "try again later")
        # An index that is made anew from the packs must not find again what was forgotten.
        told = self._to_be_told(names, going)
        for _ in self._append([tombstone(name) for name in told]):
            pass
        self._index.forget(names, told)
        if self.elsewhere is not None:
            self.elsewhere.drop(names)
        for name in names:
            self._recent.drop(name)

    def _to_be_told(self, names: Sequence[bytes], going: Container[int]) -> list[bytes]:
        """Those of the names of which a record stays."""
        places = [(name, place.pack) for name in names if (place := self._index.place(name)) is not None]
        staying = {name for name, pack in places if pack not in going}
        if len(staying) < len(places):
            staying.update(name for name, pack in self._index.old_places(names) if pack not in going)
        return [name for name, _ in places if name in staying]

    def _with_patches(self, names: Sequence[bytes]) -> list[bytes]:
        """These, and every chunk that cannot be read without them."""
        found = dict.fromkeys(names)
        queue = list(found)
        while queue:
            base = queue.pop()
            for name in self._index.patches_of(base):
                if name not in found and self._needs(name, base):
                    found[name] = None
                    queue.append(name)
        return list(found)

    def _needs(self, name: bytes, base: bytes) -> bool:
        """Whether a chunk is a patch of ``base`` as it is stored now; one that cannot be told is."""
        place = self._index.place(name)
        if place is None or not is_patch(place.codec):
            return False
        try:
            return base in self._open(place.pack).bases(place)
        except (Damaged, WireError):
            return True
