"""``hikae doctor`` beside real agents: on both nodes, without one, and with the authority's key left on the primary."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from fakes.agents import Agent, pair
from fakes.eventually import eventually

NOTHING_TO_DO = '[dataset.hooks]\nstart = "none"\nstop = "none"\n'


def findings(agent: Agent) -> dict[str, list[dict[str, Any]]]:
    """What it finds by name; its exit code says whether somebody is asked for."""
    done = agent.run("doctor", "--json")
    value = json.loads(done.stdout)
    severities = {one["severity"] for one in value["findings"]}
    ok = not severities & {"error", "warning"}
    assert (0 if ok else 1, "", ok, agent.name) == (done.returncode, done.stderr, value["ok"], value["node"])
    found: dict[str, list[dict[str, Any]]] = {}
    for one in value["findings"]:
        found.setdefault(one["name"], []).append(one)
    return found


def asked_for(found: dict[str, list[dict[str, Any]]]) -> set[str]:
    """Names of what has to be done. State in memory is how tests run."""
    bad = {name for name, rows in found.items() if {row["severity"] for row in rows} & {"error", "warning"}}
    return bad - {"state"}


def tells_of_nothing(agent: Agent) -> None:
    """Wait until what it publishes has no problem: a first call to a peer that did not listen yet is told for a moment."""
    eventually(lambda: not {"error", "warning"} & {one["severity"] for one in agent.problems().values()})


def test_a_good_pair_and_the_authoritys_key_on_its_primary(tmp_path: Path) -> None:
    """Nothing to do on either node; then the key, wherever it lies; then a peer whose agent was stopped."""
    with pair(NOTHING_TO_DO, directory=str(tmp_path)) as both:
        both.begin()
        for one in both.agents:
            tells_of_nothing(one)
            done = one.run("doctor")
            assert (set(), "") == (asked_for(findings(one)), done.stderr)
            assert [] == [line for line in done.stdout.splitlines() if len(line) > 80]
        shutil.copyfile(both.keys / "ca.key", both.alpha.pki / "ca.key")
        [key] = findings(both.alpha)["ca-key"]
        assert ("warning", True) == (key["severity"], str(both.alpha.pki / "ca.key") in key["message"])
        both.beta.kill()
        found = findings(both.alpha)
        [peer] = found["peer"]
        assert ("error", True) == (peer["severity"], "nothing listens" in peer["message"])


def test_without_an_agent_and_with_one_that_hangs() -> None:
    """It asks no agent: it says that none runs, and answers as fast beside one that stands still."""
    with pair(NOTHING_TO_DO) as both:
        assert {"agent", "peer"} == asked_for(findings(both.alpha))
        both.begin()
        tells_of_nothing(both.alpha)
        both.beta.stand_still()
        try:
            assert "agent" not in asked_for(findings(both.alpha))
        finally:
            both.beta.go_on()
