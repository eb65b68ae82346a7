"""Two datasets in vaults on filesystems of their own, one of which fills up: it stops with a name, the other goes on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fakes.agents import Pair, pair
from fakes.eventually import eventually
from fakes.loop_image import can_mount, make_image, mounted
from fakes.trees import differences

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="takes root and loop devices")

MIB = 1 << 20
IMAGE_MIB = 160


class Disks:
    """Where the vaults of ``web`` and ``shop`` lie on the secondary, and the trees of ``shop``."""

    def __init__(self, place: Path) -> None:
        self.web, self.shop = place / "web", place / "shop"
        self.source, self.target = place / "shop-source", place / "shop-standby"
        self.source.mkdir()
        self.configuration = (
            f'vault = "{self.web}"\n[[dataset]]\nname = "shop"\nkind = "tree"\nprimary = "alpha"\nstandby = ["beta"]\n'
            f'path = {{ alpha = "{self.source}", beta = "{self.target}" }}\nvault = "{self.shop}"\n'
        )

    def fill_web(self, leave: int) -> Path:
        """Take all room of the first vault's disk but ``leave`` bytes; what takes it."""
        ballast = self.web / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, free(self.web) - leave)
        return ballast


@contextmanager
def two_vaults() -> Iterator[tuple[Pair, Disks]]:
    """A running pair with both datasets, each with a file that has arrived."""
    place = Path(tempfile.mkdtemp(prefix="hikae-vaults-", dir="/dev/shm"))
    try:
        for name in ("web", "shop"):
            make_image(place / f"{name}.img", IMAGE_MIB)
        with mounted(place / "web.img", place / "web"), mounted(place / "shop.img", place / "shop"):
            disks = Disks(place)
            with pair(disks.configuration) as both:
                (both.source / "first").write_text("web")
                (disks.source / "first").write_text("shop")
                both.begin()
                both.alpha.wait(name="shop")
                yield both, disks
    finally:
        shutil.rmtree(place, ignore_errors=True)


def free(path: Path) -> int:
    """Bytes that are free there."""
    stat = os.statvfs(path)
    return stat.f_bavail * stat.f_frsize


def position(both: Pair) -> tuple[int, int]:
    """Epoch and number of the newest commit of ``web`` on the secondary."""
    commit = both.beta.look()["commit"]
    return commit["epoch"], commit["seq"]


def acknowledged(both: Pair) -> tuple[int, int]:
    """The newest commit of ``web`` that the primary was told to be durable."""
    peer = both.alpha.look()["peers"][0]
    return peer["durable_epoch"], peer["durable_seq"]


def test_one_disk_fills_and_the_other_dataset_goes_on() -> None:
    """Named on both nodes; the reserve stays free; nothing acknowledged is lost, also by a kill; freed, it goes on by itself."""
    with two_vaults() as (both, disks):
        ballast = disks.fill_web(60 * MIB)
        for number in range(160):
            (both.source / f"f{number}").write_bytes(os.urandom(256 << 10))
        problem = both.beta.told("state-disk-reserve", "nothing more is received", str(disks.web))
        assert "goes on by itself" in problem["remedy"]
        both.alpha.told("disk-reserve", "beta", str(disks.web))
        assert free(disks.web) > 25 * MIB
        (disks.source / "meanwhile").write_text("the other dataset goes on")
        both.alpha.wait(name="shop")
        assert "the other dataset goes on" == (disks.target / "meanwhile").read_text()
        assert ["streaming", "streaming"] == [agent.look("shop")["state"] for agent in both.agents]
        assert not {"state-disk-reserve", "disk-reserve"} & both.beta.problems("shop").keys()
        told = acknowledged(both)
        both.beta.kill()
        both.beta.start()
        both.beta.told("state-disk-reserve")
        assert told <= position(both)
        ballast.unlink()
        both.mirror()
        both.beta.cleared("state-disk-reserve")
        both.alpha.cleared("disk-reserve", "disconnected")
        both.alpha.wait(name="shop")
        assert [] == list(differences(str(disks.source), str(disks.target)))
        assert both.beta.json("verify", "web", "--deep")["equal"]


def test_what_was_received_is_applied_while_receiving_stands_still() -> None:
    """What was durable before the reserve was reached comes to the standby; what was written later once there is room."""
    with two_vaults() as (both, disks):
        both.beta.run("pause", "web", "--apply")
        (both.source / "received").write_text("1")
        both.alpha.wait("durable")
        ballast = disks.fill_web(20 * MIB)
        both.beta.told("state-disk-reserve")
        both.alpha.told("disk-reserve")
        (both.source / "later").write_text("1")
        assert not (both.target / "received").exists()
        both.beta.run("resume", "web", "--apply")
        eventually((both.target / "received").exists)
        assert "state-disk-reserve" in both.beta.problems()
        assert not (both.target / "later").exists()
        ballast.unlink()
        both.mirror()
        both.beta.cleared("state-disk-reserve")
