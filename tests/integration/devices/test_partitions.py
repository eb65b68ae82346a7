"""Two datasets, each a partition of one disk: what is written to one is no business of the other's."""

from __future__ import annotations

import random
from pathlib import Path

from fakes.agents import UNBRAKED, Fleet, Shared, running
from fakes.device_agents import QUICK
from fakes.eventually import eventually
from fakes.loop_device import needs_loops
from fakes.loop_image import run, unmount
from fakes.written_disk import loop_of, partitions_of

pytestmark = needs_loops
MIB = 1 << 20


def test_partitions_of_one_disk_are_replicated_each_by_itself(tmpfs_dir: Path) -> None:
    """One has a mounted filesystem and is frozen for its commits, the other is written raw: both stand on the standby as they
    are, and a write to one makes no commit of the other."""
    rng = random.Random(2)
    with loop_of(tmpfs_dir, 32) as disk, partitions_of(disk, 14, 14) as parts:

        def make(base: Path) -> Fleet:
            kept = [
                Shared(name, "alpha", ("beta",), {"alpha": Path(part), "beta": base / f"{name}.img"}, "device")
                for name, part in zip(("mounted", "raw"), parts, strict=True)
            ]
            return Fleet(base, ("alpha", "beta"), kept, UNBRAKED + QUICK)

        with running(make) as both:
            alpha, where = both["alpha"], both.base / "at-mounted"
            run("mkfs.ext4", "-q", "-F", parts[0])
            where.mkdir()
            run("mount", parts[0], str(where))
            try:
                both.start()
                for agent in both.agents:
                    agent.up()
                for name in both.datasets:
                    alpha.wait(name=name, within=90.0)
                before = alpha.look("raw")["commit"]
                (where / "file").write_bytes(rng.randbytes(MIB))
                alpha.wait(name="mounted", within=90.0)
                assert before == alpha.look("raw")["commit"]
                with open(parts[1], "r+b", buffering=0) as raw:
                    raw.write(rng.randbytes(MIB))
                alpha.wait(name="raw", within=90.0)
            finally:
                unmount(where)
            for name, part in zip(both.datasets, parts, strict=True):
                alpha.wait(name=name, within=90.0)
                standby = both.datasets[name].paths["beta"]
                eventually(lambda standby=standby, part=part: standby.read_bytes() == Path(part).read_bytes())  # type: ignore[misc]
