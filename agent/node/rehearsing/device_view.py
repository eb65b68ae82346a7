"""A standby that is a device, shown to a probe as a block device that may be written to: nothing of that reaches the standby."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from agent.core.errors import CalledOff, Refused
from agent.fs.attaching.loop_device import attach_loop
from agent.fs.attaching.mounting import unmount_at_once
from agent.generations.mounting.copy_on_write import IMAGE
from agent.roles.rehearsal.steps import OPERATION

#: In the place of a rehearsal: where the view is mounted.
VIEW = "view"
#: Seconds for the view to stand, and for who shows it to end.
_STANDS, _ENDS, _LOOK = 30.0, 10.0, 0.05


@contextmanager
def shown_device(standby: str, place: Path, is_ending: Callable[[], bool]) -> Iterator[str]:
    """The node of a loop device that shows the standby at ``standby``; what is written to it stands in ``place``.

    Raises ``Refused`` where there can be none, ``CalledOff``."""
    view = place / VIEW
    view.mkdir()
    with ExitStack() as stack:
        stack.enter_context(_served(standby, place, view, is_ending))
        file = os.open(view / IMAGE, os.O_RDWR | os.O_CLOEXEC)
        stack.callback(os.close, file)
        held, node = attach_loop(file, str(place), OPERATION)
        stack.callback(os.close, held)
        yield node


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
