"""Verify finds every kind of foreign change, and nothing where there is none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.apply.applier import Applier
from agent.apply.bounds import ApplyLimits
from agent.apply.results import Difference, silent
from agent.core.ids import ROOT
from fakes.apply_fakes import PAGE, Rig, Tree, rig

MOMENT = (1_600_000_000_000_000_000, 1_600_000_000_000_000_000)


@pytest.fixture
def it(tmpfs_dir: Path) -> Iterator[Rig]:
    """A rig with a small tree applied."""
    with rig(tmpfs_dir / "rig") as made:
        tree = Tree.empty(made.store)
        d = tree.directory(ROOT, b"d")
        tree.file(d, b"f", b"content")
        tree.link(d, b"link", tree.file(ROOT, b"two names", b"x"))
        tree.file(ROOT, b"sparse", b"a" * PAGE, 4 * PAGE, b"b")
        tree.add(ROOT, b"symlink", 0o120777, content=b"d/f")
        made.applier().converge(made.commit(tree), silent)
        yield made


def _keep_time(path: Path, change: Callable[[], object]) -> None:
    st = path.lstat()
    change()
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def _overwrite(root: Path) -> None:
    _keep_time(root / "d/f", lambda: (root / "d/f").write_text("CONTENT"))


def _fill_hole(root: Path) -> None:
    with (root / "sparse").open("r+b") as file:
        file.seek(2 * PAGE)
        file.write(bytes(PAGE))
    os.utime(root / "sparse", ns=(0, int(os.environ["HIKAE_MTIME"])))


def _break_link(root: Path) -> None:
    path = root / "d/link"
    st, data = path.stat(), path.read_bytes()

    def change() -> None:
        path.unlink()
        path.write_bytes(data)
        path.chmod(st.st_mode & 0o7777)
        os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))

    _keep_time(root / "d", change)


CHANGES: list[tuple[str, Callable[[Path], object], set[tuple[bytes, str]]]] = [
    ("content", _overwrite, {(b"d/f", "content")}),
    ("mode", lambda root: (root / "d/f").chmod(0o600), {(b"d/f", "mode")}),
    ("mtime", lambda root: os.utime(root / "d/f", ns=MOMENT), {(b"d/f", "mtime")}),
    ("mtime of a directory", lambda root: os.utime(root / "d", ns=MOMENT), {(b"d", "mtime")}),
    ("mtime of the root", lambda root: os.utime(root, ns=MOMENT), {(b"", "mtime")}),
    ("xattr", lambda root: os.setxattr(root / "d/f", "user.x", b"1"), {(b"d/f", "xattrs")}),
    ("size", lambda root: _keep_time(root / "d/f", lambda: os.truncate(root / "d/f", 3)), {(b"d/f", "size")}),
    ("foreign", lambda root: _keep_time(root / "d", (root / "d/new").touch), {(b"d/new", "foreign")}),
    ("missing", lambda root: _keep_time(root / "d", (root / "d/f").unlink), {(b"d/f", "missing")}),
    ("links", _break_link, {(b"d/link", "links"), (b"two names", "links")}),
]


def _verify(it: Rig, *, deep: bool) -> set[Difference]:
    applier: Applier = it.opened[0]
    report = applier.verify(deep=deep)
    assert report.equal == (not report.differences)
    return set(report.differences)


def test_an_untouched_standby_is_equal(it: Rig) -> None:
    """With counts of what was looked at; foreign facts about our own directory do not matter."""
    report = it.opened[0].verify(deep=True)
    assert (True, 6, ()) == (report.equal, report.checked_entries, report.differences)


@pytest.mark.parametrize(("name", "change", "expected"), CHANGES, ids=[change[0] for change in CHANGES])
def test_each_foreign_change_is_found(
    it: Rig, name: str, change: Callable[[Path], object], expected: set[tuple[bytes, str]]
) -> None:
    """By path and by what differs."""
    change(it.root)
    assert {Difference(*one) for one in expected} == _verify(it, deep=True)


def test_only_a_deep_look_sees_content_and_holes(it: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change that kept size and time passes the quick look."""
    monkeypatch.setenv("HIKAE_MTIME", str((it.root / "sparse").stat().st_mtime_ns))
    _overwrite(it.root)
    _fill_hole(it.root)
    assert set() == _verify(it, deep=False)
    assert {Difference(b"d/f", "content"), Difference(b"sparse", "holes")} == _verify(it, deep=True)


def test_another_type_and_another_target(it: Rig) -> None:
    """A symlink that leads elsewhere, a directory where a file was."""
    st = (it.root / "symlink").lstat()
    root = it.root.stat()
    (it.root / "symlink").unlink()
    (it.root / "symlink").symlink_to("/etc")
    os.utime(it.root / "symlink", ns=(0, st.st_mtime_ns), follow_symlinks=False)
    (it.root / "sparse").unlink()
    (it.root / "sparse").mkdir()
    os.utime(it.root, ns=(0, root.st_mtime_ns))
    assert {Difference(b"symlink", "target"), Difference(b"sparse", "type")} == _verify(it, deep=False)


def test_the_list_of_differences_is_bounded(it: Rig) -> None:
    """What is beyond is counted."""
    it.opened[0].checkpoint()
    it.limits = ApplyLimits(differences=3)
    applier = it.applier()
    for number in range(10):
        (it.root / f"foreign {number}").touch()
    report = applier.verify(deep=False)
    assert (False, 3, 8) == (report.equal, len(report.differences), report.more)
