"""Groups whose datasets differ where they must not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.config import load
from agent.config.groups import torn_groups
from agent.config.schema import DatasetEntry
from agent.config.values import Generations, Keep
from fakes.config_files import BASE, write
from fakes.config_files import WEB as WEB_TEXT

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
        (
            replace(DISK, generations=Generations(keep=Keep(daily=7))),
            ["its datasets (disk, web) keep generations by several rules"],
        ),
    ],
)
def test_what_differs_is_said(disk: DatasetEntry, expected: list[str]) -> None:
    """Each way by itself, with who has which."""
    found = list(torn_groups([WEB, disk]))
    assert [True] * len(expected) == [one in line for one, line in zip(expected, found, strict=True)]


def test_it_is_a_warning_of_the_configuration(tmp_path: Path) -> None:
    """Which runs: each dataset by itself is what it was."""
    other = WEB_TEXT.replace('"web"', '"disk"').replace("/srv/web", "/srv/disk")
    group = 'group = "shop"\n'
    (warning,) = load(write(tmp_path, f'{BASE}{WEB_TEXT}{group}{other}{group}generations.schedule = "none"\n')).warnings
    assert warning.startswith("group shop: its datasets have several generations.schedule (disk: ")
