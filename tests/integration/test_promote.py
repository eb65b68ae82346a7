"""`hikae promote` with real agents: the primary is gone, and its standby serves."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from fakes.agents import Pair, pair
from fakes.eventually import eventually
from fakes.promotable import lacks_only
from fakes.roles import make_primary, reign

STEPS = ["gates", "generation", "before_promote", "moment", "role", "serve", "start", "after_promote"]
HOOKS = """[dataset.hooks]
start = ["sh", "-c", "echo $HIKAE_DATASET $HIKAE_NODE $HIKAE_ROLE $HIKAE_EPOCH $HIKAE_REASON"]
"""


@pytest.fixture
def both() -> Iterator[Pair]:
    """Two agents that replicate a small tree."""
    with pair(HOOKS) as one:
        for number in range(20):
            path = one.source / f"d{number % 4}/f{number}"
            path.parent.mkdir(exist_ok=True)
            path.write_text(str(number) * 1_000)
        one.begin()
        yield one


def test_the_standby_of_a_dead_primary_serves(both: Pair) -> None:
    """In an epoch of its own, with the application started; what is written there afterwards is captured."""
    both.alpha.kill()
    before = both.beta.look()["commit"]
    done = both.beta.json("promote", "web", "--force", "--yes", "--reason", "alpha burns")
    assert ("web", 2, "primary", STEPS) == (
        done["dataset"], done["epoch"], done["role"], [one["name"] for one in done["steps"]],
    )  # fmt: skip
    assert done["steps"][STEPS.index("start")]["result"].endswith("it said: web beta primary 2 alpha burns")
    assert sum(one["ms"] for one in done["steps"]) == done["rto_ms"]
    entries = both.beta.look()["commit"]["entries"]
    (both.target / "written on beta").touch()
    eventually(lambda: entries + 1 == both.beta.look()["commit"]["entries"])
    assert done["steps"][1]["result"] == done["generation_before"]
    made = both.beta.json("roles", "web")[-1]
    assert ("promote", "standby", "primary", 2, "alpha burns", done["steps"]) == (
        made["kind"], made["from"], made["to"], made["epoch"], made["reason"], made["steps"],
    )  # fmt: skip
    assert {key: before[key] for key in ("epoch", "seq")} == made["commit"]


def test_a_primary_that_lives_is_no_reason(both: Pair) -> None:
    """Exit 3 and the gates, and nothing has changed; --dry-run says the same without a refusal."""
    lacks_only(both.beta, "primary")

    def typed() -> subprocess.CompletedProcess[str] | None:
        """It is asked for two seconds whether it lives, and may need longer."""
        done = both.beta.run("promote", "web", "--yes", "--json")
        return done if "alpha is connected" not in done.stdout else None

    refused = eventually(typed)
    told = json.loads(refused.stdout)
    assert (3, True) == (refused.returncode, told["refused"])
    gates = {one["name"]: one for one in told["gates"]}
    assert (False, "alpha answers: it is the primary, in epoch 1") == (
        gates["primary"]["ok"],
        gates["primary"]["value"],
    )
    plan = both.beta.json("promote", "web", "--dry-run")
    assert [one["ok"] for one in told["gates"]] == [one["ok"] for one in plan["gates"]]
    assert ("standby", 1) == (both.beta.look()["role"], both.beta.look()["epoch"])
    both.mirror()


def test_where_it_is_no_standby_it_is_refused(both: Pair) -> None:
    """On the primary, and of a dataset that nobody knows."""
    wrong, unknown = both.alpha.run("promote", "web", "--yes"), both.beta.run("promote", "nothing", "--yes")
    assert (3, 4) == (wrong.returncode, unknown.returncode)
    assert ("hikae promote web" in wrong.stderr, "Traceback" in wrong.stderr + unknown.stderr) == (True, False)


def test_an_earlier_moment_is_served(both: Pair) -> None:
    """It is the first commit of the new epoch, and what came after it is history; the standby is not held back afterwards."""
    taken = both.beta.json("generations", "take", "web")
    good, good_commit = taken["generation"], taken["commit"]
    digest = both.beta.look()["commit"]["digest"]
    was = {path.name: path.read_text() for path in both.target.glob("d*/*")}
    for path in list(both.source.glob("d1/*")):
        path.write_text("spoiled")
    (both.source / "d2").rename(both.source / "gone")
    both.mirror()
    both.alpha.kill()
    plan = both.beta.json("promote", "web", "--generation", good, "--dry-run")
    assert (good in plan["moment"], True) == (True, "spoiled" in (both.target / "d1/f1").read_text())
    done = both.beta.json("promote", "web", "--generation", good, "--yes", "--force")
    assert (2, "primary") == (done["epoch"], done["role"])
    assert good_commit == both.beta.json("roles", "web")[-1]["commit"]
    assert was == {path.name: path.read_text() for path in both.target.glob("d*/*")}
    look = both.beta.look()
    assert (digest, {"epoch": 2, "seq": 1}, []) == (
        look["commit"]["digest"], {key: look["commit"][key] for key in ("epoch", "seq")}, look["pauses"],
    )  # fmt: skip
    (both.target / "d1/f1").write_text("after")
    eventually(lambda: digest != both.beta.look()["commit"]["digest"])


def test_a_standby_that_is_held_serves_a_moment_that_is_named(both: Pair) -> None:
    """Not its newest commit, also by force; the one from before all was deleted."""
    both.alpha.json("mark", "web", "good")
    for path in list(both.source.glob("d*")):
        shutil.rmtree(path)
    eventually(lambda: both.beta.look()["hold"])
    both.alpha.kill()
    held = both.beta.run("promote", "web", "--yes", "--force")
    assert (3, True, False) == (held.returncode, "--at MOMENT" in held.stderr, "go on all the same" in held.stderr)
    done = both.beta.json("promote", "web", "--at", "good", "--yes", "--force")
    assert (2, 20) == (done["epoch"], len(list(both.target.glob("d*/*"))))
    eventually(lambda: both.beta.look()["hold"] is None)


@pytest.mark.parametrize("step", [0, 1, 2, 3, 4, 5, 6, 7])
def test_a_promotion_that_was_killed_goes_on(both: Pair, step: int) -> None:
    """Killed at a moment of it, it comes to its end with the next start; where it reigned already, by somebody's word that no
    other node was promoted meanwhile."""
    both.alpha.kill()
    both.beta.kill()
    record = {
        "version": 1, "kind": "promotion", "began": 1, "facts": {}, "doing": STEPS[step],
        "arguments": {"dataset": "web", "reason": "", "approved_by": "", "typist": "", "force": True, "lost": [],
                      "moment": 0, "words": ""},
        "done": [{"name": name, "ms": 1, "result": "", "failed": False} for name in STEPS[:step]],
    }  # fmt: skip
    (both.home(both.beta) / "promotion.json").write_text(json.dumps(record))
    if step > STEPS.index("role"):
        make_primary(both.home(both.beta), reign(2, "beta"))
    both.beta.start()
    both.beta.up()
    eventually(lambda: ("primary", 2) == (both.beta.look().get("role"), both.beta.look().get("epoch")))
    if step > STEPS.index("role"):
        eventually(lambda: "unconfirmed" == both.beta.look()["state"])
        both.beta.json("serve", "web", "--alone", "--yes")
    eventually(lambda: not (both.home(both.beta) / "promotion.json").exists())


@contextmanager
def _large_announced(both: Pair) -> Iterator[None]:
    """A large file is being written, and the secondary shows that it was told of it, by a primary that stands still from before
    that look on: where nothing is written for a while the file is whole, and would arrive."""
    with (both.source / "large").open("wb") as large:

        def grown() -> bool:
            large.write(bytes(4 << 20))
            large.flush()
            both.alpha.stand_still()
            if "large" in both.beta.look()["promotion"]["loss"]["paths"]:
                return True
            both.alpha.go_on()
            return False

        eventually(grown)
        yield


def test_what_was_announced_outlives_a_kill_of_the_secondary(both: Pair) -> None:
    """SIGKILL, as soon as it shows a path: the next process knows it, though the primary never spoke again."""
    # So that what was known before was kept a moment ago.
    eventually((both.home(both.beta) / "announced.at-once.json").exists)
    with _large_announced(both):
        both.beta.kill()
        both.alpha.kill()
    both.beta.start()
    told = eventually(lambda: both.beta.look().get("promotion"))
    assert (["large"], True) == (told["loss"]["paths"], told["loss"]["bytes"] > 0)


def test_what_was_announced_and_never_came_is_said(both: Pair) -> None:
    """A large file that was still being written when the primary died, by path and size; and no force is needed."""
    with _large_announced(both):
        both.alpha.kill()
    plan = both.beta.json("promote", "web", "--dry-run")
    assert ["large"] == plan["loss"]["paths"]
    assert (True, True) == (plan["loss"]["bytes"] > 0, plan["loss"]["seconds"] > 0)
    assert [plan["loss"]["bytes"]] == plan["loss"]["sizes"]
    said = both.beta.run("status", "web").stdout
    assert "announced, and not here: large (" in said, said
    both.beta.restart()
    told = eventually(lambda: both.beta.look().get("promotion"))
    assert plan["loss"]["paths"] == told["loss"]["paths"]
    done = both.beta.json("promote", "web", "--yes")
    assert (2, told["loss"]["sizes"]) == (done["epoch"], done["lost_sizes"])
    made = both.beta.json("roles", "web")[-1]
    assert (["large"], told["loss"]["sizes"]) == (made["lost"], made["lost_sizes"])
    assert "lost: large (" in both.beta.run("roles", "web").stdout
