"""Who is what: record and configuration against each other, and what is said where they differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config.resolve import resolve_dataset
from agent.config.schema import DatasetEntry
from agent.config.values import Dataset
from agent.core.errors import Refused
from agent.core.ids import Epoch
from agent.roles.assignment import Assignment, assign, told_ignored
from agent.roles.record import RoleRecord
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


@pytest.mark.parametrize(("role", "owner", "node"), [(PRIMARY, "alpha", "beta"), (STANDBY, "beta", "beta")])
def test_the_record_of_another_node_is_refused(role: Role, owner: str, node: str) -> None:
    """A state directory that was copied, or a node that has another name: never a second primary."""
    with pytest.raises(Refused, match=f"begin anew: stop the agent, mv {HOME} {HOME}.old"):
        assign(record(role, owner), written(node), node, HOME)


def test_what_is_ignored_is_said_with_a_way_out() -> None:
    """Who is the primary, that promotion is not in this version, and how to begin anew."""
    dataset = written("alpha", "beta", "alpha")
    problem = told_ignored(assign(record(PRIMARY, "alpha"), dataset, "alpha", HOME), dataset, HOME, 7)
    assert ("primary-ignored", "warning", 7) == (problem.code, problem.severity.value, problem.since)
    assert all(word in problem.message for word in ('primary = "beta"', "alpha is its primary", "not in this version"))
    assert all(word in problem.remedy for word in ("begin anew with beta", f"mv {HOME} {HOME}.old", "on each"))
