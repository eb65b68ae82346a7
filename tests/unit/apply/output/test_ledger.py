"""What a run learned stands above what is stored, and is stored in batches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.output.ledger import Ledger
from agent.core.ids import ObjectId
from agent.store.local import Local

A, B = ObjectId(2), ObjectId(3)


@pytest.fixture
def local(tmpfs_dir: Path) -> Iterator[Local]:
    """Local facts of a new dataset."""
    opened = Local.open(str(tmpfs_dir / "local.db"))
    yield opened
    opened.close()


def _stat() -> os.stat_result:
    return os.stat("/")


def test_both_ways_before_and_after_storing(local: Local) -> None:
    """Handle to object and back."""
    ledger = Ledger(local)
    ledger.record(A, b"one", _stat())
    assert (b"one", A) == (ledger.handle_of(A), ledger.id_of(b"one"))
    ledger.flush()
    assert (b"one", A) == (ledger.handle_of(A), ledger.id_of(b"one"))
    assert A == local.by_handle(b"one")


def test_an_object_in_a_new_inode_is_not_found_by_its_old_one(local: Local) -> None:
    """Stored facts that this run overtook are not believed."""
    ledger = Ledger(local)
    ledger.record(A, b"old", _stat())
    ledger.flush()
    ledger.record(A, b"new", _stat())
    assert (None, A) == (ledger.id_of(b"old"), ledger.id_of(b"new"))
    ledger.record(A, b"newer", _stat())
    assert (None, A) == (ledger.id_of(b"new"), ledger.id_of(b"newer"))


def test_a_forgotten_object_is_unknown_at_once(local: Local) -> None:
    """And its handle may serve another."""
    ledger = Ledger(local)
    ledger.record(A, b"one", _stat())
    ledger.flush()
    ledger.forget(A)
    assert (None, None) == (ledger.handle_of(A), ledger.id_of(b"one"))
    ledger.record(B, b"one", _stat())
    ledger.flush()
    assert (None, B) == (local.get(A), local.by_handle(b"one"))


def test_batches_are_stored_by_themselves(local: Local) -> None:
    """Memory stays bounded however long the run."""
    ledger = Ledger(local, batch=10)
    for number in range(25):
        ledger.record(ObjectId(100 + number), b"%d" % number, _stat())
    stored = sum(local.get(ObjectId(100 + number)) is not None for number in range(25))
    assert 20 == stored
