"""A primary's stores when they are new, lost, damaged, or asked to start over."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from agent.core.commit import Changes, Commit
from agent.core.errors import Damaged, DiskFull, Refused, StoreFailed
from agent.core.ids import NOTHING, ROOT, CommitNumber, Epoch, ObjectId, commit_number
from agent.core.rows import encode_name
from agent.roles import lineage, rewound
from agent.roles.record import ROLE, RoleRecord, following, read_record, write_record
from agent.roles.rewound import Rewound
from agent.status.state import Role
from agent.store.catalog.catalog import Catalog, Header
from agent.store.local import LocalRow
from fakes.stream_fakes import directory_row, file_row

NOW = 1_700_000_000_000_000_000

ROW = LocalRow(ObjectId(7), b"handle", 1, 2, 3, 4, True, b"")


def epochs_after(home: Path, times: int = 1) -> list[int]:
    """Open and close the stores so often; the epoch each time."""
    found = []
    for _ in range(times):
        catalog, local = lineage.open_stores(home, "alpha", NOW)
        found.append(catalog.lineage[-1].number)
        catalog.close()
        local.close()
    return found


def lose(home: Path, *names: str) -> None:
    """Delete files."""
    for name in names:
        (home / name).unlink()


def test_an_epoch_lasts_while_the_catalog_does(tmp_path: Path) -> None:
    """Restarts do not raise it."""
    assert [1, 1, 1] == epochs_after(tmp_path, 3)


def test_a_lost_catalog_takes_the_next_epoch(tmp_path: Path) -> None:
    """Its number stands apart, so it is never used twice; local facts of its objects are forgotten with it."""
    _, local = stores = lineage.open_stores(tmp_path, "alpha", NOW)
    local.write([ROW])
    for store in stores:
        store.close()
    lose(tmp_path, lineage.CATALOG)
    catalog, local = lineage.open_stores(tmp_path, "alpha", NOW)
    assert (2, None) == (catalog.lineage[-1].number, local.get(ROW.id))
    catalog.close()
    local.close()


def test_a_lost_record_is_written_anew(tmp_path: Path) -> None:
    """The catalog knows its epoch too."""
    epochs_after(tmp_path)
    lose(tmp_path, ROLE)
    assert [1, 1] == epochs_after(tmp_path, 2)


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize(("above", "epoch"), [(1, 2), (9, 10)])
def test_an_epoch_that_was_asked_for_is_begun_once(tmp_path: Path, above: int, epoch: int, anew: bool) -> None:
    """Above what the peer has; the request is gone then, and so is the mark that led to it."""
    epochs_after(tmp_path)
    rewound.write_mark(tmp_path, Rewound("beta", above, NOTHING, NOTHING, 5))
    lineage.ask_for_epoch(tmp_path, above, anew=anew)
    assert [epoch, epoch] == epochs_after(tmp_path, 2)
    assert None is rewound.read_mark(tmp_path)


def committed(home: Path, node: str = "alpha") -> Commit:
    """A root and a file are captured there by ``node``."""
    catalog, local = lineage.open_stores(home, node, NOW)
    newest = catalog.newest()
    first = newest.number if newest is not None else commit_number(catalog.lineage[-1].number, 0)
    rows = [directory_row(ROOT), file_row(7, b"", 0), encode_name(ROOT, b"f", ObjectId(7))]
    header = Header(CommitNumber(first + 1), newest.number if newest else NOTHING, NOW, NOW, True)
    commit = catalog.write(Changes(rows), header)
    local.write([ROW])
    local.close()
    catalog.close()
    return commit


@pytest.mark.parametrize("anew", [False, True])
def test_what_was_before_stays_as_history(tmp_path: Path, anew: bool) -> None:
    """The first commit of the new epoch holds what was there, or nothing and the same objects never again."""
    before = committed(tmp_path)
    lineage.ask_for_epoch(tmp_path, 1, anew=anew)
    catalog, local = lineage.open_stores(tmp_path, "alpha", NOW + 1)
    newest = catalog.newest()
    assert newest is not None
    assert (commit_number(2, 1), before) == (newest.number, catalog.commit_at(before.number))
    told = (newest.parent, newest.entries, newest.consistent, catalog.anew_since(), local.get(ROW.id))
    if anew:
        assert (NOTHING, 0, False, newest.number, None) == told
    else:
        assert (before.number, 1, True, NOTHING, ROW) == told
    assert before.entries == sum(map(len, catalog.difference(NOTHING, before.number))) - 2
    local.close()
    catalog.close()


def test_the_epoch_of_another_node_is_not_gone_on_with(tmp_path: Path) -> None:
    """A standby that is made primary begins its own, with a commit, before it is open."""
    with Catalog.open(str(tmp_path / lineage.CATALOG)) as catalog:
        catalog.begin_epoch(Epoch(4, "alpha", b"t" * 16))
        header = Header(commit_number(4, 9), NOTHING, NOW, NOW, True)
        theirs = catalog.write(Changes([directory_row(ROOT)]), header)
    catalog, local = lineage.open_stores(tmp_path, "beta", NOW - 5)
    newest, epoch = catalog.newest(), catalog.lineage[-1]
    assert newest is not None
    assert (5, "beta") == (epoch.number, epoch.owner)
    assert RoleRecord(Role.PRIMARY, epoch) == read_record(tmp_path / ROLE)
    assert (commit_number(5, 1), theirs.number, NOW) == (newest.number, newest.parent, newest.time)
    assert (theirs.digest, True) == (newest.digest, newest.consistent)
    local.close()
    catalog.close()


@pytest.mark.parametrize(("before", "expected"), [("alpha", b"standby"), ("beta", b"own")])
def test_a_promoted_standby_captures_the_directory_that_it_was(tmp_path: Path, before: str, expected: bytes) -> None:
    """What it takes for its root is what it kept as a standby; a primary that begins a higher epoch keeps its own."""
    with Catalog.open(str(tmp_path / lineage.CATALOG)) as catalog:
        catalog.begin_epoch(Epoch(4, before, b"t" * 16))
        catalog.write(Changes([directory_row(ROOT)]), Header(commit_number(4, 9), NOTHING, NOW, NOW, True))
    with lineage.open_local(tmp_path) as local:
        local.set_value("standby-root", b"standby")
        local.set_value("root", b"own")
    lineage.ask_for_epoch(tmp_path, 4, anew=False)
    catalog, local = lineage.open_stores(tmp_path, "beta", NOW)
    assert (5, expected) == (catalog.lineage[-1].number, local.value("root"))
    local.close()
    catalog.close()


@pytest.mark.parametrize("step", ["recorded", "begun"])
def test_a_crash_between_the_steps_of_a_new_epoch(tmp_path: Path, step: str) -> None:
    """It is begun all the same, once, as it was recorded, and with its commit."""
    before = committed(tmp_path)
    lineage.ask_for_epoch(tmp_path, 1, anew=False)
    epoch = following(1, "alpha")
    write_record(tmp_path / ROLE, RoleRecord(Role.PRIMARY, epoch, begun=False))
    if step == "begun":
        with Catalog.open(str(tmp_path / lineage.CATALOG)) as catalog:
            catalog.begin_epoch(epoch)
    catalog, local = lineage.open_stores(tmp_path, "alpha", NOW)
    newest = catalog.newest()
    assert newest is not None
    assert (2, before.number, epoch) == (newest.number >> 40, newest.parent, catalog.lineage[-1])
    assert RoleRecord(Role.PRIMARY, epoch) == read_record(tmp_path / ROLE)
    assert not (tmp_path / lineage.NEW_EPOCH).exists()
    local.close()
    catalog.close()


def test_damaged_local_facts_are_thrown_away_at_the_next_opening(tmp_path: Path) -> None:
    """Damage that showed in use; the epoch stays, and what was in them is kept aside."""
    catalog, local = lineage.open_stores(tmp_path, "alpha", NOW)
    local.write([ROW])
    error = Damaged("read the local facts", local.path, "the database is damaged")
    assert lineage.heals_itself(tmp_path, error)
    catalog.close()
    local.close()
    catalog, local = lineage.open_stores(tmp_path, "alpha", NOW)
    assert (1, None) == (catalog.lineage[-1].number, local.get(ROW.id))
    local.write([ROW])
    catalog.close()
    local.close()
    again = lineage.open_local(tmp_path)
    assert (ROW, True) == (again.get(ROW.id), (tmp_path / "local.damaged").exists())
    again.close()


def test_a_damaged_catalog_is_for_a_person(tmp_path: Path) -> None:
    """It is history: nothing is thrown away unasked."""
    assert not lineage.heals_itself(tmp_path, Damaged("read", str(tmp_path / lineage.CATALOG), "damaged"))


ALPHA1, BETA2 = Epoch(1, "alpha", b"a" * 16), Epoch(2, "beta", b"b" * 16)


@pytest.mark.parametrize(
    ("recorded", "known", "node", "above", "number", "same"),
    [
        (None, (), "alpha", 0, 1, False),
        (None, (ALPHA1,), "alpha", 0, 1, True),
        (RoleRecord(Role.PRIMARY, ALPHA1), (ALPHA1,), "alpha", 0, 1, True),
        (RoleRecord(Role.PRIMARY, ALPHA1), (ALPHA1,), "alpha", 1, 2, False),
        (RoleRecord(Role.PRIMARY, ALPHA1), (), "alpha", 0, 2, False),
        (RoleRecord(Role.PRIMARY, BETA2, begun=False), (ALPHA1,), "beta", 0, 2, True),
        (RoleRecord(Role.PRIMARY, BETA2, begun=False), (ALPHA1,), "beta", 2, 3, False),
        (RoleRecord(Role.PRIMARY, BETA2, begun=False), (Epoch(2, "alpha", b"c" * 16),), "beta", 0, 3, False),
        (RoleRecord(Role.PRIMARY, BETA2), (ALPHA1,), "beta", 0, 3, False),
        (RoleRecord(Role.STANDBY, BETA2), (ALPHA1,), "alpha", 0, 3, False),
        (None, (ALPHA1, BETA2), "alpha", 0, 3, False),
    ],
)
def test_which_epoch_is_reigned_in(
    recorded: RoleRecord | None, known: tuple[Epoch, ...], node: str, above: int, number: int, same: bool
) -> None:
    """Its own newest, the one that was recorded for it and never begun, or the next number of all; never one twice."""
    epoch = lineage.reign_of(recorded, known, node, above)
    assert (number, node) == (epoch.number, epoch.owner)
    assert same is (epoch in {*known, *((recorded.epoch,) if recorded else ())})


def test_a_record_that_is_gone_is_what_the_catalog_says(tmp_path: Path) -> None:
    """Its last reign, from the side of either node; before any, the configuration has the word."""
    assert lineage.recorded_role(tmp_path, "alpha") is None
    epochs_after(tmp_path)
    kept = read_record(tmp_path / ROLE)
    lose(tmp_path, ROLE)
    assert kept is not None
    # A catalog is no empty directory, of which peers have to say whose it is.
    assert (False, replace(kept, confirmed=True)) == (kept.confirmed, lineage.recorded_role(tmp_path, "alpha"))
    assert RoleRecord(Role.STANDBY, kept.epoch) == lineage.recorded_role(tmp_path, "beta")


def _met_by_catalog(home: Path, epoch: Epoch) -> None:
    with Catalog.open(str(home / lineage.CATALOG)) as catalog:
        catalog.begin_epoch(epoch)


def test_a_record_that_is_older_than_the_catalog_is_not_believed(tmp_path: Path) -> None:
    """Else a node that stood back would begin a reign above that of who it stood back for; it is put right, durably."""
    epochs_after(tmp_path)
    older = read_record(tmp_path / ROLE)
    assert older is not None
    _met_by_catalog(tmp_path, BETA2)
    write_record(tmp_path / ROLE, replace(older, named="beta"))
    right = RoleRecord(Role.STANDBY, BETA2, named="beta")
    assert (right, right) == (lineage.recorded_role(tmp_path, "alpha"), read_record(tmp_path / ROLE))


def test_who_follows_another_has_met_its_reign(tmp_path: Path) -> None:
    """Whether the record is lost then, or an older one comes back; what was drawn for who is to take over is nobody's yet."""
    epochs_after(tmp_path)
    before = (tmp_path / ROLE).read_bytes()
    lineage.keep_role(tmp_path, RoleRecord(Role.STANDBY, BETA2, begun=False))
    with Catalog.open(str(tmp_path / lineage.CATALOG)) as catalog:
        assert 1 == catalog.lineage[-1].number
    for _ in range(2):
        lineage.keep_role(tmp_path, RoleRecord(Role.STANDBY, BETA2))
    lose(tmp_path, ROLE)
    assert RoleRecord(Role.STANDBY, BETA2) == lineage.recorded_role(tmp_path, "alpha")
    (tmp_path / ROLE).write_bytes(before)
    assert RoleRecord(Role.STANDBY, BETA2) == lineage.recorded_role(tmp_path, "alpha")


