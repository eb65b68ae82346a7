"""Keys kept in memory or in a file come back the same, both ways round."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.apply.bounds import USUAL
from agent.apply.ports import KeyChange
from agent.apply.run.changed_keys import WorkSet
from agent.core.ids import ROOT, ObjectId
from agent.core.rows import chunk_key, name_key, object_key


def _batches() -> list[list[KeyChange]]:
    objects: list[KeyChange] = [(object_key(n), None, b"row %d" % n) for n in range(7)]
    names: list[KeyChange] = [(name_key(ROOT, b"%d" % n), b"old", None) for n in range(5)]
    return [objects[:4], objects[4:] + names[:2], names[2:], []]


@pytest.mark.parametrize("limit", [USUAL.keys, 0, 150])
def test_objects_and_names_come_back_apart_and_in_order(tmp_path: Path, limit: int) -> None:
    """Whether they stayed in memory, went to a file, or moved there half-way."""
    flat = [change for batch in _batches() for change in batch]
    work = WorkSet(str(tmp_path), limit).fill(_batches())
    assert flat[:7] == [change for batch in work.objects.batches() for change in batch]
    assert flat[7:] == [change for batch in work.names.batches() for change in batch]
    assert flat[:6:-1] == [change for batch in work.names.batches(backwards=True) for change in batch]
    assert (12, limit < USUAL.keys) == (len(work), work.objects.spilled)
    work.close()
    assert [] == list(tmp_path.iterdir())


def test_a_batch_of_objects_alone_is_not_split(tmp_path: Path) -> None:
    """The common case of a large difference."""
    work = WorkSet(None, USUAL.keys).fill([[(object_key(ObjectId(5)), b"a", b"b")]])
    assert (1, 0) == (work.objects.count, work.names.count)
    work.close()


def test_a_tree_has_no_chunks_of_a_device() -> None:
    """Keys of the third kind never pass for names."""
    with pytest.raises(KeyError):
        WorkSet(None, USUAL.keys).fill([[(chunk_key(1), None, b"a")]])
