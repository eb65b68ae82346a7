"""A file that changes little is changed in place: what the standby writes grows with what changed."""

from __future__ import annotations

import os
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.apply.results import silent
from agent.core.ids import ROOT, ObjectId
from fakes.apply_fakes import Crash, DiesAt, Rig, Tree, rig
from fakes.loop_image import can_mount, filesystem

CHUNK = 64 << 10
LOG = [random.Random(seed).randbytes(CHUNK) for seed in range(16)]


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig on a filesystem in memory."""
    with rig(tmpfs_dir / "rig") as made:
        yield made


def _log(it: Rig, *runs: bytes | int) -> tuple[Tree, ObjectId]:
    tree = Tree.empty(it.store)
    return tree, tree.file(ROOT, b"log", *(runs or LOG))


def _inode(it: Rig) -> int:
    return os.stat(it.root / "log").st_ino


def test_a_line_that_is_appended_is_all_that_is_written(it: Rig) -> None:
    """In the same file, the page that stood there counted."""
    tree, log = _log(it, *LOG[:-1], LOG[-1][:-500])
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    before = _inode(it)
    tree.write(log, *LOG[:-1], LOG[-1][:-413])
    done = applier.converge(it.commit(tree), silent)
    assert (before, tree.expected()) == (_inode(it), it.seen())
    assert 4096 - 413 == done.bytes


@pytest.mark.parametrize(("changed", "stays"), [(CHUNK // 2, True), (3 * CHUNK, False)])
def test_under_an_eighth_is_changed_in_place(it: Rig, changed: int, stays: bool) -> None:
    """What differs from what stands there counts, not the chunks in which it does; more is written aside."""
    tree, log = _log(it)
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    before = _inode(it)
    content = b"".join(LOG)
    content = bytes(changed) + content[changed:]
    tree.write(log, *(content[at : at + CHUNK] for at in range(0, len(content), CHUNK)))
    done = applier.converge(it.commit(tree), silent)
    assert tree.expected() == it.seen()
    assert (stays, changed if stays else len(content)) == (_inode(it) == before, done.bytes)


@pytest.mark.parametrize("end", [10 * CHUNK + 100, CHUNK])
def test_a_file_that_was_cut_off_is_cut_off_in_place(it: Rig, end: int) -> None:
    """Nothing but the chunk in which it ends now is looked at."""
    tree, log = _log(it)
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    before = _inode(it)
    content = b"".join(LOG)[:end]
    tree.write(log, *(content[at : at + CHUNK] for at in range(0, end, CHUNK)))
    applier.converge(it.commit(tree), silent)
    assert (before, tree.expected()) == (_inode(it), it.seen())


def test_zeros_that_are_written_into_a_hole_are_no_hole(it: Rig) -> None:
    """They read the same, and take room on the primary."""
    tree, log = _log(it, *LOG, 2 * CHUNK, LOG[0])
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    tree.write(log, *LOG, bytes(CHUNK), CHUNK, LOG[0])
    applier.converge(it.commit(tree), silent)
    assert tree.expected() == it.seen()


@pytest.mark.parametrize("number", range(1, 6))
def test_a_file_that_may_be_half_written_is_mended(it: Rig, number: int) -> None:
    """The run ends at any step, what it wrote is anything, and another commit has come by the next start."""
    tree, log = _log(it)
    it.applier().converge(it.commit(tree), silent)
    tree.write(log, *LOG, LOG[0][:100])
    target = it.commit(tree)
    dying = it.applier(DiesAt(number))
    try:
        dying.converge(target, silent)
    except Crash:
        it.dies(dying)
    with open(it.root / "log", "r+b") as file:
        file.seek(15 * CHUNK)
        file.write(b"half of it")
    tree.file(ROOT, b"other", b"x")
    it.applier().converge(it.commit(tree), silent)
    assert tree.expected() == it.seen()


#: An ACL by which user 1234 may read too.
ACL = struct.pack(
    "<I" + "HHI" * 5,
    2,
    1,
    6,
    ~0 & 0xFFFFFFFF,
    2,
    4,
    1234,
    4,
    4,
    ~0 & 0xFFFFFFFF,
    16,
    4,
    ~0 & 0xFFFFFFFF,
    32,
    4,
    ~0 & 0xFFFFFFFF,
)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
@pytest.mark.parametrize("links", [1, 2])
@pytest.mark.parametrize(
    "private",
    [
        {"mode": 0o100600},
        {"uid": 1234},
        {"gid": 1234},
        {"mode": 0o104644},
        {"xattrs": ((b"system.posix_acl_access", ACL),)},
    ],
    ids=["mode", "owner", "group", "setuid", "acl"],
)
def test_who_had_a_file_open_sees_nothing_of_what_others_may_read(
    it: Rig, private: dict[str, object], links: int
) -> None:
    """A file that changes with its owner, mode or ACL is another file, under each of its names."""
    tree, log = _log(it)
    for number in range(1, links):
        tree.link(ROOT, b"log%d" % number, log)
    applier = it.applier()
    applier.converge(it.commit(tree), silent)
    with open(it.root / "log", "rb", buffering=0) as reader:
        tree.write(log, *LOG, b"a secret\n")
        tree.alter(log, **private)
        applier.converge(it.commit(tree), silent)
        assert b"".join(LOG) == reader.read()
    assert tree.expected() == it.seen()


def test_after_a_crash_a_file_that_others_may_read_is_made_anew(it: Rig) -> None:
    """Nothing is believed, so all of it is compared, and what differs does not go into the file that stands."""
    tree, log = _log(it)
    tree.link(ROOT, b"too", log)
    it.applier().converge(it.commit(tree), silent)
    tree.write(log, *LOG, b"a secret\n")
    tree.alter(log, mode=0o100600)
    target = it.commit(tree)
    dying = it.applier(DiesAt(1))
    with pytest.raises(Crash):
        dying.converge(target, silent)
    it.dies(dying)
    with open(it.root / "log", "rb", buffering=0) as reader:
        it.applier().converge(target, silent)
        assert b"".join(LOG) == reader.read()
    assert tree.expected() == it.seen()


@pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs loop devices")
def test_where_files_can_share_content_nobody_sees_one_half_written(tmp_path: Path) -> None:
    """XFS: a clone is changed and takes the file's place; still only what changed is written."""
    with filesystem("xfs", tmp_path) as where, rig(where / "rig") as it:
        tree, log = _log(it)
        applier = it.applier()
        applier.converge(it.commit(tree), silent)
        before = _inode(it)
        tree.write(log, *LOG, b"a line\n")
        done = applier.converge(it.commit(tree), silent)
        assert (True, 7) == (before != _inode(it), done.bytes)
        assert tree.expected() == it.seen()
