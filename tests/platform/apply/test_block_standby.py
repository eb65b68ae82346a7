"""A standby of a device on a block device: checked, held by us alone, made equal, and let go of."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.results import Held, silent
from agent.core.chunks import DEVICE_CHUNK
from agent.core.problem_codes import STANDBY_IN_USE
from fakes.device_standby import DeviceStandby, device_standby, scattered
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import run

pytestmark = needs_loops
SIZE = 32 << 20


@pytest.fixture
def below(tmpfs_dir: Path) -> Path:
    """The file below the loop device."""
    return sparse(tmpfs_dir / "below", SIZE)


@pytest.fixture
def it(tmpfs_dir: Path, below: Path) -> Iterator[DeviceStandby]:
    """A device of which nothing came yet, to stand on a loop device."""
    with attached(below) as device, device_standby(tmpfs_dir / "it") as made:
        made.path = Path(device)
        yield made


def _held(it: DeviceStandby, *, adopt: bool = False) -> tuple[str, str]:
    with pytest.raises(Held) as raised:
        it.applier(adopt=adopt).prepare()
    return str(raised.value.code), raised.value.reason


def _content(it: DeviceStandby) -> bytes:
    """What the device holds; beside it the file below may be older."""
    return it.path.read_bytes()


@pytest.mark.parametrize("seed", range(4))
def test_every_commit_stands_bit_for_bit(it: DeviceStandby, seed: int) -> None:
    """Random writes, discards and lengths; what is behind the end of the source is not looked at."""
    rng = random.Random(seed)
    image, applier = rng.randbytes(300_000), it.applier()
    applier.converge(it.put(image), silent)
    for _ in range(8):
        image = scattered(rng, image)
        if rng.random() < 0.3:
            applier.close()
            applier = it.applier()
        applier.converge(it.put(image), silent)
        assert _content(it)[: len(image)] == image
        assert applier.verify(deep=True).equal


def test_it_is_held_alone_until_it_is_let_go_of(it: DeviceStandby) -> None:
    """Nobody can mount or claim it meanwhile; afterwards it is free."""
    applier = it.applier()
    applier.converge(it.put(b"a" * 70_000), silent)
    applier.rest()
    with pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
        os.close(os.open(it.path, os.O_RDONLY | os.O_EXCL))
    applier.close()
    os.close(os.open(it.path, os.O_RDONLY | os.O_EXCL))


def test_a_mounted_device_is_not_written(it: DeviceStandby, tmp_path: Path) -> None:
    """It is said where it is mounted, whatever may be written over."""
    run("mkfs.ext4", "-q", "-F", str(it.path))
    run("mount", str(it.path), str(tmp_path))
    try:
        code, reason = _held(it, adopt=True)
    finally:
        run("umount", str(tmp_path))
    assert (code, str(tmp_path) in reason) == ("standby-in-use", True)


def test_a_device_below_another_is_not_written(it: DeviceStandby) -> None:
    """A loop device stands on it."""
    with attached(it.path) as other:
        code, reason = _held(it)
    assert (code, other in reason) == ("standby-in-use", True)


def test_a_filesystem_of_somebody_else_is_not_touched(it: DeviceStandby, below: Path) -> None:
    """Nobody said that it may be written over."""
    run("mkfs.ext4", "-q", "-F", str(it.path))
    before = below.read_bytes()
    assert (_held(it)[0], below.read_bytes() == before) == ("standby-foreign", True)


def test_what_is_not_seen_at_the_ends_is_compared(it: DeviceStandby, below: Path) -> None:
    """Old data in the middle of a device that seems empty does not survive in a hole of the source."""
    with below.open("r+b") as file:
        file.seek(SIZE // 2)
        file.write(b"old" * 1000)
    image = b"new" * 1000 + bytes(SIZE - 3000)
    applier = it.applier()
    applier.converge(it.put(image), silent)
    applier.checkpoint()
    assert below.read_bytes() == image


def test_a_smaller_device_is_refused(it: DeviceStandby) -> None:
    """It is said by how much, and nothing is written."""
    it.put(bytes(SIZE + DEVICE_CHUNK))
    code, reason = _held(it)
    assert (code, f"{SIZE:,}" in reason) == ("standby-too-small", True)


def test_a_device_that_grows_shows_nothing_old(it: DeviceStandby) -> None:
    """The source grows by zeros over what lay behind its end on the standby, by the difference and in a redo."""
    applier = it.applier()
    applier.converge(it.put(b"a" * 100_000), silent)
    applier.checkpoint()
    for grown, clean in ((10 * DEVICE_CHUNK, True), (30 * DEVICE_CHUNK, False)):
        with it.path.open("r+b") as file:
            file.seek(grown - DEVICE_CHUNK)
            file.write(b"old" * 10_000)
        image = b"a" * 100_000 + bytes(grown - 100_000)
        if not clean:
            it.dies()
            applier = it.applier()
        applier.converge(it.put(image), silent)
        assert _content(it)[:grown] == image


def test_a_device_that_is_gone_is_told(it: DeviceStandby) -> None:
    """Its node is away: held, and no file is made in its place."""
    applier = it.applier()
    applier.converge(it.put(b"a" * 70_000), silent)
    it.dies()
    it.path = Path(f"{it.path}-unplugged")
    assert (_held(it)[0], it.path.exists()) == ("standby-gone", False)


def test_an_image_that_a_loop_device_stands_on_waits_and_is_compared_whole(it: DeviceStandby) -> None:
    """Somebody attaches the image while it is kept: nothing is written until that ends, and nothing is believed then."""
    it.path = it.base / "vm.img"
    image = random.Random(3).randbytes(200 * DEVICE_CHUNK)
    applier = it.applier()
    applier.converge(newest := it.put(image), silent)
    with attached(it.path) as device:
        with Path(device).open("r+b", buffering=0) as file:
            file.seek(99 * DEVICE_CHUNK)
            file.write(b"stranger")
        it.clock.advance(2)
        with pytest.raises(Held) as raised:
            applier.converge(newest, silent)
        assert (str(raised.value.code), device in raised.value.reason) == ("standby-in-use", True)
    applier.converge(newest, silent)
    assert it.path.read_bytes() == image


@pytest.mark.parametrize(
    ("flags", "how"),
    [(os.O_RDONLY | os.O_DIRECT, "as an agent does that captures it"), (os.O_RDWR, "has it open for writing")],
)
def test_what_another_process_captures_or_writes_is_no_standby(it: DeviceStandby, flags: int, how: str) -> None:
    """Nothing claims it, and it is held all the same, by whatever name it was opened, until that use has ended."""
    it.put(b"a" * 70_000)
    words = "import os, sys; os.open(sys.argv[1], int(sys.argv[2])); print(flush=True); sys.stdin.read()"
    other = f"/dev/block/{os.major(os.stat(it.path).st_rdev)}:{os.minor(os.stat(it.path).st_rdev)}"
    name = other if os.path.exists(other) else str(it.path)
    command = [sys.executable, "-S", "-c", words, name, str(flags)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"\n"
        code, reason = _held(it)
        assert program.stdin is not None
        program.stdin.close()
    assert (STANDBY_IN_USE, True, True) == (code, how in reason, f"(process {program.pid})" in reason)
    it.applier().prepare()
