"""A primary's disk that goes, comes back, is exchanged, or grows, with two real agents."""

from __future__ import annotations

import os
import random
from pathlib import Path

from fakes.device_agents import DevicePair, device_pair
from fakes.eventually import eventually
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import run

pytestmark = needs_loops
MIB = 1 << 20


def _write(device: Path, at: int, data: bytes) -> None:
    with device.open("r+b", buffering=0) as file:
        file.seek(at)
        file.write(data)


def _up(both: DevicePair) -> None:
    both.start()
    for agent in both.agents:
        agent.up()
    both.equal()


def _hold(both: DevicePair) -> str | None:
    hold = both.alpha.look("disk").get("hold")
    return hold["code"] if hold is not None else None


def _link(path: Path, to: str) -> None:
    new = path.with_name("new")
    new.symlink_to(to)
    new.rename(path)


def test_a_disk_that_goes_and_another_that_takes_its_name(tmpfs_dir: Path) -> None:
    """As names of disks go after a start: the other one is not captured, also not by a new life of the agent; the right one goes
    on by itself."""
    rng, link = random.Random(6), tmpfs_dir / "disk"
    with attached(sparse(tmpfs_dir / "one", 8 * MIB)) as one, attached(sparse(tmpfs_dir / "two", 8 * MIB)) as two:
        _write(Path(one), 0, rng.randbytes(3 * MIB))
        _write(Path(two), 0, rng.randbytes(5 * MIB))
        link.symlink_to(one)
        with device_pair(image=link) as both:
            _up(both)
            link.unlink()
            eventually(lambda: _hold(both) == "device-gone")
            _link(link, two)
            eventually(lambda: _hold(both) == "device-shrunk")
            both.alpha.restart()
            both.alpha.up()
            eventually(lambda: _hold(both) == "device-shrunk")
            assert both.target.read_bytes() == Path(one).read_bytes()
            _write(Path(one), 6 * MIB, b"meanwhile")
            _link(link, one)
            eventually(lambda: _hold(both) is None)
            both.equal()


def test_a_disk_that_grows_waits_for_a_standby_that_is_as_large(tmpfs_dir: Path) -> None:
    """The standby's disk is told to be too small, with both sizes; enlarged, it goes on by itself."""
    with device_pair(8 * MIB, block_standby=True) as both:
        _write(both.source, 0, os.urandom(MIB))
        _up(both)
        os.truncate(both.base / "source.img", 12 * MIB)
        run("losetup", "--set-capacity", str(both.source))
        _write(both.source, 10 * MIB, b"beyond")

        def told() -> bool:
            hold = both.beta.look("disk").get("hold") or {}
            sizes = (f"{8 * MIB:,}", f"{12 * MIB:,}")
            return hold.get("code") == "standby-too-small" and all(size in hold["sentence"] for size in sizes)

        eventually(told, 60.0)
        os.truncate(both.base / "below.img", 12 * MIB)
        run("losetup", "--set-capacity", str(both.target))
        both.equal()
