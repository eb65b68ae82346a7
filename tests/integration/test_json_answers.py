"""What the commands of history answer has the keys of the examples in ``docs/json.md``."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

from fakes.agents import Agent, Pair, pair
from fakes.eventually import eventually
from house.json_answers import ANSWERS, other_keys

#: Of two generations one goes, whether or not an hour ends between them.
HOOKS = """generations.schedule = "none"
generations.keep = { last = 1 }
[dataset.hooks]
stop = ["true"]
start = ["true"]
"""
#: The commands that are typed where a vault or a standby was lost.
LOST = (
    "generations verify web",
    "resync web --vault --dry-run",
    "resync web --vault --yes",
    "resync web --standby --yes",
)


def answered(both: Pair, agent: Agent, command: str) -> Any:
    """As JSON; a failure that is an answer too is one."""
    done = agent.run(*command.replace("DIR", str(both.base / "brought-back")).split(), "--json")
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def test_answers_have_the_keys_of_their_examples() -> None:
    """Each example is asked of real agents; where a list has something, its first item counts too."""
    with pair(HOOKS) as both:
        (both.source / "etc").mkdir()
        (both.source / "etc" / "a").write_bytes(os.urandom(2000))
        (both.source / "old").write_bytes(os.urandom(2000))
        both.begin()
        both.beta.json("generations", "take", "web", "--label", "before-release")
        (both.source / "old").unlink()
        found = {command: answered(both, both.alpha, command) for command in list(ANSWERS)[:3]}
        (both.source / "etc" / "a").write_bytes(os.urandom(3000))
        both.alpha.wait()
        eventually(lambda: both.beta.run("generations", "collect", "web", "--dry-run").returncode == 0)
        (both.source / "etc" / "b").write_bytes(b"a commit after what the vault has is noted")
        both.alpha.wait()
        for command in ANSWERS:
            if command not in found and command not in LOST:
                found[command] = answered(both, both.alpha if command.startswith("rollback") else both.beta, command)
        both.alpha.kill()
        both.beta.kill()
        shutil.rmtree(both.home(both.beta) / "vault")
        both.target.rename(both.base / "elsewhere")
        both.target.mkdir()
        both.beta.start()
        both.beta.up()
        for command in LOST:
            found[command] = answered(both, both.beta, command)
    assert {} == {
        command: differ for command, answer in found.items() if (differ := other_keys(ANSWERS[command], answer))
    }
    assert ANSWERS.keys() == found.keys()
    assert all(found[command]["goes"] for command in ("generations expire web --dry-run",))
    assert found["generations verify web"]["damaged"]


def test_what_differs_is_named() -> None:
    """A key more or less, below others and in lists; another kind of value."""
    example = {"a": 1, "b": [{"c": "x"}], "d": None}
    assert [] == other_keys(example, {"a": 2.5, "b": [], "d": {"e": 1}})
    assert [".a", ".f", ".b[].c"] == other_keys(example, {"b": [{"c": 1}], "d": 1, "f": 1})
