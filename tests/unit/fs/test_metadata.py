"""Metadata comes back as it was read: owner, mode, ns times, xattrs, ACLs, capabilities, flags, for every type of object."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.ids import ObjectId
from agent.core.rows import FLAG_APPEND, FLAG_IMMUTABLE, ObjectRow, Xattrs
from agent.fs import confined
from agent.fs.metadata import Metadata, apply_metadata, apply_metadata_fd, clear_flags, read_metadata
from agent.fs.xattrs import ACL_ACCESS, ACL_DEFAULT, CAPABILITY, is_kept
from fakes.fs_fakes import NOBODY, UNNAMED, acl, acl_for, as_nobody, capability

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give objects away, or set these attributes")
MTIME = 1_234_567_890_123_456_789


@pytest.fixture(params=["ext4", "tmpfs"])
def root(request: pytest.FixtureRequest, tmp_path: Path, tmpfs_dir: Path) -> Iterator[int]:
    """An open empty directory; its flags are taken off at the end, so that it can be removed."""
    fd = confined.open_root(str(tmp_path if request.param == "ext4" else tmpfs_dir))
    yield fd
    clear_flags(fd, b"")
    for name in os.listdir(fd):
        clear_flags(fd, os.fsencode(name))
    os.close(fd)


def _make(root: int, kind: int, name: bytes = b"x") -> None:
    if kind == stat.S_IFREG:
        os.close(confined.create_file(root, name))
    elif kind == stat.S_IFDIR:
        confined.make_dir(root, name)
    elif kind == stat.S_IFLNK:
        confined.make_symlink(root, name, b"any\nwhere")
    else:
        confined.make_node(root, name, kind, os.makedev(1, 3) if kind != stat.S_IFIFO else 0)


def _read(root: int, name: bytes = b"x") -> Metadata:
    return read_metadata(root, name, confined.lstat(root, name), None)


def _row(
    mode: int = stat.S_IFREG | 0o640,
    uid: int | None = None,
    gid: int | None = None,
    mtime: int = MTIME,
    flags: int = 0,
    xattrs: Xattrs = (),
) -> ObjectRow:
    owner = os.geteuid() if uid is None else uid
    group = os.getegid() if gid is None else gid
    return ObjectRow(ObjectId(7), mode, owner, group, mtime, flags, 0, 0, xattrs)


def _expected(row: ObjectRow, size: int = 0, rdev: int = 0) -> Metadata:
    return Metadata(row.mode, row.uid, row.gid, row.mtime, row.flags, size, rdev, row.xattrs)


KINDS = {
    "file": stat.S_IFREG,
    "directory": stat.S_IFDIR,
    "fifo": stat.S_IFIFO,
    "character device": stat.S_IFCHR,
    "block device": stat.S_IFBLK,
    "symlink": stat.S_IFLNK,
}


@needs_root
@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(root: int, kind: str) -> None:
    """What was applied to an object of any type is what is read from it, whether it was known before or not."""
    type_bits = KINDS[kind]
    _make(root, type_bits)
    mode = 0o777 if type_bits == stat.S_IFLNK else 0o5641
    rdev = os.makedev(1, 3) if "device" in kind else 0
    row = _row(type_bits | mode, 1234, 4321, xattrs=((b"security.test", b"s"), (b"trusted.test", b"\0\xff")))

    assert [] == apply_metadata(root, b"x", row, None)
    assert _expected(row, rdev=rdev) == _read(root)
    assert [] == apply_metadata(root, b"x", row, row)
    assert _expected(row, rdev=rdev) == _read(root)


@pytest.mark.parametrize(
    "mtime", [0, 1, 999_999_999, MTIME, -1, -1_000_000_000, -1_500_000_001, 4_000_000_000_000_000_001]
)
def test_mtime_to_the_nanosecond(root: int, mtime: int) -> None:
    """Times before 1970 and after 2038 keep every nanosecond; the access time is left as it is."""
    _make(root, stat.S_IFREG)
    os.utime(b"x", ns=(5_000_000_007, 6), dir_fd=root)

    assert [] == apply_metadata(root, b"x", _row(mtime=mtime), None)

    found = confined.lstat(root, b"x")
    assert (mtime, 5_000_000_007) == (found.st_mtime_ns, found.st_atime_ns)


def test_symlink_keeps_its_own_time(root: int) -> None:
    """The time of a symlink is set on the link, not on what it points at."""
    _make(root, stat.S_IFREG)
    before = _read(root)
    confined.make_symlink(root, b"link", b"x")

    assert [] == apply_metadata(root, b"link", _row(stat.S_IFLNK | 0o777), None)

    assert MTIME == _read(root, b"link").mtime
    assert before == _read(root)


def test_times_can_be_left(root: int) -> None:
    """With times=False everything but mtime is made so."""
    _make(root, stat.S_IFDIR)
    before = _read(root).mtime

    assert [] == apply_metadata(root, b"x", _row(stat.S_IFDIR | 0o711), None, times=False)

    assert (stat.S_IFDIR | 0o711, before) == (_read(root).mode, _read(root).mtime)


@needs_root
def test_owner_comes_before_setuid_and_capabilities(root: int) -> None:
    """chown takes setuid, setgid and capabilities away: they are there afterwards, also where they had been equal."""
    _make(root, stat.S_IFREG)
    first = _row(stat.S_IFREG | 0o6755, 1, 1, xattrs=((CAPABILITY, capability(0x400)),))
    second = _row(stat.S_IFREG | 0o6755, 2, 2, xattrs=((CAPABILITY, capability(0x400)),))

    assert [] == apply_metadata(root, b"x", first, None)
    assert _expected(first) == _read(root)
    assert [] == apply_metadata(root, b"x", second, first)
    assert _expected(second) == _read(root)


@needs_root
def test_capabilities_of_a_fresh_file(root: int) -> None:
    """The fast way orders chown, mode and capabilities as well."""
    row = _row(stat.S_IFREG | 0o6755, 3, 4, xattrs=((CAPABILITY, capability(0x2000)),))
    fd = confined.create_file(root, b"x")
    os.write(fd, b"content")

    assert [] == apply_metadata_fd(fd, row)
    os.close(fd)

    assert _expected(row, size=7) == _read(root)


@pytest.mark.parametrize("mask", [0, 4, 6, 7])
def test_acl_and_mode_agree(root: int, mask: int) -> None:
    """An ACL's mask is the mode's group bits: both come back as captured, set together or one after the other."""
    _make(root, stat.S_IFREG)
    plain = _row(stat.S_IFREG | 0o604)
    listed = _row(stat.S_IFREG | 0o704 | mask << 3, xattrs=((ACL_ACCESS, acl_for(1001, 6, mask=mask)),))
    other = _row(stat.S_IFREG | 0o774, xattrs=((ACL_ACCESS, acl_for(1002, 7, mask=7)),))

    for step in (listed, other, plain, listed):
        assert [] == apply_metadata(root, b"x", step, None)
        assert _expected(step) == _read(root)


def test_acl_that_disagrees_with_the_mode(root: int) -> None:
    """A mode that was read a moment apart from its ACL wins, so that both sides end with the same mode."""
    _make(root, stat.S_IFREG)
    row = _row(stat.S_IFREG | 0o640, xattrs=((ACL_ACCESS, acl_for(1001, 6, mask=7)),))

    assert [] == apply_metadata(root, b"x", row, None)

    assert row.mode == _read(root).mode


def test_default_acl_of_a_directory(root: int) -> None:
    """A directory's default ACL comes and goes without changing its mode."""
    _make(root, stat.S_IFDIR)
    default = acl((1, 7, UNNAMED), (4, 5, UNNAMED), (32, 0, UNNAMED))
    row = _row(stat.S_IFDIR | 0o2750, xattrs=((ACL_DEFAULT, default),))

    assert [] == apply_metadata(root, b"x", row, None)
    assert _expected(row) == _read(root)
    assert [] == apply_metadata(root, b"x", _row(stat.S_IFDIR | 0o700), row)
    assert () == _read(root).xattrs


