"""The index: what waits and what is written answer alike, and nothing is written before it is durable."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.errors import Damaged
from agent.store.local import Local
from agent.store.vault.index import Index, remove_index
from agent.store.vault.pack import PackEnd, Place

NAMES = [bytes([i]) * 32 for i in range(6)]


def place(i: int) -> Place:
    """The i-th of records that are 100 bytes apart."""
    return Place(0, 100 * i, 0, 1, 50, 44)


@pytest.fixture
def index(tmpfs_dir: Path) -> Iterator[Index]:
    """Six entries that wait."""
    opened = Index.open(str(tmpfs_dir / "index.db"))
    for i, name in enumerate(NAMES):
        opened.put(name, place(i))
    yield opened
    opened.close()


def test_waiting_and_written_answer_alike(index: Index) -> None:
    """Before and after a flush."""
    for _ in range(2):
        assert [place(i) for i in range(6)] == [index.place(name) for name in NAMES]
        assert [b"z" * 32] == index.missing([*NAMES, b"z" * 32])
        index.flush(PackEnd(0, 600))
    assert 0 == index.waiting()


def test_only_what_is_durable_is_written(index: Index) -> None:
    """Entries at or behind the end wait on; a crash forgets them and nothing else."""
    index.flush(PackEnd(0, 400))
    assert (2, PackEnd(0, 400)) == (index.waiting(), index.durable)
    index.close()
    again = Index.open(index.path)
    assert (NAMES[4:], PackEnd(0, 400)) == (again.missing(NAMES), again.durable)
    again.close()


def test_a_forgotten_name_is_missing_and_can_come_again(index: Index) -> None:
    """Written or waiting."""
    index.flush(PackEnd(0, 300))
    index.forget([NAMES[0], NAMES[5], b"z" * 32], [NAMES[0]])
    assert [NAMES[0], NAMES[5]] == index.missing(NAMES)
    index.put(NAMES[0], place(9))
    assert place(9) == index.place(NAMES[0])


def test_a_name_put_again_moves(index: Index) -> None:
    """The newest place counts, as when a pack holds a chunk twice."""
    index.flush(PackEnd(0, 600))
    index.put(NAMES[1], place(8))
    index.flush(PackEnd(0, 900))
    assert place(8) == index.place(NAMES[1])


def test_pages_go_by_name(index: Index) -> None:
    """Written entries only; what waits is asked for apart."""
    index.flush(PackEnd(0, 500))
    assert [(NAMES[2], place(2)), (NAMES[3], place(3))] == index.page(NAMES[1], 2)
    assert [(NAMES[5], place(5))] == index.unflushed()


def test_an_index_of_another_kind_is_damaged_and_can_be_removed(tmpfs_dir: Path) -> None:
    """It is rebuilt, so nothing is lost with it."""
    path = str(tmpfs_dir / "other.db")
    Path(path).write_bytes(os.urandom(20_000))
    with pytest.raises(Damaged):
        Index.open(path)
    remove_index(path)
    Index.open(path).close()
    Local.open(str(tmpfs_dir / "local.db")).close()
    with pytest.raises(Damaged):
        Index.open(str(tmpfs_dir / "local.db"))
