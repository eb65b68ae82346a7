"""Who may restore into a directory, and what two at once are told."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from agent.core.errors import HikaeError, TryAgain
from agent.generations.restore.target import Order, open_target
from fakes.eventually import eventually

ORDER = Order("web", "d", ())


def _opened(path: Path) -> int:
    """How often this process has a file open."""
    found = 0
    for fd in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{fd}") == str(path)
        except OSError:
            continue
    return found


def test_who_waited_for_another_is_told_of_its_end(tmpfs_dir: Path) -> None:
    """What was private in the target is gone by then: the second can make nothing there, and says so in words."""
    to = tmpfs_dir / "to"
    first, told = open_target(str(to), ORDER, in_place=False), list[HikaeError]()

    def second() -> None:
        try:
            open_target(str(to), ORDER, in_place=False).close()
        except HikaeError as error:
            told.append(error)

    waiting = threading.Thread(target=second)
    waiting.start()
    eventually(lambda: _opened(to / ".hikae/restore/record") == 2)
    first.finish()
    first.close()
    waiting.join()
    assert [TryAgain] == [type(one) for one in told]
    assert "at its end there just now" in str(told[0])
    assert [] == os.listdir(to)
