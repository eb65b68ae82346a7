"""A restore that is killed at any moment goes on where it was: whatever it left, the last run makes the tree as it was."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
from pathlib import Path

from agent.store.catalog import leases
from fakes.agents import REPOSITORY, Pair, pair
from fakes.trees import differences

#: ``make soak`` has more.
_KILLS = max(12, int(os.environ.get("HIKAE_SOAK_SEEDS", "0")))
#: Within so many seconds a restore of this tree is over.
_LONGEST = 1.5


def build(source: Path, rng: random.Random) -> None:
    """Small files, one that is made in stretches, names of one object, a directory that nobody may enter."""
    for directory in range(30):
        below = source / f"{directory % 5}" / f"{directory}"
        below.mkdir(parents=True)
        for at in range(40):
            (below / f"{at}").write_bytes(rng.randbytes(rng.randrange(20_000)))
        os.link(below / "0", source / f"linked {directory}")
    (source / "large").write_bytes(rng.randbytes(70 << 20))
    (source / "0").chmod(0o500)


def begun(both: Pair, to: Path) -> subprocess.Popen[bytes]:
    """The command, under way."""
    words = (*both.beta.program, "--config", str(both.beta.config), "restore", "web", "--generation", "latest")
    quiet = subprocess.DEVNULL
    return subprocess.Popen([*words, "--to", str(to)], cwd=REPOSITORY, stdout=quiet, stderr=quiet)


def test_a_restore_is_killed_again_and_again(rng: random.Random) -> None:
    """Each time it is begun again, and at the end all is there, nothing of ours is left, and nothing was displaced."""
    with pair() as both:
        build(both.source, rng)
        both.begin()
        both.beta.json("generations", "take", "web")
        both.alpha.kill()
        to, pause = both.base / "to", threading.Event()
        for _ in range(_KILLS):
            process = begun(both, to)
            pause.wait(rng.random() * _LONGEST)
            process.kill()
            if process.wait() == 0 or (to.exists() and os.listdir(to) and not (to / ".hikae").exists()):
                # It was through, but perhaps for saying so and for the time of the root, which comes last.
                os.utime(to, ns=(os.stat(both.source).st_mtime_ns,) * 2)
                assert [] == differences(str(both.source), str(to))
                shutil.rmtree(to)
        answer = both.beta.json("restore", "web", "--generation", "latest", "--to", str(to))
        assert [] == differences(str(both.source), str(to))
        assert (0, [], True) == (answer["displaced"], answer["unmade"], answer["bytes"] == answer["verified"])
        assert not (to / ".hikae").exists()
        assert [] == leases.readings(str(both.home(both.beta) / "catalog.db"))
