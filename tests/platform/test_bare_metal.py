"""docs/bare-metal.md, as it is typed: a partitioned disk comes back on a larger one, and grows to its size."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.cli.context import Context
from agent.cli.main import main
from fakes.agents import REPOSITORY
from fakes.kept_device import KeptDeviceNode
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import run

_TOOLS = ("sfdisk", "sgdisk", "partx", "resize2fs", "e2fsck")
pytestmark = [
    needs_loops,
    pytest.mark.skipif(
        not all(map(shutil.which, _TOOLS)), reason=f"takes {', '.join(_TOOLS)} (fdisk, gdisk, e2fsprogs)"
    ),
]
_MIB = 1 << 20
_SIZE, _LARGER = 48 * _MIB, 96 * _MIB
_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


@contextmanager
def at_directory(device: str, where: Path) -> Iterator[Path]:
    """A filesystem on a device at a directory."""
    where.mkdir(exist_ok=True)
    run("mount", device, str(where))
    try:
        yield where
    finally:
        run("umount", str(where))


def a_disk(directory: Path) -> bytes:
    """GPT, a boot loader's partition with its code, and a root filesystem, cut off while it was mounted."""
    disk, root = sparse(directory / "source.disk", _SIZE), sparse(directory / "source.root", _SIZE - 4 * _MIB)
    table = "label: gpt\nstart=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649\nstart=4096\n"
    subprocess.run(["sfdisk", "--quiet", str(disk)], input=table, text=True, check=True)
    run("mkfs.ext4", "-q", "-F", str(root))
    with attached(root) as device, at_directory(device, directory / "root") as at:
        (at / "etc").mkdir()
        (at / "etc" / "hostname").write_text("alpha\n")
        os.sync()
        found = root.read_bytes()
    whole = bytearray(disk.read_bytes())
    whole[:440] = b"\xfa" * 440
    whole[_MIB : _MIB + 4] = b"grub"
    whole[2 * _MIB : 2 * _MIB + len(found)] = found
    return bytes(whole)


def typed(words: str, disk: str, part: Path, directory: Path) -> None:
    """A block of the page, in a shell that ends at the first command that fails."""
    hikae = directory / "bin" / "hikae"
    hikae.parent.mkdir(exist_ok=True)
    # The page's --from is what the pair's test has; here the history is this node's.
    hikae.write_text(
        f'#!/bin/sh\ncd {REPOSITORY}\nexec {sys.executable} -m agent.cli.main --config {directory}/agent.toml "$@" --yes\n'
    )
    hikae.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{hikae.parent}:{os.environ['PATH']}",
        "DISK": disk,
        "PART": str(part),
        "N": "2",
    }
    done = subprocess.run(["sh", "-e", "-c", words], env=environment, capture_output=True, text=True, check=False)
    assert (words, 0) == (words, done.returncode), done.stdout + done.stderr


def test_the_page_as_it_is_typed(tmpfs_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Boot code and files are there, the table is whole, and the last partition and its filesystem have the larger disk."""
    blocks = _BLOCK.findall((Path(REPOSITORY) / "docs" / "bare-metal.md").read_text())
    settings, restore, larger, grow = (block.replace(" disk ", " vm ").replace("--from beta ", "") for block in blocks)
    node = KeptDeviceNode.make(tmpfs_dir)
    with node.kept:
        node.generation("before", image := a_disk(tmpfs_dir))
        with attached(sparse(tmpfs_dir / "disk", _LARGER)) as disk:
            part = tmpfs_dir / "part"
            assert {"DISK", "N", "PART"} == set(re.findall(r"^(\w+)=", settings, re.MULTILINE))
            typed(restore, disk, part, tmpfs_dir)
            typed(larger, disk, part, tmpfs_dir)
            try:
                # No udev makes the node here.
                number = Path(f"/sys/class/block/{Path(disk).name}p2/dev").read_text().strip()
                os.mknod(part, 0o600 | 0o060000, os.makedev(*map(int, number.split(":"))))
                typed(grow, disk, part, tmpfs_dir)
                with at_directory(str(part), tmpfs_dir / "at") as at:
                    assert "alpha\n" == (at / "etc" / "hostname").read_text()
                    assert os.statvfs(at).f_blocks * os.statvfs(at).f_frsize > _SIZE
                    # What runs from the disk is never written over, whatever is agreed to.
                    words = ["--config", f"{tmpfs_dir}/agent.toml", "restore", "vm", "--generation", "latest", "--yes"]
                    assert 3 == main([*words, "--to", disk], Context())
                    assert f"p2 is mounted at {at}" in capsys.readouterr().err
            finally:
                run("partx", "--delete", disk)
        assert image[:440] == (tmpfs_dir / "disk").read_bytes()[:440]
        assert b"grub" == (tmpfs_dir / "disk").read_bytes()[_MIB : _MIB + 4]
