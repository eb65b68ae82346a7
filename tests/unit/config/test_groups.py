"""Groups whose datasets differ where they must not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.config.groups import torn_groups
from agent.config.schema import DatasetEntry
from agent.config.values import Generations

WEB = DatasetEntry("web", "/srv/web", "alpha", ("beta",), group="shop")
DISK = replace(WEB, name="disk", path="/srv/disk")


@pytest.mark.parametrize(
    ("disk", "expected"),
    [
        (DISK, []),
        (replace(DISK, group=None, primary="beta"), []),
        (replace(DISK, primary="gamma"), ["several primaries (disk: gamma, web: alpha)"]),
        (replace(DISK, standby=("gamma",)), ["several standbys (disk: gamma, web: beta)"]),
        (
            replace(DISK, generations=Generations("0 3 * * *")),
            ['several generations.schedule (disk: "0 3 * * *", web: "0 * * * *")'],
        ),
    ],
)
def test_what_differs_is_said(disk: DatasetEntry, expected: list[str]) -> None:
    """Each way by itself, with who has which."""
    found = list(torn_groups([WEB, disk]))
    assert [True] * len(expected) == [one in line for one, line in zip(expected, found, strict=True)]
