"""A standby that is a device, shown to a probe as a block device that may be written to: nothing of that reaches the standby."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from agent.core.errors import CalledOff, Refused
from agent.fs.attaching.loop_device import WHOLE, attach_loop
from agent.fs.attaching.mounting import unmount_at_once
from agent.fs.attaching.partitions import partitions_of
from agent.fs.content import read_exact
from agent.generations.mounting.copy_on_write import IMAGE
from agent.roles.rehearsal.steps import OPERATION

#: In the place of a rehearsal: where the view is mounted.
VIEW = "view"
#: Partitions that are shown.
_PARTS = 16
#: Seconds for the view to stand, and for who shows it to end.
_STANDS, _ENDS, _LOOK = 30.0, 10.0, 0.05


class ShownDevice(NamedTuple):
    """``node``: of all of it; ``parts``: of its partitions, by number."""

    node: str
    parts: tuple[tuple[int, str], ...]


@contextmanager
def shown_device(standby: str, place: Path, is_ending: Callable[[], bool]) -> Iterator[ShownDevice]:
    """Loop devices that show the standby at ``standby``; what is written to them stands in ``place``.

    Raises ``Refused`` where there can be none, ``CalledOff``."""
    view = place / VIEW
    view.mkdir()
    with ExitStack() as stack:
        stack.enter_context(_served(standby, place, view, is_ending))
        file = os.open(view / IMAGE, os.O_RDWR | os.O_CLOEXEC)
        stack.callback(os.close, file)
        yield ShownDevice(_attached(file, place, WHOLE, stack), _parts(file, place, stack))


def _parts(file: int, place: Path, stack: ExitStack) -> tuple[tuple[int, str], ...]:
    """A loop device on each partition: the kernel need not have looked for any."""
    found = partitions_of(lambda offset, length: read_exact(file, offset, length), os.fstat(file).st_size)
    return tuple((one.number, _attached(file, place, (one.start, one.length), stack)) for one in found[:_PARTS])


def _attached(file: int, place: Path, part: tuple[int, int], stack: ExitStack) -> str:
    held, node = attach_loop(file, str(place), OPERATION, part)
    stack.callback(os.close, held)
    return node


def clear_view(place: Path) -> None:
    """Take away what a crash left mounted; safe where nothing is."""
    unmount_at_once(str(place / VIEW))


@contextmanager
def _served(standby: str, place: Path, view: Path, is_ending: Callable[[], bool]) -> Iterator[None]:
    words = (sys.executable, "-m", "agent.generations.mounting.copy_on_write", standby, str(place), str(view))
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(words, cwd=root, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            _wait(process, view, is_ending)
            yield
        finally:
            clear_view(place)
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_ENDS)
            process.kill()


def _wait(process: subprocess.Popen[str], view: Path, is_ending: Callable[[], bool]) -> None:
    until = time.monotonic() + _STANDS
    while not os.path.ismount(view):
        if is_ending():
            raise CalledOff(OPERATION, "", "it is to end now", "type it again later")
        if process.poll() is not None or time.monotonic() >= until:
            process.kill()
            said = process.stderr.read().strip() if process.stderr is not None else ""
            reason = f"the standby cannot be shown as a disk that takes writes: {said or 'it takes too long'}"
            raise Refused(OPERATION, str(view), reason, "apt-get install fuse3; modprobe fuse")
        time.sleep(_LOOK)
