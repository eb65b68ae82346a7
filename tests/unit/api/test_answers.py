"""Long answers stay alive."""

from __future__ import annotations

import io
import threading

import pytest

from agent.api.answers import LineAnswer


class _Out(io.BytesIO):
    """Remembers what was written, and tells."""

    def __init__(self) -> None:
        super().__init__()
        self.beaten = threading.Semaphore(0)

    def flush(self) -> None:
        self.beaten.release()


def test_a_pulse_until_the_last_line() -> None:
    """Empty lines come while the call runs; the last line is the outcome."""
    out = _Out()
    with LineAnswer(out, pulse=0.001) as answer:
        assert all(out.beaten.acquire(timeout=40) for _ in range(3))
        answer.progress({"done": 1})
        answer.finish({"result": 2})
    lines = out.getvalue().split(b"\n")
    assert [b'{"progress": {"done": 1}}', b'{"result": 2}'] == [line for line in lines if line]
    assert b'{"result": 2}' == lines[-2]


def test_progress_to_nobody() -> None:
    """Once writing failed, progress raises and the last line does not."""
    out = _Out()
    out.close()
    with LineAnswer(out, pulse=60) as answer:
        with pytest.raises(ConnectionError):
            answer.progress({})
        answer.finish({"result": 1})
