"""Which generation keeps what stood before a restore in place: noted in the target for as long as the restore is under way.

A restore that was cut off and goes on finds a tree that it has half written over itself: what stood there is what was kept
first."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass

_NOTE, _NEW = b"stood", b"stood.new"
#: Bytes of a note that are read.
_LONGEST = 64 << 10


@dataclass(frozen=True, slots=True)
class StoodBefore:
    """``generation``: what keeps it, "" where none does, on ``node``; ``not_kept``: why none does, or what of it is not in that
    one, for people, "" where all is; ``remedy``: what to do about that, "" for nothing."""

    generation: str = ""
    node: str = ""
    not_kept: str = ""
    remedy: str = ""

    @property
    def sentence(self) -> str:
        """What is told of it at the end."""
        if not self.generation:
            return f"no generation keeps what stood there: {self.not_kept}"
        but = f", but for {self.not_kept}" if self.not_kept else ""
        return f"what stood there is generation {self.generation}{but}"


def read_note(ours: int) -> StoodBefore | None:
    """What is noted in the directory that is ours, None where nothing is that can be read."""
    try:
        fd = os.open(_NOTE, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=ours)
    except FileNotFoundError:
        return None
    try:
        found = json.loads(os.pread(fd, _LONGEST, 0))
        return StoodBefore(*(str(found[name]) for name in ("generation", "node", "not_kept", "remedy")))
    except (ValueError, KeyError, TypeError):
        return None
    finally:
        os.close(fd)


def write_note(ours: int, stood: StoodBefore) -> None:
    """Note it durably, in place of what was noted. Raises ``OSError``."""
    with suppress(FileNotFoundError):
        os.unlink(_NEW, dir_fd=ours)
    fd = os.open(_NEW, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=ours)
    try:
        os.write(fd, json.dumps(asdict(stood)).encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(_NEW, _NOTE, src_dir_fd=ours, dst_dir_fd=ours)
    os.fsync(ours)
