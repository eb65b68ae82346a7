"""Somebody has the primary: he deletes, and writes noise until the secondary's vault has no room. What was promised stays, and
others do not notice."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from fakes.agents import UNBRAKED, Agent, Fleet, Shared, running
from fakes.eventually import eventually
from fakes.trees import differences

#: A limit that a few rounds of noise reach; what is immutable or pinned stays all the same.
_RULES = (
    'history = "1m"\nvault_limit = "12MB"\n'
    f'[dataset.generations]\nschedule = "none"\nkeep = {{ last = 1 }}\nimmutable_for = "7d"\n{UNBRAKED}'
)
_FILES, _SIZE = 20, 50_000


def _two_datasets(base: Path) -> Fleet:
    datasets = [
        Shared(name, "alpha", ("beta",), {"alpha": base / f"{name}-source", "beta": base / f"{name}-standby"})
        for name in ("mail", "web")
    ]
    return Fleet(base, ("alpha", "beta"), datasets, _RULES)


def _noise(source: Path, chance: random.Random) -> None:
    """Every file rewritten."""
    for number in range(_FILES):
        (source / f"f{number}").write_bytes(chance.randbytes(_SIZE))


def _restored(beta: Agent, generation: str, to: Path) -> Path:
    done = beta.run("restore", "web", "--generation", generation, "--to", str(to))
    assert 0 == done.returncode, done.stderr
    return to


def test_what_was_promised_is_there_after_a_flood_that_fills_the_vault(rng: random.Random) -> None:
    """The vault stops at its limit, and says so; a generation that is immutable and one that is pinned restore to the last byte;
    another dataset of the same two nodes is replicated as ever."""
    with running(_two_datasets) as fleet:
        beta, web, mail = fleet["beta"], fleet.datasets["web"].paths, fleet.datasets["mail"].paths
        _noise(web["alpha"], rng)
        fleet.begin()
        promised = {}
        for label, pin in (("immutable", ()), ("pinned", ("--pin",))):
            beta.json("generations", "take", "web", "--label", label, *pin)
            promised[label] = shutil.copytree(web["alpha"], fleet.base / f"copy-{label}", symlinks=True)
            (web["alpha"] / f"after {label}").write_text("x")
            fleet["alpha"].json("wait", "web", "--applied")

        def is_full() -> bool:
            _noise(web["alpha"], rng)
            return "vault-full" in beta.problems("web")

        eventually(is_full, 120)
        for one in list(web["alpha"].iterdir()):
            one.unlink()
        (mail["alpha"] / "letter").write_text("arrives")
        fleet["alpha"].json("wait", "mail", "--applied")
        assert "arrives" == (mail["beta"] / "letter").read_text()
        for label, copy in promised.items():
            back = _restored(beta, label, fleet.base / f"back-{label}")
            assert not differences(str(copy), str(back))
