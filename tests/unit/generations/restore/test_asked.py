"""Which part of a tree is asked for."""

from __future__ import annotations

import pytest

from agent.core.errors import UsageError
from agent.generations.restore.asked import Cover, Parts, part_of


def test_parts_cover_what_is_below_them() -> None:
    """And know what leads to them; names that only begin alike are outside."""
    parts = Parts((b"a/b", b"c", b"a/b/inner"))
    assert (b"a/b", b"c") == parts.paths
    assert not parts.is_whole
    within, way, outside = Cover.WITHIN, Cover.ON_THE_WAY, Cover.OUTSIDE
    expected = {b"": way, b"a": way, b"a/b": within, b"a/b/x/y": within, b"c": within, b"a/bc": outside, b"d": outside}
    assert expected == {path: parts.cover(path) for path in expected}


@pytest.mark.parametrize("paths", [(), (b"",), (b"", b"a")])
def test_the_whole(paths: tuple[bytes, ...]) -> None:
    """Nothing named, or the root."""
    parts = Parts(paths)
    assert parts.is_whole
    assert Cover.WITHIN is parts.cover(b"any/thing")


@pytest.mark.parametrize(
    ("said", "meant"), [(b"a//b/./c/", b"a/b/c"), (b"/srv/web/a", b"a"), (b"/srv/web", b""), (b".", b"")]
)
def test_paths_as_they_are_typed(said: bytes, meant: bytes) -> None:
    """Relative to the root, or below it."""
    assert meant == part_of(said, b"/srv/web")


@pytest.mark.parametrize("said", [b"a/../b", b"/srv/webber", b"/etc", b".hikae/m", b"a\0b"])
def test_paths_that_lead_elsewhere(said: bytes) -> None:
    """Out of the root, into ours, or nowhere."""
    with pytest.raises(UsageError):
        part_of(said, b"/srv/web")
