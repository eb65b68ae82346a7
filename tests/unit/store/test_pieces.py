"""Parts of long chunk lists, in the catalog or in the vault."""

from __future__ import annotations

import pytest

from agent.core.errors import Damaged, NotFound
from agent.store.pieces import KeptPieces


class DictPieces:
    """A catalog of nothing but parts; and a vault."""

    def __init__(self, kept: dict[bytes, bytes]) -> None:
        self._kept = kept

    def piece(self, name: bytes) -> bytes | None:
        return self._kept.get(name)

    def read(self, name: bytes) -> bytes:
        if name not in self._kept:
            raise NotFound("read a chunk", name.hex(), "it is not there", "none")
        if not self._kept[name]:
            raise Damaged("read a chunk", name.hex(), "it is another", "none")
        return self._kept[name]


def test_a_part_is_found_where_it_is_kept() -> None:
    """What was captured here in the catalog, what was received here in the vault, the rest nowhere."""
    both = KeptPieces(DictPieces({b"captured": b"1"}), DictPieces({b"received": b"2"}))
    assert [b"1", b"2", None] == [both.find(name) for name in (b"captured", b"received", b"never")]
    alone = KeptPieces(DictPieces({b"captured": b"1"}), None)
    assert [b"1", None] == [alone.find(name) for name in (b"captured", b"received")]


def test_a_part_that_is_damaged_is_not_called_absent() -> None:
    """Whoever asks is told which one it is, and what to do."""
    with pytest.raises(Damaged):
        KeptPieces(DictPieces({}), DictPieces({b"damaged": b""})).find(b"damaged")
