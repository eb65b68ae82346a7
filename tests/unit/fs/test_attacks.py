"""Every operation against planted links, swapped parents, hard links and names that would leave the directory."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.core.ids import ROOT, ObjectId
from agent.core.rows import FLAG_IMMUTABLE, ObjectRow
from agent.fs import confined, content, handles, metadata
from agent.fs.dir_tree import DirTree
from fakes.fs_fakes import Swapper, build_outside, seen

SPARE = b"spare"


def _row(kind: int = stat.S_IFREG) -> ObjectRow:
    return ObjectRow(ObjectId(9), kind | 0o4777, 12, 34, 1_000_000_000, 0, 0, 0, ((b"user.planted", b"x"),))


def _closing(operation: Callable[[int, bytes], int]) -> Callable[[int, bytes], object]:
    return lambda dir_fd, name: os.close(operation(dir_fd, name))


def _write(dir_fd: int, name: bytes) -> None:
    fd = confined.open_file(dir_fd, name, os.O_RDWR | os.O_TRUNC)
    try:
        content.pwrite_all(fd, b"overwritten", 0)
    finally:
        os.close(fd)


def _create_and_write(dir_fd: int, name: bytes) -> None:
    fd = confined.create_file(dir_fd, name)
    try:
        content.pwrite_all(fd, b"created", 0)
    finally:
        os.close(fd)


def _read_metadata(dir_fd: int, name: bytes) -> None:
    st = confined.lstat(dir_fd, name)
    metadata.read_metadata(dir_fd, name, st, None)


OPERATIONS: dict[str, Callable[[int, bytes], object]] = {
    "open_dir": _closing(confined.open_dir),
    "open_file": _closing(confined.open_file),
    "open_pinned": _closing(confined.open_pinned),
    "write": _write,
    "create_file": _create_and_write,
    "make_dir": confined.make_dir,
    "make_symlink": lambda fd, name: confined.make_symlink(fd, name, b"/etc"),
    "make_node": lambda fd, name: confined.make_node(fd, name, stat.S_IFIFO),
    "link_from": lambda fd, name: confined.link(fd, name, fd, SPARE),
    "link_to": lambda fd, name: confined.link(fd, b"plain", fd, name),
    "unlink": confined.unlink,
    "rmdir": confined.rmdir,
    "lstat": confined.lstat,
    "readlink": confined.readlink,
    "rename_from": lambda fd, name: confined.rename(fd, name, fd, SPARE, replace=True),
    "rename_to": lambda fd, name: confined.rename(fd, b"plain", fd, name, replace=True),
    "rename_to_new": lambda fd, name: confined.rename(fd, b"plain", fd, name, replace=False),
    "exchange": lambda fd, name: confined.exchange(fd, b"plain", fd, name),
    "exchange_from": lambda fd, name: confined.exchange(fd, name, fd, b"plain"),
    "set_xattr": lambda fd, name: os.setxattr(
        confined.proc_path(fd, name), b"trusted.planted", b"x", follow_symlinks=False
    ),
    "handle_of": handles.handle_of,
    "read_metadata": _read_metadata,
    "apply_to_file": lambda fd, name: metadata.apply_metadata(fd, name, _row(), None),
    "apply_to_dir": lambda fd, name: metadata.apply_metadata(fd, name, _row(stat.S_IFDIR), None),
    "apply_to_link": lambda fd, name: metadata.apply_metadata(fd, name, _row(stat.S_IFLNK), None),
    "clear_flags": metadata.clear_flags,
}
#: A name that means the directory itself, by contract.
_EMPTY_ALLOWED = {"apply_to_file", "apply_to_dir", "apply_to_link", "clear_flags"}
_UNSAFE = [b"", b".", b"..", b"/", b"/etc", b"../victim", b"a/b", b"a/", b"victim\0", b"\0"]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """What nothing may touch."""
    return build_outside(tmp_path / "outside")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    """An open root with one plain file in it."""
    top = tmp_path / "root"
    top.mkdir()
    (top / "plain").write_bytes(b"plain")
    fd = confined.open_root(str(top))
    yield fd
    os.close(fd)


@pytest.mark.parametrize(
    ("operation", "name"),
    [(operation, name) for operation in OPERATIONS for name in _UNSAFE if name or operation not in _EMPTY_ALLOWED],
)
def test_unsafe_name_is_refused(root: int, outside: Path, operation: str, name: bytes) -> None:
    """No operation takes a name that is not a single component."""
    before = seen(outside.parent)

    with pytest.raises(confined.UnsafeName):
        OPERATIONS[operation](root, name)

    assert before == seen(outside.parent)


@pytest.mark.parametrize("target", ["victim", "empty", "missing"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_planted_link_is_not_followed(root: int, outside: Path, operation: str, target: str) -> None:
    """A symlink as last component never leads an operation out, be it to a file, a directory or nothing."""
    os.symlink(outside / target, b"trap", dir_fd=root)
    before = seen(outside)

    with contextlib.suppress(OSError):
        OPERATIONS[operation](root, b"trap")

    assert before == seen(outside)


def test_planted_link_as_parent_is_refused(root: int, outside: Path) -> None:
    """A symlink where a directory was known is no directory, for open_dir and for DirTree."""
    os.symlink(outside, b"parent", dir_fd=root)
    tree = DirTree(root, lambda _: (ROOT, b"parent"))

    with pytest.raises(NotADirectoryError):
        confined.open_dir(root, b"parent")
    with pytest.raises(NotADirectoryError):
        tree.fd(ObjectId(2))


def test_link_in_the_middle_is_refused(root: int, outside: Path) -> None:
    """A symlink between the root and a known directory stops the descent."""
    os.symlink(outside, b"parent", dir_fd=root)
    places = {ObjectId(2): (ROOT, b"parent"), ObjectId(3): (ObjectId(2), b"empty")}
    tree = DirTree(root, places.get)

    with pytest.raises(NotADirectoryError):
        tree.fd(ObjectId(3))
    tree.close()


@pytest.mark.parametrize("operation", OPERATIONS)
def test_parent_swapped_during_the_operation(root: int, outside: Path, operation: str) -> None:
    """While a thread keeps exchanging the parent with a link to the outside, nothing outside is touched."""
    os.mkdir(b"parent", dir_fd=root)
    os.symlink(outside, b"swap", dir_fd=root)
    before = seen(outside)

    with Swapper(root, b"parent", b"swap") as swapper:
        met = {True: 0, False: 0}
        for turn in range(5_000):
            # Takes the two threads out of step: they hand each other the interpreter at every call.
            for _ in range(turn % 5):
                confined.lstat(root, b"swap")
            met[_attempt(root, OPERATIONS[operation])] += 1
            if min(met.values()) >= 20:
                break

    assert before == seen(outside)
    assert min(met.values()) > 0, "the parent was not met both as a directory and as a link"
    assert swapper.done > 0


def _attempt(root: int, operation: Callable[[int, bytes], object]) -> bool:
    tree = DirTree(root, lambda _: (ROOT, b"parent"))
    try:
        dir_fd = tree.fd(ObjectId(2))
        with contextlib.suppress(OSError):
            _create_and_write(dir_fd, b"plain")
        with contextlib.suppress(OSError):
            _create_and_write(dir_fd, b"name")
        with contextlib.suppress(OSError):
            operation(dir_fd, b"name")
    except NotADirectoryError:
        return False
    finally:
        tree.close()
    return True


@pytest.mark.parametrize("operation", ["write", "create_file", "apply_to_file", "set_xattr", "clear_flags"])
def test_entry_swapped_during_the_operation(root: int, outside: Path, operation: str) -> None:
    """While a thread keeps exchanging the entry with a link to the outside, nothing outside is touched."""
    os.symlink(outside / "victim", b"swap", dir_fd=root)
    before = seen(outside)

    with Swapper(root, b"plain", b"swap") as swapper:
        for _ in range(300):
            with contextlib.suppress(OSError):
                OPERATIONS[operation](root, b"plain")

    assert before == seen(outside)
    assert swapper.done > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may set the immutable flag")
def test_flags_are_lifted_from_the_entry_only(root: int, outside: Path) -> None:
    """Lifting flags through a planted link leaves an immutable file outside immutable."""
    fd = os.open(outside / "victim", os.O_RDONLY)
    try:
        confined.set_flags_fd(fd, FLAG_IMMUTABLE)
        os.symlink(outside / "victim", b"trap", dir_fd=root)

        assert confined.clear_flags(root, b"trap") == 0
        assert confined.set_flags_fd(fd, 0) == FLAG_IMMUTABLE
    except OSError as error:
        pytest.skip(f"no flags on this filesystem: {error}")
    finally:
        os.close(fd)


def test_replacing_a_hard_link_leaves_the_outside_file(root: int, outside: Path) -> None:
    """Creating, renaming over and removing a name that is linked to an outside file leave that file's content."""
    os.link(outside / "victim", b"linked", dst_dir_fd=root)

    with pytest.raises(FileExistsError):
        confined.create_file(root, b"linked")
    confined.rename(root, b"plain", root, b"linked", replace=True)
    os.link(outside / "victim", b"again", dst_dir_fd=root)
    confined.unlink(root, b"again")

    assert (outside / "victim").read_bytes() == b"precious"
    assert (outside / "victim").stat().st_nlink == 1


def test_a_link_to_a_symlink_is_a_link_to_the_symlink(root: int, outside: Path) -> None:
    """link() names the symlink itself: no new name for what it points at."""
    os.symlink(outside / "victim", b"trap", dir_fd=root)

    confined.link(root, b"trap", root, b"second")

    assert stat.S_ISLNK(confined.lstat(root, b"second").st_mode)
    assert (outside / "victim").stat().st_nlink == 1


@pytest.mark.parametrize("mode", [stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFSOCK, 0])
def test_make_node_makes_fifos_and_devices_only(root: int, mode: int) -> None:
    """No other type comes out of make_node, whatever a row says."""
    with pytest.raises(OSError, match="neither a fifo nor a device"):
        confined.make_node(root, b"node", mode)

    assert [b"plain"] == [os.fsencode(name) for name in os.listdir(root)]
