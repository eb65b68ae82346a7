"""A disk that is full, on either side: named, writers not hurt, and on by itself once there is room. All ends equal."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fakes.agents import Pair, pair
from fakes.eventually import eventually
from fakes.mounts import enlarge, memory, needs_root
from fakes.trees import differences

pytestmark = needs_root


@contextmanager
def small(what: str, size: str) -> Iterator[tuple[Pair, Path]]:
    """A pair where one place is a small filesystem: "standby", or a node's name for its state."""
    place = Path(tempfile.mkdtemp(prefix="hikae-small-", dir="/dev/shm"))
    try:
        with memory(place, size):
            more = {"standby": place / "standby"} if what == "standby" else {"states": {what: place / "state"}}
            with pair(**more) as both:
                yield both, place
    finally:
        place.rmdir()


def fill(root: Path, megabytes: int) -> None:
    """Bytes that no compression makes smaller."""
    for number in range(megabytes * 4):
        (root / f"f{number}").write_bytes(os.urandom(256 << 10))


def test_the_secondarys_state_is_full() -> None:
    """The vault keeps a reserve: both nodes say so, nothing is half committed; enlarged, it goes on by itself."""
    with small("beta", "20m") as (both, place):
        (both.source / "first").write_text("fits")
        both.begin()
        fill(both.source, 30)
        both.beta.told("state-disk-reserve", "nothing more is received", "kept free")
        both.alpha.told("disk-reserve", "beta", "kept free")
        stat = os.statvfs(place)
        assert stat.f_bavail * stat.f_frsize > 2 << 20
        (both.source / "meanwhile").write_text("writers are not hurt")
        enlarge(place, "200m")
        both.mirror()
        both.beta.cleared("state-disk-reserve", "state-disk-full")
        both.alpha.cleared("disk-reserve", "busy", "disconnected")


def test_history_where_the_state_is_full(tmp_path: Path) -> None:
    """What is typed is done, or refused for the disk; with room again what is kept comes back, and nothing of it is damaged."""
    with small("beta", "40m") as (both, place):
        fill(both.source, 4)
        both.begin()
        both.beta.json("generations", "take", "web", "--label", "kept", "--pin")
        ballast = place / "ballast"
        with suppress(OSError):
            ballast.write_bytes(bytes(50 << 20))
        restore = ("restore", "web", "--generation", "kept", "--to", str(tmp_path / "back"))
        for words in (("take", "web", "--label", "more"), ("expire", "web", "--yes"), ("verify", "web"), restore):
            done = both.beta.run(*(() if words is restore else ("generations",)), *words)
            assert done.returncode == 0 or (done.returncode == 75 and "the disk is full" in done.stderr), done.stderr
        ballast.unlink()
        both.mirror()
        shutil.rmtree(tmp_path / "back", ignore_errors=True)
        assert 0 == both.beta.run(*restore).returncode
        assert [] == differences(str(both.source), str(tmp_path / "back"))
        assert [] == both.beta.json("generations", "verify", "web")["damaged"]


def test_the_standbys_filesystem_is_full() -> None:
    """The standby has no room: what comes is stored, status says so; enlarged, the standby follows by itself."""
    with small("standby", "10m") as (both, place):
        (both.source / "first").write_text("fits")
        both.begin()
        fill(both.source, 16)
        both.alpha.wait("durable")
        both.beta.told("standby-disk-full")
        enlarge(place, "100m")
        both.mirror()
        both.beta.cleared("standby-disk-full", "apply-stopped")


def test_the_primarys_state_is_full() -> None:
    """The catalog has no room: said, writers go on, nothing is forgotten; enlarged, everything arrives by itself."""
    with small("alpha", "4m") as (both, place):
        (both.source / "first").write_text("fits")
        both.begin()
        for number in range(6_000):
            path = both.source / f"d{number % 30}" / f"a-rather-long-name-for-a-file-{number}"
            path.parent.mkdir(exist_ok=True)
            path.write_text(str(number))
        both.alpha.told("state-disk-reserve", "capture waits")
        enlarge(place, "200m")
        both.mirror(90)
        both.alpha.cleared("state-disk-reserve", "state-disk-full", "events-file")


def test_the_secondarys_state_is_full_when_it_starts() -> None:
    """Started on a full disk: the agent runs, says what is wrong, and opens the dataset once there is room."""
    with small("beta", "20m") as (both, place):
        (both.source / "first").write_text("fits")
        both.begin()
        both.beta.kill()
        filler = place / "filler"
        with suppress(OSError):
            filler.write_bytes(bytes(25 << 20))
        (both.source / "later").write_bytes(os.urandom(1 << 20))
        both.beta.start()
        eventually(lambda: both.beta.problems().keys() & {"not-running", "state-disk-full", "state-disk-reserve"})
        filler.unlink()
        both.mirror()
        both.beta.cleared("not-running", "state-disk-full", "state-disk-reserve")
