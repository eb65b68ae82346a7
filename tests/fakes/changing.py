"""Small changes of every kind at a steady rate, and what they cost two agents: processor, memory, wire, disk, each state file."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from fakes.agents import Agent, Pair
from fakes.loop_image import run

PAGE, MIB = 4096, 1 << 20
_TICKS = os.sysconf("SC_CLK_TCK")
_SECTOR = 512
#: Zeros behind the last record of a pack are fewer.
_ROOM = 1 << 20
#: Files that one kind makes and takes away stand for so many changes.
_STANDING = 60
_WORDS = (
    b"GET ",
    b"POST ",
    b"/index.html ",
    b"/api/v1/items ",
    b"200 ",
    b"404 ",
    b"10.0.0.17 ",
    b"Mozilla/5.0 ",
    b"took ",
)


class Changes:
    """Who changes files. ``kinds`` maps each kind of change to what does it once; it gives the bytes that it changed."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root, self.chance = root, random.Random(seed)
        self._made: list[Path] = []
        self._number = 0
        self.kinds: Mapping[str, Callable[[], int]] = {
            "append-small": lambda: self._append("small.log"),
            "append-middle": lambda: self._append("middle.log"),
            "append-large": lambda: self._append("large.log"),
            "page": self._page,
            "sqlite": self._insert,
            "new": self._new,
            "delete": self._delete,
        }

    def prepare(self) -> None:
        """The files that stand there before anything changes."""
        sizes = {"small.log": 200 << 10, "middle.log": 3 * MIB, "large.log": 24 * MIB, "pages.db": 24 * MIB}
        for name, size in sizes.items():
            with (self.root / name).open("wb") as file:
                for _ in range(0, size, MIB):
                    file.write(self.chance.randbytes(min(size, MIB)))
        for number in range(200):
            (self.root / f"still{number}").write_bytes(self.chance.randbytes(2000))
        with closing(sqlite3.connect(self.root / "rows.db")) as database:
            database.execute("create table row (id integer primary key, at real, text blob)")
            database.executemany("insert into row values (?, 0, ?)", [(n, self._text(200)) for n in range(1000)])
            database.commit()

    def _text(self, size: int) -> bytes:
        """Every other time such as compresses well."""
        self._number += 1
        if self._number % 2:
            return self.chance.randbytes(size)
        return b"".join(self.chance.choices(_WORDS, k=size // 4))[: size - 1] + b"\n"

    def _append(self, name: str) -> int:
        line = self._text(self.chance.randrange(80, 250))
        with (self.root / name).open("ab") as file:
            file.write(line)
        return len(line)

    def _page(self) -> int:
        with (self.root / "pages.db").open("r+b") as file:
            file.seek(PAGE * self.chance.randrange(24 * MIB // PAGE))
            file.write(self._text(PAGE))
        return PAGE

    def _insert(self) -> int:
        path = self.root / "rows.db"
        before = path.read_bytes()
        with closing(sqlite3.connect(path)) as database:
            database.execute("pragma journal_mode = memory")
            database.execute("insert into row (at, text) values (?, ?)", (time.time(), self._text(200)))
            database.commit()
        after = path.read_bytes()
        return PAGE * sum(before[at : at + PAGE] != after[at : at + PAGE] for at in range(0, len(after), PAGE))

    def _new(self) -> int:
        self._number += 1
        path = self.root / f"new{self._number}"
        path.write_bytes(self._text(self.chance.randrange(500, 5000)))
        self._made.append(path)
        return path.stat().st_size

    def _delete(self) -> int:
        if len(self._made) > _STANDING:
            self._made.pop(0).unlink()
        else:
            self._new()
        return 0

    def steadily(self, kinds: Sequence[str], rate: float, seconds: float) -> tuple[int, int]:
        """Change so often a second for so long; how many changes that were, and bytes."""
        begun, never, count, changed = time.monotonic(), threading.Event(), 0, 0
        while (at := time.monotonic() - begun) < seconds:
            if count / rate > at:
                never.wait(count / rate - at)
            changed += self.kinds[self.chance.choice(kinds)]()
            count += 1
        return count, changed


@dataclass(frozen=True, slots=True)
class Cost:
    """Running sums and sizes at one moment: processor seconds and bytes."""

    at: float
    processor: Mapping[str, float]
    memory: Mapping[str, int]
    wire: int
    disk: int
    files: Mapping[str, int]

    @property
    def vault(self) -> int:
        """Bytes of history on the secondary."""
        return sum(size for name, size in self.files.items() if name.endswith(".pack"))


class Meter:
    """Reads what a pair costs. ``disk``: where the secondary's filesystem is mounted, a loop device; None: not told."""

    def __init__(self, both: Pair, carried: Callable[[], int], disk: Path | None) -> None:
        self._both, self._carried, self._disk = both, carried, disk

    def read(self) -> Cost:
        """Now; what the secondary's filesystem holds back is written first."""
        agents = self._both.agents
        return Cost(
            time.monotonic(),
            {agent.name: _processor(agent) for agent in agents},
            {agent.name: agent.memory() for agent in agents},
            self._carried(),
            written_on(self._disk) if self._disk is not None else 0,
            {f"{agent.name}/{name}": size for agent in agents for name, size in _files(self._both.home(agent))},
        )


def written_on(root: Path) -> int:
    """Bytes that were ever written on the device of the filesystem at ``root``; what that holds back is written first."""
    run("sync", "-f", str(root))
    device = Path(run("findmnt", "-no", "SOURCE", str(root)).strip()).name
    return int(Path(f"/sys/block/{device}/stat").read_text().split()[6]) * _SECTOR


def _processor(agent: Agent) -> float:
    assert agent.process is not None
    fields = Path(f"/proc/{agent.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _files(home: Path) -> list[tuple[str, int]]:
    """Each state file and its size; packs are one, up to their last record. SQLite's logs are bounded and go up and down, so they
    are left out."""
    sizes: dict[str, int] = {}
    for path in home.rglob("*"):
        if path.is_file() and not path.name.endswith(("-wal", "-shm")):
            name = ".pack" if path.suffix == ".pack" else path.name
            sizes[name] = sizes.get(name, 0) + (written_to(path) if name == ".pack" else path.stat().st_size)
    return sorted(sizes.items())


def written_to(pack: Path) -> int:
    """Where the zeros begin that may stand behind the last record of a pack."""
    with pack.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - _ROOM))
        return start + len(file.read().rstrip(b"\0"))
