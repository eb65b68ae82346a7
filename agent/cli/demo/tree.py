"""A tree worth showing, and what people do to one."""

from __future__ import annotations

import contextlib
import os
import random
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_DIRECTORIES = 60
_FILES_EACH = 49
_LARGE = (8 << 20, 12 << 20)
_SPARSE = 64 << 20
#: 2021-03-04 05:06:07.089 UTC and later: a tree has a past.
_PAST_NS = 1_614_834_367_089_000_000


@dataclass(frozen=True, slots=True)
class Measure:
    """How much there is: names without the root, and bytes of regular files, each inode once."""

    entries: int
    bytes: int


def measure(root: str) -> Measure:
    """Count a tree as it is now; what vanishes or cannot be read meanwhile is passed over."""
    seen: set[tuple[int, int]] = set()
    entries = size = 0
    for directory, names, files in os.walk(os.fsencode(root)):
        for name in [*names, *files]:
            with contextlib.suppress(OSError):
                info = os.lstat(os.path.join(directory, name))
                entries += 1
                if stat.S_ISREG(info.st_mode) and (info.st_dev, info.st_ino) not in seen:
                    seen.add((info.st_dev, info.st_ino))
                    size += info.st_size
    return Measure(entries, size)


def build_tree(root: Path, chance: random.Random) -> None:
    """About 3,000 files in 60 directories, and one of everything that copies get wrong."""
    root.mkdir()
    for number in range(_DIRECTORIES):
        directory = root / f"shop-{number % 6}" / f"orders-{number:02d}"
        directory.mkdir(parents=True)
        for place in range(_FILES_EACH):
            _old(directory / f"order-{place:04d}.txt", chance.randbytes(chance.randint(0, 12_000)), chance)
    for number, size in enumerate(_LARGE):
        _old(root / f"catalogue-{number}.bin", chance.randbytes(size), chance)
    _oddities(root / "odd", chance)


def _old(path: Path, content: bytes, chance: random.Random) -> None:
    path.write_bytes(content)
    moment = _PAST_NS + chance.randrange(10**17)
    os.utime(path, ns=(moment, moment))


def _oddities(root: Path, chance: random.Random) -> None:
    root.mkdir()
    (root / "empty").touch()
    (root / "empty directory").mkdir(mode=0o750)
    (root / ("long " * 51)).write_text("a name of 255 bytes")
    for name in (b"no UTF-8 \xff\xfe", b"two\nlines", b" leading and trailing ", b"-rf", "控え".encode()):
        Path(os.fsdecode(os.path.join(os.fsencode(root), name))).write_bytes(name)
    (root / "original").write_text("one file, three names")
    os.link(root / "original", root / "second name")
    os.link(root / "original", root / "empty directory" / "third name")
    (root / "link").symlink_to("original")
    (root / "dangling").symlink_to("/nowhere/at all")
    (root / "loop").symlink_to("loop")
    os.mkfifo(root / "pipe", 0o620)
    (root / "script").write_text("#!/bin/sh\n")
    (root / "script").chmod(0o4755)
    _sparse(root / "sparse", chance)
    with contextlib.suppress(OSError):  # not every filesystem has them
        os.setxattr(root / "original", "user.hikae.demo", b"kept \x00 too")
        os.setxattr(root, "user.on-a-directory", b"")


def _sparse(path: Path, chance: random.Random) -> None:
    with path.open("wb") as file:
        for offset in (0, _SPARSE // 3, _SPARSE // 2):
            file.seek(offset)
            file.write(chance.randbytes(5000))
        file.truncate(_SPARSE)


def live_edits(root: Path, chance: random.Random, count: int) -> Iterator[None]:
    """``count`` small edits of different kinds, one each time the next is asked for."""
    files = sorted(path for path in root.glob("shop-*/orders-*/*.txt"))
    for number in range(count):
        path = chance.choice(files)
        _EDITS[number % len(_EDITS)](path, chance, number)
        yield


def _overwrite(path: Path, chance: random.Random, _number: int) -> None:
    path.write_bytes(chance.randbytes(3000))


def _append(path: Path, _chance: random.Random, number: int) -> None:
    with path.open("ab") as file:
        file.write(b"edit %d\n" % number)


def _replace(path: Path, chance: random.Random, number: int) -> None:
    fresh = path.with_name(f".{path.name}.{number}.tmp")
    fresh.write_bytes(chance.randbytes(2000))
    fresh.replace(path)


def _create(path: Path, chance: random.Random, number: int) -> None:
    path.with_name(f"new-{number}.txt").write_bytes(chance.randbytes(1000))


def _change_mode(path: Path, chance: random.Random, _number: int) -> None:
    path.chmod(chance.choice((0o600, 0o640, 0o644, 0o660)))


_EDITS = (_overwrite, _append, _replace, _create, _change_mode)


def burst(directory: Path, chance: random.Random, count: int) -> Iterator[int]:
    """``count`` new files as fast as they can be written; yields the number after each."""
    directory.mkdir()
    for number in range(count):
        (directory / f"burst-{number:05d}").write_bytes(chance.randbytes(chance.randint(100, 4000)))
        yield number + 1
