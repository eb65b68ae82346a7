"""What is asked before a command changes what cannot be brought back, and who answers."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from agent.core.errors import (
    Exit,
)
from agent.core.hold import Hold
from agent.core.standing import PeerStanding, Standing
from agent.status.facts import DatasetFacts
from agent.status.state import Role
from fakes.api_fakes import NOW, FakeControls, a_dataset, a_node, a_peer
from fakes.cli_person import FakePerson, Hikae

BETA_HELD = a_peer(told=PeerStanding(Standing("held", Hold("mass-deletion", "9 files")), NOW))


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


@pytest.mark.parametrize(
    ("code", "asked"), [("root-replaced", "as the source of web?"), ("held", "to the standby of web?")]
)
def test_what_is_asked_is_of_what_is_held(hikae: Hikae, controls: FakeControls, code: str, asked: str) -> None:
    """Of a source that another stands in place of, and of what the standby is to become."""
    controls.facts = a_node(a_dataset(hold=Hold(code, "why")))
    assert asked in hikae("accept", "web", person=FakePerson(True))[2]
    assert ("source" in hikae("accept", "web")[2]) == (code == "root-replaced")


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
