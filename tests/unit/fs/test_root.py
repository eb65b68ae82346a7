"""Which directory a root is, and why it is not any more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agent.fs.root import RootIdentity, reason_lost, root_at


def test_it_stands(tmp_path: Path) -> None:
    """Content and metadata may change; a link to it is the same root."""
    root = tmp_path / "root"
    root.mkdir()
    identity = root_at(str(root))
    (root / "file").touch()
    root.chmod(0o700)
    (tmp_path / "link").symlink_to(root)
    assert (None, None) == (reason_lost(str(root), identity), reason_lost(str(tmp_path / "link"), identity))


def test_it_is_lost(tmp_path: Path) -> None:
    """Gone, replaced, no directory, another filesystem: each has its own words."""
    root = tmp_path / "root"
    root.mkdir()
    identity = root_at(str(root))
    elsewhere = replace(identity, filesystem=b"another")
    assert "mounted or unmounted" in str(reason_lost(str(root), elsewhere))
    root.rename(tmp_path / "was")
    assert "the root directory is gone" == reason_lost(str(root), identity)
    root.mkdir()
    assert "another directory stands in the root's place" == reason_lost(str(root), identity)
    root.rmdir()
    root.touch()
    assert "the root is no directory any more" == reason_lost(str(root), identity)


def test_an_identity_is_stored(tmp_path: Path) -> None:
    """It comes back as it was, and two directories have two."""
    identity = root_at(str(tmp_path))
    (tmp_path / "inner").mkdir()
    assert identity == RootIdentity.decoded(identity.encoded())
    assert identity != root_at(str(tmp_path / "inner"))
