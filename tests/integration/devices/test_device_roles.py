"""Changes of role of a device with real agents: promoted and mounted, rejoined, switched over and back, rolled back."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from fakes.agents import Agent
from fakes.device_agents import DevicePair, device_pair
from fakes.eventually import eventually
from fakes.loop_device import needs_loops
from fakes.loop_image import run, unmount

pytestmark = needs_loops


def _begun(both: DevicePair) -> Path:
    """ext4 on alpha's device, mounted, with a file; equal on beta."""
    run("mkfs.ext4", "-q", "-F", str(both.source))
    where = both.mount(both.source)
    (where / "first").write_bytes(b"first" * 1000)
    both.start()
    for agent in both.agents:
        agent.up()
    both.alpha.wait(name="disk", within=90.0)
    return where


def _role(agent: Agent, role: str) -> None:
    eventually(lambda: role == agent.look("disk").get("role"), 60.0)


def _written(image: Path, where: Path, name: str, data: bytes) -> None:
    """Mount a standalone image or device, write a file, unmount."""
    where.mkdir(exist_ok=True)
    run("mount", "-o", "loop", str(image), str(where))
    try:
        (where / name).write_bytes(data)
    finally:
        run("umount", str(where))


def test_a_promoted_image_mounts_clean_and_the_old_primary_rejoins_by_the_difference() -> None:
    """alpha dies; beta's image is promoted, checked, mounted and written; alpha comes back and gets only what differs."""
    with device_pair() as both:
        where = _begun(both)
        (where / "last").write_bytes(random.Random(3).randbytes(500_000))
        both.alpha.wait(name="disk", within=90.0)
        both.alpha.kill()
        (where / "never sent").write_bytes(b"lost" * 1000)
        unmount(where)
        done = both.beta.json("promote", "disk", "--yes", "--force", "--reason", "test")
        assert (done["role"], done["epoch"]) == ("primary", 2)
        _written(both.target, both.base / "promoted", "beta", b"beta" * 5000)
        run("fsck.ext4", "-fn", str(both.target))
        both.alpha.start()
        both.alpha.up()
        _role(both.alpha, "fenced")
        rejoined: dict[str, Any] = both.alpha.json("rejoin", "disk", "--yes", timeout=200)
        assert rejoined["role"] == "standby"
        assert rejoined["generation_before"]
        both.equal(both.beta)
        assert both.alpha.json("verify", "disk")["equal"]


def test_switchover_and_back() -> None:
    """What was written at each side stands at the other after each turn."""
    with device_pair(block_standby=True) as both:
        where = _begun(both)
        unmount(where)
        both.alpha.wait(name="disk", within=90.0)
        for one, other in ((both.alpha, both.beta), (both.beta, both.alpha)):
            done = one.json("switchover", "disk", "--yes", timeout=200)
            assert done["role"] == "standby"
            _role(other, "primary")
            device = both.target if other is both.beta else both.source
            at = both.mount(device)
            (at / f"by {other.name}").write_bytes(other.name.encode() * 3000)
            unmount(at)
            both.equal(other)
        assert both.beta.json("verify", "disk")["equal"]


def test_a_standby_that_is_rolled_back_stays_there_until_it_is_resumed() -> None:
    """A kept moment of the device stands on the standby, and then the newest again."""
    with device_pair() as both:
        where = _begun(both)
        unmount(where)
        both.equal()
        before = both.target.read_bytes()
        taken = both.beta.json("generations", "take", "disk", "--label", "before")
        _written(both.source, both.base / "later", "later", b"later" * 10_000)
        both.equal()
        assert both.target.read_bytes() != before
        both.beta.json("rollback", "disk", "--generation", taken["generation"], "--yes", timeout=200)
        eventually(lambda: both.target.read_bytes() == before, 60.0)
        assert both.beta.run("resume", "disk").returncode == 0
        both.equal()


def test_a_primary_that_is_rolled_back_stands_at_the_moment_on_both_sides() -> None:
    """The mounted device is refused; unmounted it goes back, and its standby with it."""
    with device_pair() as both:
        where = _begun(both)
        unmount(where)
        both.equal()
        before = both.source.read_bytes()
        taken = both.beta.json("generations", "take", "disk", "--label", "before")
        where = both.mount(both.source)
        (where / "later").write_bytes(b"later" * 10_000)
        run("sync", "-f", str(where))
        refused = both.alpha.run("rollback", "disk", "--generation", taken["generation"], "--yes", "--json")
        assert (refused.returncode, str(where) in refused.stdout + refused.stderr) == (3, True)
        unmount(where)
        both.equal()
        done = both.alpha.json("rollback", "disk", "--generation", taken["generation"], "--yes", timeout=200)
        assert done["role"] == "primary"
        assert both.source.read_bytes() == before
        both.equal()
