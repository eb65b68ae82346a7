"""`hikae rejoin` with real agents: an old primary comes back as a standby by the difference, and loses nothing of its own."""

from __future__ import annotations

import json
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fakes.agents import UNBRAKED, Agent, Fleet, Pair, fleet, pair
from fakes.eventually import eventually
from fakes.mounts import enlarge, memory, needs_root
from fakes.roles import make_primary, reign
from fakes.trees import differences

SEED = 20261130
STEPS = ["writers", "walk", "divergence", "role", "after-demote", "follow"]


def _fill(tree: Path, rng: random.Random) -> None:
    for number in range(40):
        path = tree / f"d{number % 4}" / f"f{number}"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(rng.randbytes(3_000))
    for name in ("both", "alphas", "betas", "gone", "untouched"):
        (tree / name).write_bytes(rng.randbytes(600_000))


def _promoted(agent: Agent, home: Path, number: int) -> None:
    """The node reigns from now on, as a promotion will write it."""
    agent.kill(signal.SIGTERM)
    make_primary(home, reign(number, agent.name))
    agent.start()
    agent.up()
    eventually(lambda: ("primary", number) == (agent.look().get("role"), agent.look().get("epoch")))


def _diverge(both: Pair, rng: random.Random) -> dict[str, bytes]:
    """What alpha's tree gets that beta never hears of: its files that are no others, by path."""
    both.alpha.kill()
    (both.source / "only alpha").write_bytes(rng.randbytes(200_000))
    with (both.source / "both").open("r+b") as file:
        file.write(b"of alpha")
    with (both.source / "alphas").open("r+b") as file:
        file.seek(300_000)
        file.write(b"of alpha")
    (both.source / "d0" / "f0").unlink()
    return {path: (both.source / path).read_bytes() for path in ("only alpha", "both", "alphas", "gone")}


def _go_on(tree: Path, rng: random.Random) -> None:
    """What the promoted node's application does."""
    (tree / "new").write_bytes(rng.randbytes(100_000))
    with (tree / "both").open("r+b") as file:
        file.seek(500_000)
        file.write(b"of beta")
    with (tree / "betas").open("r+b") as file:
        file.write(b"of beta")
    (tree / "gone").unlink()
    (tree / "d1").rename(tree / "moved")
    (tree / "d2" / "f2").chmod(0o600)


def _equal(both: Pair, primary: Agent) -> None:
    primary.wait()
    found = differences(str(both.source), str(both.target))
    assert [] == found


def _restored(agent: Agent, generation: str, to: Path) -> Path:
    done = agent.run("restore", "web", "--generation", generation, "--to", str(to))
    assert 0 == done.returncode, done.stderr
    return to


def _rejoined(agent: Agent) -> dict[str, Any]:
    agent.told("fenced")
    done: dict[str, Any] = agent.json("rejoin", "web", "--yes")
    assert (STEPS, "standby") == ([one["name"] for one in done["steps"]], done["role"])
    return done


