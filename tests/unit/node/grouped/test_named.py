"""A moment of a group, as it is named: the generation of each dataset that is of it, or why there is none."""

from __future__ import annotations

import pytest

from agent.core.errors import HikaeError, NotFound, Refused, UsageError
from agent.core.ids import NOTHING
from agent.generations.moments import Watching
from agent.node.grouped.named import moment_of_group
from agent.store.catalog.generation import Cause, Generation

HOUR = 3600 * 10**9
#: 2026-11-22 00:00 UTC.
BEGAN = 1_795_305_600 * 10**9
NOW = Watching(BEGAN + 10 * HOUR)


def taken(hour: int, together: str = "", label: str = "", name: str = "") -> Generation:
    """One that was taken at an hour."""
    own = name or f"20261122T{hour:02}0000Z"
    return Generation(own, NOTHING, BEGAN + hour * HOUR, 0, Cause.SCHEDULE, label, together=together)


def of_shop(hour: int, label: str = "", name: str = "") -> Generation:
    """One of a moment of the group."""
    return taken(hour, f"shop/20261122T{hour:02}0000Z", label, name)


KEPT = {
    "disk": [of_shop(1), of_shop(2, "before"), taken(3), of_shop(4)],
    "web": [of_shop(1), of_shop(2, "before", "20261122T020000Z-2"), of_shop(4), taken(5)],
}


@pytest.mark.parametrize(
    ("generation", "at", "expected"),
    [
        ("latest", "", ("20261122T040000Z", "20261122T040000Z")),
        ("latest~1", "", ("20261122T020000Z", "20261122T020000Z-2")),
        ("before", "", ("20261122T020000Z", "20261122T020000Z-2")),
        ("20261122T01", "", ("20261122T010000Z", "20261122T010000Z")),
        ("", "2026-11-22T03:30Z", ("20261122T020000Z", "20261122T020000Z-2")),
        ("", "2026-11-22T04:00Z", ("20261122T040000Z", "20261122T040000Z")),
    ],
)
def test_a_moment_is_named_as_a_generation_is(generation: str, at: str, expected: tuple[str, str]) -> None:
    """What was taken by itself is no moment of the group, however new it is."""
    found = moment_of_group("shop", KEPT, generation, at, NOW)
    assert expected == (found.parts["disk"], found.parts["web"])


@pytest.mark.parametrize(
    ("kept", "generation", "at", "error", "words"),
    [
        ({"web": [taken(1)], "disk": []}, "latest", "", NotFound, "no generation of all its datasets"),
        (KEPT, "20261122T030000Z", "", NotFound, "no generation of group shop has that name"),
        (KEPT, "20261122", "", UsageError, "3 are meant by it"),
        (KEPT, "", "", UsageError, "one of --generation and --at"),
        (KEPT, "", "2026-11-22T00:30Z", NotFound, "the oldest moment of group shop"),
        (KEPT, "", "2026-11-22T23:00Z", Refused, "in the future"),
        (KEPT, "", "before", UsageError, "a mark is of one dataset"),
        ({**KEPT, "mail": [of_shop(1)]}, "latest", "", Refused, "it has no generation of mail any more"),
    ],
)
def test_what_is_none_is_said(
    kept: dict[str, list[Generation]], generation: str, at: str, error: type[HikaeError], words: str
) -> None:
    """With what to type instead."""
    with pytest.raises(error, match=words) as told:
        moment_of_group("shop", kept, generation, at, NOW)
    assert told.value.remedy


def test_a_moment_that_lacks_one_names_the_newest_that_has_all() -> None:
    """Nothing of an older one is taken for it."""
    kept = {**KEPT, "mail": [of_shop(1), of_shop(2)]}
    with pytest.raises(Refused) as told:
        moment_of_group("shop", kept, "latest", "", NOW)
    assert "the newest that has all: --generation 20261122T020000Z" == told.value.remedy
