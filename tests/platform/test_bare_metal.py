"""docs/bare-metal.md, as it is typed: a partitioned disk comes back on a larger one, and grows to its size."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agent.cli.context import Context
from agent.cli.main import main
from fakes.bare_metal_page import TypedPage, blocks_to_a_disk
from fakes.kept_device import KeptDeviceNode
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import at_directory, run

_TOOLS = ("sfdisk", "sgdisk", "partx", "resize2fs", "e2fsck")
pytestmark = [
    needs_loops,
    pytest.mark.skipif(
        not all(map(shutil.which, _TOOLS)), reason=f"takes {', '.join(_TOOLS)} (fdisk, gdisk, e2fsprogs)"
    ),
]
_MIB = 1 << 20
_SIZE, _LARGER = 48 * _MIB, 96 * _MIB


def a_disk(directory: Path) -> bytes:
    """GPT, a boot loader's partition with its code, and a root filesystem, cut off while it was mounted."""
    disk, root = sparse(directory / "source.disk", _SIZE), sparse(directory / "source.root", _SIZE - 4 * _MIB)
    table = "label: gpt\nstart=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649\nstart=4096\n"
    subprocess.run(["sfdisk", "--quiet", str(disk)], input=table, text=True, check=True)
    run("mkfs.ext4", "-q", "-F", str(root))
    with attached(root) as device, at_directory(device, directory / "root") as at:
        (at / "etc").mkdir()
        (at / "etc" / "hostname").write_text("alpha\n")
        run("sync", "-f", str(at))
        found = root.read_bytes()
    whole = bytearray(disk.read_bytes())
    whole[:440] = b"\xfa" * 440
    whole[_MIB : _MIB + 4] = b"grub"
    whole[2 * _MIB : 2 * _MIB + len(found)] = found
    return bytes(whole)


def test_the_page_as_it_is_typed(tmpfs_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Boot code and files are there, the table is whole, and the last partition and its filesystem have the larger disk."""
    # The page's --from is what the pair's test has; here the history is this node's.
    settings, restore, larger, grow = (
        block.replace(" disk ", " vm ").replace("--from beta ", "") for block in blocks_to_a_disk()
    )
    node = KeptDeviceNode.make(tmpfs_dir)
    with node.kept:
        node.generation("before", image := a_disk(tmpfs_dir))
        with attached(sparse(tmpfs_dir / "disk", _LARGER)) as disk:
            part, config = tmpfs_dir / "part", tmpfs_dir / "agent.toml"
            assert {"DISK", "N", "PART"} == set(re.findall(r"^(\w+)=", settings, re.MULTILINE))
            page = TypedPage(disk, 2, part, config)
            page.type(restore)
            page.type(larger)
            try:
                page.make_node()
                page.type(grow)
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
