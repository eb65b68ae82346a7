"""Mistakes in the configuration, as an operator meets them: one sentence, the file, the key, exit code 78."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from agent.core.errors import Exit
from fakes.agents import Agent, pair
from fakes.eventually import eventually


def refused(agent: Agent, *command: str) -> str:
    """What the agent says when it is started as it is configured: 78, no traceback."""
    done = agent.run(*command, timeout=30)
    assert (Exit.CONFIG, "") == (done.returncode, done.stdout), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("hikae: ")
    return done.stderr


def _broken(text: str) -> str:
    return text.replace('kind = "tree"', 'kind = "tree')


def _unknown(text: str) -> str:
    return text.replace('primary = "alpha"', 'primary = "alpha"\nhistroy = "2h"')


def _twice(text: str) -> str:
    return text + text[text.index("[[dataset]]") :]


def _same_path(text: str) -> str:
    return text + text[text.index("[[dataset]]") :].replace('"web"', '"again"')


@pytest.mark.parametrize("command", [("agent",), ("config", "check")])
@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (_broken, (".toml:18:", "is no TOML")),
        (_unknown, ("dataset[web].histroy", 'did you mean "history"?')),
        (_twice, ("dataset", "web")),
        (_same_path, ("dataset[again].path", "web")),
    ],
)
def test_a_wrong_file_is_named_with_its_key(
    mistake: Callable[[str], str], words: tuple[str, ...], command: tuple[str, ...]
) -> None:
    """Wrong TOML, an unknown key, a dataset twice, a path twice: the agent does not start, and the check says the same."""
    with pair() as both:
        both.alpha.config.write_text(mistake(both.alpha.config.read_text()))
        said = refused(both.alpha, *command)
        assert all(word in said for word in (str(both.alpha.config), *words)), said
        assert not both.alpha.state.exists()


def test_a_dataset_twice_in_two_files_names_both() -> None:
    """The same dataset in the main file and beside it: both files stand in the sentence."""
    with pair() as both:
        beside = both.base / "datasets.d"
        beside.mkdir()
        text = both.alpha.config.read_text()
        (beside / "web.toml").write_text(text[text.index("[[dataset]]") :])
        said = refused(both.alpha, "agent")
        assert all(word in said for word in (str(both.alpha.config), str(beside / "web.toml"), "web")), said


def test_a_key_that_others_can_read_is_refused() -> None:
    """The private key must be the agent's alone: no peer is served, and the sentence has the command that makes it so;
    then no restart is needed."""
    with pair() as both:
        key = both.alpha.pki / "alpha.key"
        key.chmod(0o644)
        assert f"chmod 600 {key}" in refused(both.alpha, "config", "check")
        both.start()
        both.alpha.told("certificate", "others")
        key.chmod(0o600)
        both.mirror()
        both.alpha.cleared("certificate")


def test_a_missing_certificate_is_named() -> None:
    """A certificate that is not there is named with its key in the file, and how to make one; the agent stays up."""
    with pair() as both:
        (both.alpha.pki / "alpha.crt").unlink()
        said = refused(both.alpha, "config", "check")
        assert all(word in said for word in ("tls.cert", "alpha.crt", "hikae pki issue alpha")), said
        both.start()
        both.alpha.told("certificate", "alpha.crt")
        both.hand_out(both.alpha)
        both.mirror()


def test_a_dataset_that_cannot_stand_where_it_is_to_keeps_the_others_going() -> None:
    """A mount below another dataset is away at the start: that dataset says so and waits, the other is replicated; once there is
    another place for it, it goes on by itself."""
    with pair() as both:
        inner, moved = both.source / "data", both.base / "elsewhere"
        for place in (inner, moved):
            place.mkdir(parents=True)
        for agent, path in ((both.alpha, inner), (both.beta, both.base / "copy")):
            text = agent.config.read_text()
            dataset = text[text.index("[[dataset]]") :].replace('"web"', '"data"')
            agent.config.write_text(text + re.sub(r"(?m)^path = .*$", f'path = "{path}"', dataset))
        assert "nothing is mounted there" in refused(both.alpha, "config", "check")
        (both.source / "f").write_text("x")
        both.start()
        for agent in both.agents:
            agent.up()
        eventually((both.target / "f").exists, 60)
        assert "nothing is mounted there" in _not_running(both.alpha)[0]
        inner.rmdir()
        inner.symlink_to(moved)
        eventually(lambda: not _not_running(both.alpha), 60)


def _not_running(agent: Agent) -> list[str]:
    """Why the second dataset is not open."""
    return [one["message"] for one in agent.dataset("data")["problems"] if one["code"] == "not-running"]


def test_commands_find_no_agent() -> None:
    """Without an agent every command that needs one ends with 69 and says where it looked."""
    with pair() as both:
        done = both.alpha.run("status")
        assert Exit.UNREACHABLE == done.returncode
        assert str(both.alpha.socket) in done.stderr
