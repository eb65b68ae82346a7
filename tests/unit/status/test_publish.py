"""The published file."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from agent.core.clock import ManualClock
from agent.status.events import EventLog
from agent.status.facts import NodeFacts
from agent.status.publish import Publisher
from fakes.api_fakes import a_dataset, a_node


def test_changes_are_published_and_told(tmp_path: Path) -> None:
    """A change reaches the file, with when it was written, and the events."""
    path, events = tmp_path / "state.json", EventLog(None)
    facts = [a_node(a_dataset())]
    publisher = Publisher(str(path), lambda: facts[0], events, ManualClock(5))
    publisher.publish()
    facts[0] = a_node(a_dataset(hold="empty"))
    publisher.publish()
    written = json.loads(path.read_text())
    assert ("held", 5, 0o644) == (written["datasets"][0]["state"], written["written"], path.stat().st_mode & 0o777)
    assert "streaming → held" == events.since(0, 10)[-1]["message"]
    assert ["state.json"] == [file.name for file in tmp_path.iterdir()]
    assert "held" == publisher.latest()["datasets"][0]["state"]


def test_the_thread_publishes_when_told_and_ends(tmp_path: Path) -> None:
    """``changed`` wakes the thread; ``stop`` ends it and leaves the file to age."""
    asked = threading.Semaphore(0)

    def facts() -> NodeFacts:
        asked.release()
        return a_node(a_dataset())

    publisher = Publisher(str(tmp_path / "state.json"), facts, EventLog(None), ManualClock(), interval=60, gap=0)
    publisher.start()
    assert asked.acquire(timeout=5)
    publisher.changed()
    assert asked.acquire(timeout=5)
    publisher.stop()
    assert ["state.json"] == [file.name for file in tmp_path.iterdir()]


def test_facts_that_fail_do_not_end_the_thread(tmp_path: Path) -> None:
    """One failing look is logged; the next is published."""
    looks = iter([a_node(), None, a_node(a_dataset())])
    done = threading.Event()

    def facts() -> NodeFacts:
        found = next(looks, None)
        if found is None:
            raise RuntimeError("the node stumbled")
        if found.datasets:
            done.set()
        return found

    publisher = Publisher(str(tmp_path / "state.json"), facts, EventLog(None), ManualClock(), interval=0.001, gap=0)
    publisher.start()
    assert done.wait(5)
    publisher.stop()


def test_a_directory_that_is_gone_is_survived(tmp_path: Path) -> None:
    """A file that cannot be written raises nothing: the agent goes on."""
    publisher = Publisher(str(tmp_path / "gone" / "state.json"), a_node, EventLog(None), ManualClock())
    assert "alpha" == publisher.publish()["node"]
