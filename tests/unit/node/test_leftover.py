"""What a dataset leaves, and its end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.core.errors import NotFound, StoreFailed, UsageError
from agent.node.leftover import delete, find_leftover, note_vault, set_aside

FILES = (
    "catalog.db",
    "catalog.db-wal",
    "local.db",
    "local.pages.db",
    "role.json",
    "vault/packs/1.pack",
    "vault/index.db",
)


def kept(datasets: Path, name: str, files: tuple[str, ...] = FILES) -> Path:
    """A dataset's state: 4 KiB of each."""
    for file in files:
        path = datasets / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 4096)
    return datasets / name


def remove(datasets: Path, name: str) -> tuple[Path, ...]:
    """As an operator asks for it."""
    found = find_leftover(datasets, name)
    set_aside(found)
    return delete(found)


def test_all_of_one_dataset_goes_and_nothing_of_another(tmp_path: Path) -> None:
    """What goes is said by parts, which together are all of it."""
    kept(tmp_path, "web")
    home = kept(tmp_path, "old")
    found = find_leftover(tmp_path, "old")
    assert ["catalog", "local facts", "vault", "other state"] == [part.what for part in found.parts]
    assert {path for part in found.parts for path in part.paths} == set(home.iterdir())
    assert found.size >= len(FILES) * 4096
    assert () == remove(tmp_path, "old")
    assert (["web"], len(FILES)) == (os.listdir(tmp_path), sum(one.is_file() for one in tmp_path.rglob("*")))
    with pytest.raises(NotFound, match="state is kept of: web"):
        find_leftover(tmp_path, "old")


@pytest.mark.parametrize("name", ["", ".", "..", "../web", "a/../web", "/etc", "web/", ".removed-web", "a\x00b", "w\n"])
def test_what_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    """None of them leads anywhere."""
    kept(tmp_path, "web")
    kept(tmp_path, ".removed-web")
    with pytest.raises(UsageError):
        find_leftover(tmp_path / "below", name)
    with pytest.raises(UsageError):
        find_leftover(tmp_path, name)


def test_a_vault_elsewhere_goes_and_what_somebody_put_there_stays(tmp_path: Path) -> None:
    """Its place was noted; the file beside the packs is named, and lies where it lay."""
    home = kept(tmp_path / "datasets", "old", ("catalog.db",))
    place = kept(
        tmp_path / "backup", "old", ("packs/1.pack", "durable.end", "index.db", "index.db-wal", "standby.db", "mine")
    )
    kept(tmp_path / "backup", "other", ("packs/1.pack",))
    note_vault(home, place)
    assert (place / "mine",) == remove(tmp_path / "datasets", "old")
    assert (["mine"], ["packs"]) == (os.listdir(place), os.listdir(tmp_path / "backup" / "other"))
    assert not home.exists()


def test_a_noted_place_of_another_name_is_not_believed(tmp_path: Path) -> None:
    """Nor a link."""
    home = kept(tmp_path / "datasets", "old", ("catalog.db",))
    other = kept(tmp_path / "backup", "other", ("packs/1.pack",))
    note_vault(home, other)
    assert find_leftover(home.parent, "old").vault is None
    link = tmp_path / "links" / "old"
    link.parent.mkdir()
    link.symlink_to(other)
    note_vault(home, link)
    assert find_leftover(home.parent, "old").vault is None


def test_a_vault_that_came_back_is_not_noted_elsewhere_any_more(tmp_path: Path) -> None:
    """The old place may be anybody's by then."""
    home = kept(tmp_path / "datasets", "old")
    note_vault(home, tmp_path / "backup" / "old")
    note_vault(home, home / "vault")
    assert find_leftover(home.parent, "old").vault is None


def test_a_removal_that_was_cut_goes_on(tmp_path: Path) -> None:
    """Whatever of it was done, and also when a dataset of the name came and went meanwhile."""
    home = kept(tmp_path / "datasets", "old")
    place = kept(tmp_path / "backup", "old", ("packs/1.pack",))
    note_vault(home, place)
    set_aside(find_leftover(home.parent, "old"))
    assert not home.exists()
    kept(tmp_path / "datasets", "old")
    assert () == remove(home.parent, "old")
    assert ([], []) == (os.listdir(tmp_path / "datasets"), os.listdir(tmp_path / "backup"))


def test_state_behind_a_link_is_freed_too(tmp_path: Path) -> None:
    """It was put on another disk."""
    real = kept(tmp_path / "disk", "state")
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "old").symlink_to(real)
    remove(tmp_path / "datasets", "old")
    assert ([], []) == (os.listdir(tmp_path / "datasets"), os.listdir(tmp_path / "disk"))


def test_what_cannot_be_deleted_is_said(tmp_path: Path) -> None:
    """With the path, and what to type again; it is all there."""
    home = kept(tmp_path, "old")
    (tmp_path / ".removed-old").write_text("in the way")
    with pytest.raises(StoreFailed, match=f"{home}.*hikae dataset remove old"):
        remove(tmp_path, "old")
    assert len(FILES) == sum(one.is_file() for one in home.rglob("*"))
