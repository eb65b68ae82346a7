"""Trees that are huge in one way each, made and removed without recursion, and what two agents held while they copied them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fakes.agents import Agent, Pair
from fakes.memory import Resident, forget_peak, resident

#: One level of a deep tree.
LEVEL = b"d"
_ASIDE = b"aside"


def empty_files(top: Path, count: int, per_directory: int | None = None) -> None:
    """So many empty files in a fresh directory: all in it, or so many in each of its directories."""
    top.mkdir()
    place = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for number in range(count):
            if per_directory is not None and number % per_directory == 0:
                os.close(place)
                below = top / f"d{number // per_directory:05}"
                below.mkdir()
                place = os.open(below, os.O_RDONLY | os.O_DIRECTORY)
            os.close(os.open(f"file-{number:07}", os.O_CREAT | os.O_EXCL | os.O_WRONLY, dir_fd=place))
    finally:
        os.close(place)


def sparse_file(path: Path, size: int, islands: int = 5) -> None:
    """A file of holes with a few bytes here and there, the last of them at its end."""
    with path.open("wb") as file:
        file.truncate(size)
        for number in range(islands):
            file.seek(size // islands * number)
            file.write(b"island %d" % number)
        file.seek(size - 3)
        file.write(b"end")


def deep_tree(top: Path, levels: int) -> None:
    """Directories in directories, so many, with a file in the innermost."""
    top.mkdir()
    at = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(levels):
        os.mkdir(LEVEL, dir_fd=at)
        at = _into(at)
    os.close(os.open(b"innermost", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)


def bushy_chain(top: Path, levels: int) -> None:
    """Directories in directories, so many, each with a file and an empty directory beside the next one."""
    at = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(levels):
        os.mkdir(LEVEL, dir_fd=at)
        at = _into(at)
        os.mkdir(b"empty", dir_fd=at)
        os.close(os.open(b"file", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)


def depth_of(top: Path) -> tuple[int, list[str]]:
    """How many levels a tree of :func:`deep_tree` has, and what stands in the innermost."""
    at, levels = os.open(top, os.O_RDONLY | os.O_DIRECTORY), 0
    with suppress(FileNotFoundError):
        while True:
            os.stat(LEVEL, dir_fd=at)
            at = _into(at)
            levels += 1
    names = os.listdir(at)
    os.close(at)
    return levels, names


def remove_deep(top: Path) -> None:
    """Remove a tree of :func:`deep_tree`, or what there is of it: each level is moved up before the one above it goes."""
    if not top.exists():
        return
    at = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    with suppress(FileNotFoundError):
        while True:
            os.rename(LEVEL + b"/" + LEVEL, _ASIDE, src_dir_fd=at, dst_dir_fd=at)
            os.rmdir(LEVEL, dir_fd=at)
            os.rename(_ASIDE, LEVEL, src_dir_fd=at, dst_dir_fd=at)
    with suppress(FileNotFoundError):
        os.unlink(LEVEL + b"/innermost", dir_fd=at)
    with suppress(FileNotFoundError):
        os.rmdir(LEVEL, dir_fd=at)
    os.close(at)


def _into(at: int) -> int:
    try:
        return os.open(LEVEL, os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
    finally:
        os.close(at)


def shape(path: Path) -> tuple[int, list[tuple[int, bytes]]]:
    """A sparse file's size, and where its data is, in bytes; zeroes at the ends of a piece of data are left out."""
    found: list[tuple[int, bytes]] = []
    fd = os.open(path, os.O_RDONLY)
    try:
        size, at = os.fstat(fd).st_size, 0
        while at < size:
            try:
                begin = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(fd, begin, os.SEEK_HOLE)
            data = os.pread(fd, min(at - begin, 1 << 20), begin)
            found.append((begin + len(data) - len(data.lstrip(b"\0")), data.strip(b"\0")))
    finally:
        os.close(fd)
    return size, found


@contextmanager
def measured(pair: Pair) -> Iterator[dict[str, Resident]]:
    """What both agents of a pair held while the body ran; filled in at its end. Agents that were started anew count from then."""
    seen: dict[str, Resident] = {}
    for agent in pair.agents:
        _forget(agent)
    yield seen
    for agent in pair.agents:
        assert agent.process is not None
        seen[agent.name] = resident(agent.process.pid)


def _forget(agent: Agent) -> None:
    assert agent.process is not None
    forget_peak(agent.process.pid)