def test_fresh_file_sheds_what_it_inherited(root: int) -> None:
    """A file created below a default ACL has exactly the wanted mode and no ACL."""
    _make(root, stat.S_IFDIR)
    default = acl_for(1001, 7)
    assert [] == apply_metadata(root, b"x", _row(stat.S_IFDIR | 0o755, xattrs=((ACL_DEFAULT, default),)), None)
    parent = confined.open_dir(root, b"x")
    fd = confined.create_file(parent, b"fresh", 0o666)
    row = _row(stat.S_IFREG | 0o644)

    assert [] == apply_metadata_fd(fd, row)
    os.close(fd)

    assert _expected(row) == _read(parent, b"fresh")
    os.close(parent)


@needs_root
def test_fresh_file_in_a_setgid_directory(root: int) -> None:
    """A setgid directory gives its group to what is created in it; the fast way does not leave it so."""
    _make(root, stat.S_IFDIR)
    apply_metadata(root, b"x", _row(stat.S_IFDIR | 0o2755, gid=77), None)
    parent = confined.open_dir(root, b"x")
    fd = confined.create_file(parent, b"fresh")

    assert [] == apply_metadata_fd(fd, _row())
    os.close(fd)

    assert os.getegid() == _read(parent, b"fresh").gid
    os.close(parent)


