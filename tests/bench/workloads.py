"""The trees that are copied, and the changes that are made to them. The same every time, but for incompressible bytes."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

PIECE = 4096
_A_DIRECTORY = 250
_BLOCK = 64 << 20


def small_files(root: Path, count: int) -> None:
    """Files of 0.5 to 20 KB, 250 a directory, incompressible."""
    generator = random.Random(7)
    root.mkdir()
    for number in range(count):
        top = root / f"d{number // _A_DIRECTORY:03}"
        if number % _A_DIRECTORY == 0:
            top.mkdir()
        (top / f"f{number}").write_bytes(generator.randbytes(generator.randrange(500, 20_000)))


def empty_files(root: Path, count: int) -> None:
    """Empty files, 1,000 a directory."""
    root.mkdir()
    for number in range(count):
        if number % 1000 == 0:
            top = root / f"d{number // 1000:04}"
            top.mkdir()
        os.close(os.open(root / f"d{number // 1000:04}" / f"f{number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


def large_file(root: Path, count: int) -> None:
    """One incompressible file of ``count`` bytes, ``large``."""
    root.mkdir()
    with (root / "large").open("wb", buffering=0) as file:
        for at in range(0, count, _BLOCK):
            file.write(os.urandom(min(_BLOCK, count - at)))


def change_scattered(path: Path, pieces: int, generator: random.Random) -> int:
    """Rewrite so many distinct aligned pieces of 4 KiB with incompressible bytes, in random order; the bytes changed."""
    places = generator.sample(range(path.stat().st_size // PIECE), pieces)
    content = [os.urandom(PIECE) for _ in range(min(pieces, 64))]
    fd = os.open(path, os.O_WRONLY)
    try:
        for number, place in enumerate(places):
            # Every piece differs, so that nobody can send one instead of many.
            os.pwrite(fd, number.to_bytes(8, "big") + content[number % len(content)][8:], place * PIECE)
    finally:
        os.close(fd)
    return pieces * PIECE


def change_files(root: Path, part: float, generator: random.Random) -> None:
    """Change so large a part of the files below: every second one is written anew, of the others 100 bytes somewhere."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    for number, path in enumerate(generator.sample(files, max(1, round(len(files) * part)))):
        content = bytearray(path.read_bytes())
        if number % 2:
            content[:] = generator.randbytes(len(content))
        else:
            at = generator.randrange(max(1, len(content) - 100))
            content[at : at + 100] = generator.randbytes(100)
        path.write_bytes(content)


def counted(root: Path) -> tuple[int, int]:
    """How many files lie below, and their bytes; our private directory on a standby left out."""
    files = length = 0
    for top, directories, names in os.walk(root):
        if ".hikae" in directories and top == str(root):
            directories.remove(".hikae")
        for name in names:
            found = os.lstat(os.path.join(top, name))
            if stat.S_ISREG(found.st_mode):
                files, length = files + 1, length + found.st_size
    return files, length


def size_below(root: Path) -> int:
    """Bytes of all files below a directory, as their lengths say."""
    total = 0
    for top, _, names in os.walk(root):
        for name in names:
            try:
                total += os.lstat(os.path.join(top, name)).st_size
            except FileNotFoundError:
                continue  # a temporary file of a program that runs
    return total
