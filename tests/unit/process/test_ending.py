"""The last resort: a process that was told to end ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from agent.core.errors import Exit
from agent.process.ending import LastResort

PATIENCE = 20.0


@pytest.fixture
def deaf() -> Iterator[None]:
    """SIGTERM reaches a handler that does nothing."""
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    yield
    signal.signal(signal.SIGTERM, before)


def test_what_does_not_end_is_left_as_it_is(deaf: None) -> None:
    """Some time after the signal, whoever sleeps."""
    left = threading.Event()
    codes: list[int] = []

    def leave(code: int) -> None:
        codes.append(code)
        left.set()

    last = LastResort(0.01, leave)
    last.start()
    os.kill(os.getpid(), signal.SIGTERM)
    assert left.wait(PATIENCE)
    last.close()
    assert [Exit.FAILED] == codes


def test_what_comes_to_its_end_is_not_cut_short(deaf: None) -> None:
    """Another signal does not count either."""
    codes: list[int] = []
    last = LastResort(PATIENCE, codes.append)
    last.start()
    os.kill(os.getpid(), signal.SIGTERM)
    last.close()
    assert [] == codes
