"""What the generation of a rejoined node lacks, since somebody changed files before its vault had them: kept, for whoever asks.

One file of the dataset's state, durable before anything is told by it; of each of the last rejoins how many objects, and the
first of them with their paths. Bounded, whatever is changed (law 9).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.ids import CommitNumber, ObjectId
from agent.fs.durable import write_durably

FILE = "divergence-lacks.json"
#: So many paths are named, of so many bytes each at most; so many objects are known one by one, and counted once; of so many
#: rejoins.
PATHS, LONGEST, KNOWN, REJOINS = 100, 4_096, 1_000, 8


@dataclass(frozen=True, slots=True)
class Lacking:
    """``count`` objects are not whole; ``ids``: the first of them, ``paths``: the first of those whose name is known."""

    count: int = 0
    ids: tuple[ObjectId, ...] = ()
    paths: tuple[bytes, ...] = ()

    def with_more(self, found: Iterable[tuple[ObjectId, bytes | None]]) -> Lacking:
        """With further objects, and where their paths are known."""
        count, ids, paths = self.count, dict.fromkeys(self.ids), dict.fromkeys(self.paths)
        for id, path in found:
            if id in ids:
                continue
            count += 1
            if len(ids) < KNOWN:
                ids[id] = None
            if path and len(paths) < PATHS:
                paths[path[:LONGEST]] = None
        return Lacking(count, tuple(ids), tuple(paths))


def read_lacking(home: Path) -> dict[CommitNumber, Lacking]:
    """By the commit whose generation lacks it, the oldest rejoin first. What is not there, or torn, says nothing."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        found = json.loads((home / FILE).read_text())
        return {CommitNumber(int(commit)): _one(kept) for commit, kept in found.items()}
    return {}


def write_lacking(home: Path, known: Mapping[CommitNumber, Lacking]) -> None:
    """Keep the newest of them durably. Raises ``OSError``."""
    kept = {str(commit): _written(one) for commit, one in [*known.items()][-REJOINS:]}
    write_durably(str(home / FILE), json.dumps(kept).encode() + b"\n")


def _one(kept: Mapping[str, Any]) -> Lacking:  # Any: JSON is a foreign edge
    ids = tuple(ObjectId(int(id)) for id in kept["ids"][:KNOWN])
    return Lacking(int(kept["count"]), ids, tuple(bytes.fromhex(path) for path in kept["paths"][:PATHS]))


def _written(one: Lacking) -> dict[str, object]:
    return {"count": one.count, "ids": list(one.ids), "paths": [path.hex() for path in one.paths]}
