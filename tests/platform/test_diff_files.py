"""``generations diff --files``: the files that differ between two moments of a device."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.cli.context import Context
from agent.cli.main import main
from fakes.fuse import needs_fuse
from fakes.kept_device import KeptDeviceNode
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import run

pytestmark = [needs_loops, needs_fuse]
Captured = pytest.CaptureFixture[str]
_MIB = 1 << 20


@pytest.fixture
def node(tmpfs_dir: Path) -> Iterator[KeptDeviceNode]:
    """Nothing is kept yet."""
    made = KeptDeviceNode.make(tmpfs_dir)
    with made.kept:
        yield made


def build(node: KeptDeviceNode, maker: tuple[str, ...], size: int, before: bytes = b"") -> None:
    """Two generations of a filesystem, cut off while it was mounted, the second after changes; ``before`` stands in front of
    it."""
    base = node.config.parent
    image, where = sparse(base / "source.img", size), base / "source"
    where.mkdir()
    run(*maker, str(image))
    with attached(image) as device:
        run("mount", device, str(where))
        try:
            (where / "etc").mkdir()
            for name in ("stays", "changes", "goes"):
                (where / "etc" / name).write_text(name)
            run("sync", "-f", str(where))
            node.generation("first", before + image.read_bytes())
            (where / "etc" / "changes").write_text("changed")
            (where / "etc" / "goes").unlink()
            (where / "new").mkdir()
            (where / "new" / "file").write_text("new")
            run("sync", "-f", str(where))
            node.generation("second", before + image.read_bytes())
        finally:
            run("umount", str(where))


def diff(node: KeptDeviceNode, captured: Captured, *words: str, code: int = 0) -> dict[str, Any]:
    """What it answers; nothing of what it mounted is left."""
    found = main(["--config", str(node.config), "generations", "diff", "vm", *words, "--files", "--json"], Context())
    out, err = captured.readouterr()
    assert code == found, err
    assert str(node.config.parent) not in Path("/proc/self/mountinfo").read_text()
    answer: dict[str, Any] = json.loads(out)
    return answer


_WANTED = [("changed", "etc/changes", 7), ("deleted", "etc/goes", 0), ("added", "new", 0), ("added", "new/file", 3)]


@pytest.mark.parametrize(
    ("maker", "size"),
    [
        (("mkfs.ext4", "-q", "-F"), 32 * _MIB),
        (("mkfs.xfs", "-q", "-f"), 320 * _MIB),
        (("mkfs.btrfs", "-q", "-f"), 128 * _MIB),
    ],
    ids=["ext4", "xfs", "btrfs"],
)
def test_the_files_of_a_filesystem(node: KeptDeviceNode, capsys: Captured, maker: tuple[str, ...], size: int) -> None:
    """By path; what was not touched is not told, and both moments are as they were."""
    if shutil.which(maker[0]) is None:
        pytest.skip(f"takes {maker[0]}")
    if maker[0] == "mkfs.btrfs" and not os.path.exists("/sys/fs/btrfs/features/temp_fsid"):
        pytest.skip("takes a kernel that tells two btrfs of one identity apart")
    build(node, maker, size)
    found = diff(node, capsys, "first", "second")
    told = [(one["what"], one["path"], one["bytes"]) for one in found["entries"]]
    assert _WANTED == told
    assert [("the whole device", maker[0][5:])] == [(one["filesystem"], one["kind"]) for one in found["filesystems"]]
    assert (2, 1, 1) == (found["added"], found["changed"], found["deleted"])
    assert [] == diff(node, capsys, "second", "second")["entries"]


@pytest.mark.skipif(shutil.which("sfdisk") is None, reason="takes sfdisk (fdisk)")
def test_the_files_of_a_disk_with_partitions(node: KeptDeviceNode, capsys: Captured) -> None:
    """Each by its number; a partition that holds no filesystem is said."""
    disk = sparse(node.config.parent / "table", 40 * _MIB)
    table = "label: dos\nstart=2048, size=2048\nstart=4096, size=65536\n"
    subprocess.run(["sfdisk", "--quiet", str(disk)], input=table, text=True, check=True)
    build(node, ("mkfs.ext4", "-q", "-F"), 32 * _MIB, disk.read_bytes()[: 2 * _MIB])
    found = diff(node, capsys, "first", "second")
    assert [("partition 1", ""), ("partition 2", "ext4")] == [
        (one["filesystem"], one["kind"]) for one in found["filesystems"]
    ]
    assert [one[:2] for one in _WANTED] == [(one["what"], one["path"]) for one in found["entries"]]


def test_what_has_no_filesystem_is_said(node: KeptDeviceNode, capsys: Captured) -> None:
    """With the exit code of what failed."""
    for label in ("first", "second"):
        node.generation(label, label.encode() * 100_000)
    (said,) = diff(node, capsys, "first", "second", code=1)["filesystems"]
    assert ("the whole device", True) == (said["filesystem"], "no filesystem that can be mounted" in said["why"])


def test_for_people(node: KeptDeviceNode, capsys: Captured) -> None:
    """As a tree's diff is told."""
    build(node, ("mkfs.ext4", "-q", "-F"), 32 * _MIB)
    words = ["--config", str(node.config), "generations", "diff", "vm", "first", "second", "--files"]
    assert 0 == main(words, Context())
    out = capsys.readouterr().out.splitlines()
    assert ["~ etc/changes  7 bytes", "- etc/goes  4 bytes", "+ new/", "+ new/file  3 bytes"] == out[:4]
    assert "vm: 2 added, 1 changed, 1 deleted" == out[4]
