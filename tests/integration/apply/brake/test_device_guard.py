"""The brake of a device: chunks that became zeros, and chunks that hold something else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.brake.judge import Guard, Reached
from agent.apply.brake.loss_words import LOSS_WORDS
from agent.config.values import Brake
from agent.core.chunks import DEVICE_CHUNK
from agent.core.clock import ManualClock
from agent.core.dataset_kind import DatasetKind
from agent.core.hold import Hold
from agent.core.ids import NOTHING, CommitNumber
from fakes.device import DevicePrimary

COUNT = 40


@pytest.fixture
def device(tmp_path: Path) -> Iterator[DevicePrimary]:
    one = DevicePrimary(tmp_path / "device", b"".join(b"%064d" % at * (DEVICE_CHUNK // 64) for at in range(COUNT)))
    yield one
    one.close()


def judged(device: DevicePrimary, guard: Guard, applied: CommitNumber) -> Hold | None:
    """What the guard says of the newest commit."""
    with device.catalog.reader() as reader:
        target = reader.newest()
        assert target is not None
        return guard.judge(reader, target, Reached(applied, NOTHING, NOTHING))


@pytest.mark.parametrize("times", [1, 13])
def test_chunks_that_become_zeros_are_deleted(device: DevicePrimary, times: int) -> None:
    """Up to the limit they pass, beyond it they are held, at once or bit by bit; with the share told in chunks."""
    guard = Guard(Brake(deleted=0.3, rewritten=0.9, min_entries=10), ManualClock(), LOSS_WORDS[DatasetKind.DEVICE])
    newest = device.catalog.newest()
    assert newest is not None
    assert judged(device, guard, newest.number) is None
    zeros = [(at * DEVICE_CHUNK, bytes(DEVICE_CHUNK)) for at in range(13)]
    for at in range(0, 12, 12 // min(times, 12)):
        device.put(*zeros[at : at + 12 // min(times, 12)])
        assert judged(device, guard, newest.number) is None
    device.put(zeros[12])
    hold = judged(device, guard, newest.number)
    assert hold is not None
    assert ("mass-deletion", "13 of 40 chunks of 64 KiB became zeros since ") == (hold.code, hold.sentence[:45])


def test_chunks_that_hold_something_else_are_rewritten(device: DevicePrimary) -> None:
    """A chunk that is written a hundred times counts once."""
    guard = Guard(Brake(deleted=0.3, rewritten=0.5, min_entries=10), ManualClock(), LOSS_WORDS[DatasetKind.DEVICE])
    newest = device.catalog.newest()
    assert newest is not None
    for turn in range(100):
        device.put((0, b"turn %d" % turn))
        assert judged(device, guard, newest.number) is None
    device.put(*((at * DEVICE_CHUNK, b"x%d" % at) for at in range(21)))
    hold = judged(device, guard, newest.number)
    assert hold is not None
    assert ("mass-rewriting", "21 of 40 chunks of 64 KiB rewritten since ") == (hold.code, hold.sentence[:42])
