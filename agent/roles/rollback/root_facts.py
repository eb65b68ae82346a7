"""What is known of a primary's root while it goes back: its local facts, and apart from a standby's how far it is.

Nothing that is written meanwhile vouches for a stat: others write too, so what we changed is read again by the walk (law 5).
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.apply.checkpoint import believe_equal
from agent.core.ids import CommitNumber, ObjectId
from agent.store.local import FactsMark, Local, LocalRow, Signature

_PREFIX = "rollback:"
_TARGET = "target"


class RootFacts:
    """``apply.ports.LocalFacts`` over a primary's local facts."""

    def __init__(self, local: Local) -> None:
        self._local = local

    def begin(self, base: CommitNumber, target: CommitNumber, private: int) -> None:
        """The root equals ``base`` but for what others write, and goes to ``target``; of one that is on its way there already it
        stays known how far it is. ``private``: our open directory in it."""
        if self.value(_TARGET) != b"%d" % target:
            believe_equal(self, base, private)
            self.set_value(_TARGET, b"%d" % target, durable=True)

    def is_there(self, target: CommitNumber) -> bool:
        """Whether the root came to ``target``: what it is since is capture's to say."""
        return self.value(_TARGET) == b"%d there" % target

    def end(self, target: CommitNumber) -> None:
        """The root is there."""
        self.set_value(_TARGET, b"%d there" % target, durable=True)

    def get(self, id: ObjectId) -> LocalRow | None:
        """See ``LocalFacts``, as all below."""
        return self._local.get(id)

    def signature_of(self, handle: bytes) -> Signature | None:
        return self._local.signature_of(handle)

    def write(self, puts: Iterable[LocalRow], drops: Iterable[ObjectId] = ()) -> None:
        self._local.write(puts, drops)

    def unkept(self) -> dict[int, tuple[int, list[ObjectId]]]:
        return {}

    def vouch(self, synced: int, mark: FactsMark) -> None:
        """Nobody but us would have to write."""

    def doubt(self, ids: Iterable[ObjectId] | None = None) -> None:
        self._local.doubt(ids)

    def value(self, key: str) -> bytes | None:
        return self._local.value(_PREFIX + key)

    def set_value(self, key: str, value: bytes, durable: bool = False) -> None:
        self._local.set_value(_PREFIX + key, value, durable)

    def note_value(self, key: str, value: bytes) -> None:
        self._local.note_value(_PREFIX + key, value)
