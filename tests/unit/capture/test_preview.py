"""What rules would take and leave."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from agent.capture.exclude import Rules
from agent.capture.preview import Preview, previewed


def of(root: Path, rules: Rules, *mounts: Path) -> list[tuple[str, bool, str]]:
    """Path, whether it is left, and why."""
    found = previewed(os.fsencode(root), rules, [os.fsencode(one) for one in mounts])
    return [(os.fsdecode(one.path), one.left, one.rule) for one in found]


def test_each_name_with_the_rule_that_decided(tmp_path: Path) -> None:
    """Nothing below what is left; what include brings back says so; our own directory is nobody's business."""
    for name in ("a.tmp", "keep.tmp", "cache/x", "b/c.tmp", "b/d", ".hikae/m"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    assert of(tmp_path, Rules(["**/*.tmp", "cache/"], ["keep.tmp"])) == [
        ("a.tmp", True, 'exclude = "**/*.tmp"'),
        ("b", False, ""),
        ("b/c.tmp", True, 'exclude = "**/*.tmp"'),
        ("b/d", False, ""),
        ("cache", True, 'exclude = "cache/"'),
        ("keep.tmp", False, 'include = "keep.tmp"'),
    ]


def test_without_rules_all_is_taken_but_mounts_and_datasets(tmp_path: Path) -> None:
    """Each with its reason."""
    for name in ("data", "inner", "mnt"):
        (tmp_path / name).mkdir()
    assert of(tmp_path, Rules((), (), {b"inner": "a dataset of its own"}), tmp_path / "mnt") == [
        ("data", False, ""),
        ("inner", True, "a dataset of its own"),
        ("mnt", True, "a mount of its own"),
    ]


def test_sizes_are_those_of_files_and_links_are_not_followed(tmp_path: Path) -> None:
    """A link to a directory is a name like any other."""
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("/")
    assert list(previewed(os.fsencode(tmp_path), Rules())) == [
        Preview(b"file", False, False, "", 5),
        Preview(b"link", False, False),
    ]


def test_any_depth(tmp_path: Path) -> None:
    """As deep as a path can be opened."""
    above = str(tmp_path)
    for _ in range(1500):
        above += "/d"
        os.mkdir(above)
    assert len(of(tmp_path, Rules())) == 1500
    # pytest cannot remove so deep a tree.
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)