def test_an_old_primary_rejoins_and_its_own_writes_are_kept() -> None:
    """Killed, promoted past, changed on both sides: equal again, and what only the old one had is a generation that restores."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with pair(UNBRAKED) as both:
        _fill(both.source, rng)
        both.begin()
        before = datetime.now(UTC).astimezone()
        kept = _diverge(both, rng)
        _promoted(both.beta, both.home(both.beta), 2)
        _go_on(both.target, rng)
        both.alpha.start()
        done = _rejoined(both.alpha)
        assert ["alphas", "both", "d0/f0", "only alpha"] == done["lost"]
        _equal(both, both.beta)
        assert both.alpha.json("verify", "web", "--deep")["equal"]
        eventually(lambda: both.alpha.look()["seeding"] is False)
        at = f"{before:%Y-%m-%d %H:%M:%S}"
        eventually(lambda: 4 == both.alpha.run("restore", "web", "--at", at, "--to", str(both.base / at)).returncode)
        back = _restored(both.alpha, "divergence", both.base / "back")
        assert kept == {path: (back / path).read_bytes() for path in kept}
        assert not (back / "d0" / "f0").exists()
        shown = both.alpha.json("generations", "list", "web")
        assert [("divergence", True, 0)] == [(one["label"], one["pinned"], one["incomplete"]) for one in shown]
        for agent in both.agents:
            agent.cleared("fenced", "rewound", "not-running", "vault-damaged", "seeding-lost")


def test_it_goes_there_and_back() -> None:
    """Each in turn is promoted and rejoins; what either wrote is on both."""
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with pair(UNBRAKED) as both:
        _fill(both.source, rng)
        both.begin()
        both.alpha.kill()
        _promoted(both.beta, both.home(both.beta), 2)
        (both.target / "of beta").write_bytes(rng.randbytes(400_000))
        both.alpha.start()
        assert [] == _rejoined(both.alpha)["lost"]
        _equal(both, both.beta)
        eventually(lambda: both.alpha.look()["seeding"] is False)
        both.beta.kill()
        _promoted(both.alpha, both.home(both.alpha), 3)
        (both.source / "of alpha").write_bytes(rng.randbytes(400_000))
        both.beta.start()
        assert [] == _rejoined(both.beta)["lost"]
        _equal(both, both.alpha)


def _third(made: Fleet) -> tuple[Agent, Agent, Agent]:
    made.begin()
    return made["alpha"], made["beta"], made["gamma"]


def _home(agent: Agent) -> Path:
    return agent.state / "datasets" / "web"


def test_a_third_node_follows_the_new_primary_by_itself() -> None:
    """It has nothing that the promoted one lacks, so nobody need do anything there."""
    with fleet("alpha", "beta", "gamma", extra=UNBRAKED) as made:
        paths = made.datasets["web"].paths
        (paths["alpha"] / "first").write_text("1")
        alpha, beta, gamma = _third(made)
        alpha.kill()
        _promoted(beta, _home(beta), 2)
        (paths["beta"] / "second").write_text("2")
        eventually(lambda: ("beta", 2) == (gamma.look()["primary"], gamma.look()["epoch"]))
        eventually((paths["gamma"] / "second").exists)
        eventually(lambda: [] == differences(str(paths["beta"]), str(paths["gamma"])))
        gamma.cleared("ahead-of-primary", "not-running")
        gamma.restart()
        assert "beta" == gamma.look()["primary"]


def test_a_third_node_that_is_ahead_follows_once_it_is_told_to() -> None:
    """What only it received is named, kept as a generation, and restores; then it is what the new primary has."""
    with fleet("alpha", "beta", "gamma", extra=UNBRAKED) as made:
        paths = made.datasets["web"].paths
        (paths["alpha"] / "first").write_text("1")
        alpha, beta, gamma = _third(made)
        beta.kill(signal.SIGTERM)
        (paths["alpha"] / "only gamma").write_text("of alpha")
        eventually((paths["gamma"] / "only gamma").exists)
        eventually(lambda: "of alpha" == (paths["gamma"] / "only gamma").read_text())
        alpha.kill()
        make_primary(_home(beta), reign(2, "beta"))
        beta.start()
        beta.up()
        told = gamma.told("ahead-of-primary", "beta was promoted")
        assert "hikae rejoin web" in told["remedy"]
        assert "hikae rejoin web" in beta.told("not-primary", "gamma")["remedy"]
        assert (paths["gamma"] / "only gamma").exists()
        done = gamma.json("rejoin", "web", "--yes")
        assert ["only gamma"] == done["lost"]
        eventually(lambda: not (paths["gamma"] / "only gamma").exists())
        eventually(lambda: [] == differences(str(paths["beta"]), str(paths["gamma"])))
        back = _restored(gamma, "divergence", made.base / "back")
        assert "of alpha" == (back / "only gamma").read_text()
        gamma.cleared("ahead-of-primary", "not-running")


def test_no_brake_holds_a_rejoin() -> None:
    """However much of what stands goes, all of it is a generation, so nothing need be accepted; the next emptying holds again."""
    rng = random.Random(SEED)
    limits = '[dataset.brake]\ndeleted = "10%"\nrewritten = "10%"\nmin_entries = 5\nwindow = "1s"\n'
    with pair(limits) as both:
        _fill(both.source, rng)
        both.begin()
        both.alpha.kill()
        for number in range(60):
            (both.source / f"only alpha {number}").write_text("of alpha")
        _promoted(both.beta, both.home(both.beta), 2)
        both.alpha.start()
        assert 60 == len(_rejoined(both.alpha)["lost"])
        _equal(both, both.beta)
        for path in both.target.glob("d*/f*"):
            path.unlink()
        both.alpha.told("mass-deletion")


def test_what_keeps_it_from_following_is_said_and_not_waited_for() -> None:
    """Applying is paused: the rejoin ends with the way out, and what it began goes on by itself after that."""
    rng = random.Random(SEED)
    with pair(UNBRAKED) as both:
        _fill(both.source, rng)
        both.begin()
        both.alpha.kill()
        _promoted(both.beta, both.home(both.beta), 2)
        both.alpha.start()
        both.alpha.told("fenced")
        assert 0 == both.beta.run("pause", "web").returncode  # nothing is brought on before this test is there
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(_rejoined, both.alpha)
            eventually(lambda: "standby" == both.alpha.look().get("role"))
            assert 0 == both.alpha.run("pause", "web").returncode
            result = done.result()["steps"][-1]["result"]
        assert "applying is paused here: hikae resume web; it goes on by itself after that" in result, result
        for agent in both.agents:
            assert 0 == agent.run("resume", "web").returncode
        _equal(both, both.beta)


@needs_root
def test_no_room_for_a_vault_is_said_long_before_and_refuses_a_rejoin(tmp_path: Path) -> None:
    """On the primary while all is well; then a gate with a code of its own, until there is room."""
    with memory(tmp_path / "small", "68m") as small, pair(UNBRAKED) as both:
        alpha = both.alpha
        text = alpha.config.read_text().replace('kind = "tree"\n', f'kind = "tree"\nvault = "{small}/web"\n')
        alpha.config.write_text(text)
        (both.source / "large").write_bytes(random.Random(SEED).randbytes(60 << 20))
        both.begin()
        alpha.kill()
        _promoted(both.beta, both.home(both.beta), 2)
        alpha.start()
        alpha.told("fenced")
        told = alpha.told("rejoin-no-room", "could not become a standby", within=90.0)
        assert "vault" in told["remedy"]
        refused = alpha.run("rejoin", "web", "--yes", "--json")
        assert 3 == refused.returncode, refused.stderr
        gates = {gate["name"]: gate["ok"] for gate in json.loads(refused.stdout)["gates"]}
        assert {"writers": True, "room": False} == gates
        enlarge(small, "400m")
        _rejoined(alpha)
        _equal(both, both.beta)


def test_it_comes_back_a_second_time() -> None:
    """Twice dead, rejoined and switched back to: what each rejoin made for itself alone is in nobody's way afterwards."""
    with pair(f'{UNBRAKED}[dataset.hooks]\nstart = "none"\nstop = "none"\n') as both:
        both.begin()
        for turn in range(2):
            both.alpha.kill()
            (both.source / f"only alpha {turn}").write_text("lost")
            assert "primary" == both.beta.json("promote", "web", "--force", "--yes")["role"]
            (both.target / f"of beta {turn}").write_text("kept")
            both.alpha.start()
            both.alpha.up()
            _rejoined(both.alpha)
            _equal(both, both.beta)
            eventually(lambda: both.alpha.look()["state"] == "streaming")
            both.beta.json("switchover", "web", "--force", "--yes")
            eventually(lambda: both.alpha.look()["role"] == "primary")
            (both.source / f"of alpha {turn}").write_text("kept")
            _equal(both, both.alpha)
