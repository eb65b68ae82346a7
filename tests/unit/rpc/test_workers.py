"""Threads that serve calls, as many as may be open."""

from __future__ import annotations

import threading

import pytest

from agent.rpc.workers import Workers


def test_no_more_work_at_once_than_is_allowed_and_more_once_more_is() -> None:
    """What is too much waits, and begins when more are allowed, while the first are still at work."""
    workers, go, begun = Workers(2, "test"), threading.Event(), threading.Semaphore(0)

    def work(number: int) -> int:
        begun.release()
        go.wait()
        return number

    futures = [workers.submit(work, number) for number in range(4)]
    for _ in range(2):
        assert begun.acquire(timeout=30)
    assert [True, True, False, False] == [future.running() for future in futures]
    workers.allow(4)
    for _ in range(2):
        assert begun.acquire(timeout=30)
    go.set()
    assert [0, 1, 2, 3] == [future.result() for future in futures]
    workers.shutdown()


def test_a_bug_is_told_and_ends_no_thread() -> None:
    """Whoever asks for the result hears of it."""
    workers = Workers(1, "test")
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda: 1 // 0).result()
    assert 1 == workers.submit(lambda: 1).result()
    workers.shutdown()
    with pytest.raises(RuntimeError):
        workers.submit(lambda: 1)
