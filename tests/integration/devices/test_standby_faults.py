"""What goes wrong with a device's standby while two real agents run: killed, in use, foreign, too small, full, written to."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fakes.device_agents import DevicePair, device_pair
from fakes.eventually import eventually
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import run
from fakes.mounts import enlarge, memory

pytestmark = needs_loops
MIB = 1 << 20


def _held(both: DevicePair, code: str) -> str:
    """Beta holds by this code; what it says."""

    def look() -> str | None:
        hold = both.beta.look("disk").get("hold")
        return hold["sentence"] if hold and hold["code"] == code else None

    return eventually(look, 60.0) or ""


def _scribble(device: Path, rng: random.Random, writes: int = 20) -> None:
    """Write through the device itself, as a database on a raw disk does."""
    with device.open("r+b", buffering=0) as file:
        size = file.seek(0, 2)
        for _ in range(writes):
            file.seek(rng.randrange(size - MIB))
            file.write(rng.randbytes(rng.choice((512, 4096, 100_000))))


def test_a_secondary_that_is_killed_again_and_again_equals_the_primary() -> None:
    """kill -9 in the middle of applies; each time it goes on, and at the end nothing is missing."""
    rng = random.Random(7)
    with device_pair() as both:
        _scribble(both.source, rng)
        both.start()
        for _ in range(5):
            both.beta.up()
            _scribble(both.source, rng)
            eventually(lambda: both.beta.look("disk").get("commit") is not None, 60.0)
            both.beta.kill()
            both.beta.start()
        both.beta.up()
        both.equal()
        assert both.beta.json("verify", "disk")["equal"]


def test_a_standby_that_is_mounted_waits_for_the_umount(tmp_path: Path) -> None:
    """It says where it is mounted, writes nothing meanwhile, and goes on by itself."""
    with device_pair(block_standby=True) as both:
        run("mkfs.ext4", "-q", "-F", str(both.target))
        run("mount", str(both.target), str(tmp_path))
        try:
            both.start()
            both.beta.up()
            assert str(tmp_path) in _held(both, "standby-in-use")
        finally:
            run("umount", str(tmp_path))
        # What is free now is still somebody else's.
        assert "not this dataset's" in _held(both, "standby-foreign")


def test_a_foreign_image_is_written_over_by_an_operators_word_alone() -> None:
    """Held and untouched until `hikae resync --standby`."""
    rng = random.Random(8)
    with device_pair() as both:
        foreign = rng.randbytes(5 * MIB)
        both.target.write_bytes(foreign)
        _scribble(both.source, rng)
        both.start()
        both.alpha.up()
        both.beta.up()
        _held(both, "standby-foreign")
        assert "gone" not in both.beta.run("status").stdout
        assert both.target.read_bytes() == foreign
        assert both.beta.run("resync", "disk", "--standby", "--yes").returncode == 0
        both.equal()


def test_a_smaller_device_is_told_with_both_sizes(tmp_path: Path) -> None:
    """Nothing is written to a device that is too small."""
    with device_pair(block_standby=True) as both, attached(sparse(tmp_path / "small", 16 * MIB)) as small:
        for agent in both.agents:
            agent.config.write_text(agent.config.read_text().replace(str(both.target), small))
        both.start()
        both.alpha.up()
        both.beta.up()
        said = _held(both, "standby-too-small")
        assert f"{16 * MIB:,} bytes" in said
        assert f"{48 * MIB:,}" in said


def test_a_full_disk_is_told_and_ends_by_itself(tmp_path: Path) -> None:
    """The image does not fit on its filesystem until that is enlarged."""
    rng = random.Random(9)
    with memory(tmp_path, "4m"), device_pair() as both:
        _scribble(both.source, rng, 200)
        target = tmp_path / "image"
        for agent in both.agents:
            agent.config.write_text(agent.config.read_text().replace(str(both.target), str(target)))
        both.target = target
        both.start()
        both.alpha.up()
        both.beta.up()
        eventually(lambda: "standby-disk-full" in both.beta.problems("disk"), 60.0)
        enlarge(tmp_path, "64m")
        both.equal()


@pytest.mark.parametrize("block", [False, True])
def test_a_foreign_write_is_found_by_verify_and_mended(block: bool) -> None:
    """A stranger's bytes in the standby are named by where they are, and --repair takes them away."""
    rng = random.Random(10)
    with device_pair(block_standby=block) as both:
        _scribble(both.source, rng)
        both.start()
        for agent in both.agents:
            agent.up()
        both.equal()
        with both.target.open("r+b", buffering=0) as file:
            file.seek(3 * MIB + 17)
            file.write(b"stranger")
        found = both.beta.run("verify", "disk", "--json")
        assert (found.returncode, "bytes 3145728-3211263" in found.stdout) == (1, True)
        said = both.beta.run("verify", "disk").stdout
        assert ("read; --deep" in said, "names and metadata" in said) == (True, False)
        assert both.beta.json("verify", "disk", "--repair")["repaired"] == 1
        assert both.is_equal()
