"""Operations on one entry, their fallbacks, and the tree of open directories."""

from __future__ import annotations

import errno
import os
import random
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.ids import ROOT, ObjectId
from agent.fs import _libc, confined
from agent.fs.dir_tree import DirTree
from agent.fs.handles import handle_of, handle_of_fd
from fakes.fs_fakes import as_nobody, deep_chain, flatten_and_remove

ODD_NAMES = [b"\xff\xfe", b"new\nline", b"-rf", b"\x1b[31m", b" ", b"...", b".hidden", "控え".encode(), b"n" * 255]
_NO_PLACE: dict[ObjectId, tuple[ObjectId, bytes]] = {}


@pytest.fixture
def root(tmpfs_dir: Path) -> Iterator[int]:
    """An open empty directory."""
    fd = confined.open_root(str(tmpfs_dir))
    yield fd
    os.close(fd)


def _file(root: int, name: bytes, data: bytes = b"") -> None:
    fd = confined.create_file(root, name)
    os.write(fd, data)
    os.close(fd)


def _content(root: int, name: bytes) -> bytes:
    fd = confined.open_file(root, name)
    try:
        return os.read(fd, 100)
    finally:
        os.close(fd)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_are_bytes(root: int, name: bytes) -> None:
    """Names that are no text, hold control characters or look like options are names like others."""
    _file(root, name, b"1")
    confined.rename(root, name, root, b"other", replace=False)
    confined.link(root, b"other", root, name)
    confined.make_symlink(root, b"link", name)

    assert (b"1", name, 2) == (
        _content(root, name),
        confined.readlink(root, b"link"),
        confined.lstat(root, name).st_nlink,
    )


def test_a_root_may_be_reached_through_links(tmp_path: Path) -> None:
    """The operator's own path is followed; what stands below is not."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    fd = confined.open_root(str(tmp_path / "link"))

    assert os.fstat(fd).st_ino == (tmp_path / "real").stat().st_ino
    os.close(fd)


def test_descriptors_are_not_inherited(root: int) -> None:
    """Every descriptor closes on exec."""
    confined.make_dir(root, b"d")
    _file(root, b"f")
    found = [
        confined.create_file(root, b"new"),
        confined.open_dir(root, b"d"),
        confined.open_file(root, b"f"),
        confined.open_pinned(root, b"f"),
    ]

    assert [False] * 4 == [os.get_inheritable(fd) for fd in found]
    for fd in found:
        os.close(fd)


def test_opening_a_fifo_does_not_wait(root: int) -> None:
    """A fifo in the place of a file opens at once and is seen as what it is."""
    confined.make_node(root, b"fifo", stat.S_IFIFO | 0o600)

    fd = confined.open_file(root, b"fifo")

    assert stat.S_ISFIFO(os.fstat(fd).st_mode)
    os.close(fd)


def test_reading_leaves_the_access_time(root: int) -> None:
    """A file of our own is read without touching its access time."""
    _file(root, b"f", b"data")
    os.utime(b"f", ns=(1, 2), dir_fd=root)

    assert b"data" == _content(root, b"f")
    assert 1 == confined.lstat(root, b"f").st_atime_ns


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_files_of_others_open_without_noatime(root: int) -> None:
    """Where O_NOATIME is not ours to ask for, the file opens all the same."""
    _file(root, b"f", b"data")
    os.chmod(b"f", 0o644, dir_fd=root)
    os.fchmod(root, 0o755)

    with as_nobody():
        assert b"data" == _content(root, b"f")


def test_rename_replaces(root: int) -> None:
    """With replace, what stood there is gone."""
    _file(root, b"a", b"a")
    _file(root, b"b", b"b")

    confined.rename(root, b"a", root, b"b", replace=True)

    assert ([b"b"], b"a") == ([os.fsencode(name) for name in os.listdir(root)], _content(root, b"b"))


@pytest.fixture(params=["kernel", "fallback"])
def _either_rename(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With RENAME_NOREPLACE, and as on a filesystem that does not know it."""
    if request.param == "fallback":

        def unsupported(*_: object) -> None:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

        monkeypatch.setattr(_libc, "renameat2", unsupported)