def test_xattrs_are_replaced_and_removed(root: int) -> None:
    """Values change, surplus attributes go, empty values and odd names stay; by what is there, or by what is believed."""
    _make(root, stat.S_IFREG)
    first = _row(xattrs=((b"user.a", b"1"), (b"user.b\xff\n", b""), (b"user.c", b"3" * 1000)))
    second = _row(xattrs=((b"user.a", b"one"), (b"user.d", b"4")))

    assert [] == apply_metadata(root, b"x", first, None)
    assert first.xattrs == _read(root).xattrs
    assert [] == apply_metadata(root, b"x", second, first)
    assert second.xattrs == _read(root).xattrs
    assert [] == apply_metadata(root, b"x", _row(), None)
    assert () == _read(root).xattrs


def test_a_believed_xattr_that_is_gone_does_not_matter(root: int) -> None:
    """Removing what somebody else removed already is done."""
    _make(root, stat.S_IFREG)

    assert [] == apply_metadata(root, b"x", _row(), _row(xattrs=((b"user.gone", b"1"),)))


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (b"user.a", True),
        (b"security.capability", True),
        (b"security.selinux", True),
        (b"security.ima", False),
        (b"security.evm", False),
        (b"trusted.own", True),
        (b"trusted.SGI_ACL_FILE", False),
        (b"trusted.SGI_ACL_DEFAULT", False),
        (b"trusted.overlay.opaque", False),
        (b"trusted.glusterfs.dht", False),
        (b"system.posix_acl_access", True),
        (b"system.posix_acl_default", True),
        (b"system.nfs4_acl", False),
        (b"btrfs.compression", False),
    ],
)
def test_which_xattrs_are_kept(name: bytes, kept: bool) -> None:
    """What a filesystem or the kernel keeps for itself is not replicated."""
    assert kept == is_kept(name)


@needs_root
def test_private_xattrs_are_neither_read_nor_removed_nor_set(root: int) -> None:
    """A private attribute stays as it is whatever a row says; one that a row claims is said to be refused."""
    _make(root, stat.S_IFREG)
    os.setxattr(confined.proc_path(root, b"x"), b"trusted.overlay.opaque", b"y", follow_symlinks=False)

    denied = apply_metadata(root, b"x", _row(xattrs=((b"trusted.SGI_ACL_FILE", b"z"),)), None)

    assert ["xattr trusted.SGI_ACL_FILE"] == denied
    assert () == _read(root).xattrs
    assert ["trusted.overlay.opaque"] == os.listxattr(confined.proc_path(root, b"x"), follow_symlinks=False)


