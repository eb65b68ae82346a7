"""An ext4 filesystem on a loop device whose backing file can be copied at any instant: what a power cut would leave."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fakes.eventually import eventually

#: Of ``/sys/block/NAME/stat``: writes completed, sectors written, requests in flight, discards, flushes.
_CHANGING = (4, 6, 8, 11, 15)
_IN_FLIGHT = 8


def run(*words: str) -> str:
    """One program that must succeed; its output."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def unmount(where: Path) -> None:
    """Unmount; a filesystem that stands still for a commit, also of an agent that was killed just now, is busy for a moment."""
    eventually(lambda: subprocess.run(("umount", str(where)), capture_output=True, check=False).returncode == 0)


def make_image(image: Path, mebibytes: int) -> None:
    """An empty ext4 filesystem in a sparse file; its blocks are those of tmpfs, so that holes can be the same."""
    with image.open("wb") as file:
        file.truncate(mebibytes << 20)
    run("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))


#: How an empty filesystem of each kind is made in an image.
MAKERS = {
    "ext4": ("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0"),
    "ext4 with small inodes": ("mkfs.ext4", "-q", "-F", "-I", "128", "-E", "lazy_itable_init=0"),
    "xfs": ("mkfs.xfs", "-q", "-f"),
    "xfs without bigtime": ("mkfs.xfs", "-q", "-f", "-m", "bigtime=0"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}


@contextmanager
def filesystem(kind: str, base: Path) -> Iterator[Path]:
    """An empty filesystem of a kind, 2 GiB, for as long as the block lasts."""
    image = base / "image"
    with image.open("wb") as file:
        file.truncate(2 << 30)
    run(*MAKERS[kind], str(image))
    with mounted(image, base / "at") as root:
        yield root


@contextmanager
def mounted(image: Path, where: Path, *options: str) -> Iterator[Path]:
    """The filesystem in ``image`` at ``where``."""
    where.mkdir(exist_ok=True)
    run("mount", "-o", "loop", *options, str(image), str(where))
    try:
        yield where
    finally:
        unmount(where)


@contextmanager
def at_directory(device: str | Path, where: Path) -> Iterator[Path]:
    """A filesystem on a device at a directory."""
    where.mkdir(exist_ok=True)
    run("mount", str(device), str(where))
    try:
        yield where
    finally:
        unmount(where)


@contextmanager
def after_a_power_cut(image: Path, where: Path) -> Iterator[Path]:
    """Mount a copy of the image as it is at this instant; its journal is replayed as after a cut."""
    copy = image.with_suffix(".copy")
    _copy(image, copy)
    try:
        with mounted(copy, where) as there:
            yield there
    finally:
        copy.unlink()


class Disk:
    """A disk of a machine whose power can be cut: ``root`` is where its filesystem is mounted."""

    def __init__(self, base: Path, mebibytes: int) -> None:
        self._image = base / "disk.img"
        self._copy = base / "disk.copy"
        self._aside = base / "aside"
        self.root = base / "disk"
        self.root.mkdir()
        make_image(self._image, mebibytes)

    def switch_on(self) -> None:
        """Mount it; a journal that a cut left is replayed."""
        run("mount", "-o", "loop", str(self._image), str(self.root))

    def switch_off(self) -> None:
        """Unmount it; nobody may use it any more."""
        unmount(self.root)

    def freeze_frame(self) -> None:
        """Keep what a power cut at this instant would leave. Whoever writes there should stand still."""
        device = Path(run("findmnt", "-no", "SOURCE", str(self.root)).strip()).name
        eventually(lambda: self._copied_at_once(Path("/sys/block") / device / "stat"))

    @contextmanager
    def looked_at(self) -> Iterator[Path]:
        """What was kept, mounted beside the disk, which goes on; dropped afterwards."""
        try:
            with mounted(self._copy, self._aside) as there:
                yield there
        finally:
            self._copy.unlink()

    def power_cut(self) -> None:
        """The disk is what was kept last. Nobody may use it; it is on again afterwards."""
        self.switch_off()
        self._copy.replace(self._image)
        self.switch_on()

    def _copied_at_once(self, stat: Path) -> bool:
        """Whether nothing was written while the image was copied: a copy of several instants was never on any disk."""
        before = _counters(stat)
        _copy(self._image, self._copy)
        return before == _counters(stat) and before[_CHANGING.index(_IN_FLIGHT)] == 0


@contextmanager
def disk(base: Path, mebibytes: int) -> Iterator[Disk]:
    """A fresh disk that is on; gone afterwards, so its users must have ended."""
    made = Disk(base, mebibytes)
    made.switch_on()
    try:
        yield made
    finally:
        made.switch_off()


def can_mount() -> bool:
    """Whether this machine lets us mount loop images."""
    probe = subprocess.run(["losetup", "-f"], capture_output=True, check=False) if shutil.which("losetup") else None
    return probe is not None and probe.returncode == 0 and shutil.which("mkfs.ext4") is not None


def _copy(image: Path, copy: Path) -> None:
    run("cp", "--sparse=always", str(image), str(copy))


def _counters(stat: Path) -> list[int]:
    values = stat.read_text().split()
    return [int(values[place]) for place in _CHANGING if place < len(values)]
