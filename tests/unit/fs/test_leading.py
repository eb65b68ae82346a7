"""By whose links a path leads where it does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.fs.leading import ForeignLink, foreign_link

#: Of nobody here: so every link that a test makes is another user's.
NOBODY = frozenset[int]()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a file, reached by no link at all."""
    real = Path(os.path.realpath(tmp_path))
    (real / "dir").mkdir()
    (real / "dir" / "disk").write_bytes(b"disk")
    return real


def test_a_path_without_links_is_nobodys_word(place: Path) -> None:
    """What is not there neither."""
    assert (None, None) == (foreign_link(f"{place}/dir/disk", NOBODY), foreign_link(f"{place}/no/disk", NOBODY))


@pytest.mark.parametrize("target", ["dir", "./dir/", "../{name}/dir", "{place}/dir"])
def test_a_link_on_the_way_is_found(place: Path, target: str) -> None:
    """A directory that is a link, relative, by way of the directory above, absolute."""
    (place / "way").symlink_to(target.format(name=place.name, place=place))
    found = foreign_link(f"{place}/way/disk", NOBODY)
    assert ForeignLink(f"{place}/way", os.geteuid()) == found


def test_a_link_behind_a_trusted_one_is_found(place: Path) -> None:
    """Each link counts, whoever made the first: here by what they are called in turn."""
    (place / "last").symlink_to("dir/disk")
    (place / "first").symlink_to(place / "last")
    found = foreign_link(f"{place}/first", NOBODY)
    assert ForeignLink(f"{place}/first", os.geteuid()) == found
    assert None is foreign_link(f"{place}/first", {0, os.geteuid()})


def test_links_that_lead_in_a_circle_end(place: Path) -> None:
    """Whoever opens it is told."""
    (place / "one").symlink_to("two")
    (place / "two").symlink_to("one")
    assert None is foreign_link(f"{place}/one", {os.geteuid()})