@pytest.mark.parametrize("value", [b"", b"\x02\0\0\0\xff", b"garbage" * 9])
def test_impossible_acl_is_refused_and_said(root: int, value: bytes) -> None:
    """ACL bytes that the kernel will not take end as one named refusal, with everything else applied."""
    _make(root, stat.S_IFREG)
    row = _row(stat.S_IFREG | 0o604, xattrs=((ACL_ACCESS, value), (b"user.a", b"1")))

    denied = apply_metadata(root, b"x", row, None)

    assert denied in (["xattr system.posix_acl_access"], [])
    assert (row.mode, MTIME) == (_read(root).mode, _read(root).mtime)
    assert ((b"user.a", b"1"),) == _read(root).xattrs


@needs_root
@pytest.mark.parametrize("kind", ["file", "directory"])
@pytest.mark.parametrize("flags", [FLAG_IMMUTABLE, FLAG_APPEND, FLAG_IMMUTABLE | FLAG_APPEND])
def test_flags_round_trip(root: int, kind: str, flags: int) -> None:
    """Flags are set last, read with and without a descriptor, lifted while something else changes, and cleared."""
    _make(root, KINDS[kind])
    row = _row(KINDS[kind] | 0o755, 5, 6, flags=flags)
    if "flags" in apply_metadata(root, b"x", row, None):
        pytest.skip("no flags on this filesystem")

    fd = confined.open_file(root, b"x")
    assert _expected(row) == _read(root) == read_metadata(root, b"x", os.fstat(fd), fd)
    os.close(fd)
    changed = _row(KINDS[kind] | 0o700, 7, 8, mtime=1, flags=flags)
    assert [] == apply_metadata(root, b"x", changed, row)
    assert _expected(changed) == _read(root)
    assert flags == clear_flags(root, b"x")
    assert 0 == clear_flags(root, b"x") == _read(root).flags


@needs_root
def test_flags_of_the_parent(root: int) -> None:
    """An immutable directory lets nothing be made or removed in it until its flags are cleared through its descriptor."""
    if "flags" in apply_metadata(root, b"", _row(stat.S_IFDIR | 0o755, flags=FLAG_IMMUTABLE), None):
        pytest.skip("no flags on this filesystem")

    with pytest.raises(PermissionError):
        confined.make_dir(root, b"x")
    assert FLAG_IMMUTABLE == clear_flags(root, b"")
    confined.make_dir(root, b"x")


@needs_root
def test_other_flags_are_left(root: int) -> None:
    """Lifting and setting our two flags leaves a filesystem's others, such as nodump, as they are."""
    fd = confined.create_file(root, b"x")
    nodump = 0x40
    with contextlib.suppress(OSError):
        _set_raw_flags(fd, _raw_flags(fd) | nodump)
    before = _raw_flags(fd)
    if not before & nodump:
        os.close(fd)
        pytest.skip("no flags on this filesystem")

    confined.set_flags_fd(fd, FLAG_APPEND)
    assert before | FLAG_APPEND == _raw_flags(fd)
    confined.set_flags_fd(fd, 0)
    assert before == _raw_flags(fd)
    os.close(fd)


def _raw_flags(fd: int) -> int:
    import fcntl

    raw = bytearray(8)
    fcntl.ioctl(fd, 0x80086601, raw, True)
    return int.from_bytes(raw[:4], "little")


def _set_raw_flags(fd: int, flags: int) -> None:
    import fcntl

    fcntl.ioctl(fd, 0x40086602, flags.to_bytes(8, "little"))


def test_the_root_itself(root: int) -> None:
    """An empty name applies to, and reads, the directory at hand."""
    row = _row(stat.S_IFDIR | 0o750, xattrs=((b"user.a", b"1"),))

    assert [] == apply_metadata(root, b"", row, None)

    assert _expected(row) == read_metadata(root, b"", os.fstat(root), root)


