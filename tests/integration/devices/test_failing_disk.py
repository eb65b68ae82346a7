"""A primary's disk that begins to fail, dies, or is pulled out, with two real agents."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fakes.device_agents import DevicePair, device_pair
from fakes.eventually import eventually
from fakes.failing_file import FailingDisk, failing_disk
from fakes.fuse import needs_fuse
from fakes.loop_device import needs_loops, sparse

pytestmark = [needs_loops, needs_fuse]
MIB, CHUNK = 1 << 20, 1 << 16


@contextmanager
def _on_failing_disk(base: Path, size: int = 16 * MIB) -> Iterator[tuple[FailingDisk, DevicePair]]:
    """Two agents that keep a disk full of random bytes, equal on both sides."""
    image = sparse(base / "below", size)
    image.write_bytes(random.Random(15).randbytes(size))
    with failing_disk(base, image) as disk, device_pair(image=Path(disk.device)) as both:
        both.start()
        for agent in both.agents:
            agent.up()
        both.equal()
        yield disk, both


def _problem(both: DevicePair, code: str) -> dict[str, Any]:
    return eventually(lambda: both.alpha.problems("disk").get(code), 60.0)


def test_a_bad_place_is_named_and_owed_until_it_can_be_read(tmpfs_dir: Path) -> None:
    """Its bytes are named on both nodes, the rest goes on, a promotion asks for --force; once it answers all is whole again."""
    with _on_failing_disk(tmpfs_dir) as (disk, both):
        disk.fails((3 * MIB, 3 * MIB + CHUNK))
        both.alpha.json("reconcile", "disk")
        with both.source.open("r+b", buffering=0) as file:
            file.seek(9 * MIB)
            file.write(b"written meanwhile")
            os.fsync(file.fileno())
        assert "3,145,728" in _problem(both, "unreadable")["message"]
        both.alpha.wait(name="disk", within=90.0)
        with both.target.open("rb") as file:
            file.seek(9 * MIB)
            assert b"written meanwhile" == file.read(17)
        gates = {one["name"]: one["ok"] for one in both.beta.dataset("disk")["promotion"]["gates"]}
        found = (
            both.alpha.look("disk")["state"],
            both.alpha.dataset("disk")["owed"],
            both.beta.dataset("disk")["owed"],
        )
        assert ("degraded", 1, 1, False) == (*found, gates["owed"])
        disk.fails()
        both.alpha.json("reconcile", "disk")
        both.equal()
        eventually(lambda: both.beta.dataset("disk")["owed"] == 0 and "unreadable" not in both.alpha.problems("disk"))


def test_a_disk_that_dies_is_gone_and_leaves_the_standby_whole(tmpfs_dir: Path) -> None:
    """Every read fails, while its node still stands: nothing is owed, and the standby can be promoted with nothing lacking. It
    goes on by itself once the disk answers."""
    with _on_failing_disk(tmpfs_dir) as (disk, both):
        before = both.target.read_bytes()
        disk.fails((0, 1 << 40))
        with both.source.open("r+b", buffering=0) as file:
            file.seek(9 * MIB)
            file.write(b"written meanwhile")
            os.fsync(file.fileno())
        eventually(lambda: (both.alpha.look("disk").get("hold") or {}).get("code") == "device-gone", 60.0)
        gates = {one["name"]: one["ok"] for one in both.beta.dataset("disk")["promotion"]["gates"]}
        assert (True, True, 0) == (gates["consistent"], gates["owed"], both.beta.dataset("disk")["owed"])
        assert before == both.target.read_bytes()
        disk.fails()
        both.equal()
