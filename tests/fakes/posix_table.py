"""A table of what system calls do to entries of each kind: run as a program, it does all rows below a directory and prints what
each did.

    python posix_table.py DIRECTORY FIRST STEP

Each row gets a directory of its own with a subject of one kind, and maybe a second entry in the way. What is printed, an object
by row, is the error's name ("" for none) and what stands there afterwards: kinds, modes, owners, link counts, sizes, and which
times moved. So the same table below a watched and an unwatched directory of one filesystem must print the same.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

NOBODY = 65534
#: Times set by rows: before 1970, with nanoseconds, beyond 2038.
TIMES = {"old": -86_400_000_000_001, "exact": 1_000_000_000_123_456_789, "far": 5_000_000_000_000_000_007}
MODES = (0o000, 0o644, 0o755, 0o1777, 0o2755, 0o4755, 0o6711)
KINDS = ("file", "empty", "directory", "full", "symlink", "dangling", "fifo", "socket", "character", "block", "none")

#: A thing to do in the directory of a row, to the entry "subject".
Act = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Row:
    """What is done to which kind of subject, with which entry at "other", by whom."""

    name: str
    kind: str
    other: str
    user: bool
    act: Act

    def __str__(self) -> str:
        return f"{self.name} {self.kind} {self.other} {'user' if self.user else 'root'}"


def make(path: str, kind: str, owner: int) -> None:
    """An entry of a kind at a path; nothing for "none"."""
    if kind in ("file", "empty"):
        with open(path, "wb") as file:
            file.write(b"content" * 100 if kind == "file" else b"")
    elif kind in ("directory", "full"):
        os.mkdir(path)
        if kind == "full":
            make(f"{path}/inner", "file", owner)
    elif kind in ("symlink", "dangling"):
        os.symlink("." if kind == "symlink" else "nowhere", path)
    elif kind != "none":
        types = {"fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK, "character": stat.S_IFCHR, "block": stat.S_IFBLK}
        os.mknod(path, types[kind] | 0o640, os.makedev(1, 3))
    if kind != "none":
        os.lchown(path, owner, owner)


def rows() -> Iterator[Row]:
    """The whole table."""
    for user in (False, True):
        for kind in KINDS:
            for name, act in single_acts():
                yield Row(name, kind, "none", user, act)
            for other in KINDS:
                for name, act in double_acts():
                    yield Row(name, kind, other, user, act)


def single_acts() -> Iterator[tuple[str, Act]]:
    """What is done to one entry."""
    for mode in MODES:
        yield f"chmod {mode:o}", partial(chmod, mode)
    for owner, group in ((0, 0), (NOBODY, NOBODY), (1000, -1), (-1, 1000), (2**31, 2**32 - 2)):
        yield f"lchown {owner} {group}", partial(chown, owner, group)
    for name, time in TIMES.items():
        yield f"utime {name}", partial(utime, time)
    for length in (0, 1, 5000):
        yield f"truncate {length}", partial(truncate, length)
    yield "unlink", lambda at: os.unlink(f"{at}/subject")
    yield "rmdir", lambda at: os.rmdir(f"{at}/subject")
    yield "readlink", lambda at: os.close(os.open(os.readlink(f"{at}/subject"), os.O_RDONLY))
    yield "rename to itself", lambda at: os.rename(f"{at}/subject", f"{at}/subject")
    yield "rename below itself", lambda at: os.rename(f"{at}/subject", f"{at}/subject/below")
    yield "rename to a long name", lambda at: os.rename(f"{at}/subject", f"{at}/{'n' * 256}")
    yield "create below it", lambda at: os.close(os.open(f"{at}/subject/below", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    yield "set xattr", lambda at: os.setxattr(f"{at}/subject", "user.name", b"value", follow_symlinks=False)
    for flags in ("O_TRUNC", "O_APPEND", "O_EXCL"):
        yield f"open {flags} and write", partial(write, getattr(os, flags))


def double_acts() -> Iterator[tuple[str, Act]]:
    """What is done with two entries."""
    yield "rename over", lambda at: os.rename(f"{at}/subject", f"{at}/other")
    yield "link", lambda at: os.link(f"{at}/subject", f"{at}/other", follow_symlinks=False)
    yield "symlink", lambda at: os.symlink(f"{at}/subject", f"{at}/other")
    yield "mkdir", lambda at: os.mkdir(f"{at}/other")
    yield "mkfifo", lambda at: os.mkfifo(f"{at}/other")
    yield "link and change", link_and_change


def chmod(mode: int, at: str) -> None:
    """Other permissions."""
    os.chmod(f"{at}/subject", mode)


def chown(owner: int, group: int, at: str) -> None:
    """Another owner; of a link itself."""
    os.lchown(f"{at}/subject", owner, group)


def utime(time: int, at: str) -> None:
    """Other times, in ns; of a link itself."""
    os.utime(f"{at}/subject", ns=(time, time), follow_symlinks=False)


def truncate(length: int, at: str) -> None:
    """Another length."""
    os.truncate(f"{at}/subject", length)


def write(flags: int, at: str) -> None:
    """Open or create with these flags, without waiting for a reader of a pipe, and write."""
    fd = os.open(f"{at}/subject", os.O_CREAT | os.O_WRONLY | os.O_NONBLOCK | flags, 0o6755)
    try:
        os.write(fd, b"written")
    finally:
        os.close(fd)


def link_and_change(at: str) -> None:
    """A second name, through which mode and owner are changed."""
    os.link(f"{at}/subject", f"{at}/other", follow_symlinks=False)
    os.chmod(f"{at}/other", 0o600)
    os.lchown(f"{at}/other", -1, os.getgid())


def standing(at: str) -> dict[str, list[object]]:
    """What stands in a row's directory, by name; of times only what a row can set."""
    found: dict[str, list[object]] = {}
    for top, dirs, files in os.walk(at):
        for name in sorted((*dirs, *files)):
            path = f"{top}/{name}"
            st = os.lstat(path)
            when = next((key for key, time in TIMES.items() if time // 10**9 == st.st_mtime_ns // 10**9), "")
            size = st.st_size if stat.S_ISREG(st.st_mode) else 0
            links = st.st_nlink if not stat.S_ISDIR(st.st_mode) else 0
            found[path[len(at) + 1 :]] = [oct(st.st_mode), st.st_uid, st.st_gid, links, size, st.st_rdev, when]
    return found


def done(row: Row, at: str) -> tuple[str, dict[str, list[object]]]:
    """One row: the error's name, and what stands there then."""
    owner = NOBODY if row.user else 0
    os.mkdir(at, 0o755)
    make(f"{at}/subject", row.kind, owner)
    make(f"{at}/other", row.other, owner)
    os.chown(at, owner, owner)
    return (acted_as_user(row, at) if row.user else acted(row, at)), standing(at)


def acted(row: Row, at: str) -> str:
    """Do it; the error's name."""
    try:
        row.act(at)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    return ""


def acted_as_user(row: Row, at: str) -> str:
    """The same in a child that is nobody."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.write(writing, acted(row, at).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        name = answer.read().decode()
    os.waitpid(pid, 0)
    return name


def main() -> None:
    """All rows, or each ``step``-th from ``first`` on."""
    root, first, step = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    os.umask(0o022)
    print(json.dumps({str(row): done(row, f"{root}/{number}") for number, row in chosen(first, step)}))


def chosen(first: int, step: int) -> Iterator[tuple[int, Row]]:
    """Rows with their numbers, which name their directories."""
    return ((number, row) for number, row in enumerate(rows()) if number % step == first)


if __name__ == "__main__":
    main()