def test_a_reign_with_the_id_of_another_is_not_followed(tmp_path: Path) -> None:
    """The catalog keys epochs by it; the record stays as it was."""
    epochs_after(tmp_path)
    before = read_record(tmp_path / ROLE)
    assert before is not None
    with pytest.raises(Refused, match="id of another"):
        lineage.keep_role(tmp_path, RoleRecord(Role.STANDBY, Epoch(2, "beta", before.epoch.token)))
    assert before == read_record(tmp_path / ROLE)


def test_a_standby_keeps_the_reign_that_it_met(tmp_path: Path) -> None:
    """Durably, the first and each higher one of the same primary; a full disk is told as one, and tried again."""
    lineage.keep_met(tmp_path, ALPHA1)
    lineage.keep_met(tmp_path, BETA2)
    assert RoleRecord(Role.STANDBY, ALPHA1) == read_record(tmp_path / ROLE)
    with pytest.raises(StoreFailed, match="role record"):
        lineage.keep_met(tmp_path / "gone", ALPHA1)
    full = OSError(errno.EDQUOT, "Disk quota exceeded")
    with mock.patch.object(lineage, "write_record", side_effect=full), pytest.raises(DiskFull, match="role record"):
        lineage.keep_met(tmp_path, Epoch(9, ALPHA1.owner, b"9" * 16))


@pytest.mark.parametrize(
    ("fenced", "above", "begun", "stays"),
    [(True, 1, False, False), (True, 2, False, True), (False, 1, False, True), (True, 1, True, True)],
)
def test_a_change_of_role_ends_a_fence(tmp_path: Path, fenced: bool, above: int, begun: bool, stays: bool) -> None:
    """Of an epoch below the one that was given; never that the state is an old copy, and never by a number taken alone."""
    epochs_after(tmp_path)
    rewound.write_mark(tmp_path, Rewound("beta", above, NOTHING, NOTHING, 5, fenced=fenced))
    write_record(tmp_path / ROLE, RoleRecord(Role.PRIMARY, Epoch(2, "alpha", b"e" * 16), begun=begun))
    assert [3 if begun else 2] == epochs_after(tmp_path)
    assert stays is (rewound.read_mark(tmp_path) is not None)
