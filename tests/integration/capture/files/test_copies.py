"""Hard links that the filesystem does not tell to be one file: said with their paths, counted, and no longer than it is so."""

from __future__ import annotations

import os
from pathlib import Path

from agent.capture.files.hard_links import Linked
from agent.core.problem_codes import HARD_LINKS_COPIED
from fakes.capture_fakes import RecordingOutlet, Station, station
from fakes.eventually import eventually


def said(made: Station) -> list[bytes]:
    """The paths that are told."""
    return sorted(path for code, path in made.problems() if code == HARD_LINKS_COPIED)


def linked(root: Path, outside: Path) -> None:
    """Two files of which one name each is not known in the tree, and one that is all there."""
    outside.mkdir()
    for name in ("one", "two"):
        (root / name).write_text(name)
        os.link(root / name, outside / name)
    (root / "three").write_text("three")
    os.link(root / "three", root / "again")


def test_links_that_are_not_known_are_said_until_they_go(root: Path) -> None:
    """Where names may stand apart: what has more names than are known, each until its count is right, also after a restart."""
    outside = root.parent / "outside"
    linked(root, outside)
    state, outlet = root.parent / "state", RecordingOutlet()
    for _ in range(2):
        with station(root, state, outlet, linked=Linked(stand_apart=lambda fd: True)) as made:
            made.synced()
            eventually(lambda: said(made) == [b"one", b"two"])
    with station(root, state, outlet, linked=Linked(stand_apart=lambda fd: True)) as made:
        made.synced()
        (outside / "one").unlink()
        made.reconcile()
        eventually(lambda: said(made) == [b"two"])
        (root / "two").unlink()
        made.hint(b"two")
        eventually(lambda: said(made) == [])


def test_elsewhere_a_link_outside_is_nothing_special(root: Path) -> None:
    """On a filesystem that tells files apart a name outside the tree is no copy, and all names in it are one file."""
    linked(root, root.parent / "outside")
    with station(root, root.parent / "state") as made:
        made.synced()
        assert ([], []) == (said(made), made.mirror())
