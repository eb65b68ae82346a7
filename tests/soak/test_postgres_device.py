"""PostgreSQL on a replicated device: server and primary are killed under load, and the promoted disk has what was confirmed."""

from __future__ import annotations

import os
import random
import subprocess
import threading
from contextlib import suppress

import pytest

from agent.api.client import AdminClient
from agent.core.errors import HikaeError
from agent.operations.waiting import WaitRequest
from fakes.device_agents import DevicePair, device_pair
from fakes.eventually import eventually
from fakes.loop_device import attached, needs_loops
from fakes.loop_image import run, unmount
from fakes.postgres_server import Clerk, PostgresServer, needs_postgres

pytestmark = [needs_loops, needs_postgres, pytest.mark.timeout(600)]
ROUNDS = max(1, int(os.environ.get("HIKAE_SOAK_SEEDS", "1")))
_SIZE = 224 << 20


@pytest.mark.parametrize("number", range(ROUNDS))
def test_what_was_confirmed_is_on_the_promoted_disk(number: int, seed: int) -> None:
    """Killed at a random moment: it recovers there, every page and index is whole, and each commit that returned before the last
    durable barrier began is there."""
    chance = random.Random(f"{seed} {number}")
    with device_pair(_SIZE) as both:
        both.base.chmod(0o711)
        run("mkfs.ext4", "-q", "-F", str(both.source))
        covered = _killed_under_load(both, chance)
        both.beta.json("promote", "disk", "--force", "--reason", "a test", "--approved-by", "a test", "--yes")
        with attached(both.target) as device:
            where = both.base / "at-promoted"
            where.mkdir()
            run("mount", device, str(where))
            found = _found(PostgresServer(where / "data", both.base / "promoted"))
            unmount(where)
    assert [] == [one for one in range(covered) if one not in found]
    print(f"round {number}: {covered:,} were covered, {len(found):,} are there")


def _killed_under_load(both: DevicePair, chance: random.Random) -> int:
    """How many numbers were confirmed before the last barrier that returned began."""
    server = PostgresServer(both.mount(both.source) / "data", both.base / "source-server")
    server.init()
    server.start()
    try:
        server.sql("create table audit (n bigint primary key)")
        subprocess.run(server.program("pgbench", "-i", "-q", "postgres"), check=True, capture_output=True, cwd="/")
        both.start()
        for agent in both.agents:
            agent.up()
        both.alpha.wait(name="disk", within=120.0)
        clerk, barriers = Clerk(server), _Barriers(both)
        with server.under_load():
            threads = [threading.Thread(target=clerk.run), threading.Thread(target=barriers.run, args=(clerk,))]
            for thread in threads:
                thread.start()
            try:
                eventually(lambda: barriers.covered > 20, within=120)
                threading.Event().wait(chance.uniform(0.0, 4.0))
            finally:
                server.kill()
                both.alpha.kill()
                for thread in threads:
                    thread.join()
        return barriers.covered
    finally:
        server.kill()


class _Barriers:
    def __init__(self, both: DevicePair) -> None:
        self._both = both
        self.covered = 0

    def run(self, clerk: Clerk) -> None:
        """One barrier after the other, until the primary is gone."""
        with suppress(HikaeError):
            while True:
                before = clerk.confirmed
                AdminClient(str(self._both.alpha.socket)).ask(WaitRequest("disk", "durable", 60.0))
                self.covered = before


def _found(server: PostgresServer) -> set[int]:
    """It recovers; every table and index is checked; the numbers that it has."""
    server.start()
    try:
        found = set(map(int, server.sql("select n from audit")))
        server.sql("create extension amcheck")
        checked = subprocess.run(
            server.program("pg_amcheck", "--heapallindexed", "postgres"),
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        assert (0, "") == (checked.returncode, checked.stdout), checked.stderr
        return found
    finally:
        server.kill()
