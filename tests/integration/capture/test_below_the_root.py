"""What lies below a root with a device number or a mount of its own: subvolumes, layers of an overlay, mounts."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.capture.exclude import Rules
from agent.watch.hint import Look
from fakes.capture_fakes import LightOutlet, station
from fakes.loop_image import filesystem, run
from fakes.mounts import needs_root, unanswered, unmount

needs_btrfs = pytest.mark.skipif(shutil.which("mkfs.btrfs") is None, reason="btrfs-progs is not installed")


@contextmanager
def subvolumes(base: Path) -> Iterator[Path]:
    """A root on btrfs with two subvolumes, in which the same inode numbers stand for different files."""
    with filesystem("btrfs", base) as where:
        root = where / "root"
        root.mkdir()
        for name in ("one", "two"):
            run("btrfs", "subvolume", "create", str(root / name))
            (root / name / "d").mkdir()
            (root / name / "d" / "file").write_text(name)
            os.link(root / name / "d" / "file", root / name / "link")
        yield root


@needs_root
@needs_btrfs
def test_subvolumes_belong_to_the_tree(tmpfs_dir: Path) -> None:
    """With all that is in them, also where two hold the same inode numbers; a later change and a move between them are seen."""
    with subvolumes(tmpfs_dir) as root, station(root, tmpfs_dir / "state") as made:
        made.synced()
        assert (root / "one/d/file").stat().st_ino == (root / "two/d/file").stat().st_ino
        assert ([], []) == (made.mirror(), made.problems())
        (root / "two/d/file").write_text("changed")
        os.rename(root / "one/d/file", root / "one/file")
        made.hint(b"two/d/file", b"one/d/file", b"one/file")
        assert [] == made.mirror()
        made.reconcile()
        assert ([], []) == (made.mirror(), made.problems())


@needs_root
@needs_btrfs
def test_a_snapshot_is_left_out_and_said(tmpfs_dir: Path) -> None:
    """As one thing, a warning of its path; the warning goes with it. A subvolume that is written to before is kept as it is."""
    with subvolumes(tmpfs_dir) as root, station(root, tmpfs_dir / "state") as made:
        made.synced()
        run("btrfs", "subvolume", "snapshot", "-r", str(root / "one"), str(root / "old"))
        run("btrfs", "property", "set", str(root / "two"), "ro", "true")
        made.hint(b"old", look=Look.SUBTREE)
        made.reconcile()
        assert [("snapshot-skipped", b"old")] == made.problems()
        assert (None, "two") == (made.id_of(b"old"), made.copied(b"two/d/file").decode())
        run("btrfs", "property", "set", str(root / "two"), "ro", "false")
        run("btrfs", "subvolume", "delete", str(root / "old"))
        made.reconcile()
        assert ([], []) == (made.problems(), made.mirror())


@needs_root
@needs_btrfs
def test_include_takes_a_snapshot(tmpfs_dir: Path) -> None:
    """As directories and files."""
    with subvolumes(tmpfs_dir) as root:
        run("btrfs", "subvolume", "snapshot", "-r", str(root / "one"), str(root / "old"))
        with station(root, tmpfs_dir / "state", rules=Rules([], ["/old"])) as made:
            made.synced()
            assert ([], "one") == (made.problems(), made.copied(b"old/d/file").decode())
            assert [] == made.mirror()


@contextmanager
def layers(base: Path) -> Iterator[Path]:
    """An overlay whose layers lie on two filesystems."""
    lower, upper, root = base / "lower", base / "upper", base / "root"
    for one in (lower, upper):
        one.mkdir()
        run("mount", "-t", "tmpfs", "tmpfs", str(one))
    root.mkdir(exist_ok=True)
    try:
        for name in ("low", "deep/low", "both"):
            (lower / name).parent.mkdir(exist_ok=True)
            (lower / name).write_text(f"lower {name}")
        for name in ("u", "w"):
            (upper / name).mkdir()
        run("mount", "-t", "overlay", "none", "-o", f"lowerdir={lower},upperdir={upper}/u,workdir={upper}/w", str(root))
        yield root
    finally:
        for one in (root, upper, lower):
            if os.path.ismount(one):
                unmount(one)


@needs_root
def test_an_overlay_of_two_filesystems(tmpfs_dir: Path) -> None:
    """Files of both layers, before and after they are written to, whatever their device and inode numbers."""
    with layers(tmpfs_dir) as root:
        for number in range(20):
            (root / f"up{number}").write_text(f"{number}")
        assert root.stat().st_dev != (root / "low").stat().st_dev
        with station(root, tmpfs_dir / "state", LightOutlet()) as made:
            made.synced()
            assert ([], []) == (made.mirror(), made.problems())
            (root / "both").write_text("above")
            (root / "deep/low").chmod(0o600)
            (root / "low").rename(root / "moved")
            made.hint(b"both", b"deep/low", b"low", b"moved")
            assert [] == made.mirror()
            made.reconcile()
            assert ([], []) == (made.mirror(), made.problems())


@needs_root
def test_a_mount_that_never_answers_holds_nothing_up(tmpfs_dir: Path) -> None:
    """It stands as an empty directory, is said, and all else goes on: at the start, by hints, in a look at everything."""
    root = tmpfs_dir / "root"
    (root / "his" / "share").mkdir(parents=True)
    (root / "file").write_text("one")
    with station(root, tmpfs_dir / "state") as made, unanswered(root / "his" / "share"):
        made.synced()
        assert [("nested-mount", b"his/share")] == made.problems()
        (root / "his" / "new").write_text("two")
        made.hint(b"his/new", b"his/share")
        made.hint(b"his", look=Look.SUBTREE)
        made.reconcile()
        assert ([("nested-mount", b"his/share")], "two") == (made.problems(), made.copied(b"his/new").decode())


@needs_root
def test_a_mount_over_what_is_known_is_asked_nothing(tmpfs_dir: Path) -> None:
    """What it covers is gone until it is unmounted, and nobody looks for it there."""
    root = tmpfs_dir / "root"
    (root / "his" / "share" / "d").mkdir(parents=True)
    (root / "his" / "share" / "d" / "file").write_text("one")
    with station(root, tmpfs_dir / "state") as made:
        made.synced()
        with unanswered(root / "his" / "share"):
            made.hint(b"his/share/d/file", b"his/share", look=Look.SUBTREE)
            made.reconcile()
            made.reconcile()
            assert ([("nested-mount", b"his/share")], None) == (made.problems(), made.id_of(b"his/share/d/file"))
        made.hint(b"his/share", look=Look.SUBTREE)
        made.reconcile()
        assert ([], []) == (made.problems(), made.mirror())
