"""The power of a secondary is cut in the middle of an apply of a device: what may differ by then is redone, and nothing else."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from agent.apply.results import silent
from agent.store.local import Local
from fakes.device_standby import device_standby, scattered
from fakes.loop_image import can_mount, disk


@pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="takes root and loop devices")
@pytest.mark.parametrize("round", range(6))
def test_a_cut_at_any_step_leaves_what_is_made_equal_again(tmpfs_dir: Path, seed: int, round: int) -> None:
    """Image, token and local facts are those of one instant, and the catalog is newer."""
    rng = random.Random(seed * 1000 + round)
    with disk(tmpfs_dir, 64) as machine, device_standby(machine.root / "it", tmpfs_dir / "received") as it:
        image = rng.randbytes(400_000)
        applier = it.applier()
        applier.converge(newest := it.put(image), silent)
        applier.checkpoint()
        left = [rng.randrange(1, 20)]

        def step(_what: str) -> None:
            left[0] -= 1
            if left[0] == 0:
                machine.freeze_frame()

        it.dies()
        applier = it.applier(step)
        for _ in range(8):
            image = scattered(rng, image)
            applier.converge(newest := it.put(image), silent)
            if rng.random() < 0.3:
                applier.checkpoint()
        if left[0] > 0:
            machine.freeze_frame()
        it.dies()
        it.local.close()
        machine.power_cut()
        it.local = Local.open(str(it.base / "local.db"))
        applier = it.applier()
        applier.converge(newest, silent)
        assert it.content() == image
        assert applier.verify(deep=True).equal
        it.dies()
        it.local.close()
