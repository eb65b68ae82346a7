"""Two real agents that keep one device: alpha's stands on a loop device, beta's is an image file or another."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from agent.watch.blocks.instances import leftovers_removed
from fakes.agents import UNBRAKED, Agent, Fleet, Shared
from fakes.eventually import eventually
from fakes.loop_device import attached, sparse
from fakes.loop_image import run, unmount
from fakes.trees import remove_all

#: A device is committed so often in tests, and nothing is started or stopped.
QUICK = '[dataset.device]\nrpo = "1s"\n[dataset.hooks]\nstart = "none"\nstop = "none"\n'


class DevicePair(Fleet):
    """The dataset ``disk``: ``source`` is alpha's device, ``target`` beta's."""

    def __init__(self, base: Path, source: Path, target: Path, extra: str = UNBRAKED + QUICK) -> None:
        self.source, self.target = source, target
        disk = Shared("disk", "alpha", ("beta",), {"alpha": source, "beta": target}, "device")
        super().__init__(base, ("alpha", "beta"), [disk], extra)
        self.alpha, self.beta = self.agents

    def equal(self, primary: Agent | None = None, within: float = 90.0) -> None:
        """Wait until all that was written is applied, and until both hold the same: nobody writes now."""
        # It is refused while the standby is held as in use: what was unmounted may stand for a while in a mount namespace that
        # another program of this machine made meanwhile.
        (primary or self.alpha).wait(name="disk", within=within)
        eventually(self.is_equal, within)

    def is_equal(self) -> bool:
        """Whether both hold the same bytes, as far as the shorter of two block devices goes."""
        one, other = self.source.read_bytes(), self.target.read_bytes()
        return one == other

    def home(self, agent: Agent) -> Path:
        """Where an agent keeps what it knows of the dataset."""
        return agent.state / "datasets" / "disk"

    def mount(self, device: Path) -> Path:
        """Mount a device of this pair."""
        where = self.base / f"at-{device.name}"
        where.mkdir(exist_ok=True)
        run("mount", str(device), str(where))
        return where


@contextmanager
def device_pair(
    size: int = 48 << 20,
    *,
    block_standby: bool = False,
    extra: str = UNBRAKED + QUICK,
    image: Path | None = None,
    directory: str = "/dev/shm",
) -> Iterator[DevicePair]:
    """Agents that do not run yet, with a zeroed source, or with ``image``; gone afterwards with mounts and loop devices."""
    base = Path(tempfile.mkdtemp(prefix="hikae-", dir=directory))
    try:
        with ExitStack() as stack:
            source = image or Path(stack.enter_context(attached(sparse(base / "source.img", size))))
            target = base / "target.img"
            if block_standby:
                target = Path(stack.enter_context(attached(sparse(base / "below.img", size))))
            made = DevicePair(base, source, target, extra)
            try:
                yield made
            except BaseException:
                for agent in made.agents:
                    print(f"--- {agent.name}:\n{agent.tail()}\n{agent.said_now()}")
                raise
            finally:
                for agent in made.agents:
                    agent.kill()
                    if agent.state.is_dir():
                        # One that ended in order has the kernel note on, for its next start.
                        leftovers_removed(agent.state, ())
                for where in base.glob("at-*"):
                    if os.path.ismount(where):
                        unmount(where)
    finally:
        remove_all(base)