@pytest.mark.usefixtures("_either_rename")
@pytest.mark.parametrize("kind", ["file", "directory", "symlink", "fifo"])
@pytest.mark.parametrize("target", ["file", "empty directory", "dangling symlink"])
def test_rename_without_replace(root: int, kind: str, target: str) -> None:
    """Without replace, anything of any type in the way stops the move, and both stay; else it moves."""
    _make(root, kind, b"a")
    _make(root, target, b"b")
    inode, in_the_way = confined.lstat(root, b"a").st_ino, confined.lstat(root, b"b").st_ino

    with pytest.raises(FileExistsError):
        confined.rename(root, b"a", root, b"b", replace=False)
    assert (inode, in_the_way) == (confined.lstat(root, b"a").st_ino, confined.lstat(root, b"b").st_ino)
    confined.rename(root, b"a", root, b"c", replace=False)
    assert inode == confined.lstat(root, b"c").st_ino
    with pytest.raises(FileNotFoundError):
        confined.lstat(root, b"a")


def _make(root: int, kind: str, name: bytes) -> None:
    if kind == "file":
        _file(root, name)
    elif "directory" in kind:
        confined.make_dir(root, name)
    elif "symlink" in kind:
        confined.make_symlink(root, name, b"nowhere")
    else:
        confined.make_node(root, name, stat.S_IFIFO)


def test_exchange(root: int) -> None:
    """Two entries of different types and directories swap in one step."""
    confined.make_dir(root, b"d")
    below = confined.open_dir(root, b"d")
    _file(below, b"f", b"f")
    confined.make_symlink(root, b"link", b"target")

    confined.exchange(below, b"f", root, b"link")

    assert (b"f", b"target") == (_content(root, b"link"), confined.readlink(below, b"f"))
    os.close(below)


class Chain:
    """Directories in one another, object 2 in the root, each further one in the one before; as locate() would know them."""

    def __init__(self, levels: int) -> None:
        self.last = ObjectId(levels + 1)
        self.asked = 0

    def locate(self, object_id: ObjectId) -> tuple[ObjectId, bytes] | None:
        """One level up."""
        self.asked += 1
        return (ROOT, b"d") if object_id == 2 else (ObjectId(object_id - 1), b"d")


def _open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_ten_thousand_levels(root: int) -> None:
    """A tree 10,000 levels deep (its paths far over 4,096 bytes) is reached in at most `limit` descriptors."""
    chain = Chain(10_000)
    deep_chain(root, 10_000)
    before = _open_descriptors()
    tree = DirTree(root, chain.locate, limit=512)
    try:
        bottom = tree.fd(chain.last)
        _file(bottom, b"f", b"deep")

        assert b"deep" == _content(bottom, b"f")
        assert _open_descriptors() - before <= 512
        asked = chain.asked
        assert bottom == tree.fd(chain.last)
        tree.fd(ObjectId(chain.last - 100))
        assert asked == chain.asked, "near ancestors were no longer open"
        tree.fd(ObjectId(5_000))
        assert _open_descriptors() - before <= 512
    finally:
        tree.close()
        flatten_and_remove(root)
    assert before == _open_descriptors()


def test_a_limit_of_descriptors_is_not_passed_while_descending(root: int) -> None:
    """The process's own limit may be just above the tree's."""
    deep_chain(root, 300)
    chain = Chain(300)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 24, hard))
    tree = DirTree(root, chain.locate, limit=16)
    try:
        assert tree.fd(chain.last) >= 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        tree.close()


def test_returned_descriptors_outlive_a_long_descent(root: int) -> None:
    """A rename holds both parents: the last eight that were returned stay open whatever is opened after them."""
    deep_chain(root, 200)
    for number in range(8):
        confined.make_dir(root, b"side%d" % number)
    chain = Chain(200)
    sides = {ObjectId(1000 + number): (ROOT, b"side%d" % number) for number in range(8)}
    tree = DirTree(root, lambda one: sides.get(one) or chain.locate(one), limit=16)
    held = {one: (tree.fd(one), confined.lstat(root, name).st_ino) for one, (_, name) in list(sides.items())[1:]}

    bottom = tree.fd(chain.last)

    for one, (fd, inode) in held.items():
        assert inode == os.fstat(fd).st_ino
        assert fd == tree.fd(one)
    assert bottom == tree.fd(chain.last)
    tree.close()


