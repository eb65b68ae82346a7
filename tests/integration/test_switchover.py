"""`hikae switchover` with real agents: the primary and its standby change places, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

from fakes.agents import UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually
from fakes.trees import differences

HOOKS = '[dataset.hooks]\nstart = "none"\nstop = "none"\n'
STEPS = [
    "gates",
    "prepare",
    "drain",
    "before-demote",
    "stop",
    "writers",
    "barrier",
    "compare",
    "hand-over",
    "take-over",
    "after-demote",
    "start",
]


def _fill(tree: Path) -> None:
    for number in range(40):
        path = tree / f"d{number % 4}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"%d" % number * 500)


def _is(agent: Agent, role: str, epoch: int) -> bool:
    found = agent.look()
    return (role, epoch) == (found.get("role"), found.get("epoch"))


def _equal(both: Pair, primary: Agent) -> None:
    primary.wait()
    assert [] == differences(str(both.source), str(both.target))


def test_it_goes_there_and_back() -> None:
    """Typed on the primary, then on the standby; each time what is written on the new primary arrives on the old one."""
    with pair(UNBRAKED + HOOKS) as both:
        _fill(both.source)
        both.begin()
        done = both.alpha.json("switchover", "web", "--yes")
        assert (STEPS, "standby", []) == ([one["name"] for one in done["steps"]], done["role"], done["lost"])
        eventually(lambda: _is(both.beta, "primary", 2))
        (both.target / "of beta").write_text("2")
        _equal(both, both.beta)
        eventually(lambda: _is(both.alpha, "standby", 2) and both.alpha.look()["state"] != "seeding")
        assert both.alpha.json("verify", "web")["equal"]
        done = both.alpha.json("switchover", "web", "--yes")
        assert STEPS == [one["name"] for one in done["steps"]]
        eventually(lambda: _is(both.alpha, "primary", 3))
        (both.source / "of alpha").write_text("3")
        _equal(both, both.alpha)
        assert ["2", "3"] == [(both.target / name).read_text() for name in ("of beta", "of alpha")]
        assert both.beta.json("verify", "web", "--deep")["equal"]
        for agent in both.agents:
            agent.cleared("fenced", "rewound", "not-running", "switchover-failed", "vault-damaged")
