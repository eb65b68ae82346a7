"""Two real agents that keep a group: the tree ``web`` and the device ``disk``, each on a filesystem of its own, and who writes
into both."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fakes.agents import UNBRAKED, Agent, Fleet, Shared
from fakes.loop_device import attached, sparse
from fakes.loop_image import MAKERS, mounted, run, unmount
from fakes.trees import remove_all

GROUP = "shop"
#: A device is committed so often, and nothing is started or stopped.
_RPO = '[dataset.device]\nrpo = "1s"\n'
_QUICK = '[dataset.hooks]\nstart = "none"\nstop = "none"\n'
_SIZES = {"ext4": 64 << 20, "xfs": 320 << 20}
_COUNT = "count"


class Grouped(Shared):
    """A dataset of the group."""

    def config(self, extra: str = "") -> str:
        """See ``Shared``: of the group, with terms of its own."""
        terms = UNBRAKED if self.kind == "tree" else _RPO
        return super().config(f'group = "{GROUP}"\n{terms}{_QUICK}{extra}')


class GroupPair(Fleet):
    """``tree`` and ``disk`` (where the device is mounted) are written on alpha; beta keeps both."""

    def __init__(self, base: Path, kind: str, tree: Path, device: Path, disk: Path) -> None:
        self.kind, self.tree, self.disk = kind, tree, disk
        web = Grouped("web", "alpha", ("beta",), {"alpha": tree, "beta": base / "standby"})
        blocks = Grouped("disk", "alpha", ("beta",), {"alpha": device, "beta": base / "target.img"}, "device")
        super().__init__(base, ("alpha", "beta"), [web, blocks])
        self.alpha, self.beta = self.agents

    def synced(self) -> None:
        """Start both, and wait until a generation of each can be taken."""
        self.start()
        for agent in self.agents:
            agent.up()
        for name in self.datasets:
            self.alpha.wait(name=name, within=120)

    def take(self, agent: Agent | None = None) -> dict[str, str]:
        """One moment of the group, typed on the node with the vaults, or on another: the generation of each dataset."""
        taken = (agent or self.beta).json("generations", "take", "--group", GROUP)
        return {one["dataset"]: one["generation"] for one in taken}

    def restored(self, generation: str, agent: Agent | None = None) -> tuple[int, int]:
        """The counts of tree and device in a moment of the group, brought back on the node with the vaults, or on another."""
        where = () if agent in (None, self.beta) else ("--from", self.beta.name)
        with tempfile.TemporaryDirectory(dir=self.base) as place:
            words = ("restore", "--group", GROUP, "--generation", generation, "--to", place, *where)
            told = (agent or self.beta).json(*words)
            assert ["disk", "web"] == [one["dataset"] for one in told]
            return self.counts(Path(place) / "web", Path(place) / "disk")

    def restored_apart(self, web: str, disk: str) -> tuple[int, int]:
        """The counts of tree and device in these generations."""
        with tempfile.TemporaryDirectory(dir=self.base) as place:
            there = Path(place)
            self.beta.json("restore", "web", "--generation", web, "--to", str(there / "web"))
            self.beta.json("restore", "disk", "--generation", disk, "--to", str(there / "disk"))
            return self.counts(there / "web", there / "disk")

    def counts(self, tree: Path, image: Path) -> tuple[int, int]:
        """The counts in a tree and in the filesystem of an image, nobody writing to either."""
        # A copy of an xfs has the number of the one that is mounted already.
        options = ("-o", "nouuid") if self.kind == "xfs" else ()
        with mounted(image, self.base / "at-copy", *options) as at:
            return counted(tree), counted(at)


def counted(place: Path) -> int:
    """The count that stands there."""
    return int((place / _COUNT).read_bytes())


class Counting:
    """Writes n at the first place (into the tree), then n at the second (on the device), and so on, until the block ends; with
    ``os.O_DSYNC`` each is on its disk before the next is written."""

    def __init__(self, first: Path, second: Path, flags: int = 0) -> None:
        self.count = 0
        #: What one write took at most, in seconds.
        self.longest = 0.0
        self._files = [os.open(place / _COUNT, os.O_RDWR | os.O_CREAT | flags, 0o600) for place in (first, second)]
        self._write()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="counting")

    def __enter__(self) -> Counting:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        for fd in self._files:
            os.close(fd)

    def _run(self) -> None:
        while not self._ending.wait(0.001):
            self._write()

    def _write(self) -> None:
        self.count += 1
        for fd in self._files:
            began = time.monotonic()
            os.pwrite(fd, b"%12d" % self.count, 0)
            self.longest = max(self.longest, time.monotonic() - began)


@contextmanager
def group_pair(kind: str, *, inside: bool = False) -> Iterator[GroupPair]:
    """Agents that do not run yet, over two filesystems of a kind; gone afterwards with mounts and loop devices. ``inside``: the
    device is a file on the tree's filesystem."""
    base = Path(tempfile.mkdtemp(prefix="hikae-", dir="/dev/shm"))
    try:
        with ExitStack() as stack:
            image = sparse(base / "tree.img", 2 * _SIZES[kind])
            run(*MAKERS[kind], str(image))
            tree = stack.enter_context(mounted(image, base / "at-tree"))
            device = Path(stack.enter_context(attached(sparse((tree if inside else base) / "disk.img", _SIZES[kind]))))
            run(*MAKERS[kind], str(device))
            disk = base / "at-disk"
            disk.mkdir()
            run("mount", str(device), str(disk))
            stack.callback(unmount, disk)
            (tree / "web").mkdir()
            made = GroupPair(base, kind, tree / "web", device, disk)
            stack.callback(_killed, made)
            try:
                yield made
            except BaseException:
                for agent in made.agents:
                    print(f"--- {agent.name}:\n{agent.tail()}\n{agent.said_now()}")
                raise
    finally:
        remove_all(base)


def _killed(pair: GroupPair) -> None:
    for agent in pair.agents:
        agent.kill()
