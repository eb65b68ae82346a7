"""Every command against an agent that is not there: words, JSON, exit codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent.cli.context import Context
from agent.cli.main import COMMANDS, cli, main
from agent.core.errors import (
    ConfigError,
    Damaged,
    Exit,
    HikaeError,
    NotFound,
    NotPermitted,
    Refused,
    TryAgain,
    Unreachable,
)
from agent.operations.reading import StatusRequest
from fakes.api_fakes import FakeControls
from fakes.cli_person import Hikae

LOOKED = "12 entries, names and metadata only; --deep compares the content too"


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (("wait", "web"), ("wait", "web", "durable", None)),
        (("wait", "web", "--durable", "--timeout", "2.5"), ("wait", "web", "durable", 2.5)),
        (("wait", "web", "--applied", "--timeout", "1m30s"), ("wait", "web", "applied", 90.0)),
        (("verify", "web"), ("verify", "web", False, False)),
        (("verify", "web", "--deep"), ("verify", "web", True, False)),
        (("verify", "web", "--deep", "--repair"), ("verify", "web", True, True)),
        (("reconcile", "web"), ("reconcile", "web", False)),
        (("reconcile", "web", "--checksum"), ("reconcile", "web", True)),
        (("pause", "web"), ("pause", "web", "both", None)),
        (("pause", "web", "--send", "--for", "2h"), ("pause", "web", "send", 7200.0)),
        (("pause", "web", "--apply"), ("pause", "web", "apply", None)),
        (("pause", "web", "--apply", "--send"), ("pause", "web", "both", None)),
        (("resume", "web"), ("resume", "web", "both")),
        (("resume", "web", "--apply"), ("resume", "web", "apply")),
        (("accept", "web", "--yes"), ("accept", "web")),
        (("resync", "web", "--standby", "--yes"), ("resync", "web")),
        (("dataset", "remove", "old", "--yes"), ("dataset-remove", "old", False, False)),
        (("reload",), ("reload",)),
        (("mark", "web", "deploy"), ("mark", "web", "deploy")),
        (("generations", "list", "web"), ("generations-list", "web")),
        (("generations", "show", "web", "latest"), ("generations-show", "web", "latest")),
        (("generations", "take", "web"), ("generations-take", "web", "", False)),
        (("generations", "take", "web", "--label", "a b", "--pin"), ("generations-take", "web", "a b", True)),
        (("generations", "take", "web", "--offline", "--label", "x"), ("generations-take-offline", "web", "x")),
        (("generations", "pin", "web", "2026"), ("generations-pin", "web", "2026")),
        (("generations", "unpin", "web", "2026"), ("generations-unpin", "web", "2026")),
        (("generations", "expire", "web", "--dry-run"), ("generations-expire", "web", True, False)),
        (("generations", "expire", "web", "--simulate"), ("generations-expire", "web", False, True)),
        (("generations", "collect", "web", "--dry-run"), ("generations-collect", "web", True)),
        (("generations", "collect", "web"), ("generations-collect", "web", False)),
        (("status",), ("status",)),
        (("events", "--limit", "7"), ("events", 0, 8)),
    ],
)
def test_each_command_asks_for_what_was_typed(
    hikae: Hikae, controls: FakeControls, arguments: tuple[str, ...], call: tuple[object, ...]
) -> None:
    """The call that arrives; exit code 0; no word on stderr but from empty ``events``; with --json one value on stdout."""
    code, out, _ = hikae(*arguments)
    assert (0, call) == (code, controls.calls[-1])
    code, out, err = hikae(*arguments, "--json")
    assert (0, "") == (code, err)
    assert isinstance(json.loads(out), dict | list)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("wait", "web"), "web: commit 3.1842 is durable on every standby (12 ms)\n"),
        (("verify", "web"), f"web: equal to commit 3.1841 ({LOOKED})\n"),
        (
            ("verify", "web", "--repair"),
            f"web: 2 repaired\nweb: equal to commit 3.1841 ({LOOKED})\n",
        ),
        (("reconcile", "web"), "web: looked at everything up to commit 3.1843, 4 found\n"),
        (("resume", "web"), "web: nothing is paused\n"),
        (("accept", "web", "--yes"), "web: accepted, going on\n"),
        (
            ("resync", "web", "--standby", "--yes"),
            "web: taking /srv/web for the standby; hikae status shows how far it is\n",
        ),
        (("reload",), "/etc/hikae/agent.toml: nothing took effect\n"),
    ],
)
def test_words_for_people(hikae: Hikae, arguments: tuple[str, ...], words: str) -> None:
    """Without --json, one sentence on stdout."""
    assert (0, words, "") == hikae(*arguments)


def test_reload_tells_what_became_of_each_key(hikae: Hikae, controls: FakeControls) -> None:
    """What is in force on stdout; what waits for a restart, with the command, and warnings on stderr."""
    controls.taken, controls.waiting, controls.warnings = ["dataset[web].limits"], ["node.listen"], ["f: k: odd"]
    assert (
        0,
        "/etc/hikae/agent.toml: in force now: dataset[web].limits\n",
        "warning: f: k: odd\nwaits for a restart: node.listen: systemctl restart hikae\n",
    ) == hikae("reload")


def test_reload_of_a_file_that_is_not_there_asks_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """At the usual place may listen another agent than the one that is meant."""
    file = str(tmp_path / "nope.toml")
    assert Exit.CONFIG == main(["--config", file, "reload"], Context(connect=pytest.fail))
    assert file in capfd.readouterr().err


def test_reload_reaches_the_agent_although_the_file_is_broken(
    tmp_path: Path, controls: FakeControls, capfd: pytest.CaptureFixture[str]
) -> None:
    """The agent must be told of a file that is no TOML any more: its socket is still found in it. Without an agent the file is
    what is told of."""
    file = tmp_path / "agent.toml"
    file.write_text('[node]\nadmin_socket = "/x/y.sock"\n[dataset\n')
    asked: list[str] = []

    def connect(path: str) -> FakeControls:
        asked.append(path)
        return controls

    controls.failure = ConfigError("use the configuration", str(file), "1 mistake")
    assert Exit.CONFIG == main(["--config", str(file), "reload"], Context(connect=connect))
    assert "1 mistake" in capfd.readouterr().err
    controls.failure = Unreachable("ask the agent", "/x/y.sock", "no agent is running")
    assert Exit.CONFIG == main(["--config", str(file), "reload"], Context(connect=connect))
    assert "cannot read the configuration" in capfd.readouterr().err
    assert ["/x/y.sock"] * 2 == asked


def test_pause_tells_until_when(hikae: Hikae) -> None:
    """An end that is set is shown."""
    code, out, _ = hikae("pause", "web", "--for", "2h")
    assert (0, "web: paused: send until ") == (code, out[:24])


def test_status_json_is_the_published_value(hikae: Hikae, controls: FakeControls) -> None:
    """The JSON of ``status`` is the published value, unchanged."""
    _, out, _ = hikae("status", "--json")
    assert controls.ask(StatusRequest()) == json.loads(out)


def test_status_line(hikae: Hikae) -> None:
    """A head, titles, one row of one dataset; no colour and 80 columns where there is no terminal."""
    code, out, err = hikae("status")
    assert (0, 3, "") == (code, out.count("\n"), err)
    assert out.splitlines()[2].startswith("web      streaming  → beta ")


def test_status_of_one_dataset(hikae: Hikae) -> None:
    """The long form; a name that is not there is not found."""
    assert hikae("status", "web")[1].splitlines()[1] == "web  streaming"
    code, _, err = hikae("status", "wbe")
    assert (4, True) == (code, "this node knows: web" in err)


def test_status_watch(hikae: Hikae) -> None:
    """Without a terminal each look is a page, or an object with --json."""
    assert 2 == hikae("status", "--watch")[1].count("DATASET")
    assert 2 == len([json.loads(line) for line in hikae("status", "--watch", "--json")[1].splitlines()])


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (["statsu"], "Did you mean status?"),
        (["xyzzy"], "hikae --help lists them"),
        (["generations", "lst"], "Did you mean list?"),
        (["generations", "xyzzy"], "hikae generations --help lists them"),
        (["dataset", "rm", "web"], "There is no command 'rm'. There is: remove."),
        (["pki", "xyzzy"], "There are: init, issue,"),
    ],
)
def test_a_command_that_is_not_there(hikae: Hikae, typed: list[str], expected: str) -> None:
    """What may have been meant is said."""
    code, _, err = hikae(*typed)
    assert (2, True) == (code, expected in err)


def test_help_is_a_command_too(hikae: Hikae) -> None:
    """As many type it."""
    assert [hikae("help"), hikae("help", "wait")] == [hikae("--help"), hikae("wait", "--help")]


def test_differences_are_listed_and_escaped(hikae: Hikae, controls: FakeControls) -> None:
    """Unequal is exit code 1; a name cannot clear the screen."""
    controls.equal = False
    code, out, _ = hikae("verify", "web")
    assert (
        1,
        f"web: 1 difference from commit 3.1841 ({LOOKED})\n  a\\x1b[2Jb: mode\n",
    ) == (code, out)
    code, out, _ = hikae("verify", "web", "--json")
    assert (1, False) == (code, json.loads(out)["equal"])


def an_event(number: int, time: str) -> dict[str, Any]:
    """A row of the event log."""
    return {"id": number, "time": time, "dataset": "web", "code": "state", "message": "a\x1b → b"}


def test_events(hikae: Hikae, controls: FakeControls) -> None:
    """A line each, escaped; --since leaves out what is older."""
    controls.rows = [an_event(1, "2020-01-01T00:00:00.000000Z"), an_event(2, datetime.now(UTC).isoformat())]
    _, out, _ = hikae("events")
    assert [True, True] == [line.endswith("  web  state  a\\x1b → b") for line in out.splitlines()]
    assert [2] == [row["id"] for row in json.loads(hikae("events", "--since", "1h", "--json")[1])]


def test_events_follow(hikae: Hikae, controls: FakeControls) -> None:
    """Following asks only for what is new, and tells each event once."""
    controls.rows = [an_event(number, "2026-11-22T00:00:00.000000Z") for number in (1, 2)]
    _, out, _ = hikae("events", "--follow", "--json")
    assert [1, 2] == [json.loads(line)["id"] for line in out.splitlines()]
    assert ("events", 2, 10_000) == controls.calls[-1]


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (HikaeError, 1),
        (Refused, 3),
        (NotFound, 4),
        (Unreachable, 69),
        (TryAgain, 75),
        (NotPermitted, 77),
        (ConfigError, 78),
        (Damaged, 1),
    ],
)
def test_every_error_is_a_sentence_and_a_code(
    hikae: Hikae, controls: FakeControls, kind: type[HikaeError], code: int
) -> None:
    """What was attempted, why, what to do; printable; nothing on stdout; no traceback."""
    controls.failure = kind("wait", "web", "it is \x1bred", "do this")
    assert (code, "", "hikae: cannot wait (web): it is \\x1bred; do this\n") == hikae("wait", "web")


def test_a_refusal_prints_its_gates(hikae: Hikae, controls: FakeControls) -> None:
    """Each gate is a line; with --json the object of the contract is on stdout."""
    gate = {"name": "held", "ok": False, "value": "no", "remedy": "wait"}
    controls.failure = Refused("accept", "web", "nothing is held", gates=(gate,))
    code, out, err = hikae("accept", "web", "--yes", "--json")
    assert (Exit.REFUSED, {"refused": True, "gates": [gate]}) == (code, json.loads(out))
    assert "hikae: cannot accept (web): nothing is held\n  ✗ held no: wait\n" == err


def test_a_bug_says_so(hikae: Hikae, controls: FakeControls) -> None:
    """What nobody expected: the traceback, then one line that calls it a bug; exit code 1."""
    controls.failure = ZeroDivisionError("oops")
    code, out, err = hikae("status")
    assert (1, "") == (code, out)
    assert "Traceback" in err
    assert "hikae: ZeroDivisionError: oops; this is a bug in hikae" == err.splitlines()[-1]


def test_an_interrupt_is_130(hikae: Hikae, controls: FakeControls) -> None:
    """Ctrl-C ends quietly."""
    controls.failure = KeyboardInterrupt()
    code, out, err = hikae("status")
    assert (130, "", "hikae: interrupted") == (code, out, err.strip())


@pytest.mark.parametrize(
    "arguments",
    [
        ("wait",),
        ("wait", "web", "--timeout", "soon"),
        ("wait", "web", "--timeout", "-1"),
        ("wait", "web", "--timeout", "nan"),
        ("pause", "web", "--for", "2 fortnights"),
        ("explode",),
        ("status", "--nothing"),
        ("events", "--limit", "0"),
    ],
)
def test_usage_errors_are_2(hikae: Hikae, controls: FakeControls, arguments: tuple[str, ...]) -> None:
    """A wrong command line asks nobody anything."""
    code, out, err = hikae(*arguments)
    assert (2, "", []) == (code, out, controls.calls)
    assert "Error: " in err


@pytest.mark.parametrize("equal", [True, False])
def test_verify_says_what_is_received_and_not_applied(hikae: Hikae, controls: FakeControls, equal: bool) -> None:
    """The commit that was compared is named; where a newer one waits that is said, or it would seem to be that one."""
    controls.equal, controls.behind = equal, 7
    _, out, err = hikae("verify", "web")
    assert ("commit 3.1841 (" in out, "commit 3.1848 is received and not applied" in err) == (True, True)


def test_help_needs_no_command_module(hikae: Hikae) -> None:
    """The list of commands has each with the first sentence of its own help."""
    code, out, _ = hikae("--help")
    assert 0 == code
    for name, (_, words) in COMMANDS.items():
        command = cli.get_command(None, name)  # type: ignore[arg-type]
        assert command is not None
        assert words == command.get_short_help_str(200)
        assert f"  {name} " in out


def test_version(hikae: Hikae) -> None:
    """``hikae --version`` names program and version."""
    code, out, _ = hikae("--version")
    assert (0, "hikae ") == (code, out[:6])


def test_events_say_what_they_leave_out(hikae: Hikae, controls: FakeControls) -> None:
    """All of the time that was asked for is shown, or it is said where that was cut: by a limit, or by what is kept."""
    now = datetime.now(UTC).isoformat()
    controls.rows = [an_event(number, now) for number in range(1, 151)]
    _, out, err = hikae("events", "--since", "24h")
    assert (150, "") == (len(out.splitlines()), err)
    _, out, err = hikae("events", "--since", "24h", "--limit", "20")
    assert (20, "130 earlier ones of that time are left out: raise --limit\n") == (len(out.splitlines()), err)
    _, out, err = hikae("events")
    assert (100, "only the newest 100 are shown: --limit N or --since 24h shows more\n") == (len(out.splitlines()), err)
    controls.rows = [an_event(number, now) for number in range(51, 151)]
    _, out, err = hikae("events", "--since", "24h")
    assert (100, True) == (
        len(out.splitlines()),
        err.startswith("what happened before ") and err.endswith(" is not kept\n"),
    )
    assert (100, "") == (len(hikae("events")[1].splitlines()), hikae("events")[2])


def test_resume_says_what_it_ended(hikae: Hikae, controls: FakeControls) -> None:
    """Which pause, on which node, since when, by whom, and what waited."""
    controls.ended = [
        {"node": "beta", "what": "apply", "since": "2026-11-22T03:15:00Z", "until": None, "by": "root (uid 0)"}
    ]
    code, out, _ = hikae("resume", "web")
    first, second = out.splitlines()
    assert (0, True) == (code, first.startswith("web: applying goes on; it was paused on beta since "))
    assert first.endswith(", until somebody resumes it, by root (uid 0)")
    assert (
        "  1,200 commits are to be applied: hikae status web --watch shows how far it is and how long it takes"
        == second
    )


def test_help_says_how_a_shell_completes(hikae: Hikae) -> None:
    """Click's own way, under the program's name."""
    _, out, _ = hikae("--help")
    assert 'eval "$(_HIKAE_COMPLETE=bash_source hikae)"' in out


def test_a_status_of_another_release_is_no_bug(hikae: Hikae, controls: FakeControls) -> None:
    """The agent that answers is older or newer than the command."""
    controls.answer_status = lambda value: {**value, "version": "9.0.0", "datasets": [{"name": "web"}]}
    code, out, err = hikae("status")
    assert (1, "", True) == (code, out, "the agent is hikae 9.0.0, and this command" in err)


def test_events_of_a_dataset_that_nobody_heard_of(hikae: Hikae, controls: FakeControls) -> None:
    """Not found, as with every other command; one that is there, or was, has its events, if only earlier ones."""
    controls.rows = [{**an_event(1, "2020-01-01T00:00:00.000000Z"), "dataset": "removed"}]
    for more in ((), ("--json",), ("--since", "1h"), ("--follow",)):
        code, out, err = hikae("events", "wbe", *more)
        assert (4, "", True) == (code, out, "this node knows: web" in err)
        assert [0, 0] == [hikae("events", name, *more)[0] for name in ("web", "removed")]


def test_resume_says_what_another_node_has_paused(hikae: Hikae, controls: FakeControls) -> None:
    """With the node to type it on."""
    controls.elsewhere = [{"node": "alpha", "what": "send", "until": None, "by": None}]
    there = "  sending is paused on alpha, which ends there: on alpha: hikae resume web\n"
    assert (0, f"web: nothing is paused\n{there}", "") == hikae("resume", "web")
    assert controls.elsewhere == json.loads(hikae("resume", "web", "--json")[1])["elsewhere"]


def test_a_pause_of_no_time_is_refused(hikae: Hikae, controls: FakeControls) -> None:
    """It is a usage error, and nothing is asked of the agent."""
    code, _, err = hikae("pause", "web", "--for", "0")
    assert (2, True, []) == (code, "is no time at all" in err, controls.calls)


def test_resume_says_what_is_held_all_the_same(hikae: Hikae, controls: FakeControls) -> None:
    """With what leads on, whether or not a pause ended."""
    controls.held = "9 of 10 entries deleted: hikae accept web if it is meant"
    held = f"  it is held, which resume does not end: {controls.held}\n"
    assert (0, f"web: nothing is paused\n{held}", "") == hikae("resume", "web")
    assert controls.held == json.loads(hikae("resume", "web", "--json")[1])["held"]
    since = "2026-11-22T04:05:00.000000Z"
    controls.ended = [{"node": "beta", "what": "apply", "since": since, "until": None, "by": ""}]
    code, out, _ = hikae("resume", "web")
    assert (0, True) == (code, out.startswith("web: applying goes on") and out.endswith(held))
