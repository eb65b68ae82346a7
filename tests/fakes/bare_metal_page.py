"""The commands of docs/bare-metal.md, typed as they stand there."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from fakes.agents import REPOSITORY

_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks_to_a_disk() -> list[str]:
    """Names, the restore, the larger disk, its filesystem: in the order of the page."""
    return _BLOCK.findall((REPOSITORY / "docs" / "bare-metal.md").read_text())


@dataclass(frozen=True, slots=True)
class TypedPage:
    """Where it is typed. ``disk``: what comes back goes there; ``number``: of its last partition, ``part``: the node of that;
    ``config``: what ``hikae`` reads there."""

    disk: str
    number: int
    part: Path
    config: Path

    def type(self, words: str) -> None:
        """A block, in a shell that ends at the first command that fails."""
        hikae = self.config.parent / "bin" / "hikae"
        hikae.parent.mkdir(exist_ok=True)
        command = f'{sys.executable} -m agent.cli.main --config {self.config} "$@" --yes'
        hikae.write_text(f"#!/bin/sh\ncd {REPOSITORY}\nexec {command}\n")
        hikae.chmod(0o755)
        environment = {
            **os.environ,
            "PATH": f"{hikae.parent}:{os.environ['PATH']}",
            "DISK": self.disk,
            "N": str(self.number),
            "PART": str(self.part),
        }
        done = subprocess.run(["sh", "-e", "-c", words], env=environment, capture_output=True, text=True, check=False)
        assert (words, 0) == (words, done.returncode), done.stdout + done.stderr

    def make_node(self) -> None:
        """The partition's node, which udev makes where there is one."""
        place = Path(f"/sys/class/block/{Path(self.disk).name}p{self.number}/dev")
        major, minor = map(int, place.read_text().split(":"))
        os.mknod(self.part, stat.S_IFBLK | 0o600, os.makedev(major, minor))
