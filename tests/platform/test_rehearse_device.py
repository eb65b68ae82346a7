"""A probe on a standby that is a device: it sees a disk that it may write to, and the standby stays as it is."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from agent.fs.block_device import BlockPlaces, standing_on
from agent.node.rehearsing.on_stage import PLACE, Probe, Stage
from fakes.agents import REPOSITORY
from fakes.eventually import eventually
from fakes.fuse import needs_fuse
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import run

pytestmark = [needs_loops, needs_fuse]
_SIZE = 32 << 20
_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}


@pytest.fixture
def standby(tmpfs_dir: Path) -> Path:
    """An ext4 filesystem that was cut off while it was mounted: its journal is to be played."""
    image, where = sparse(tmpfs_dir / "standby.img", _SIZE), tmpfs_dir / "at"
    run("mkfs.ext4", "-q", "-F", str(image))
    where.mkdir()
    with attached(image) as device:
        run("mount", device, str(where))
        (where / "file").write_text("as it was")
        run("sync", "-f", str(where))  # of this filesystem alone: another test may rely on what is not on its disk yet
        found = image.read_bytes()
        run("umount", str(where))
    image.write_bytes(found)
    return image


def probe(path: Path, script: str, timeout: float = 60.0) -> Probe:
    """A shell's words."""
    environment = {**_ENVIRONMENT, "HIKAE_PATH": str(path)}
    return Probe("vm", str(path), True, ("sh", "-c", script), environment, timeout)


def backing_of(loop: str) -> str:
    """The file that a loop device stands on; "" where it stands on none, or by now on none."""
    with suppress(OSError):
        return Path(f"/sys/block/{loop}/loop/backing_file").read_text()
    return ""


def stage(directory: Path) -> Stage:
    """Of a dataset's state, without a service manager."""
    home = directory / "state"
    home.mkdir(exist_ok=True)
    return Stage(home, (str(home),), lambda: ())


def tried(directory: Path, given: Probe) -> tuple[int | None, str]:
    """Its exit code and its words; nothing of the view is left afterwards."""
    made = stage(directory)
    try:
        found = made.run(given, lambda: False)
    finally:
        made.clear()
    assert [] == os.listdir(directory / "state")
    assert str(directory) not in Path("/proc/self/mountinfo").read_text()
    return found.exit, found.said


def test_the_probe_reads_and_writes_its_files(standby: Path, tmpfs_dir: Path) -> None:
    """The journal was played and the filesystem is mounted; what it writes is there for it, and not on the standby."""
    before = hashlib.sha256(standby.read_bytes()).digest()
    script = 'cat "$HIKAE_MOUNT/file" && echo new > "$HIKAE_MOUNT/file" && cat "$HIKAE_MOUNT/file"'
    assert (0, "as it wasnew") == tried(tmpfs_dir, probe(standby, script))
    assert before == hashlib.sha256(standby.read_bytes()).digest()


def test_the_device_stands_at_the_standbys_path(standby: Path, tmpfs_dir: Path) -> None:
    """As a block device of the same length, with the same bytes where no filesystem is known; the probe may write to it."""
    standby.write_bytes(b"no filesystem" + bytes(_SIZE - 13))
    script = 'test -b "$HIKAE_PATH" && test -z "$HIKAE_MOUNT" && head -c 13 "$HIKAE_PATH" && printf x > "$HIKAE_PATH"'
    assert (0, "no filesystem") == tried(tmpfs_dir, probe(standby, script))
    assert b"no filesystem" == standby.read_bytes()[:13]


def test_a_block_device_is_shown_too(standby: Path, tmpfs_dir: Path) -> None:
    """At its path in /dev."""
    with attached(standby) as device:
        assert (0, "as it was") == tried(tmpfs_dir, probe(Path(device), 'cat "$HIKAE_MOUNT/file"'))


@pytest.mark.skipif(shutil.which("sfdisk") is None, reason="takes sfdisk (fdisk)")
def test_the_files_of_partitions(standby: Path, tmpfs_dir: Path) -> None:
    """Each below its number, whether the kernel looks for partitions or not."""
    disk = sparse(tmpfs_dir / "disk.img", 40 << 20)
    table = "label: dos\nstart=2048, size=2048\nstart=4096, size=65536\n"
    subprocess.run(["sfdisk", "--quiet", str(disk)], input=table, text=True, check=True)
    with disk.open("r+b") as file:
        file.seek(4096 * 512)
        file.write(standby.read_bytes())
    assert (0, "as it was") == tried(tmpfs_dir, probe(disk, 'cat "$HIKAE_MOUNT/2/file" && test -b "$HIKAE_PATH"'))


def test_a_probe_that_is_killed_leaves_nothing(standby: Path, tmpfs_dir: Path) -> None:
    """At its deadline, with files open on the view."""
    script = 'exec 3> "$HIKAE_MOUNT/open"; while :; do echo x >&3; sleep 0.1; done'
    assert tried(tmpfs_dir, probe(standby, script, timeout=3.0))[0] is None


def test_what_a_killed_agent_leaves_is_cleared_away(standby: Path, tmpfs_dir: Path) -> None:
    """The view goes with it, and no loop device stays; the next start finds one directory."""
    (tmpfs_dir / "state").mkdir()
    words = f"""
from pathlib import Path
import time
from agent.node.rehearsing.device_view import shown_device
place = Path({str(tmpfs_dir / "state" / PLACE)!r})
place.mkdir()
with shown_device({str(standby)!r}, place, lambda: False) as node:
    print(node.node, flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", words], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as agent:
        assert agent.stdout is not None
        node = agent.stdout.readline().strip()
        agent.kill()
    stage(tmpfs_dir).clear()
    assert [] == os.listdir(tmpfs_dir / "state")
    eventually(lambda: str(tmpfs_dir) not in backing_of(Path(node).name))
    assert standing_on(str(standby), BlockPlaces()) == ""
