"""What ``hikae check`` says of the state that the agent published."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.core.errors import (
    Unreachable,
)
from agent.core.hold import Hold
from fakes.api_fakes import FakeControls, a_dataset, a_node, a_problem
from fakes.cli_person import Hikae, Published


def test_check_goes_by_what_is_published(hikae: Hikae, controls: FakeControls, published: Published) -> None:
    """So it answers whatever the agent does; the plug-in's code is the exit code."""
    controls.failure = Unreachable("ask the agent", "/x", "it hangs", "")
    config = published(a_node(a_dataset(hold=Hold("held", "empty")), a_dataset("mail")))
    code, out, err = hikae("check", *config)
    assert (2, "HIKAE CRITICAL - web held", "") == (code, out[:25], err)
    code, out, _ = hikae("check", "mail", "-w", "10s", *config)
    assert (0, "HIKAE OK - 1 dataset: mail | mail_behind=0B;;;0 mail_lag=0.021s;10;;0\n") == (code, out)


def test_check_of_a_dead_agent_is_critical(hikae: Hikae, published: Published, tmp_path: Path) -> None:
    """Nothing was ever published, or nothing since long: no copy is kept."""
    config = published(a_node(a_dataset()))
    for name in ("state.json", "state-full.json"):
        os.utime(tmp_path / name, (1, 1))
    assert [2, True] == [hikae(*config, "check")[0], "the agent is not running, or hangs" in hikae(*config, "check")[1]]
    for name in ("state.json", "state-full.json"):
        (tmp_path / name).unlink()
    assert [2, True] == [hikae(*config, "check")[0], "no agent is running" in hikae(*config, "check")[1]]


def test_check_without_root(hikae: Hikae, published: Published, tmp_path: Path) -> None:
    """Who may not read the paths sees counts."""
    config = published(a_node(a_dataset(hold=Hold("held", "a/secret"))))
    (tmp_path / "state-full.json").unlink()
    code, out, _ = hikae(*config, "check")
    assert (2, True, False) == (code, out.startswith("HIKAE CRITICAL - web held"), "secret" in out)


@pytest.mark.parametrize(
    "wrong",
    [
        ("check", "--foo"),
        ("check", "a", "b"),
        ("check", "-w", "soon"),
        ("check", "-w"),
        ("check", "--config"),
        ("--config", "x", "check", "--warning"),
        ("--foo", "check"),
    ],
)
def test_check_that_is_called_wrongly_is_unknown(hikae: Hikae, wrong: tuple[str, ...]) -> None:
    """Code 3, with a line on stdout as monitoring systems show it."""
    code, out, err = hikae(*wrong)
    assert (3, "HIKAE UNKNOWN - ", True) == (code, out[:16], "Error: " in err)


def _rewritten(directory: Path, change: Callable[[dict[str, object]], object]) -> None:
    for name in ("state.json", "state-full.json"):
        value = json.loads((directory / name).read_text())
        change(value)
        (directory / name).write_text(json.dumps(value))


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.update(schema=2, version="9.0.0"),
        lambda value: value.update(version="9.0.0", datasets=[{"name": "web"}]),
        lambda value: value.update(version="9.0.0", datasets=[1]),
    ],
)
def test_a_state_of_another_release_is_no_bug(
    hikae: Hikae, published: Published, tmp_path: Path, change: Callable[[dict[str, object]], object]
) -> None:
    """Which releases meet, and what to do, in one line."""
    config = published(a_node(a_dataset()))
    _rewritten(tmp_path, change)
    code, out, err = hikae(*config, "check")
    assert (3, "", 1) == (code, err, len(out.splitlines()))
    assert ("the agent is hikae 9.0.0" in out, "systemctl restart hikae" in out) == (True, True)


@pytest.mark.parametrize("torn", ["", "{", '{"schema": 1, "datas', "[]", "\x00" * 100])
def test_a_torn_state_is_said_to_be_torn(hikae: Hikae, published: Published, tmp_path: Path, torn: str) -> None:
    """As a crash of the machine may leave it; one line, no trace of the program's inside."""
    config = published(a_node(a_dataset()))
    (tmp_path / "state-full.json").write_text(torn)
    code, out, err = hikae(*config, "check")
    assert (3, "", 1, False) == (code, err, len(out.splitlines()), "Expecting" in out)


def test_names_of_any_bytes_are_shown_in_the_plainest_locale(tmp_path: Path, published: Published) -> None:
    """LANG=C, no terminal, a name of 255 bytes that would move a cursor: it is text, and nothing fails."""
    problem = a_problem(path=("漢" * 83 + "\n\x1b[2J").encode())
    config = published(a_node(a_dataset(problems=(problem,))))
    plain = {**os.environ, "LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "40"}
    done = subprocess.run(
        [sys.executable, "-m", "agent.cli.main", *config, "check"], capture_output=True, env=plain, check=False
    )
    assert (1, b"", 1) == (done.returncode, done.stderr, len(done.stdout.splitlines()))
    assert b"\x1b" not in done.stdout
