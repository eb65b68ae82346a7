"""A group whose moment cannot be had, or whose agent is killed within: nothing half is kept, and nobody waits."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress

import pytest

from agent.core.errors import Exit
from agent.fs.thaw_guard import MARK
from fakes.eventually import eventually
from fakes.grouped_agents import GROUP, Counting, GroupPair, group_pair
from fakes.loop_image import can_mount
from fakes.process_tree import guard_of

pytestmark = pytest.mark.skipif(os.geteuid() != 0 or not can_mount(), reason="needs root and loop devices")
#: Seconds: the guard's deadline, and what a busy machine may take beside it.
DEADLINE, BUSY = 5.0, 10.0
TAKE = ("generations", "take", "--group", GROUP)


def together(pair: GroupPair) -> list[list[str]]:
    """The moments that are kept, of each dataset."""
    listed = (pair.beta.json("generations", "list", name) for name in ("disk", "web"))
    return [[one["together"] for one in rows if one["together"]] for rows in listed]


def refused(pair: GroupPair, *more: str) -> tuple[int, str]:
    """What is said where there is no moment; the question is asked again while the sources rest from the last."""

    def asked() -> tuple[int, str] | None:
        done = pair.beta.run(*TAKE, *more)
        return None if "asked for one a moment ago" in done.stderr else (done.returncode, done.stderr)

    return eventually(asked, 120)


def frozen_once(pair: GroupPair, then: Callable[[], None]) -> None:
    """Have moments taken until one stands still, and do something within it."""
    mark = pair.alpha.socket.parent / MARK

    def caught() -> bool:
        words = [*pair.beta.program, "--config", str(pair.beta.config), *TAKE]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as asking:
            while asking.poll() is None:
                with suppress(OSError):
                    if str(pair.tree).encode() in mark.read_bytes():
                        then()
                        return True
        return False

    eventually(caught, 120)


def test_nothing_half_is_kept_and_nobody_waits() -> None:
    """A label that one of them has, a dataset that is paused, a guard and an agent that are killed within the freeze; and the
    standby serves one moment of both when the primary is gone."""
    with group_pair("ext4") as pair:
        with Counting(pair.tree, pair.disk) as counting:
            pair.synced()
            pair.beta.json("generations", "take", "web", "--label", "before")
            code, words = refused(pair, "--label", "before")
            assert (Exit.REFUSED, True) == (code, "web: generation" in words and "has that label" in words)
            pair.alpha.json("pause", "disk", "--send")
            code, words = refused(pair)
            assert (Exit.TRY_AGAIN, True) == (code, "disk: " in words and "hikae status" in words)
            pair.alpha.json("resume", "disk", "--send")
            assert [[], []] == together(pair)
            frozen_once(pair, lambda: os.kill(guard_of(pair.alpha), signal.SIGKILL))
            frozen_once(pair, pair.alpha.kill)
            pair.alpha.start()
            pair.alpha.up()
            taken = pair.take()
            assert counting.longest < DEADLINE + BUSY
        kept = together(pair)
        assert (kept[0], True) == (kept[1], kept[0][-1].endswith(taken["disk"]))
        pair.alpha.kill()
        eventually(lambda: not any(pair.beta.peer("alpha", name)["connected"] for name in pair.datasets))
        promoted = pair.beta.json("promote", "--group", GROUP, "--generation", "latest", "--yes")
        assert [("disk", "primary"), ("web", "primary")] == [(one["dataset"], one["role"]) for one in promoted]
        tree, device = pair.counts(pair.base / "standby", pair.base / "target.img")
        assert tree - device in (0, 1)
