"""A standby's tree that was copied beforehand, with a few differences, and what may travel for it."""

from __future__ import annotations

import os
import random
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from fakes.agents import Pair

ADOPT = "adopt = true\n"
#: What may travel beside the differing bytes: a share of the entries, and once.
ENTRY_BYTES, ONCE_BYTES = 80, 2 << 20


@dataclass(frozen=True, slots=True)
class Filled:
    """``entries`` in the source; ``differing`` files whose ``bytes`` the standby lacks."""

    entries: int
    differing: int
    bytes: int

    @property
    def allowed(self) -> int:
        """Bytes that may travel."""
        return 3 * self.bytes + ENTRY_BYTES * self.entries + ONCE_BYTES


def fill(both: Pair, files: int, differing: int, seed: int = 1) -> Filled:
    """Files of 0.5 to 20 KB in the source, copied to the standby as rsync would; then ``differing`` change in the source."""
    chance = random.Random(seed)
    entries = 0
    paths: list[Path] = []
    for number in range(files):
        path = both.source / f"d{number // 1000}" / f"s{number // 100 % 10}" / f"file-{number}"
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
        path.write_bytes(chance.randbytes(chance.randrange(512, 20_000)))
        paths.append(path)
    copy(both)
    size = 0
    for path in chance.sample(paths, differing):
        data = chance.randbytes(chance.randrange(512, 20_000))
        path.write_bytes(data)
        size += len(data)
    for _, directories, names in os.walk(both.source):
        entries += len(directories) + len(names)
    return Filled(entries, differing, size)


def copy(both: Pair) -> None:
    """The source as it is now, to the standby, with owners, times and links."""
    both.target.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", f"{both.source}/.", str(both.target)], check=True)


def vault_bytes(both: Pair) -> int:
    """What lies in the packs of beta."""
    return sum(pack.stat().st_size for pack in (both.home(both.beta) / "vault" / "packs").glob("*.pack"))


def identities(root: Path) -> dict[str, tuple[int, int]]:
    """Inode and change time of the content of every file, by path: what was not rewritten keeps its inode."""
    found = {}
    for path in root.rglob("*"):
        st = path.lstat()
        if stat.S_ISREG(st.st_mode) and ".hikae" not in path.parts:
            found[str(path.relative_to(root))] = (st.st_ino, st.st_size)
    return found


def seeded(both: Pair) -> bool:
    """Whether everything is in the packs."""
    return not (both.home(both.beta) / "vault" / "standby.db").exists()


def forget_index(both: Pair) -> None:
    """Delete the vault's index, as an operator would who was told that it is damaged."""
    for path in (both.home(both.beta) / "vault").glob("index.db*"):
        path.unlink()


__all__ = ["ADOPT", "Filled", "copy", "fill", "forget_index", "identities", "seeded", "vault_bytes"]
