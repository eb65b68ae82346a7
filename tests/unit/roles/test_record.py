"""The role record survives, follows its primary's reigns only, and is not guessed when it is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.core.errors import Damaged
from agent.core.ids import Epoch
from agent.roles.record import ROLE, HandedOver, RoleRecord, following, keeps_with, read_record, write_record
from agent.status.state import Role

TOKEN = b"t" * 16
SOUND = {"version": 2, "role": "primary", "number": 1, "owner": "alpha", "token": "ab" * 16, "begun": True}


@pytest.mark.parametrize("role", [Role.PRIMARY, Role.STANDBY])
@pytest.mark.parametrize("begun", [True, False])
def test_a_record_is_read_back(tmp_path: Path, role: Role, begun: bool) -> None:
    """What was written is read, and nothing is nothing."""
    path = tmp_path / ROLE
    assert read_record(path) is None
    record = RoleRecord(role, following(4, "alpha"), begun)
    write_record(path, record)
    assert (record, 5, "alpha") == (read_record(path), record.epoch.number, record.epoch.owner)


def test_who_was_handed_the_place_is_read_back(tmp_path: Path) -> None:
    """And what a record of today does not know is passed over."""
    record = RoleRecord(Role.STANDBY, following(4, "beta"), handed_over=HandedOver("beta", 6, 7))
    write_record(tmp_path / ROLE, record)
    (tmp_path / ROLE).write_text(json.dumps({**json.loads((tmp_path / ROLE).read_text()), "moon": "full"}))
    assert record == read_record(tmp_path / ROLE)


@pytest.mark.parametrize("given", [7, {}, {"to": "", "number": 2, "since": 1}, {"to": "beta", "number": 0, "since": 1}])
def test_a_place_handed_to_nobody_is_an_error(tmp_path: Path, given: object) -> None:
    """It is damage, not a primary that may serve."""
    (tmp_path / ROLE).write_text(json.dumps({**SOUND, "handed_over": given}))
    with pytest.raises(Damaged):
        read_record(tmp_path / ROLE)


def test_two_reigns_of_one_number_differ() -> None:
    """The token tells them apart."""
    assert following(1, "alpha") != following(1, "alpha")


@pytest.mark.parametrize("cut", range(1, 100, 7))
def test_a_torn_record_is_an_error(tmp_path: Path, cut: int) -> None:
    """Wherever it ends, it stops the dataset, and the way out is a command."""
    path = tmp_path / ROLE
    path.write_text(json.dumps(SOUND)[:cut])
    with pytest.raises(Damaged, match=f"rm {path}"):
        read_record(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("role", "king"),
        ("role", "fenced"),
        ("number", 0),
        ("number", "1"),
        ("number", True),
        ("owner", ""),
        ("owner", 7),
        ("token", "ab"),
        ("token", "x" * 32),
        ("begun", "no"),
        ("begun", None),
    ],
)
def test_what_nobody_wrote_is_an_error(tmp_path: Path, key: str, value: object) -> None:
    """Every value is looked at; a key that is missing is none."""
    path = tmp_path / ROLE
    for found in (SOUND | {key: value}, {name: SOUND[name] for name in SOUND if name != key}):
        path.write_text(json.dumps(found))
        with pytest.raises(Damaged, match=f"rm {path}"):
            read_record(path)


@pytest.mark.parametrize("text", ["[1]", "7", "null", '"primary"', "\udcff"])
def test_what_is_no_record_is_an_error(tmp_path: Path, text: str) -> None:
    """Other JSON, and bytes that are no text."""
    path = tmp_path / ROLE
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Damaged, match=f"rm {path}"):
        read_record(path)


@pytest.mark.parametrize("more", [{}, {"version": 1}, {"version": 3}, {"version": "2"}])
def test_the_record_of_another_release_is_refused(tmp_path: Path, more: dict[str, object]) -> None:
    """Also that of the release before, which had no version; the sentence says how to begin anew."""
    path = tmp_path / ROLE
    path.write_text(json.dumps({"number": 1, "owner": "alpha", "token": "ab" * 16, **more}))
    with pytest.raises(Damaged, match=f"another release of hikae; begin anew: stop the agent, mv {tmp_path}"):
        read_record(path)


@pytest.mark.parametrize(
    ("record", "met", "follows"),
    [
        (None, Epoch(3, "alpha", TOKEN), True),
        (RoleRecord(Role.STANDBY, Epoch(3, "alpha", TOKEN)), Epoch(4, "alpha", TOKEN), True),
        (RoleRecord(Role.STANDBY, Epoch(3, "alpha", TOKEN)), Epoch(3, "alpha", TOKEN), False),
        (RoleRecord(Role.STANDBY, Epoch(3, "alpha", TOKEN)), Epoch(2, "alpha", TOKEN), False),
        (RoleRecord(Role.STANDBY, Epoch(3, "gamma", TOKEN)), Epoch(4, "alpha", TOKEN), False),
        (RoleRecord(Role.PRIMARY, Epoch(3, "beta", TOKEN), begun=False), Epoch(4, "alpha", TOKEN), False),
    ],
)
def test_a_standby_follows_the_reigns_of_its_primary(record: RoleRecord | None, met: Epoch, follows: bool) -> None:
    """It never changes its primary, and a node that is to be the primary stays so."""
    assert follows is keeps_with(record, met)
