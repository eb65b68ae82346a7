"""Files with further names are known by handle, within bounds."""

from __future__ import annotations

import stat

from agent.capture.linked import Linked

FILE, DIRECTORY = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755


def test_only_files_with_further_names_are_held() -> None:
    """A file with two names is held until it has one; directories never are."""
    linked = Linked()
    linked.note(b"two", FILE, 2)
    linked.note(b"one", FILE, 1)
    linked.note(b"directory", DIRECTORY, 7)
    assert [True, False, False] == [linked.holds(handle) for handle in (b"two", b"one", b"directory")]
    linked.note(b"two", FILE, 1)
    assert not linked.holds(b"two")


def test_beyond_the_limit_everything_may_be_linked() -> None:
    """Memory is bounded, and no change is missed for it."""
    linked = Linked(limit=2)
    for handle in (b"a", b"b", b"c"):
        linked.note(handle, FILE, 2)
    assert linked.holds(b"never seen")
