"""What the standby's filesystem cannot keep is one problem a kind, counted; all else goes on, and verify knows it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.apply.results import silent
from agent.core.ids import ROOT
from fakes.apply_fakes import Rig, Tree, rig
from fakes.loop_image import can_mount, filesystem

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs loop devices")

FINE = 1_700_000_000_123_456_789
YEAR_2300, YEAR_1600 = 10_413_792_000_000_000_007, -11_676_096_000_000_000_000


@contextmanager
def _standby(kind: str, tmp_path: Path) -> Iterator[Rig]:
    with filesystem(kind, tmp_path) as where, rig(where / "rig") as it:
        yield it


def _told(it: Rig) -> list[tuple[str, str]]:
    """Codes, and how many objects each is about."""
    return [(problem.code, problem.message.split()[0]) for problem in it.board.listed()[0]]


def _is_equal(it: Rig) -> bool:
    applier = it.opened[-1]
    return applier.verify(deep=True).equal


@pytest.mark.parametrize("kind", ["ext4 with small inodes", "xfs without bigtime"])
def test_times_that_cannot_be_kept(tmp_path: Path, kind: str) -> None:
    """Coarse, late and early ones: counted, known to verify, remembered over a restart, gone with the file."""
    coarse = kind.startswith("ext4")
    with _standby(kind, tmp_path) as it:
        tree = Tree.empty(it.store)
        files = [tree.file(ROOT, name, name) for name in (b"fine", b"late", b"early", b"whole")]
        for id, mtime in zip(files, (FINE, YEAR_2300, YEAR_1600, 1_700_000_000_000_000_000), strict=True):
            tree.alter(id, mtime=mtime)
        tree.alter(ROOT, mtime=1_700_000_000_000_000_000)
        target = it.commit(tree)
        applier = it.applier()
        assert (target.number, 0) == ((done := applier.converge(target, silent)).number, done.failed)
        told = [("times-not-kept", "3" if coarse else "2")]
        assert (told, True) == (_told(it), _is_equal(it))
        applier.close()
        it.board.clear_code("times-not-kept")
        applier = it.applier()
        applier.prepare()
        assert (told, True) == (_told(it), _is_equal(it))
        for name in (b"fine", b"late", b"early"):
            tree.remove(ROOT, name)
        applier.converge(it.commit(tree), silent)
        applier.checkpoint()
        assert ([], True) == (_told(it), _is_equal(it))


def test_a_time_that_somebody_else_changed_is_a_difference(tmp_path: Path) -> None:
    """Also where the filesystem keeps coarser ones."""
    with _standby("ext4 with small inodes", tmp_path) as it:
        tree = Tree.empty(it.store)
        tree.alter(tree.file(ROOT, b"fine", b"x"), mtime=FINE)
        it.applier().converge(it.commit(tree), silent)
        os.utime(it.root / "fine", ns=(1, 1_600_000_000_000_000_000))
        assert not _is_equal(it)


def test_our_own_files_are_none_of_others_after_a_crash(tmp_path: Path) -> None:
    """A file that stands with the time that the filesystem made of its own, and that nobody noted down, is known again."""
    with _standby("ext4 with small inodes", tmp_path) as it:
        tree = Tree.empty(it.store)
        there = tree.directory(ROOT, b"d")
        dying = it.applier()
        dying.converge(it.commit(tree), silent)
        dying.checkpoint()
        id = tree.file(there, b"fine", b"x")
        tree.alter(id, mtime=FINE)
        dying.converge(it.commit(tree), silent)
        it.local.write([], [id])
        it.dies(dying)
        assert 0 == it.applier().converge(it.commit(tree), silent).displaced
        assert [] == os.listdir(it.root / ".hikae/displaced")


def test_a_file_that_is_too_large_is_left_out(tmp_path: Path) -> None:
    """The rest goes on and is told applied; once it fits it is there."""
    with _standby("ext4", tmp_path) as it:
        tree = Tree.empty(it.store)
        huge = tree.file(ROOT, b"huge", 17 << 40)
        tree.file(ROOT, b"other", b"x")
        target = it.commit(tree)
        applier = it.applier()
        assert (target.number, 0) == ((done := applier.converge(target, silent)).number, done.failed)
        assert ([("not-kept", "1")], True, b"x") == (_told(it), _is_equal(it), (it.root / "other").read_bytes())
        tree.write(huge, b"small now")
        applier.converge(it.commit(tree), silent)
        assert ([], tree.expected()) == (_told(it), it.seen())


def test_a_file_that_grows_too_large_stands_as_it_was(tmp_path: Path) -> None:
    """And is made anew from what the vault has when it fits again, not from what the last row says."""
    with _standby("ext4", tmp_path) as it:
        tree = Tree.empty(it.store)
        id = tree.file(ROOT, b"grows", b"a" * 100_000)
        applier = it.applier()
        applier.converge(it.commit(tree), silent)
        tree.write(id, b"b" * 100_000, 17 << 40)
        assert 0 == applier.converge(it.commit(tree), silent).failed
        assert ([("not-kept", "1")], b"a" * 100_000) == (_told(it), (it.root / "grows").read_bytes())
        tree.write(id, b"b" * 100_000, b"c")
        applier.converge(it.commit(tree), silent)
        assert ([], tree.expected()) == (_told(it), it.seen())


def test_an_attribute_that_is_too_large_is_told(tmp_path: Path) -> None:
    """ext4 keeps a block of them; XFS kept what the primary has."""
    with _standby("ext4", tmp_path) as it:
        tree = Tree.empty(it.store)
        id = tree.file(ROOT, b"f", b"x")
        tree.alter(id, xattrs=((b"user.large", b"v" * 60_000),))
        applier = it.applier()
        applier.converge(it.commit(tree), silent)
        assert ([("attributes-not-kept", "1")], True) == (_told(it), _is_equal(it))
        tree.alter(id, xattrs=())
        applier.converge(it.commit(tree), silent)
        assert ([], tree.expected()) == (_told(it), it.seen())


def _inherit(directory: Path, project: int) -> None:
    """All that is in the directory from now on must have this project id (FS_IOC_FSSETXATTR, FS_XFLAG_PROJINHERIT)."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        fcntl.ioctl(fd, 0x401C5820, struct.pack("=IIIII8x", 0x200, 0, 0, project, 0))
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOTTY):
            pytest.skip("this kernel has no project ids here")
        raise
    finally:
        os.close(fd)


