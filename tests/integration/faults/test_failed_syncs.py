"""A disk that fails one sync of whatever an agent makes durable: it goes on by itself, nothing acknowledged is missing."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fakes.agents import Agent, Pair, pair
from fakes.eventually import eventually
from fakes.failing_sync import FailingSyncs, needs_compiler

pytestmark = needs_compiler


@contextmanager
def failing(which: int) -> Iterator[tuple[Pair, Agent, FailingSyncs]]:
    """A pair that was not started, one agent of which is on such a disk."""
    with pair() as both:
        syncs = FailingSyncs(both.base)
        agent = both.agents[which]
        agent.environment = syncs.environment
        (both.source / "first").write_text("1")
        yield both, agent, syncs


def acknowledged(both: Pair) -> tuple[int, int]:
    """The newest commit that the primary was told to be durable."""
    peer = both.alpha.look()["peers"][0]
    return peer["durable_epoch"], peer["durable_seq"]


def held(both: Pair) -> tuple[int, int] | None:
    """The newest commit on the secondary, while its dataset is open."""
    commit = both.beta.look().get("commit")
    return (commit["epoch"], commit["seq"]) if commit else None


def happened(agent: Agent, *words: str) -> bool:
    """Whether an event has all these words."""
    return any(all(word in json.dumps(event) for word in words) for event in agent.json("events"))


def write_until(both: Pair, syncs: FailingSyncs) -> None:
    """Write and wait until it is durable, again and again, until a sync has failed."""
    deadline = time.monotonic() + 60
    for number in itertools.count():
        (both.source / f"f{number % 50}").write_bytes(os.urandom(20_000))
        both.alpha.wait("durable")
        if syncs.failed:
            return
        assert time.monotonic() < deadline


@pytest.mark.parametrize("skip", [0, 3])
@pytest.mark.parametrize(
    ("which", "path", "said"),
    [
        (1, "vault/packs/0", "not-running"),
        (1, "web/catalog.db-wal", "not-running"),
        (1, "web/local.db-wal", "not-running"),
        (0, "web/catalog.db-wal", "not-running"),
    ],
)
def test_a_sync_of_the_state_fails(which: int, path: str, said: str, skip: int) -> None:
    """The stores are opened anew; what was not durable comes again; both ends are equal to the last byte."""
    with failing(which) as (both, agent, syncs):
        both.begin()
        told = acknowledged(both)
        syncs.order(path, skip, ruin="packs" in path)
        write_until(both, syncs)
        both.mirror()
        assert told <= eventually(lambda: held(both))
        # The sync has failed before its agent knows what that means.
        eventually(lambda: happened(agent, said))
        agent.cleared("not-running", "capture-failed", "apply-stopped", "damaged", "vault-damaged")
        assert both.beta.json("verify", "web", "--deep")["equal"]
        both.kill()
        both.start()
        both.mirror()
        assert both.beta.json("verify", "web", "--deep")["equal"]


def test_the_sync_of_a_checkpoint_fails() -> None:
    """The standby's filesystem has lost something, nobody knows what: said, and everything since the last checkpoint is looked
    at again."""
    with failing(1) as (both, agent, syncs):
        both.begin()
        eventually(lambda: agent.look()["state"] == "streaming")
        syncs.order(f"{both.target}")
        write_until(both, syncs)
        eventually(lambda: happened(agent, "apply-stopped"))
        agent.cleared("apply-stopped", "not-running")
        both.mirror()
        assert both.beta.json("verify", "web", "--deep")["equal"]


@pytest.mark.parametrize("path", ["role.json.new", "alpha/datasets/web", "catalog.db"])
def test_a_sync_fails_while_the_primary_begins(path: str) -> None:
    """No epoch is begun that was not recorded; it is begun at the next try."""
    with failing(0) as (both, agent, syncs):
        both.home(agent).mkdir(parents=True)
        syncs.order(path)
        both.start()
        syncs.wait()
        both.mirror()
        agent.cleared("not-running")
        role = json.loads((both.home(agent) / "role.json").read_text())
        assert [role["number"]] * 2 == [one.look()["epoch"] for one in both.agents]
