"""A tree and a device of one group, written in turns by one program: a generation of the group is one moment of both."""

from __future__ import annotations

import os

import pytest

from fakes.grouped_agents import GROUP, Counting, group_pair
from fakes.loop_image import can_mount

SEEDS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0"))
pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs root and loop devices"),
    pytest.mark.timeout(0 if SEEDS else 300),
]
#: So many moments of each filesystem; ``make soak`` takes 25.
MOMENTS = SEEDS or 1


@pytest.mark.parametrize(("kind", "typed_on"), [("ext4", "beta"), ("xfs", "alpha")])
def test_the_device_is_never_ahead(kind: str, typed_on: str) -> None:
    """Nor is the tree by more than the one that was being written, also where the device lies in a file on the tree's filesystem;
    taken one after the other, they are of two moments."""
    with group_pair(kind, inside=kind == "ext4") as pair:
        with Counting(pair.tree, pair.disk):
            pair.synced()
            taken = [pair.take(pair[typed_on])["disk"], *(pair.take()["disk"] for _ in range(MOMENTS - 1))]
            apart = [pair.beta.json("generations", "take", name)["generation"] for name in ("web", "disk")]
        found = [pair.restored(one, pair[typed_on]) for one in taken]
        assert [] == [(tree, device) for tree, device in found if tree - device not in (0, 1)]
        listed = pair.beta.json("generations", "list", "disk")
        assert [f"{GROUP}/{one}" for one in taken] == [one["together"] for one in listed if one["together"]]
        tree, device = pair.restored_apart(*apart)
        assert device > tree
