"""Where a device may be restored to."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from agent.config.values import Settings
from agent.core.errors import Refused
from agent.generations.devices.gates import refuse_full_place, refuse_image_place


def _settings(directory: Path, path: Path) -> Settings:
    dataset = SimpleNamespace(name="vm", path=str(path), is_device=True)
    state = directory / "state"
    value = SimpleNamespace(
        datasets=(dataset,),
        node=SimpleNamespace(state_dir=str(state)),
        home=lambda name: state / "datasets" / name,
        vault=lambda _: state / "datasets" / "vm" / "vault",
    )
    return cast(Settings, value)


def test_a_machine_is_built_anew_on_its_own_disk(tmp_path: Path) -> None:
    """While the node has nothing of the dataset yet; then it is the dataset's, by whatever name it is called."""
    disk, home = tmp_path / "disk", tmp_path / "state" / "datasets" / "vm"
    disk.touch()
    (tmp_path / "link").symlink_to(disk)
    settings = _settings(tmp_path, disk)
    refuse_image_place(settings, str(disk))
    home.mkdir(parents=True)
    (home / "catalog.db").touch()
    for target in (disk, tmp_path / "link"):
        with pytest.raises(Refused, match="hikae rollback vm"):
            refuse_image_place(settings, str(target))
    refuse_image_place(settings, str(tmp_path / "other"))


def test_what_does_not_fit_is_refused_beforehand(tmp_path: Path) -> None:
    """A new file only: what stands there already has its room."""
    with pytest.raises(Refused, match="holes not counted"):
        refuse_full_place(str(tmp_path / "new"), 1 << 60)
    (tmp_path / "stands").touch()
    refuse_full_place(str(tmp_path / "stands"), 1 << 60)
