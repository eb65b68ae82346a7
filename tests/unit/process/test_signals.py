"""What signals and dead threads ask of the agent's loop."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from agent.process.signals import AgentSignals

_LISTENED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture
def signals() -> Iterator[AgentSignals]:
    """They listen, until the test is over."""
    before, hook = [signal.getsignal(number) for number in _LISTENED], threading.excepthook
    one = AgentSignals()
    one.listen()
    yield one
    threading.excepthook = hook
    for number, handler in zip(_LISTENED, before, strict=True):
        signal.signal(number, handler)


def test_a_reload_is_asked_for_once(signals: AgentSignals) -> None:
    """Each SIGHUP is one, however often the loop looks."""
    os.kill(os.getpid(), signal.SIGHUP)
    first = [signals.take_reload(), signals.take_reload()]
    os.kill(os.getpid(), signal.SIGHUP)
    assert ([True, False], True, False) == (first, signals.take_reload(), signals.stopping.is_set())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_end_is_no_failure(signals: AgentSignals, number: signal.Signals) -> None:
    """The service manager is told that all went well."""
    os.kill(os.getpid(), number)
    assert (True, False) == (signals.stopping.wait(30.0), signals.is_broken)


def test_a_thread_that_met_a_bug_ends_the_agent(signals: AgentSignals) -> None:
    """Nothing is replicated in silence without it: the service manager starts the agent again."""
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    assert (True, True) == (signals.stopping.is_set(), signals.is_broken)
