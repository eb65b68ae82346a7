"""Promotions that cannot be, or go wrong: each ends in a clear refusal or a clear state."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from agent.core.errors import Exit
from fakes.agents import UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually

SLOW = '[dataset.hooks]\nstart = "none"\nbefore_promote = ["sh", "-c", "until test -e {0}/go; do sleep 0.1; done"]\n'
FAILS = '[dataset.hooks]\nstart = "none"\nbefore_promote = ["sh", "-c", "echo not now; exit 7"]\n'
MISSING = '[dataset.hooks]\nstart = ["/nowhere/start"]\n'
BRINGS = '[dataset.hooks]\nbefore_promote = ["sh", "-c", "{1}"]\nstart = ["{0}"]\nstop = "none"\n'
VANISHES = '[dataset.hooks]\nbefore_promote = ["rm", "{0}"]\nstart = ["{0}"]\n'


def _mirrored(both: Pair) -> Pair:
    (both.source / "a").write_text("a")
    both.begin()
    both.alpha.kill()
    return both


MOVED = '[dataset.hooks]\nstart = "none"\nbefore_promote = ["sh", "-c", "mv {0} {0}.away"]\n'


def _typed(both: Pair) -> subprocess.CompletedProcess[str]:
    return both.beta.run("promote", "web", "--force", "--yes")


def _typed_between_looks(both: Pair, put_back: Callable[[], object]) -> subprocess.CompletedProcess[str]:
    """A promotion whose hook takes the standby's directory away. Its place is looked at each second: where that comes between the
    hook and the last gates, it is refused; it is typed again then, with the directory ``put_back``."""

    def typed() -> subprocess.CompletedProcess[str] | None:
        done = _typed(both)
        if done.returncode != Exit.REFUSED or "hold: " not in done.stderr:
            return done
        put_back()
        both.beta.cleared("standby-gone")
        return None

    return eventually(typed)


def test_a_hook_that_fails_before_leaves_the_standby() -> None:
    """It says what the program said; nothing has changed, and what failed is told until it is typed again."""
    with pair(FAILS) as both:
        done = _typed(_mirrored(both))
        assert (1, True, False) == (done.returncode, "not now" in done.stderr, "Traceback" in done.stderr)
        assert ("standby", 1) == (both.beta.look()["role"], both.beta.look()["epoch"])
        both.beta.told("promotion-failed")


def test_a_hook_that_is_missing_is_found_before_the_epoch_is_raised() -> None:
    """A program that is not there, and one that nobody may execute: refused, and the standby is what it was."""
    with pair(MISSING) as both:
        _mirrored(both)
        done = both.beta.run("promote", "web", "--yes", "--json")
        hooks = next(one for one in json.loads(done.stdout)["gates"] if one["name"] == "hooks")
        said = "start runs /nowhere/start, which is not there, or cannot be executed"
        assert (3, False, said) == (done.returncode, hooks["ok"], hooks["value"])
        assert ("standby", 1) == (both.beta.look()["role"], both.beta.look()["epoch"])


@pytest.mark.parametrize("command", ["promote", "switchover"])
def test_a_program_that_before_promote_brings_is_looked_for_after_that(command: str) -> None:
    """What does not come is found while the standby is one still; what comes is run."""
    with pair(UNBRAKED) as both:
        program, config = both.base / "start", both.beta.config
        written = config.read_text()
        both.alpha.config.write_text(both.alpha.config.read_text() + '[dataset.hooks]\nstart = "none"\nstop = "none"\n')
        config.write_text(written + BRINGS.format(program, "true"))
        (both.source / "a").write_text("a")
        both.begin()
        eventually(lambda: 0 == both.beta.run("verify", "web").returncode)
        typed = both.alpha if command == "switchover" else both.beta
        if command == "promote":
            eventually(lambda: ["primary"] == _unmet(both.beta))
            both.alpha.kill()
            eventually(lambda: not _unmet(both.beta))
        done = eventually(lambda: _ended(typed, command))
        assert (3, True) == (done.returncode, f"start runs {program}, which is not there" in done.stderr), done.stderr
        assert ("standby", 1) == (both.beta.look()["role"], both.beta.look()["epoch"])
        brings = f"printf '#!/bin/sh\\n: > {program}.ran\\n' > {program}; chmod 755 {program}"
        config.write_text(written + BRINGS.format(program, brings.replace("\\", "\\\\")))
        assert 0 == both.beta.run("reload").returncode
        done = eventually(lambda: _ended(typed, command))
        assert (0, "primary") == (done.returncode, both.beta.look()["role"]), done.stderr
        eventually(lambda: program.with_name("start.ran").exists())


def _unmet(agent: Agent) -> list[str]:
    gates = agent.json("promote", "web", "--dry-run")["gates"]
    print(lacking := [(one["name"], one["value"]) for one in gates if not one["ok"]])
    return [name for name, _ in lacking]


def _ended(agent: Agent, command: str) -> subprocess.CompletedProcess[str] | None:
    """As it is typed; of one node the other takes some once a second."""
    done = agent.run(command, "web", "--yes")
    return done if done.returncode != Exit.TRY_AGAIN else None


def test_a_program_that_vanishes_after_the_gates_is_told() -> None:
    """The node is the primary then: another may not be it in the same epoch."""
    with pair() as both:
        program = both.base / "start"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        config = both.beta.config
        config.write_text(config.read_text() + VANISHES.format(program))
        done = _typed(_mirrored(both))
        assert (1, True) == (done.returncode, str(program) in done.stderr)
        assert ("primary", 2) == (both.beta.look()["role"], both.beta.look()["epoch"])


@pytest.mark.parametrize("hook", ["stop", "after_demote"])
def test_a_switchover_looks_for_the_programs_of_the_old_primary(hook: str) -> None:
    """Before anything was stopped there; --dry-run says so too."""
    with pair(UNBRAKED) as both:
        rest = 'start = "none"\n' if hook == "stop" else 'start = "none"\nstop = "none"\n'
        both.beta.config.write_text(both.beta.config.read_text() + '[dataset.hooks]\nstart = "none"\nstop = "none"\n')
        lines = f'[dataset.hooks]\n{rest}{hook} = ["/nowhere/program"]\n'
        both.alpha.config.write_text(both.alpha.config.read_text() + lines)
        (both.source / "a").write_text("a")
        both.begin()
        plan = both.alpha.json("switchover", "web", "--dry-run")
        done = both.alpha.run("switchover", "web", "--yes", "--json")
        said = f"on alpha: {hook} runs /nowhere/program, which is not there, or cannot be executed"
        for gates in (plan["gates"], json.loads(done.stdout)["gates"]):
            assert {"primary-hooks": said} == {one["name"]: one["value"] for one in gates if not one["ok"]}
            assert all(one["measured"] for one in gates if one["name"] in ("primary-hooks", "reverse-connection"))
        assert (3, "primary", True) == (done.returncode, both.alpha.look()["role"], both.alpha.look()["serving"])


def test_twice_at_once_is_done_once() -> None:
    """The second is told that one is under way, and the first comes to its end."""
    with pair() as both:
        config = both.beta.config
        config.write_text(config.read_text() + SLOW.format(both.base))
        _mirrored(both)
        words = [*both.beta.program, "--config", str(config), "promote", "web", "--force", "--yes"]
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as first:
            # Of two that are typed at one time either may be the first.
            eventually(lambda: both.beta.look()["moving"])
            assert "under way" in _typed(both).stderr
            assert ("standby", 75) == (both.beta.look()["role"], _typed(both).returncode)
            (both.base / "go").touch()
            assert 0 == first.wait(60)
        assert ("primary", 2) == (both.beta.look()["role"], both.beta.look()["epoch"])


def test_before_the_first_sync_there_is_nothing_to_serve() -> None:
    """Neither by force."""
    with pair('[dataset.hooks]\nstart = "none"\n') as both:
        both.beta.start()
        both.beta.up()
        eventually(lambda: both.beta.look().get("promotion"))
        done = _typed(both)
        assert (3, True) == (done.returncode, "consistent: nothing has been received" in done.stderr)
        unknown = both.beta.run("promote", "web", "--at", "2001-01-01 00:00", "--yes", "--force")
        assert (True, False) == (unknown.returncode in (3, 4), "Traceback" in unknown.stderr)


def test_no_moment_can_stand_where_no_standby_is() -> None:
    """Its directory is gone: refused, also with a moment and by force, with what leads on; once that is done it is served."""
    with pair(f'{UNBRAKED}[dataset.hooks]\nstart = "none"\n') as both:
        (both.source / "a").write_text("a")
        both.begin()
        good = both.beta.json("generations", "take", "web")["generation"]
        away = both.base / "away"
        both.target.rename(away)
        (both.source / "b").write_text("b")
        both.beta.told("standby-gone")
        both.alpha.kill()
        done = both.beta.run("promote", "web", "--generation", good, "--force", "--yes")
        assert (3, True) == (done.returncode, "hold: " in done.stderr), done.stderr
        assert "--at MOMENT" not in done.stderr
        away.rename(both.target)
        both.beta.cleared("standby-gone")
        assert 2 == both.beta.json("promote", "web", "--generation", good, "--force", "--yes")["epoch"]
        assert ["a"] == [one.name for one in both.target.iterdir() if one.name != ".hikae"]


def test_what_stands_in_the_place_of_the_dataset_is_told_and_ends() -> None:
    """A file came there once the promotion was begun: the command ends with the file to correct and what to type, and status
    says so too; once it is away the promotion goes on."""
    with pair(UNBRAKED) as both:
        moved = f"mv {both.target} {both.target}.away; : > {both.target}"
        text = both.beta.config.read_text()
        both.beta.config.write_text(
            f'{text}[dataset.hooks]\nstart = "none"\nbefore_promote = ["sh", "-c", "{moved}"]\n'
        )

        def put_back() -> None:
            both.target.unlink()
            both.target.with_name(f"{both.target.name}.away").rename(both.target)

        done = _typed_between_looks(_mirrored(both), put_back)
        says = (f'"{both.target}" is there, and is no directory', f"correct {both.beta.config}", "hikae reload")
        assert (75, [True] * 3) == (done.returncode, [one in done.stderr for one in says]), done.stderr
        assert "cannot promote (web): it waits at the step serve: " in done.stderr
        both.beta.told("not-running", says[0])
        assert "hikae reload" in both.beta.run("status", "web").stdout
        put_back()
        eventually(lambda: ("primary", None) == (both.beta.look().get("role"), both.beta.look().get("moving")), 60)
        assert (True, "a") == (both.beta.look()["serving"], (both.target / "a").read_text())


def test_a_promotion_whose_directory_is_gone_does_not_say_that_it_stands() -> None:
    """It is the primary, which is held until that is back; what it says points there."""
    with pair(UNBRAKED) as both:
        both.beta.config.write_text(both.beta.config.read_text() + MOVED.format(both.target))
        away = both.target.with_name(f"{both.target.name}.away")
        done = _typed_between_looks(_mirrored(both), lambda: away.rename(both.target))
        assert (0, True, False) == (
            done.returncode, "nothing is seen of it yet: hikae status web" in done.stdout, "changes are seen" in done.stdout,
        )  # fmt: skip
        both.beta.told("root-gone")
        away.rename(both.target)
        both.beta.cleared("root-gone")


def test_nobody_waits_for_what_only_a_person_ends() -> None:
    """The standby's directory goes in the middle: the command ends, says so and what to do, and the promotion goes on after
    that."""
    with pair(UNBRAKED) as both:
        both.beta.config.write_text(both.beta.config.read_text() + MOVED.format(both.target))
        (both.source / "a").write_text("a")
        both.begin()
        good = both.beta.json("generations", "take", "web")["generation"]
        (both.source / "a").write_text("b")
        both.mirror()
        both.alpha.kill()
        done = both.beta.run("promote", "web", "--generation", good, "--force", "--yes")
        assert (75, True) == (done.returncode, "it waits at the step moment: " in done.stderr), done.stderr
        assert "it goes on by itself after that" in done.stderr
        assert "moving" == both.beta.look()["state"]
        both.target.with_name(f"{both.target.name}.away").rename(both.target)
        eventually(lambda: ("primary", 2) == (both.beta.look().get("role"), both.beta.look().get("epoch")), 60)
        assert "a" == (both.target / "a").read_text()
