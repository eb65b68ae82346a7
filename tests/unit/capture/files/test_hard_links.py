"""Files with further names are known by handle, within bounds."""

from __future__ import annotations

import stat

from agent.capture.files.hard_links import Linked
from agent.core.ids import ObjectId

ONE = ObjectId(1)
FILE, DIRECTORY = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755


def test_only_files_with_further_names_are_held() -> None:
    """A file with two names is held until it has one; directories never are."""
    linked = Linked()
    linked.note(ONE, b"two", FILE, 2)
    linked.note(ONE, b"one", FILE, 1)
    linked.note(ONE, b"directory", DIRECTORY, 7)
    assert [True, False, False] == [linked.holds(handle) for handle in (b"two", b"one", b"directory")]
    linked.note(ONE, b"two", FILE, 1)
    assert not linked.holds(b"two")


def test_beyond_the_limit_everything_may_be_linked() -> None:
    """Memory is bounded, and no change is missed for it."""
    linked = Linked(limit=2)
    for handle in (b"a", b"b", b"c"):
        linked.note(ONE, handle, FILE, 2)
    assert linked.holds(b"never seen")


def test_files_whose_names_may_stand_apart_are_kept() -> None:
    """Only where the filesystem is such a one, and only those with further names."""
    kept = []
    for apart in (True, False):
        linked = Linked(stand_apart=lambda fd, apart=apart: apart)  # type: ignore[misc]  # a lambda with a default
        linked.opened(0)
        linked.note(ObjectId(2), b"two", FILE, 2)
        linked.note(ObjectId(3), b"one", FILE, 1)
        kept.append(list(linked.objects))
    assert [[ObjectId(2)], []] == kept
