"""A primary that dies at some moment while its device is written: what is promoted is a commit, bit for bit, and a filesystem.

The commit is compared first. Then a copy is mounted, so that its log is replayed, unmounted, and checked by the filesystem
itself. Blocks that were written whole are whole, and what fio wrote and synced before is as its own verify remembers it.
"""

from __future__ import annotations

import os
import random
import shutil
import struct
import subprocess
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.core.chunks import name_of
from agent.core.rows import decode_chunk
from agent.store.catalog.catalog import CatalogReader
from fakes.agents import UNBRAKED
from fakes.device_agents import DevicePair, device_pair
from fakes.fio import FioVerified, needs_fio
from fakes.loop_device import needs_loops
from fakes.loop_image import MAKERS, run, unmount
from fakes.stress_ng import filesystem_stressors, needs_stress_ng, stressing

pytestmark = [needs_loops, needs_fio, needs_stress_ng]

#: In a soak any of stress-ng's filesystem stressors may work beside, and the disk is larger by what these take.
WHOLE = int(os.environ.get("HIKAE_SOAK_SEEDS", "0")) > 0
#: Of each filesystem: two, and in a soak as many as make 200 of three.
PROMOTIONS = 67 if WHOLE else 2
TERMS = UNBRAKED + '[dataset.device]\nrpo = "300ms"\nfreeze = "200ms"\n[dataset.hooks]\nstart = "none"\nstop = "none"\n'
SIZES = {"ext4": 64 << 20, "xfs": 320 << 20, "btrfs": 160 << 20}
#: MiB of the large files of a stressor at most, and by so many the disk of a soak is larger.
STRESSED, ROOM = 16, 192
CHECKS: dict[str, Sequence[str]] = {
    "ext4": ("e2fsck", "-fn"),
    "xfs": ("xfs_repair", "-n", "-f"),
    "btrfs": ("btrfs", "check", "--readonly"),
}
BLOCK, BLOCKS = 4096, 512
_HEAD = struct.Struct(">IQI")


class BlockWriter:
    """Overwrites blocks that say whether they are whole, and makes, removes and renames files beside."""

    def __init__(self, root: Path, seed: int) -> None:
        self._root = root
        self._chosen = random.Random(seed)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="blocks")
        with (root / "blocks").open("wb") as file:
            for number in range(BLOCKS):
                file.write(self._block(number, 0))
            os.fsync(file.fileno())

    def __enter__(self) -> BlockWriter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    def _block(self, number: int, turn: int) -> bytes:
        body = self._chosen.randbytes(BLOCK - _HEAD.size)
        return _HEAD.pack(number, turn, zlib.crc32(body)) + body

    def _run(self) -> None:
        turn, chosen = 0, self._chosen
        with (self._root / "blocks").open("r+b", buffering=0) as file:
            while not self._ending.wait(0.001):
                turn += 1
                number = chosen.randrange(BLOCKS)
                os.pwrite(file.fileno(), self._block(number, turn), number * BLOCK)
                if chosen.random() < 0.05:
                    os.fsync(file.fileno())
                path = self._root / f"d{chosen.randrange(3)}" / f"f{chosen.randrange(30)}"
                path.parent.mkdir(exist_ok=True)
                if chosen.random() < 0.3:
                    path.unlink(missing_ok=True)
                else:
                    path.write_bytes(chosen.randbytes(chosen.randrange(20_000)))


def torn(root: Path) -> list[int]:
    """Blocks that are not whole."""
    data = (root / "blocks").read_bytes()
    found = []
    for number in range(BLOCKS):
        block = data[number * BLOCK : (number + 1) * BLOCK]
        said, _, crc = _HEAD.unpack_from(block)
        if said != number or crc != zlib.crc32(block[_HEAD.size :]):
            found.append(number)
    return found


def unlike_its_commit(image: Path, home: Path) -> list[int]:
    """Chunks of an image that are not what the newest commit says, zeros included."""
    with CatalogReader.open(str(home / "catalog.db")) as reader:
        rows = {row.number: row for rows in reader.rows_at() for row in map(decode_chunk, rows)}
    data = image.read_bytes()
    last = max(rows.values(), key=lambda row: row.number)
    assert last.end == len(data)
    wrong = [row.number for row in rows.values() if name_of(data[row.offset : row.end]) != row.name]
    empty = set(range(1, last.number + 1)) - rows.keys()
    return wrong + [number for number in empty if data[(number - 1) << 16 : number << 16].strip(b"\0")]


def promoted(both: DevicePair, verified: FioVerified, chosen: random.Random) -> None:
    """Kill the primary at some moment under load, and promote."""
    where = both.mount(both.source)
    stressed = where / "stressed"
    stressed.mkdir()
    stressors = chosen.sample(filesystem_stressors(), 2) if WHOLE else ["rename"]
    print(f"beside {stressors}")
    with BlockWriter(where, chosen.randrange(1 << 30)):
        both.start()
        for agent in both.agents:
            agent.up()
        with stressing(stressed, stressors, STRESSED, 600.0):
            verified.write(where)
            both.alpha.wait(name="disk", within=120.0)
            threading.Event().wait(chosen.random() * 3)
            both.alpha.kill()
    # Its copies have the same name: none is mounted beside it.
    unmount(where)
    both.beta.json("promote", "disk", "--force", "--yes", "--reason", "alpha died")


def replayed(kind: str, image: Path, where: Path, verified: FioVerified) -> tuple[list[int], tuple[str, int]]:
    """Mount an image, so that its log is replayed; blocks in it that are not whole, and what fio finds. Another mount of the same
    name may live on in somebody's namespace."""
    device = run("losetup", "--find", "--show", str(image)).strip()
    where.mkdir()
    try:
        run("mount", *(("-o", "nouuid") if kind == "xfs" else ()), device, str(where))
        try:
            assert device == run("findmnt", "-no", "SOURCE", str(where)).strip()
            return torn(where), verified.found(where)
        finally:
            run("umount", str(where))
    finally:
        run("losetup", "--detach", device)


def checked(kind: str, image: Path) -> str:
    """What the filesystem's own check says of an image that is wrong; "" when it is clean."""
    done = subprocess.run([*CHECKS[kind], str(image)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("number", range(PROMOTIONS))
@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs"])
def test_what_is_promoted_is_a_moment(kind: str, number: int, seed: int) -> None:
    """Each time at another moment."""
    chosen = random.Random(seed + number)
    with device_pair(SIZES[kind] + (ROOM << 20 if WHOLE else 0), extra=TERMS) as both:
        run(*MAKERS[kind], str(both.source))
        verified = FioVerified(both.base / "fio", chosen.randrange(1 << 31))
        promoted(both, verified, chosen)
        both.beta.kill()
        unlike = unlike_its_commit(both.target, both.home(both.beta))
        copy = both.base / "copy"
        shutil.copyfile(both.target, copy)
        damaged, held = replayed(kind, copy, both.base / "looked-at", verified)
        assert ([], [], ("", FioVerified.BLOCKS), "") == (unlike, damaged, held, checked(kind, copy))