def test_any_place_of_a_deep_tree_is_a_few_steps_away(root: int, rng: random.Random) -> None:
    """Whatever is asked for, in whatever order: what was closed is opened again from near it, not from the root."""
    levels, looks = 3_000, 1_000
    deep_chain(root, levels)
    chain, opened = Chain(levels), 0

    def count(_: ObjectId) -> None:
        nonlocal opened
        opened += 1

    before = _open_descriptors()
    tree = DirTree(root, chain.locate, count, limit=512)
    try:
        tree.fd(chain.last)
        assert levels == opened
        for _ in range(looks):
            tree.fd(ObjectId(rng.randint(2, chain.last)))
            assert _open_descriptors() - before <= 512
        assert opened < levels + 100 * looks
        opened = 0
        for level in reversed(range(2, chain.last)):
            tree.fd(ObjectId(level))
        assert opened < 4 * levels
    finally:
        tree.close()
        flatten_and_remove(root)


def test_an_unknown_directory(root: int) -> None:
    """What locate() does not know, or no longer, or what is not there, is FileNotFoundError."""
    tree = DirTree(root, {ObjectId(3): (ObjectId(2), b"a"), ObjectId(4): (ROOT, b"gone")}.get)

    for unknown in (2, 3, 4):
        with pytest.raises(FileNotFoundError):
            tree.fd(ObjectId(unknown))


def test_a_circle_is_refused(root: int) -> None:
    """A catalog in which directories stand in one another ends in an error, not in a loop."""
    tree = DirTree(root, {ObjectId(2): (ObjectId(3), b"a"), ObjectId(3): (ObjectId(2), b"b")}.get)

    with pytest.raises(OSError, match="below itself"):
        tree.fd(ObjectId(2))


def test_a_file_in_the_place_of_a_directory(root: int) -> None:
    """NotADirectoryError, and nothing stays open."""
    _file(root, b"d")
    before = _open_descriptors()

    with pytest.raises(NotADirectoryError):
        DirTree(root, Chain(1).locate).fd(ObjectId(2))

    assert before == _open_descriptors()


def test_another_directory_than_expected(root: int) -> None:
    """A directory that was replaced by another is stale; the right one opens."""
    confined.make_dir(root, b"d")
    expected = {ObjectId(2): handle_of(root, b"d")}
    tree = DirTree(root, Chain(1).locate, expected.get)
    assert expected[ObjectId(2)] == handle_of_fd(tree.fd(ObjectId(2)))
    tree.forget(ObjectId(2))
    confined.rename(root, b"d", root, b"away", replace=False)
    confined.make_dir(root, b"d")
    before = _open_descriptors()

    with pytest.raises(confined.StaleDirectory) as caught:
        tree.fd(ObjectId(2))

    assert (errno.ESTALE, before) == (caught.value.errno, _open_descriptors())


def test_adopt_and_forget(root: int) -> None:
    """An adopted descriptor is the directory's until it is forgotten or adopted anew, and is closed then; the root's never."""
    for name in (b"a", b"b"):
        confined.make_dir(root, name)
    before = _open_descriptors()
    tree = DirTree(root, _NO_PLACE.get)
    first, second = confined.open_dir(root, b"a"), confined.open_dir(root, b"b")

    tree.adopt(ObjectId(2), first)
    assert first == tree.fd(ObjectId(2))
    tree.adopt(ObjectId(2), second)
    assert second == tree.fd(ObjectId(2))
    assert before + 1 == _open_descriptors()
    tree.forget(ObjectId(2))
    tree.forget(ObjectId(2))
    tree.forget(ROOT)
    assert (before, root) == (_open_descriptors(), tree.fd(ROOT))
    with pytest.raises(FileNotFoundError):
        tree.fd(ObjectId(2))
    with pytest.raises(ValueError, match="root"):
        tree.adopt(ROOT, root)


def test_a_moved_directory_stays_open(root: int) -> None:
    """A descriptor goes with its directory, wherever that is moved."""
    deep_chain(root, 2)
    tree = DirTree(root, Chain(2).locate)
    fd = tree.fd(ObjectId(3))
    confined.rename(root, b"d", root, b"e", replace=False)

    _file(tree.fd(ObjectId(3)), b"f", b"1")

    assert fd == tree.fd(ObjectId(3))
    tree.close()


def test_without_openat2(root: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a kernel, or behind a filter, that does not know openat2, directories open all the same and links do not."""

    def unknown(*_: object) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(_libc, "openat2", unknown)
    confined.make_dir(root, b"d")
    confined.make_symlink(root, b"link", b"d")

    os.close(confined.open_dir(root, b"d"))
    with pytest.raises(NotADirectoryError):
        confined.open_dir(root, b"link")
