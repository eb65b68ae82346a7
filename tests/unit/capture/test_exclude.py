"""What is left out."""

from __future__ import annotations

import pytest

from agent.capture.exclude import Rules
from agent.core.errors import ConfigError


@pytest.mark.parametrize(
    ("path", "is_dir", "expected"),
    [
        (b"a.tmp", False, True),
        (b"x/y/a.tmp", False, True),
        (b"keep.tmp", False, False),
        (b"cache", True, True),
        (b"cache", False, False),
        (b"top", False, True),
        (b"x/top", False, False),
        (b"new\nline.tmp", False, True),
        (b"caf\xe9/\xff.tmp", False, True),
        (b"a.txt", False, False),
    ],
)
def test_patterns_are_gitignores(path: bytes, is_dir: bool, expected: bool) -> None:
    """Anchors, directories, negation by include, and names that are no UTF-8."""
    rules = Rules(["**/*.tmp", "cache/", "/top"], ["keep.tmp"])
    assert expected is rules.excluded(path, is_dir)


def test_no_rules_leave_nothing_out() -> None:
    """Without patterns the rules are false, so that nobody builds paths for them."""
    assert not Rules()
    assert not Rules().excluded(b"a", False)


def test_a_pattern_that_is_none_is_refused() -> None:
    """The operator reads which."""
    with pytest.raises(ConfigError) as caught:
        Rules(["!"])
    assert "gitignore" in caught.value.remedy
