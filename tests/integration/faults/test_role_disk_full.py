"""A disk that fills in the middle of a change of role: a real, small filesystem below the state of one node."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fakes.agents import UNBRAKED, Pair, pair
from fakes.eventually import eventually
from fakes.mounts import memory, needs_root

pytestmark = needs_root
#: A hook that leaves not a byte on the filesystem of the state.
FILLS = "echo began >> {1}; dd if=/dev/zero of={0}/filler bs=64k 2>/dev/null; true"


@contextmanager
def _small(node: str, hook: str) -> Iterator[tuple[Pair, Path, Path]]:
    """A pair of which the state of a node is on a small filesystem that ``hook`` fills; that place, and where hooks note that
    they ran."""
    place = Path(tempfile.mkdtemp(prefix="hikae-small-", dir="/dev/shm"))
    try:
        with memory(place, "24m"), pair(UNBRAKED, states={node: place / "state"}) as both:
            log = both.base / "hooks.log"
            words = {name: f"echo {name} $HIKAE_NODE >> {log}" for name in ("start", "stop")}
            words[hook] = FILLS.format(place, log)
            lines = "".join(f"{name} = {json.dumps(['sh', '-c', line])}\n" for name, line in words.items())
            for agent in both.agents:
                agent.config.write_text(f"{agent.config.read_text()}[dataset.hooks]\n{lines}")
            (both.source / "a").write_text("a")
            both.begin()
            eventually(log.exists)
            yield both, place, log
    finally:
        place.rmdir()


def test_it_is_full_before_the_epoch_is_raised() -> None:
    """The standby stays what it was, says what it lacks, and goes on by itself once there is room."""
    with _small("beta", "before_promote") as (both, place, log):
        both.alpha.kill()
        done = both.beta.run("promote", "web", "--force", "--yes")
        assert (1, True) == (done.returncode, "No space left on device" in done.stderr), done.stderr
        assert "free space in the state directory" in done.stderr
        # While it is opened again its epoch is not known.
        look = eventually(lambda: (now := both.beta.look())["epoch"] and now)
        assert ("standby", 1, False) == (look["role"], look["epoch"], look["serving"])
        both.beta.told("promotion-failed", "No space left")
        # The operator's program is not run again each second.
        assert log.read_text().count("began") < 4
        both.beta.config.write_text(both.beta.config.read_text().replace("dd if", ": dd if"))
        assert 0 == both.beta.run("reload").returncode

        def is_promoted() -> bool:
            # One that had begun before the reload may fill it once more.
            (place / "filler").unlink(missing_ok=True)
            return ("primary", 2) == (both.beta.look()["role"], both.beta.look()["epoch"])

        eventually(is_promoted, 60)
        eventually(lambda: both.beta.look()["moving"] is None)
        assert "start beta" in log.read_text()
        both.beta.cleared("promotion-failed")


def test_it_is_full_while_the_application_is_stopped() -> None:
    """A switchover that cannot go on ends before the hand-over: the application runs where it ran, and nothing has changed."""
    with _small("alpha", "stop") as (both, place, log):
        done = both.alpha.run("switchover", "web", "--yes")
        assert (1, True) == (done.returncode, "No space left" in done.stderr), done.stderr
        assert "Traceback" not in done.stderr
        assert ["began", "start alpha"] == log.read_text().splitlines()[-2:]
        look = both.alpha.look()
        assert ("primary", 1, True, None) == (look["role"], look["epoch"], look["serving"], look["moving"])
        os.unlink(place / "filler")
        (both.source / "after").write_text("goes on")
        both.mirror()
