"""``resync --vault``: a vault that lost its packs is filled from the standby, and what is lost with it is said."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading

from agent.core.errors import Exit
from fakes.agents import REPOSITORY, Pair, pair
from fakes.eventually import eventually
from fakes.trees import differences

KILLS = int(os.environ.get("HIKAE_SOAK_SEEDS", "2"))


def test_a_vault_that_lost_its_packs() -> None:
    """What stands now comes back; the generation that needed more is incomplete, and the other is whole."""
    with pair() as both:
        (both.source / "old").write_bytes(b"only an older generation needs this " * 400)
        (both.source / "file").write_bytes(b"what stands now, too " * 400)
        both.begin()
        first = both.beta.json("generations", "take", "web")["generation"]
        (both.source / "old").unlink()
        second = both.beta.json("generations", "take", "web")["generation"]
        refused = both.beta.run("resync", "web", "--vault", "--yes")
        assert (Exit.REFUSED, True) == (refused.returncode, "lacks nothing" in refused.stderr), refused.stderr
        both.alpha.kill()
        both.beta.kill()
        shutil.rmtree(both.home(both.beta) / "vault")
        both.beta.start()
        both.beta.up()
        plan = both.beta.json("resync", "web", "--vault", "--dry-run")
        assert [{"generation": first, "files": 1}] == plan["incomplete"]
        asked = both.beta.run("resync", "web", "--vault")
        assert (Exit.REFUSED, True) == (asked.returncode, "nobody can be asked" in asked.stderr), asked.stderr
        done = both.beta.json("resync", "web", "--vault", "--yes")
        assert ([{"generation": first, "files": 1}], 0, True) == (
            done["incomplete"],
            done["left"],
            done["restored"] > 0,
        )
        listed = both.beta.json("generations", "list", "web")
        assert [(first, 1), (second, 0)] == [(one["generation"], one["incomplete"]) for one in listed]


def test_killed_again_and_again(seed: int) -> None:
    """At any moment of it: nothing that is kept is damaged, and in the end all that stands can be brought back."""
    rng = random.Random(seed)
    with pair() as both:
        for number in range(300):
            (both.source / f"f{number}").write_bytes(rng.randbytes(20_000))
        both.begin()
        kept = both.beta.json("generations", "take", "web", "--label", "kept")["generation"]
        for _ in range(KILLS):
            both.beta.kill()
            shutil.rmtree(both.home(both.beta) / "vault")
            both.beta.start()
            both.beta.up()
            _killed_in_it(both, rng)
        eventually(lambda: 0 == both.beta.run("resync", "web", "--vault", "--yes").returncode or _lacks_nothing(both))
        assert [] == both.beta.json("generations", "verify", "web")["damaged"]
        assert [(kept, 0)] == [
            (one["generation"], one["incomplete"]) for one in both.beta.json("generations", "list", "web")
        ]
        assert 0 == both.beta.run("restore", "web", "--generation", kept, "--to", str(both.base / "back")).returncode
        assert [] == differences(str(both.source), str(both.base / "back"))


def _killed_in_it(both: Pair, rng: random.Random) -> None:
    """The agent is killed within the first moments of a resync, which begins when the answer is asked for."""
    command = [*both.beta.program, "--config", str(both.beta.config), "resync", "web", "--vault", "--yes"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=REPOSITORY) as resync:
        eventually(
            lambda: "resync" in both.beta.log.read_text().rpartition("the agent runs")[2] or resync.poll() is not None
        )
        threading.Event().wait(rng.uniform(0, 0.5))
        both.beta.kill()
        resync.wait(60)
    both.beta.start()
    both.beta.up()


def _lacks_nothing(both: Pair) -> bool:
    return "lacks nothing" in both.beta.run("resync", "web", "--vault", "--yes").stderr