def test_another_type_is_not_touched(root: int) -> None:
    """Metadata of a file is not put on a directory that stands in its place."""
    _make(root, stat.S_IFDIR)
    before = _read(root)

    with pytest.raises(OSError, match="another type"):
        apply_metadata(root, b"x", _row(), None)

    assert before == _read(root)


def test_missing_entry(root: int) -> None:
    """Nothing there is FileNotFoundError."""
    with pytest.raises(FileNotFoundError):
        apply_metadata(root, b"x", _row(), None)
    with pytest.raises(FileNotFoundError):
        clear_flags(root, b"x")


def test_reading_by_descriptor_equals_reading_by_name(root: int) -> None:
    """Size, times and attributes are the same both ways."""
    fd = confined.create_file(root, b"x")
    os.write(fd, b"12345")
    apply_metadata_fd(fd, _row(xattrs=((b"user.z", b"1"), (b"user.a", b"2"))))

    by_fd = read_metadata(root, b"x", os.fstat(fd), fd)
    os.close(fd)

    assert _read(root) == by_fd
    assert (5, (b"user.a", b"user.z")) == (by_fd.size, tuple(name for name, _ in by_fd.xattrs))


def test_a_socket_can_be_read(root: int) -> None:
    """A socket has metadata like anything else; whoever captures skips it by its mode."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fsdecode(confined.proc_path(root, b"x")))
    listener.close()

    assert stat.S_ISSOCK(_read(root).mode)


@needs_root
def test_unprivileged_says_what_it_may_not(root: int) -> None:
    """Without privileges the rest is applied, each refusal is named, and setuid never falls to the wrong owner."""
    _make(root, stat.S_IFREG)
    apply_metadata(root, b"", _row(stat.S_IFDIR | 0o777), None)
    apply_metadata(root, b"x", _row(uid=NOBODY, gid=NOBODY), None)
    row = _row(stat.S_IFREG | 0o4755, 0, 0, flags=FLAG_IMMUTABLE, xattrs=((b"trusted.t", b"1"), (b"user.u", b"2")))

    with as_nobody():
        denied = apply_metadata(root, b"x", row, None)
        fd = confined.create_file(root, b"fresh")
        denied_fresh = apply_metadata_fd(fd, row)
        os.close(fd)

    assert ["owner", "xattr trusted.t", "mode", "flags"] == denied == denied_fresh
    for name in (b"x", b"fresh"):
        found = _read(root, name)
        assert (stat.S_IFREG | 0o755, NOBODY, MTIME) == (found.mode, found.uid, found.mtime)
        assert ((b"user.u", b"2"),) == found.xattrs


@needs_root
def test_what_belongs_to_others_is_refused_and_said(root: int) -> None:
    """On a file of somebody else all of it is refused, and nothing raises."""
    _make(root, stat.S_IFREG)
    apply_metadata(root, b"", _row(stat.S_IFDIR | 0o777), None)
    row = _row(stat.S_IFREG | 0o600, NOBODY, NOBODY, xattrs=((b"user.u", b"2"),))

    with as_nobody():
        denied = apply_metadata(root, b"x", row, _row())

    assert ["owner", "xattr user.u", "mode", "times"] == denied


@needs_root
def test_xattrs_of_an_unprivileged_owner_s_read_only_file(root: int) -> None:
    """user.* attributes of a read-only file are set by its unprivileged owner, fresh or not, and it is read-only again."""
    _make(root, stat.S_IFREG)
    apply_metadata(root, b"", _row(stat.S_IFDIR | 0o777), None)
    row = _row(stat.S_IFREG | 0o444, NOBODY, NOBODY, xattrs=((b"user.u", b"2"),))
    apply_metadata(root, b"x", _row(stat.S_IFREG | 0o400, NOBODY, NOBODY), None)

    with as_nobody():
        assert [] == apply_metadata(root, b"x", row, None)
        fd = confined.create_file(root, b"fresh")
        assert [] == apply_metadata_fd(fd, row)
        os.close(fd)

    assert _expected(row) == _read(root) == _read(root, b"fresh")
