"""Hooks that hang, fail, are missing or say megabytes, in each change of role: what their failure means is configured."""

from __future__ import annotations

import json
import subprocess

import pytest

from agent.core.errors import Exit
from fakes.agents import UNBRAKED, Agent, Pair, pair
from fakes.eventually import eventually

#: What is wrong with a program, how it is written, and the words by which that is told.
BAD = {
    "hangs": ('["sh", "-c", "sleep 600"]', "did not end within 1 s"),
    "fails": ('["sh", "-c", "echo no such disk >&2; exit 7"]', "exit code 7; it said: no such disk"),
    "is missing": ('["/nowhere/program"]', '"/nowhere/program" cannot be run'),
    "says megabytes": ('["sh", "-c", "yes words | head -c 8000000; exit 3"]', "exit code 3"),
}
REST = 'start = "none"\nstop = "none"\n'


def _with(agent: Agent, hook: str, program: str, on_failure: str) -> None:
    """From now on that node has this hook, and none else that does anything."""
    text = agent.config.read_text().split("[dataset.hooks]")[0]
    rest = "".join(f"{line}\n" for line in REST.splitlines() if not line.startswith(f"{hook} "))
    # What ends by itself ends also on a machine that is busy.
    timeout = "1s" if program == BAD["hangs"][0] else "60s"
    line = f'{hook} = {{ run = {program}, timeout = "{timeout}", on_failure = "{on_failure}" }}\n'
    agent.config.write_text(f"{text}[dataset.hooks]\n{rest}{line}")
    done = agent.run("reload")
    assert 0 == done.returncode, done.stdout + done.stderr


def _without(agent: Agent, hook: str) -> None:
    _with(agent, hook, '["true"]', "abort")


def _filled(both: Pair) -> None:
    (both.source / "a").write_text("a")
    both.begin()


def _failed(done: subprocess.CompletedProcess[str], words: str) -> None:
    assert (1, True, False) == (done.returncode, words in done.stderr, "Traceback" in done.stderr), done.stderr
    assert len(done.stderr) < 2_000


def _switched(agent: Agent) -> subprocess.CompletedProcess[str]:
    """As it is typed; of one node the other takes it once a second."""
    return eventually(lambda: _taken(agent))


def _taken(agent: Agent) -> subprocess.CompletedProcess[str] | None:
    done = agent.run("switchover", "web", "--yes")
    return done if done.returncode != Exit.TRY_AGAIN else None


def test_a_switchover_whose_hooks_are_bad() -> None:
    """Before the hand-over each ends it, with its words, and the old primary serves; told to go on, it does."""
    with pair(f"{UNBRAKED}[dataset.hooks]\n{REST}") as both:
        _filled(both)
        hooks = (("alpha", "before_demote"), ("alpha", "stop"), ("beta", "before_promote"), ("alpha", "stop"))
        for (program, words), (node, hook) in zip(BAD.values(), hooks, strict=True):
            _with(both[node], hook, program, "abort")
            _failed(_switched(both.alpha), words)
            look = both.alpha.look()
            assert ("primary", 1, True) == (look["role"], look["epoch"], look["serving"])
            _without(both[node], hook)
        _with(both.alpha, "stop", BAD["hangs"][0], "go-on")
        _with(both.beta, "start", BAD["says megabytes"][0], "go-on")
        done = both.alpha.json("switchover", "web", "--yes")
        said = {one["name"]: one["result"] for one in done["steps"]}
        assert "did not end within 1 s and was killed" in said["stop"]
        eventually(lambda: both.beta.look().get("serving"))
        assert len(json.dumps(both.beta.json("roles", "web"))) < 20_000


def test_a_promotion_whose_hooks_are_bad() -> None:
    """Before the epoch is raised each leaves the standby that it was; afterwards it is the primary, and says which program did
    not do what it should."""
    with pair(f"{UNBRAKED}[dataset.hooks]\n{REST}") as both:
        _filled(both)
        both.alpha.kill()
        for program, words in BAD.values():
            _with(both.beta, "before_promote", program, "abort")
            _failed(both.beta.run("promote", "web", "--force", "--yes"), words)
            assert ("standby", 1) == (both.beta.look()["role"], both.beta.look()["epoch"])
        _with(both.beta, "after_promote", BAD["says megabytes"][0], "abort")
        _failed(both.beta.run("promote", "web", "--force", "--yes"), BAD["says megabytes"][1])
        look = both.beta.look()
        assert ("primary", 2, True) == (look["role"], look["epoch"], look["serving"])
        both.beta.told("promotion-failed", "exit code 3")


@pytest.mark.parametrize("on_failure", ["abort", "go-on"])
def test_a_rejoin_whose_application_does_not_end(on_failure: str) -> None:
    """The program that is to end it hangs: that is told where it must not serve, and is waited for no longer than it may take."""
    with pair(f"{UNBRAKED}[dataset.hooks]\n{REST}") as both:
        _filled(both)
        _with(both.alpha, "on_fenced", BAD["hangs"][0], on_failure)
        both.alpha.kill()
        both.beta.json("promote", "web", "--force", "--yes")
        both.alpha.start()
        both.alpha.told("on-fenced-failed", "did not end within 1 s")
        assert "standby" == both.alpha.json("rejoin", "web", "--yes")["role"]
        both.alpha.cleared("fenced", "on-fenced-failed")
        both.beta.wait()


def test_after_demote_runs_at_a_rejoin() -> None:
    """Once it is a standby, with what it is and why; not before_demote: nothing is left to prepare."""
    with pair(f"{UNBRAKED}[dataset.hooks]\n{REST}") as both:
        _filled(both)
        ran = both.base / "ran"
        words = 'after_demote = ["sh", "-c", "echo $HIKAE_ROLE $HIKAE_EPOCH $HIKAE_REASON >> {0}"]\n'
        never = 'before_demote = ["sh", "-c", "echo before >> {0}"]\n'
        both.alpha.config.write_text(both.alpha.config.read_text() + (words + never).format(ran))
        both.alpha.kill()
        both.beta.json("promote", "web", "--force", "--yes")
        both.alpha.start()
        both.alpha.told("fenced")
        assert not ran.exists()
        done = both.alpha.json("rejoin", "web", "--yes", "--reason", "alpha is back")
        said = {one["name"]: one["result"] for one in done["steps"]}
        assert ("standby", True) == (done["role"], said["after-demote"].startswith("after_demote: done"))
        assert "standby 2 alpha is back\n" == ran.read_text()
