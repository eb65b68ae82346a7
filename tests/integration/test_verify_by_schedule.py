"""A standby is verified by its schedule, and both nodes know the result."""

from __future__ import annotations

import json
import signal
import time

from fakes.agents import Pair, pair
from fakes.eventually import eventually

_MONTH = 30 * 86_400 * 10**9


def _verified(both: Pair) -> list[object]:
    """What each node says of the last verify: whether it was equal."""
    here, there = both.beta.look().get("last_verify"), both.alpha.look().get("peers") or [{"last_verify": None}]
    return [one and one["equal"] for one in (here, there[0]["last_verify"])]


def test_a_missed_verify_is_made_up_and_told_on_both_nodes() -> None:
    """The agent was down when it was due: status, events and the check of both nodes have its result soon after the start."""
    with pair() as both:
        (both.source / "a").write_text("a")
        both.begin()
        both.beta.kill(signal.SIGTERM)
        kept = both.home(both.beta) / "verified.json"
        value = json.loads(kept.read_text())
        assert (True, None) == (value["began"] > 0, value["last"])
        kept.write_text(json.dumps({**value, "began": time.time_ns() - _MONTH}))
        both.beta.start()
        eventually(lambda: [True, True] == _verified(both), 60)
        for agent in both.agents:
            told = [one["message"] for one in agent.json("events", "web") if one["code"] == "verified"]
            assert 1 == len(told), told
            assert told[0].endswith("is equal to its commit (by names and metadata)")
