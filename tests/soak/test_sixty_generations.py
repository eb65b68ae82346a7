"""Generations and moments of the history of a tree that changes at random: each comes back exactly as the tree stood.

`make test` runs a share; `make soak PART=sixty-generations` 60 generations and 120 moments, of each seed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from fakes.agents import UNBRAKED, Agent, pair
from fakes.capture_fakes import unequal
from fakes.eventually import eventually
from fakes.storm import SystemCallStorm
from fakes.trees import Seen, snapshot

SEEDS = int(os.environ.get("HIKAE_SOAK_SEEDS", "0"))
GENERATIONS, BETWEEN = (60, 2) if SEEDS else (2, 1)
KEPT = max(1, GENERATIONS // 3)
RULES = f'[dataset.generations]\nschedule = "none"\nkeep = {{ last = {GENERATIONS} }}\nimmutable_for = "1s"\n'

pytestmark = pytest.mark.timeout(3600)


def _differs(agent: Agent, stood: dict[bytes, Seen], to: Path, *moment: str) -> list[str]:
    """How a moment that comes back differs from the tree as it stood."""
    done = agent.run("restore", "web", *moment, "--to", str(to))
    assert 0 == done.returncode, done.stderr
    found = unequal(stood, snapshot(str(to)))
    shutil.rmtree(to)
    return found


@pytest.mark.parametrize("number", range(max(1, SEEDS)))
def test_they_come_back_as_the_tree_stood(number: int, seed: int, tmpfs_dir: Path) -> None:
    """Content, all metadata, holes, hard links; those that the rule keeps also once the others were let go."""
    generations: dict[str, dict[bytes, Seen]] = {}
    marks: dict[str, dict[bytes, Seen]] = {}
    with pair(UNBRAKED + RULES) as both:
        storm = SystemCallStorm(str(both.source), seed + number, limit=200)
        both.begin()
        for at in range(GENERATIONS):
            storm.run(60)
            # A peer's barriers are answered one a second: taken sooner, a generation is what has come by then.
            both.alpha.wait("durable")
            name = both.beta.json("generations", "take", "web")["generation"]
            generations[name] = snapshot(str(both.source))
            for mark in range(BETWEEN):
                storm.run(15)
                both.alpha.json("mark", "web", f"m{at}-{mark}")
                marks[f"m{at}-{mark}"] = snapshot(str(both.source))
        to, beta = tmpfs_dir / "to", both.beta
        assert {} == {
            name: found
            for name, stood in generations.items()
            if (found := _differs(beta, stood, to, "--generation", name))
        }
        assert {} == {
            label: found for label, stood in marks.items() if (found := _differs(beta, stood, to, "--at", label))
        }
        rules = both.beta.config.read_text()
        both.beta.config.write_text(rules.replace(f"last = {GENERATIONS}", f"last = {KEPT}"))
        both.beta.json("reload")

        def left() -> list[str]:
            # The newest of those that go may be younger than the second that ``immutable_for`` promised it.
            both.beta.json("generations", "expire", "web", "--yes")
            return [one["generation"] for one in both.beta.json("generations", "list", "web")]

        eventually(lambda: left() == list(generations)[-KEPT:])
        assert {} == {
            name: found for name in left() if (found := _differs(beta, generations[name], to, "--generation", name))
        }
