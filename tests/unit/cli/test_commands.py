"""Every command against an agent that is not there: words, JSON, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from agent.cli.context import Context, Person
from agent.cli.main import COMMANDS, cli, main
from agent.core.clock import ManualClock
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
from agent.core.hold import Hold
from agent.core.standing import PeerStanding, Standing
from agent.operations.reading import StatusRequest
from agent.status.events import EventLog
from agent.status.facts import DatasetFacts, NodeFacts
from agent.status.publish import Publisher
from agent.status.state import Role
from fakes.api_fakes import NOW, FakeControls, a_dataset, a_node, a_peer, a_problem

BETA_HELD = a_peer(told=PeerStanding(Standing("held", Hold("mass-deletion", "9 files")), NOW))

LOOKED = "12 entries, names and metadata only; --deep compares the content too"


def twice(_seconds: float) -> Iterator[None]:
    """Two ticks at once instead of one a second."""
    yield
    yield


@dataclass(frozen=True)
class FakePerson:
    """Answers so; None: there is nobody."""

    answer: bool | None

    def can_be_asked(self) -> bool:
        return self.answer is not None

    def agrees(self, text: str) -> bool:
        click.echo(text, err=True)
        return bool(self.answer)


@pytest.fixture
def controls(monkeypatch: pytest.MonkeyPatch) -> FakeControls:
    """What every command of the test talks to."""
    monkeypatch.delenv("HIKAE_CONFIG", raising=False)
    return FakeControls()


@pytest.fixture
def hikae(controls: FakeControls, capfd: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line; exit code, stdout, stderr."""

    def run(*arguments: str, person: Person | None = None) -> tuple[int, str, str]:
        context = Context(connect=lambda _: controls, ticks=twice, person=person or FakePerson(None))
        code = main(arguments, context)
        out, err = capfd.readouterr()
        return code, out, err

    return run


Hikae = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (("wait", "web"), ("wait", "web", "durable", None)),
        (("wait", "web", "--durable", "--timeout", "2.5"), ("wait", "web", "durable", 2.5)),
        (("wait", "web", "--applied", "--timeout", "1m30s"), ("wait", "web", "applied", 90.0)),
        (("verify", "web"), ("verify", "web", False, False)),
        (("verify", "web", "--deep"), ("verify", "web", True, False)),
        (("verify", "web", "--deep", "--repair"), ("verify", "web", True, True)),
        (("reconcile", "web"), ("reconcile", "web")),
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
        (("generations", "expire", "web", "--yes"), ("generations-expire", "web", False, False)),
        (("generations", "expire", "web", "--dry-run"), ("generations-expire", "web", True, False)),
        (("generations", "expire", "web", "--simulate"), ("generations-expire", "web", False, True)),
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


def test_a_removal_is_said_before_it_is_asked_for(hikae: Hikae, controls: FakeControls) -> None:
    """What goes with its size; only a yes deletes; nobody to ask is a refusal that says what to type."""
    controls.left = ["/backup/old/mine"]
    plan = "vault, 3.0 GiB: /var/lib/hikae/datasets/old/vault\n"
    assert (0, plan, "") == hikae("dataset", "remove", "old", "--dry-run")
    code, out, err = hikae("dataset", "remove", "old")
    assert (Exit.REFUSED, plan, True) == (code, out, "--yes" in err)
    code, out, err = hikae("dataset", "remove", "old", person=FakePerson(False))
    assert (Exit.REFUSED, True) == (code, "3.0 GiB, for good? The tree of old stays." in err)
    assert {("dataset-remove", "old", True, False)} == set(controls.calls)
    code, out, err = hikae("dataset", "remove", "old", person=FakePerson(True))
    assert (0, f"{plan}old: removed, 3.0 GiB freed; its tree is as it was\n") == (code, out)
    assert "/backup/old/mine is none of the vault and was left" in err


