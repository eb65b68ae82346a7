"""Changes of role that meet what nobody plans for: a third node, names that are excluded, hooks that fail on the other side."""

from __future__ import annotations

import sys
from pathlib import Path

from fakes.agents import UNBRAKED, Agent, Fleet, fleet, pair
from fakes.eventually import eventually
from fakes.hook_log import HookLog
from fakes.trees import differences, snapshot

NO_HOOKS = '[dataset.hooks]\nstart = "none"\nstop = "none"\n'


def _tree(path: Path) -> dict[bytes, object]:
    return {name: seen for name, seen in snapshot(str(path)).items() if not name.startswith(b".hikae") and name}


def _path(made: Fleet, agent: Agent) -> Path:
    return made.datasets["web"].paths[agent.name]


def _follow(made: Fleet, primary: Agent, number: int, others: tuple[Agent, ...]) -> None:
    """Primary in that epoch, with what it writes on all others."""
    eventually(
        lambda: ("primary", number, True) == tuple(primary.look().get(key) for key in ("role", "epoch", "serving"))
    )
    (_path(made, primary) / f"of {primary.name} {number}").write_text("written")
    eventually(
        lambda: {one.name for one in others if primary.peer(one.name).get("connected")} == {o.name for o in others}
    )
    for one in others:
        eventually(lambda one=one: [] == differences(str(_path(made, primary)), str(_path(made, one))))  # type: ignore[misc]


def test_three_nodes_change_places() -> None:
    """Alpha hands over to beta, which gamma follows; beta dies and gamma is promoted, which alpha follows; beta rejoins."""
    with fleet("alpha", "beta", "gamma", extra=UNBRAKED + NO_HOOKS) as made:
        alpha, beta, gamma = made.agents
        (_path(made, alpha) / "a").write_text("a")
        made.begin()
        which = alpha.run("switchover", "web", "--yes")
        assert (2, True) == (which.returncode, "--to NODE" in which.stderr)
        alpha.json("switchover", "web", "--to", "beta", "--yes")
        _follow(made, beta, 2, (alpha, gamma))
        beta.kill()
        (_path(made, beta) / "only beta").write_text("never sent")
        stood = _tree(_path(made, beta))
        gamma.json("promote", "web", "--force", "--yes")
        _follow(made, gamma, 3, (alpha,))
        beta.start()
        beta.up()
        done = beta.json("rejoin", "web", "--yes")
        assert ["only beta"] == done["lost"]
        _follow(made, gamma, 3, (alpha, beta))
        eventually(lambda: beta.look()["seeding"] is False)
        to = made.base / "back"
        assert 0 == beta.run("restore", "web", "--generation", "divergence", "--to", str(to)).returncode
        assert stood == _tree(to)


def test_who_was_to_be_followed_is_gone_before_it_called() -> None:
    """Alpha keeps what it alone has and is killed before it rejoins beta; gamma is promoted meanwhile: alpha follows that one."""
    with fleet("alpha", "beta", "gamma", extra=UNBRAKED + NO_HOOKS) as made:
        alpha, beta, gamma = made.agents
        (_path(made, alpha) / "a").write_text("a")
        made.begin()
        alpha.kill()
        (_path(made, alpha) / "only alpha").write_text("never sent")
        stood = _tree(_path(made, alpha))
        beta.json("promote", "web", "--force", "--yes")
        _follow(made, beta, 2, (gamma,))
        usual = alpha.program
        alpha.program = (sys.executable, "-m", "tests.fakes.agent_killed_in_step", "rejoin:role:begun")
        alpha.start()
        alpha.up()
        alpha.program = usual
        alpha.run("rejoin", "web", "--yes")
        alpha.ended()
        beta.kill()
        gamma.json("promote", "web", "--force", "--yes")
        alpha.start()
        alpha.up()
        _follow(made, gamma, 3, (alpha,))
        eventually(lambda: alpha.look()["moving"] is None)
        alpha.cleared("ahead-of-primary")
        eventually(lambda: alpha.look()["seeding"] is False)
        to = made.base / "back"
        done = alpha.run("restore", "web", "--generation", "divergence", "--to", str(to))
        assert 0 == done.returncode, done.stdout + done.stderr
        assert stood == _tree(to)


def test_what_is_excluded_stays_where_it_is_at_a_rejoin() -> None:
    """In a directory that stays, and in one that the new primary removed or moved meanwhile; its content is nobody's business."""
    with pair(f'exclude = ["*.tmp", "cache/"]\n{UNBRAKED}{NO_HOOKS}') as both:
        for name in ("stays", "goes", "moves"):
            (both.source / name).mkdir()
            (both.source / name / "kept").write_text(name)
            (both.source / name / "own.tmp").write_text(f"{name} on alpha")
        (both.source / "cache").mkdir()
        (both.source / "cache" / "c").write_text("cached on alpha")
        both.start()
        both.alpha.up()
        both.alpha.wait()
        both.alpha.kill()
        (both.source / "stays" / "kept").write_text("of alpha")
        both.beta.json("promote", "web", "--force", "--yes")
        (both.target / "goes" / "kept").unlink()
        (both.target / "goes").rmdir()
        (both.target / "moves").rename(both.target / "moved")
        (both.target / "stays" / "new").write_text("of beta")
        both.alpha.start()
        both.alpha.up()
        done = both.alpha.json("rejoin", "web", "--yes")
        assert ["stays/kept"] == done["lost"]
        both.beta.wait()
        found = {path.relative_to(both.source): path.read_text() for path in both.source.rglob("*.tmp")}
        displaced = {
            path.read_bytes().decode("latin-1") for path in (both.source / ".hikae").rglob("*") if path.is_file()
        }
        assert "stays on alpha" == found[Path("stays/own.tmp")]
        assert {"stays on alpha", "goes on alpha", "moves on alpha"} <= {*found.values(), *displaced}
        assert "cached on alpha" == (both.source / "cache" / "c").read_text()
        assert ("stays", "of beta") == (
            (both.source / "stays" / "kept").read_text(),
            (both.source / "stays" / "new").read_text(),
        )


def test_an_application_that_does_not_start_over_there_leaves_one_primary() -> None:
    """The place was handed over: the new primary says that the application is down, the old one is demoted whole."""
    with pair(UNBRAKED) as both:
        log = HookLog(both)
        config = both.beta.config
        config.write_text(
            "".join(f"{line}\n" for line in config.read_text().splitlines() if not line.startswith("start = "))
        )
        config.write_text(config.read_text() + 'start = ["sh", "-c", "echo no such disk; exit 4"]\n')
        (both.source / "a").write_text("a")
        both.begin()
        eventually(lambda: ["alpha start 1"] == log.ran())
        log.clear()
        done = both.alpha.run("switchover", "web", "--yes")
        assert (1, True, False) == (done.returncode, "no such disk" in done.stderr, "Traceback" in done.stderr)
        assert ("primary", "standby") == (both.beta.look()["role"], both.alpha.look()["role"])
        # after_demote has the epoch that alpha knows by then, its own or the next.
        ran = [one.rpartition(" ")[0] for one in log.ran() if "alpha" in one]
        assert ["alpha before_demote", "alpha stop", "alpha after_demote"] == ran
        both.beta.told("start-failed", "the application was not started")
        (both.target / "b").write_text("b")
        both.beta.wait()
        assert [] == differences(str(both.source), str(both.target))
