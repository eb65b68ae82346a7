"""Who may restore into a directory, and what two at once are told."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from agent.core.errors import HikaeError, TryAgain
from agent.generations.restore.stood_before import StoodBefore
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


FIRST, LATER = StoodBefore("20261122T031500Z", "beta"), StoodBefore("20261122T031600Z", "beta", "some of it", "look")


def _stood(to: Path, order: Order, stands: StoodBefore | None) -> tuple[bool, StoodBefore | None, StoodBefore | None]:
    """What is known of it when it is opened in place, and cut off then."""
    target = open_target(str(to), order, in_place=True, stands=stands)
    target.close()
    return target.resumed, target.stood, target.cut_off


def test_what_was_kept_first_is_known_for_as_long_as_an_order_goes_on(tmpfs_dir: Path) -> None:
    """Whatever is kept when it goes on, however often; with what it lacks; once it is at its end nothing is left of it."""
    assert (False, LATER, None) == _stood(tmpfs_dir, ORDER, LATER)
    assert [(True, LATER, None)] * 2 == [_stood(tmpfs_dir, ORDER, FIRST) for _ in range(2)]
    target = open_target(str(tmpfs_dir), ORDER, in_place=True, stands=FIRST)
    target.finish()
    target.close()
    assert [] == os.listdir(tmpfs_dir)
    assert (False, FIRST, None) == _stood(tmpfs_dir, ORDER, FIRST)


def test_another_order_has_its_own_and_knows_of_the_one_that_was_cut_off(tmpfs_dir: Path) -> None:
    """The first again is another restore: what stands has been written over by both."""
    other = Order("web", "e", ())
    assert (False, FIRST, None) == _stood(tmpfs_dir, ORDER, FIRST)
    assert (False, LATER, FIRST) == _stood(tmpfs_dir, other, LATER)
    assert (True, LATER, None) == _stood(tmpfs_dir, other, FIRST)
    assert (False, FIRST, LATER) == _stood(tmpfs_dir, ORDER, FIRST)


def test_an_order_without_a_note_of_its_own_has_none(tmpfs_dir: Path) -> None:
    """An earlier release wrote none, and the disk may have eaten it: it is not that of the tree that is half restored."""
    assert (False, None, None) == _stood(tmpfs_dir, ORDER, None)
    assert (True, None, None) == _stood(tmpfs_dir, ORDER, FIRST)
    (tmpfs_dir / ".hikae/restore/stood").write_bytes(b"\xff{")
    assert (True, None, None) == _stood(tmpfs_dir, ORDER, FIRST)
