"""A device is promoted at a random moment while its filesystem is written: bit for bit a commit, and clean for its own check."""

from __future__ import annotations

import hashlib
import random
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.device_agents import DevicePair, device_pair
from fakes.eventually import eventually
from fakes.loop_device import needs_loops
from fakes.loop_image import mounted, run

pytestmark = needs_loops

#: How a filesystem is made, how long its device is (xfs takes no less), and what checks it, which must change nothing.
KINDS = {
    "ext4": (("mkfs.ext4", "-q", "-F"), 64 << 20, ("fsck.ext4", "-f", "-n")),
    "xfs": (("mkfs.xfs", "-q", "-f"), 320 << 20, ("xfs_repair", "-n", "-f")),
    "btrfs": (("mkfs.btrfs", "-q", "-f"), 128 << 20, ("btrfs", "check", "--readonly")),
}


@contextmanager
def _writing(where: Path, rng: random.Random) -> Iterator[None]:
    """Files whose names say what they hold are written, replaced and removed, and some synced."""
    ending = threading.Event()

    def write() -> None:
        while not ending.is_set():
            data = rng.randbytes(rng.choice((100, 5_000, 150_000)))
            new = where / "new"
            new.write_bytes(data)
            new.rename(where / hashlib.sha256(data).hexdigest())
            names = [path for path in sorted(where.iterdir()) if path.is_file()]
            if len(names) > 60:
                rng.choice(names).unlink(missing_ok=True)
            ending.wait(0.005)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()


def _damaged(where: Path) -> list[str]:
    """Names whose files hold something else; one that was never synced may be empty or short, as after any power cut."""
    found = []
    for path in where.iterdir():
        data = path.read_bytes() if path.is_file() and len(path.name) == 64 else b""
        if data.strip(b"\0") and hashlib.sha256(data).hexdigest() != path.name:
            found.append(path.name)
    return found


def _promoted(both: DevicePair) -> None:
    """alpha is gone; beta is promoted, and its image is the commit that was kept."""
    done = both.beta.json("promote", "disk", "--yes", "--force", "--reason", "test")
    image = both.target.read_bytes()
    restored = both.base / "restored"
    moment = done["generation_before"]
    assert both.beta.run("restore", "disk", "--generation", moment, "--to", str(restored)).returncode == 0
    assert restored.read_bytes() == image


@pytest.mark.parametrize("round", range(2))
@pytest.mark.parametrize("kind", KINDS)
def test_promoted_at_a_random_moment(kind: str, round: int) -> None:
    """Equal to the commit first; then a copy replays its log, shows whole files, and is clean."""
    seed = 20261129 + round
    print(f"seed {seed}")
    rng = random.Random(seed)
    make, size, check = KINDS[kind]
    if not shutil.which(make[0]) or not shutil.which(check[0]):
        pytest.skip(f"{make[0]} or {check[0]} is not here")
    with device_pair(size) as both:
        run(*make, str(both.source))
        where = both.mount(both.source)
        both.start()
        for agent in both.agents:
            agent.up()
        both.alpha.wait(name="disk", within=90.0)
        with _writing(where, random.Random(seed)):
            seen = both.beta.look("disk")["commit"]["seq"]
            eventually(lambda: both.beta.look("disk")["commit"]["seq"] > seen + 1, 120.0)
            time.sleep(rng.random())  # the moment is any
            both.alpha.kill()
        both.unmount(where)
        _promoted(both)
        copy = both.base / "copy"
        shutil.copyfile(both.target, copy)
        # xfs mounts no two of one name, and a namespace made meanwhile may have kept the first.
        how = ("-o", "nouuid") if kind == "xfs" else ()
        with mounted(copy, both.base / "copied", *how) as there:
            assert [] == _damaged(there)
        run(*check, str(copy))
