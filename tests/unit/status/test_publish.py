"""The published file."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.clock import ManualClock
from agent.core.errors import HikaeError, Unreachable
from agent.core.hold import Hold
from agent.core.standing import PeerStanding, Standing, Trouble, Verified
from agent.status.events import EventLog
from agent.status.facts import NodeFacts
from agent.status.publish import Publisher
from agent.status.reading import read_state
from agent.status.state import Role
from fakes.api_fakes import a_dataset, a_node, a_peer, a_problem


def test_changes_are_published_and_told(tmp_path: Path) -> None:
    """A change reaches the file, with when it was written, and the events."""
    path, events = tmp_path / "state.json", EventLog(None)
    facts = [a_node(a_dataset())]
    publisher = Publisher(str(path), lambda: facts[0], events, ManualClock(5))
    publisher.publish()
    facts[0] = a_node(a_dataset(hold=Hold("held", "empty")))
    publisher.publish()
    written = json.loads(path.read_text())
    assert ("held", 5, 0o644) == (written["datasets"][0]["state"], written["written"], path.stat().st_mode & 0o777)
    assert "streaming → held" == events.since(0, 10)[-1]["message"]
    assert ["state-full.json", "state.json"] == sorted(file.name for file in tmp_path.iterdir())
    assert "held" == publisher.latest()["datasets"][0]["state"]


def test_an_agent_that_stops_says_so_and_nothing_of_what_it_closes(tmp_path: Path) -> None:
    """The last event is that it was stopped: peers and states that go with it are no news."""
    events, facts = EventLog(None), [a_node(a_dataset(), a_dataset("mail", role=Role.STANDBY))]
    publisher = Publisher(str(tmp_path / "state.json"), lambda: facts[0], events, ManualClock(5))
    publisher.publish()
    publisher.leaving()
    facts[0] = a_node(a_dataset(epoch=0, peers=(a_peer(connected=False),)))
    publisher.publish()
    assert ("agent-stopped", "hikae 0.1.0 on alpha; it was: web primary, mail standby") == tuple(
        events.since(0, 10)[-1][key] for key in ("code", "message")
    )


def test_the_thread_publishes_when_told_and_ends(tmp_path: Path) -> None:
    """``changed`` wakes the thread; ``stop`` ends it and leaves the file to age."""
    asked = threading.Semaphore(0)

    def facts() -> NodeFacts:
        asked.release()
        return a_node(a_dataset())

    publisher = Publisher(str(tmp_path / "state.json"), facts, EventLog(None), ManualClock(), interval=60, gap=0)
    publisher.start()
    assert asked.acquire(timeout=40)
    publisher.changed()
    assert asked.acquire(timeout=40)
    publisher.stop()
    assert ["state-full.json", "state.json"] == sorted(file.name for file in tmp_path.iterdir())


def test_what_moves_all_the_time_is_published_together(tmp_path: Path) -> None:
    """Commits and positions wait for the lull; what else changes does not wait, and takes them along."""
    asked = threading.Semaphore(0)

    def facts() -> NodeFacts:
        asked.release()
        return a_node(a_dataset())

    path = str(tmp_path / "state.json")
    publisher = Publisher(path, facts, EventLog(None), ManualClock(), interval=3600, gap=0, lull=3600)
    publisher.start()
    found = [asked.acquire(timeout=40)]
    publisher.moved()
    publisher.moved()
    found.append(asked.acquire(timeout=0.2))
    publisher.changed()
    found.append(asked.acquire(timeout=40))
    publisher.stop()
    assert ([True, False, True], False) == (found, asked.acquire(blocking=False))


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
    assert done.wait(40)
    publisher.stop()


def test_a_directory_that_is_gone_is_survived(tmp_path: Path) -> None:
    """A file that cannot be written raises nothing: the agent goes on."""
    publisher = Publisher(str(tmp_path / "gone" / "state.json"), a_node, EventLog(None), ManualClock())
    assert "alpha" == publisher.publish()["node"]


def test_anybody_may_read_counts_and_few_may_read_paths(tmp_path: Path) -> None:
    """Nothing that could name a file stands in the file that is for all."""
    secret = a_dataset(
        problems=tuple(
            a_problem(path=b"private/secret-%d" % n, message="secret words", remedy="rm secret") for n in range(3)
        ),
        hold=Hold("held", "secret-held became empty", "rm secret"),
        path="/srv/secret",
        last_verify=Verified(5, equal=False, deep=True, differences=1),
        peers=(
            a_peer(
                told=PeerStanding(Standing("held", Hold("held", "secret"), worst=Trouble("c", "secret", "secret")), 5)
            ),
        ),
    )
    node = a_node(secret, problems=(a_problem("certificate", message="secret.crt"),))
    Publisher(str(tmp_path / "state.json"), lambda: node, EventLog(None), ManualClock(5)).publish()
    public, full = tmp_path / "state.json", tmp_path / "state-full.json"
    assert (0o644, 0o640) == (public.stat().st_mode & 0o777, full.stat().st_mode & 0o777)
    assert (False, True) == ("secret" in public.read_text(), "private/secret-2" in full.read_text())
    shown = json.loads(public.read_text())["datasets"][0]
    assert [("unreadable", 3)] == [(one["code"], one["count"]) for one in shown["problems"]]
    assert ("web", "held") == (shown["name"], shown["state"])


def test_who_reads_gets_what_he_may(tmp_path: Path) -> None:
    """Paths from the one, counts from the other; an old one, none, and one that is no state are named."""
    Publisher(str(tmp_path / "state.json"), lambda: a_node(a_dataset()), EventLog(None), ManualClock(5)).publish()
    assert "/srv/web" == read_state(str(tmp_path))["datasets"][0]["path"]
    (tmp_path / "state-full.json").unlink()
    assert "" == read_state(str(tmp_path))["datasets"][0]["path"]
    with pytest.raises(Unreachable, match="s old: the agent is not running, or hangs"):
        read_state(str(tmp_path), fresh=-1.0)
    ahead = time.time() + 86_400
    os.utime(tmp_path / "state.json", (ahead, ahead))
    with pytest.raises(Unreachable, match="s ahead of the clock: the agent is not running, or hangs"):
        read_state(str(tmp_path))
    (tmp_path / "state.json").write_text("[]")
    with pytest.raises(HikaeError, match="no state of this program"):
        read_state(str(tmp_path))
    (tmp_path / "state.json").unlink()
    with pytest.raises(Unreachable, match="no agent is running"):
        read_state(str(tmp_path))


def test_what_has_not_changed_is_not_written_again(tmp_path: Path) -> None:
    """The files say by their time that it still stands; what changes, or was taken away, is written."""
    path = tmp_path / "state.json"
    facts, clock = [a_node(a_dataset())], ManualClock()
    publisher = Publisher(str(path), lambda: facts[0], EventLog(None), clock)
    publisher.publish()
    first = path.stat()
    os.utime(path, (1, 1))
    facts[0] = replace(facts[0], time_ns=facts[0].time_ns + 10**9)
    publisher.publish()
    second = path.stat()
    assert (first.st_ino, True) == (second.st_ino, second.st_mtime > 1)
    assert read_state(str(tmp_path))["clock"] != json.loads(path.read_text())["clock"]
    facts[0] = a_node(a_dataset(hold=Hold("held", "empty")))
    publisher.publish()
    assert "held" == json.loads(path.read_text())["datasets"][0]["state"]
    path.unlink()
    publisher.publish()
    assert path.exists()
