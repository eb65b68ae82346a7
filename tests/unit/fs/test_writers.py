"""Which processes may be writing below a directory: by open files, shared mappings, and what the kernel tells of a file."""

from __future__ import annotations

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from agent.fs.handles import handle_of, handle_of_fd
from agent.fs.writers.held_open import files_held_open, is_open_for_writing
from agent.fs.writers.processes import Writer, writers_below
from fakes.holding import holding
from fakes.idle import goes_on

_held = partial(files_held_open, look=goes_on)


def _of(found: list[Writer], process: int) -> list[str]:
    return [one.path for one in found if one.process == process]


#: Maps ``p`` shared and closes it, as a program does that keeps no descriptor (Python's ``mmap`` keeps one).
MAPS = (
    "import ctypes; libc = ctypes.CDLL(None); libc.mmap.restype = ctypes.c_void_p; "
    "maps = lambda fd, access: (libc.mmap(None, 4096, access, mmap.MAP_SHARED, fd, 0), os.close(fd)); "
)
#: Runs ``body`` in a thread with a table of open files of its own, and waits until it has.
THREAD = (
    "import ctypes, threading; done = threading.Event(); libc = ctypes.CDLL(None); forever = threading.Event(); "
    "body = lambda: (libc.unshare(0x400), os.open(p, os.O_RDWR), done.set(), forever.wait()); "
    "threading.Thread(target=body, daemon=True).start(); done.wait()"
)


@pytest.mark.parametrize(
    ("code", "writes"),
    [
        ("f = open(p, 'r+b')", True),
        ("f = os.open(p, os.O_WRONLY | os.O_APPEND)", True),
        ("f = open(p, 'r+b'); m = mmap.mmap(f.fileno(), 0); f.close()", True),
        (MAPS + "maps(os.open(p, os.O_RDWR), mmap.PROT_READ | mmap.PROT_WRITE)", True),
        (MAPS + "maps(os.open(p, os.O_RDWR), mmap.PROT_READ)", True),
        (THREAD, True),
        (MAPS + "maps(os.open(p, os.O_RDONLY), mmap.PROT_READ)", False),
        (MAPS + "maps(os.open(p, os.O_RDWR), mmap.PROT_READ | mmap.PROT_WRITE); os.unlink(p)", False),
        ("f = open(p, 'rb')", False),
        ("f = open(p, 'rb'); m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); f.close()", False),
        ("f = os.open(p, os.O_PATH)", False),
        ("f = open(p, 'r+b'); os.unlink(p)", False),
        ("f = os.open(os.path.dirname(p), os.O_RDONLY)", False),
    ],
    ids=[
        "read and write",
        "append",
        "mapped",
        "mapped and closed",
        "mapped to be writable later",
        "of one thread",
        "closed, to read",
        "closed, removed",
        "read",
        "mapped to read",
        "only a path",
        "removed",
        "directory",
    ],
)
def test_who_has_a_file_open_for_writing_is_found(tmp_path: Path, code: str, writes: bool) -> None:
    """With its process and the path; who only reads is not."""
    path = tmp_path / "tree/below/file"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"content")
    with holding(code, path) as process:
        found = writers_below(str(tmp_path / "tree"), lambda _: False, _held)
        assert ([str(path)] if writes else []) == _of(found, process)
        assert not writes or all(one.path for one in found), "who cannot be looked into is not named beside who writes"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to look at what is mapped")
@pytest.mark.parametrize(
    "way", ["os.rename(p, p + ' (deleted)'); p += ' (deleted)'", "os.link(p, p + '2'); gone = True"]
)
def test_a_mapped_file_that_looks_removed_and_is_not(tmp_path: Path, way: str) -> None:
    """It is named so, or the name by which it was opened is gone and it has another."""
    path = tmp_path / "tree/file"
    path.parent.mkdir()
    path.write_bytes(b"content")
    code = f"{MAPS}gone = False; {way}; maps(os.open(p, os.O_RDWR), mmap.PROT_READ | mmap.PROT_WRITE); gone and os.unlink(p)"
    with holding(code, path) as process:
        assert [f"{path} (deleted)"] == _of(writers_below(str(tmp_path / "tree"), lambda _: False, _held), process)


