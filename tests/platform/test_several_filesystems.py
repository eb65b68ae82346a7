"""Several filesystems on one disk, and several disks of one group, written in turns by one program: what is promoted, and each
moment that is kept, is one moment of all."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from fakes.agents import UNBRAKED, Fleet, running
from fakes.device_agents import DevicePair, device_pair
from fakes.grouped_agents import GROUP, Counting, Grouped, counted
from fakes.loop_device import attached, needs_loops, sparse
from fakes.loop_image import MAKERS, at_directory, mounted, run, unmount
from fakes.written_disk import partitions_of

SEEDS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0"))
pytestmark = [
    needs_loops,
    pytest.mark.timeout(0 if SEEDS else 300),
    pytest.mark.skipif(shutil.which("sfdisk") is None, reason="takes sfdisk (apt-get install fdisk)"),
]
#: So many moments are kept, beside the one that is promoted; those of a group are two seconds apart.
MOMENTS, OF_GROUP = SEEDS or 3, SEEDS or 1
MIB, SECTOR = 1 << 20, 512
_SIZES = {"ext4": 30, "btrfs": 120}
_TERMS = UNBRAKED + '[dataset.device]\nrpo = "300ms"\n[dataset.hooks]\nstart = "none"\nstop = "none"\n'


def _places(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where ``partitions_of`` begins each partition, and how long it is, in sectors."""
    start = 2048 + 8
    for size in sizes:
        yield start, size * MIB // SECTOR
        start += size * MIB // SECTOR + 8


@contextmanager
def _disk(base: Path, sizes: Sequence[int]) -> Iterator[tuple[str, list[str]]]:
    """A disk with a partition table, and its partitions (MiB)."""
    image = sparse(base / "disk", (sum(sizes) + 4) * MIB)
    table = "label: gpt\n" + "".join(f"start={start}, size={size}\n" for start, size in _places(sizes))
    subprocess.run(["sfdisk", "--quiet", str(image)], input=table, text=True, check=True)
    with attached(image) as disk, partitions_of(disk, *sizes) as parts:
        yield disk, parts


def _counts(image: Path, sizes: Sequence[int], base: Path) -> tuple[int, int]:
    """The counts in the two filesystems of a whole disk's image."""
    found = []
    for start, size in _places(sizes):
        part = f"offset={start * SECTOR},sizelimit={size * SECTOR}"
        with mounted(image, base / "looked-at", "-o", part) as at:
            found.append(counted(at))
    return found[0], found[1]


def _apart(found: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The moments of which the second is ahead of the first, or more than one behind."""
    return [(first, second) for first, second in found if first - second not in (0, 1)]


def _killed_while_counting(both: DevicePair, parts: Sequence[str], chosen: random.Random) -> tuple[int, list[str]]:
    """Moments are kept while both filesystems are written, and the primary dies at some moment: the count when that began, and
    the moments."""
    first, second = (both.mount(Path(part)) for part in parts)
    with Counting(first, second, os.O_DSYNC) as counting:
        both.start()
        for agent in both.agents:
            agent.up()
        both.alpha.wait(name="disk", within=120.0)
        before = counting.count
        both.alpha.wait(name="disk", within=120.0)
        taken = [both.beta.json("generations", "take", "disk")["generation"] for _ in range(MOMENTS)]
        threading.Event().wait(chosen.random())
        both.alpha.kill()
    unmount(first)
    unmount(second)
    return before, taken


@pytest.mark.parametrize("kinds", [("ext4", "ext4"), ("btrfs", "ext4")], ids="-".join)
def test_two_filesystems_of_one_disk(kinds: tuple[str, str], tmpfs_dir: Path, rng: random.Random) -> None:
    """On the promoted standby the second is never ahead of the first, nor in a moment that was kept."""
    sizes = [_SIZES[kind] for kind in kinds]
    with _disk(tmpfs_dir, sizes) as (disk, parts), device_pair(image=Path(disk), extra=_TERMS) as both:
        for kind, part in zip(kinds, parts, strict=True):
            run(*MAKERS[kind], part)
        before, taken = _killed_while_counting(both, parts, rng)
        both.beta.json("promote", "disk", "--force", "--yes", "--reason", "alpha died")
        found = [_counts(both.target, sizes, both.base)]
        for generation in taken:
            image = both.base / f"{generation}.img"
            both.beta.json("restore", "disk", "--generation", generation, "--to", str(image))
            found.append(_counts(image, sizes, both.base))
        assert ([], True) == (_apart(found), all(first >= before for first, _ in found)), found


@contextmanager
def _two_disks(base: Path) -> Iterator[tuple[Fleet, list[Path]]]:
    """Agents that do not run yet, with a group of two disks, and where alpha's are mounted."""
    with ExitStack() as stack:
        disks = [stack.enter_context(attached(sparse(base / name, 32 * MIB))) for name in ("one", "two")]

        def make(where: Path) -> Fleet:
            paths = {
                name: {"alpha": Path(disk), "beta": where / name}
                for name, disk in zip(("one", "two"), disks, strict=True)
            }
            kept = [Grouped(name, "alpha", ("beta",), path, "device") for name, path in paths.items()]
            return Fleet(where, ("alpha", "beta"), kept)

        places = []
        for disk in disks:
            run(*MAKERS["ext4"], disk)
            places.append(stack.enter_context(at_directory(disk, base / f"at-{Path(disk).name}")))
        yield stack.enter_context(running(make)), places


def _mounted_counts(first: Path, second: Path, base: Path) -> tuple[int, int]:
    with mounted(first, base / "looked-at") as one, mounted(second, base / "looked-at-too") as two:
        return counted(one), counted(two)


def test_two_disks_of_one_group(tmpfs_dir: Path, rng: random.Random) -> None:
    """Whichever is written first: in a moment of the group, also in the one that is promoted, the second is never ahead."""
    with _two_disks(tmpfs_dir) as (both, places):
        alpha, beta = both.agents
        names = ["one", "two"]
        if rng.random() < 0.5:
            names.reverse()
            places.reverse()
        with Counting(places[0], places[1], os.O_DSYNC) as counting:
            both.start()
            for agent in both.agents:
                agent.up()
            for name in names:
                alpha.wait(name=name, within=120.0)
            before = counting.count
            taken = [beta.json("generations", "take", "--group", GROUP)[0]["generation"] for _ in range(OF_GROUP)]
            threading.Event().wait(rng.random())
            alpha.kill()
        found = []
        for generation in taken:
            with tempfile.TemporaryDirectory(dir=both.base) as to:
                beta.json("restore", "--group", GROUP, "--generation", generation, "--to", to)
                found.append(_mounted_counts(Path(to) / names[0], Path(to) / names[1], both.base))
        words = ("--group", GROUP, "--generation", "latest", "--force", "--yes", "--reason", "alpha died")
        beta.json("promote", *words)
        found.append(_mounted_counts(both.base / names[0], both.base / names[1], both.base))
        assert ([], True) == (_apart(found), all(first >= before for first, _ in found)), found