def test_what_was_promised_to_stay_is_named_before_it_is_removed(hikae: Hikae, controls: FakeControls) -> None:
    """And is removed only where that is forced."""
    one = {"generation": "20261122T031500Z", "label": "audit", "pinned": True, "until": None}
    controls.promised = [one, one | {"label": "", "pinned": False, "until": "2026-11-29T00:00:00.000000Z"}]
    code, _, err = hikae("dataset", "remove", "old", person=FakePerson(True))
    assert (Exit.REFUSED, True, True) == (
        code,
        "20261122T031500Z (audit) was promised to stay until it is unpinned" in err,
        "2 generations may not go yet" in err,
    )
    assert 0 == hikae("dataset", "remove", "old", "--force", person=FakePerson(True))[0]


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


Published = Callable[[NodeFacts], tuple[str, str]]


@pytest.fixture
def published(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Published:
    """The option that names a configuration whose agent published the facts that it is given."""

    def publish(facts: NodeFacts) -> tuple[str, str]:
        (tmp_path / "agent.toml").write_text(f'[node]\nadmin_socket = "{tmp_path}/admin.sock"\n')
        Publisher(str(tmp_path / "state.json"), lambda: facts, EventLog(None), ManualClock(5)).publish()
        capfd.readouterr()  # the journal
        return "--config", str(tmp_path / "agent.toml")

    return publish


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


@pytest.mark.parametrize("wrong", [("check", "--foo"), ("check", "a", "b"), ("check", "-w", "soon")])
def test_check_that_is_called_wrongly_is_unknown(hikae: Hikae, wrong: tuple[str, ...]) -> None:
    """Code 3, with a line on stdout as monitoring systems show it."""
    code, out, err = hikae(*wrong)
    assert (3, "HIKAE UNKNOWN - ", True) == (code, out[:16], "Usage: hikae check" in err)


@pytest.mark.parametrize(
    ("typed", "expected"), [("statsu", "Did you mean status?"), ("xyzzy", "hikae --help lists them")]
)
def test_a_command_that_is_not_there(hikae: Hikae, typed: str, expected: str) -> None:
    """What may have been meant is said."""
    code, _, err = hikae(typed)
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


def test_accept_without_a_terminal_needs_yes(hikae: Hikae, controls: FakeControls) -> None:
    """Where nobody can be asked, nothing is done."""
    controls.facts = a_node(a_dataset(hold=Hold("held", "the source is empty")))
    code, out, err = hikae("accept", "web")
    assert (3, "", [("status",)]) == (code, out, controls.calls)
    assert "add --yes" in err


@pytest.mark.parametrize(("answer", "code"), [(True, 0), (False, 3)])
def test_accept_asks_a_person(hikae: Hikae, controls: FakeControls, answer: bool, code: int) -> None:
    """The hold is shown first; nothing is done without a yes."""
    controls.facts = a_node(a_dataset(hold=Hold("held", "the source is empty")))
    found, _, err = hikae("accept", "web", person=FakePerson(answer))
    assert (code, code == 0) == (found, ("accept", "web") in controls.calls)
    assert "web is held: the source is empty" in err


@pytest.mark.parametrize("more", [("--dry-run",), ()])
@pytest.mark.parametrize(
    ("command", "dataset", "words"),
    [
        (("accept", "web"), a_dataset(), "nothing is held"),
        (("accept", "web"), a_dataset(hold=Hold("root-gone", "no root", "mount it")), "no root; mount it"),
        (
            ("accept", "web"),
            a_dataset(peers=(BETA_HELD,)),
            "beta is held, not alpha: 9 files; on beta: hikae accept web",
        ),
        (("resync", "web", "--standby"), a_dataset(), "this node is its primary; type it on beta"),
        (("resync", "web", "--standby"), a_dataset(role=Role.STANDBY), "hikae verify web --repair makes it equal"),
    ],
)
def test_nobody_is_asked_about_what_would_be_refused(
    hikae: Hikae,
    controls: FakeControls,
    command: tuple[str, ...],
    more: tuple[str, ...],
    dataset: DatasetFacts,
    words: str,
) -> None:
    """A dry run, too, ends as the command would, and says what leads on."""
    controls.facts = a_node(dataset)
    code, out, err = hikae(*command, *more)
    assert (3, "", [("status",)]) == (code, out, controls.calls)
    assert words in err


def test_a_dry_run_says_what_is_held(hikae: Hikae, controls: FakeControls) -> None:
    """What the command would end."""
    controls.facts = a_node(a_dataset(hold=Hold("held", "the source is empty")))
    assert (0, "web: the source is empty\n", "") == hikae("accept", "web", "--dry-run")
    gone = Hold("standby-gone", "the directory is gone")
    controls.facts = a_node(a_dataset(role=Role.STANDBY, hold=gone))
    assert (0, "web: the directory is gone\n", "") == hikae("resync", "web", "--standby", "--dry-run")


@pytest.mark.parametrize("equal", [True, False])
def test_verify_says_what_is_received_and_not_applied(hikae: Hikae, controls: FakeControls, equal: bool) -> None:
    """The commit that was compared is named; where a newer one waits that is said, or it would seem to be that one."""
    controls.equal, controls.behind = equal, 7
    _, out, err = hikae("verify", "web")
    assert ("commit 3.1841 (" in out, "commit 3.1848 is received and not applied" in err) == (True, True)


@pytest.mark.parametrize("more", [("--dry-run",), ()])
@pytest.mark.parametrize("command", [("accept", "other"), ("resync", "other", "--standby")])
def test_a_dataset_that_is_not_here_is_not_asked_about(
    hikae: Hikae, controls: FakeControls, command: tuple[str, ...], more: tuple[str, ...]
) -> None:
    """A name that was mistyped is said, and is not called free of holds."""
    code, out, err = hikae(*command, *more)
    assert (4, "", [("status",)]) == (code, out, controls.calls)
    assert "this node has: " in err


@pytest.mark.parametrize(("typed", "code"), [(b"y\n", 0), (b"n\n", 3), (b"\n", 3)])
def test_a_terminal_is_asked_and_its_default_is_no(typed: bytes, code: int) -> None:
    """A real terminal of a process of its own; elsewhere there is nobody."""
    program = (
        "import sys\nfrom agent.cli.context import PersonAtTerminal\nperson = PersonAtTerminal()\n"
        "sys.exit(4 if not person.can_be_asked() else 0 if person.agrees('Go on?') else 3)"
    )
    ours, theirs = os.openpty()
    with subprocess.Popen([sys.executable, "-c", program], stdin=theirs, stderr=subprocess.DEVNULL) as asked:
        os.write(ours, typed)
        found = asked.wait(60)
    os.close(ours)
    os.close(theirs)
    nobody = subprocess.run([sys.executable, "-c", program], stdin=subprocess.DEVNULL, check=False).returncode
    assert (code, 4) == (found, nobody)


def test_accept_says_what_it_gives_up(hikae: Hikae, controls: FakeControls) -> None:
    """Of a primary that is rewound or fenced it is no change of the standby that is asked for, and the loss is counted."""
    lost = "5 commits that only beta has"
    controls.facts = a_node(a_dataset(hold=Hold("rewound", "this is an old copy", gives_up=lost)))
    _, _, err = hikae("accept", "web", person=FakePerson(False))
    assert all(words in err for words in ("an old copy", f"It gives up {lost}.", "Begin a higher epoch of web"))
    _, out, _ = hikae("accept", "web", "--dry-run")
    assert f"web: this is an old copy\n  to accept it gives up {lost}\n" == out


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


def test_a_status_of_another_release_is_no_bug(hikae: Hikae, controls: FakeControls) -> None:
    """The agent that answers is older or newer than the command."""
    controls.answer_status = lambda value: {**value, "version": "9.0.0", "datasets": [{"name": "web"}]}
    code, out, err = hikae("status")
    assert (1, "", True) == (code, out, "the agent is hikae 9.0.0, and this command" in err)


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


def test_a_vault_that_lost_packs_says_what_is_lost(hikae: Hikae, controls: FakeControls) -> None:
    """Before it asks, and again when it is done; one of the two is to be named."""
    code, out, _ = hikae("resync", "web", "--vault", "--dry-run")
    assert (0, True, True) == (
        code,
        "lacks 12 chunks" in out,
        "20261122T031500Z would be incomplete: 1 file lost" in out,
    )
    code, out, _ = hikae("resync", "web", "--vault", "--yes")
    assert (0, True, True) == (code, "10 chunks put back" in out, "is incomplete: 1 file lost" in out)
    assert [Exit.USAGE] * 2 == [hikae("resync", "web", *both)[0] for both in ((), ("--vault", "--standby"))]