def test_what_stands_beside_is_none_of_it(tmp_path: Path) -> None:
    """A path that begins alike is another, unless the object is known to be of the tree."""
    (tmp_path / "tree").mkdir()
    path = tmp_path / "tree-other"
    path.write_bytes(b"content")
    with holding("f = open(p, 'r+b')", path) as process:
        assert [] == _of(writers_below(str(tmp_path / "tree"), lambda _: False, _held), process)
        at = os.open(tmp_path, os.O_PATH)
        handle = handle_of(at, path.name.encode())
        os.close(at)
        assert [str(path)] == _of(writers_below(str(tmp_path / "tree"), lambda one: one == handle, _held), process)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to look into all others")
def test_the_kernel_tells_of_a_file(tmp_path: Path) -> None:
    """Also of who has it mapped and closed; it tells nothing wrong of who only reads."""
    path = tmp_path / "file"
    path.write_bytes(b"content")
    fd = os.open(path, os.O_RDONLY)
    try:
        assert False is is_open_for_writing(fd)
        with holding("f = open(p, 'r+b'); m = mmap.mmap(f.fileno(), 0); f.close()", path):
            assert True is is_open_for_writing(fd)
        with holding("f = open(p, 'rb')", path):
            assert False is is_open_for_writing(fd)
    finally:
        os.close(fd)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be told of a file of another")
def test_the_kernel_is_asked_of_each_file_below(tmp_path: Path) -> None:
    """Wherever it lies but in what is the agent's own; a link, a fifo and a directory are none, and no lease stays."""
    for place in ("tree/a/b", "tree/.hikae/t", "tree/a/.hikae", "other"):
        (tmp_path / place).mkdir(parents=True)
    paths = [tmp_path / name for name in ("tree/top", "tree/a/b/deep", "tree/a/.hikae/own")]
    for path in (*paths, tmp_path / "tree/.hikae/t/ours", tmp_path / "tree/a/read", tmp_path / "other/file"):
        path.write_bytes(b"content")
    os.mkfifo(tmp_path / "tree/a/fifo")
    (tmp_path / "tree/a/link").symlink_to(tmp_path / "other/file")
    (tmp_path / "tree/a/up").symlink_to(tmp_path / "other")
    with ExitStack() as held:
        for path in (*paths, tmp_path / "tree/.hikae/t/ours", tmp_path / "other/file"):
            held.enter_context(holding("f = open(p, 'r+b')", path))
        held.enter_context(holding("f = open(p, 'rb')", tmp_path / "tree/a/read"))
        assert sorted(map(str, paths)) == sorted(_held(str(tmp_path / "tree")))
    assert [] == list(_held(str(tmp_path / "tree")))
    with (tmp_path / "tree/a/read").open("r+b"):
        assert [str(tmp_path / "tree/a/read")] == list(_held(str(tmp_path / "tree")))


def test_a_path_that_is_too_long_to_be_told(tmpfs_dir: Path) -> None:
    """A file that is open so deep that the kernel does not tell where is known by its handle; elsewhere it is nobody's matter."""
    code = "os.chdir(p)\nfor n in range(50): os.mkdir('d' * 100); os.chdir('d' * 100)\nf = open('f', 'w')"
    for name in ("tree", "elsewhere"):
        (tmpfs_dir / name).mkdir()
    known: set[bytes] = set()
    with holding(code, tmpfs_dir / "tree") as writer, holding(code, tmpfs_dir / "elsewhere"):
        opened = os.open(f"/proc/{writer}/fd/3", os.O_PATH)
        known.add(handle_of_fd(opened))
        os.close(opened)
        found = writers_below(str(tmpfs_dir / "tree"), known.__contains__, _held)
    assert [writer] == [one.process for one in found]
