"""Who is what: record and configuration against each other, and what is said where they differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agent.config import load
from agent.config.resolve import resolve_dataset
from agent.config.schema import DatasetEntry
from agent.config.values import Dataset, Settings
from agent.core.errors import Refused
from agent.core.ids import Epoch
from agent.roles.assignment import Assignment, assign, ignored_primaries, told_ignored
from agent.roles.record import ROLE, RoleRecord, write_record
from agent.status.state import Role

HOME = Path("/var/lib/hikae/datasets/web")
PRIMARY, STANDBY = Role.PRIMARY, Role.STANDBY


def written(node: str, primary: str = "alpha", *standbys: str) -> Dataset:
    """The dataset as ``node`` is configured."""
    return resolve_dataset(DatasetEntry("web", "/srv/web", primary, standbys or ("beta",)), node)


def record(role: Role, owner: str) -> RoleRecord:
    """A reign of ``owner``."""
    return RoleRecord(role, Epoch(2, owner, b"t" * 16))


@pytest.mark.parametrize(
    ("recorded", "dataset", "node", "expected", "ignored"),
    [
        (None, written("alpha"), "alpha", Assignment(PRIMARY, "alpha", ("beta",), False), False),
        (None, written("beta"), "beta", Assignment(STANDBY, "alpha", ("beta",), False), False),
        (record(PRIMARY, "alpha"), written("alpha"), "alpha", Assignment(PRIMARY, "alpha", ("beta",), True), False),
        (record(STANDBY, "alpha"), written("beta"), "beta", Assignment(STANDBY, "alpha", ("beta",), True), False),
        (
            record(PRIMARY, "alpha"),
            written("alpha", "beta", "alpha"),
            "alpha",
            Assignment(PRIMARY, "alpha", ("beta",), True),
            True,
        ),
        (
            record(STANDBY, "alpha"),
            written("beta", "beta", "alpha"),
            "beta",
            Assignment(STANDBY, "alpha", ("beta",), True),
            True,
        ),
        (record(PRIMARY, "beta"), written("beta"), "beta", Assignment(PRIMARY, "beta", ("alpha",), True), True),
        (record(STANDBY, "beta"), written("alpha"), "alpha", Assignment(STANDBY, "beta", ("alpha",), True), True),
        (
            record(PRIMARY, "gamma"),
            written("gamma", "alpha", "beta", "gamma"),
            "gamma",
            Assignment(PRIMARY, "gamma", ("alpha", "beta"), True),
            True,
        ),
        # The primary that the record knows is in no file any more: nobody may send.
        (
            record(STANDBY, "delta"),
            written("beta"),
            "beta",
            Assignment(STANDBY, "delta", ("alpha", "beta"), True),
            True,
        ),
    ],
)
def test_the_record_decides_once_there_is_one(
    recorded: RoleRecord | None, dataset: Dataset, node: str, expected: Assignment, ignored: bool
) -> None:
    """Before that the configuration; a standby's peer is its primary, a primary's are all the others."""
    found = assign(recorded, dataset, node, HOME)
    assert (expected, ignored) == (found, found.ignores(dataset))
    assert (found.standbys if found.role is PRIMARY else (found.primary,)) == found.peers


@pytest.mark.parametrize(("named", "ignored"), [("alpha", False), ("", True), ("gamma", True)])
def test_who_began_may_stay_in_the_file(named: str, ignored: bool) -> None:
    """A command moved the role while the file named alpha, which says who begins. A later change of the file is said."""
    dataset = written("alpha", "alpha", "beta", "gamma")
    found = assign(replace(record(STANDBY, "beta"), named=named), dataset, "alpha", HOME)
    assert (ignored, named) == (found.ignores(dataset), found.named)


@pytest.mark.parametrize(("role", "owner", "node"), [(PRIMARY, "alpha", "beta"), (STANDBY, "beta", "beta")])
def test_the_record_of_another_node_is_refused(role: Role, owner: str, node: str) -> None:
    """A state directory that was copied, or a node that has another name: never a second primary."""
    with pytest.raises(Refused, match=f"begin anew: stop the agent, mv {HOME} {HOME}.old"):
        assign(record(role, owner), written(node), node, HOME)


def test_what_is_ignored_is_said_with_a_way_out() -> None:
    """Who is the primary, that a file only says who begins, what to write, and what to type where the other is meant."""
    dataset = written("beta", "alpha", "beta")
    problem = told_ignored(assign(record(PRIMARY, "beta"), dataset, "beta", HOME), dataset, 7)
    assert ("primary-ignored", "warning", 7) == (problem.code, problem.severity.value, problem.since)
    assert all(
        word in problem.message for word in ('primary = "alpha"', "beta is its primary", "a file says who begins")
    )
    assert (
        'nothing is broken: write primary = "beta", standby = ["alpha"] into the files of all nodes, then: hikae reload; '
        "or, if alpha is to be the primary: hikae switchover web --to alpha"
    ) == problem.remedy


def settings(directory: Path, primary: str) -> Settings:
    """Of alpha, whose file names ``primary``."""
    standby = {"alpha": "beta", "beta": "alpha"}[primary]
    file = directory / "agent.toml"
    file.write_text(
        f'[node]\nname = "alpha"\nstate_dir = "{directory}/state"\n[[peer]]\nname = "beta"\naddress = "beta.example:7440"\n'
        f'[[dataset]]\nname = "web"\npath = "/srv/web"\nprimary = "{primary}"\nstandby = ["{standby}"]\n'
    )
    return load(str(file))


@pytest.mark.parametrize(
    ("text", "primary", "words"),
    [
        (None, "alpha", None),
        (None, "beta", None),
        ("alpha", "alpha", None),
        ("alpha", "beta", ('primary = "beta"', "alpha is its primary", "switchover web --to beta")),
        ("{", "alpha", ("dataset[web].primary", "not what was written", "rm ")),
        ("is a directory", "alpha", ("dataset[web].primary", "is not known", "Is a directory")),
    ],
)
def test_a_configuration_is_checked_beside_the_record(
    tmp_path: Path, text: str | None, primary: str, words: tuple[str, ...] | None
) -> None:
    """A sentence where they differ, and where that cannot be told; nothing else is said."""
    checked = settings(tmp_path, primary)
    path = checked.home("web") / ROLE
    path.parent.mkdir(parents=True)
    if text == "alpha":
        write_record(path, record(PRIMARY, "alpha"))
    elif text == "is a directory":
        path.mkdir()
    elif text is not None:
        path.write_text(text)
    said = list(ignored_primaries(checked))
    assert (0 if words is None else 1) == len(said)
    assert all(word in said[0] for word in words or ())