@pytest.mark.parametrize("root_too", [False, True])
def test_directories_that_take_only_their_own_project(tmp_path: Path, root_too: bool) -> None:
    """Files, links, devices, directories and moves between two such directories get there; nothing is told."""
    with _standby("xfs", tmp_path) as it:
        it.root.mkdir()
        if root_too:
            _inherit(it.root, 1)
        tree = Tree.empty(it.store)
        one, two = tree.directory(ROOT, b"one"), tree.directory(ROOT, b"two")
        applier = it.applier()
        applier.converge(it.commit(tree), silent)
        _inherit(it.root / "one", 42)
        _inherit(it.root / "two", 43)
        tree.file(one, b"f", b"x")
        tree.add(one, b"s", stat.S_IFLNK | 0o777, content=b"target")
        tree.add(one, b"p", stat.S_IFIFO | 0o600)
        tree.file(tree.directory(one, b"d"), b"in it", b"y")
        applier.converge(it.commit(tree), silent)
        assert ([], tree.expected()) == (it.problems(), it.seen())
        for name in (b"f", b"s", b"p", b"d"):
            tree.move((one, name), (two, name))
        tree.link(one, b"again", tree.names[two, b"f"])
        tree.write(tree.names[two, b"f"], b"changed")
        applier.converge(it.commit(tree), silent)
        assert ([], tree.expected()) == (it.problems(), it.seen())
