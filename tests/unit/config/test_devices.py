"""Datasets that are devices, as their configuration says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.config import ConfigMistakes, Settings, file_mistakes, load
from fakes.mounts import needs_root

HEAD = '[node]\nname = "alpha"\n[[peer]]\nname = "beta"\naddress = "beta.example:7440"\n'
DISK = '[[dataset]]\nname = "disk"\npath = "{path}"\nprimary = "alpha"\nstandby = ["beta"]\n'


def _loaded(tmp_path: Path, more: str, path: str = "/dev/sdz") -> Settings:
    file = tmp_path / "agent.toml"
    file.write_text(HEAD + DISK.format(path=path) + more)
    return load(str(file))


def test_a_device_is_reconciled_weekly(tmp_path: Path) -> None:
    """Where the file says nothing of it; what it says holds."""
    silent = _loaded(tmp_path, 'kind = "device"\n').datasets[0]
    said = _loaded(tmp_path, 'kind = "device"\nreconcile = "1 2 * * *"\n').datasets[0]
    tree = _loaded(tmp_path, "", "/srv/x").datasets[0]
    assert ("0 3 * * 0", "1 2 * * *", "0 3 * * *") == (silent.reconcile, said.reconcile, tree.reconcile)


def test_its_terms_are_seconds(tmp_path: Path) -> None:
    """With milliseconds where they are written so."""
    more = 'kind = "device"\n[dataset.device]\nrpo = "2s"\nfreeze = "120ms"\n'
    terms = _loaded(tmp_path, more).datasets[0].device
    assert (2.0, 0.12) == (terms.rpo, terms.freeze)


def test_keys_of_trees_are_said_to_mean_nothing(tmp_path: Path) -> None:
    """One warning for each; and the table of a device in a tree."""
    device = _loaded(tmp_path, 'kind = "device"\nexclude = ["*.tmp"]\nwatch = "polling"\n').warnings
    tree = _loaded(tmp_path, '[dataset.device]\nrpo = "2s"\n', "/srv/x").warnings
    shown = [line.partition(": dataset[disk].")[2].partition(";")[0] for line in (*device, *tree)]
    assert [
        "exclude: means nothing here, since a device has no names to leave out",
        "watch: means nothing here, since a device is followed by what the kernel tells of its blocks",
        "device: means nothing for a tree",
    ] == shown


def test_what_is_no_device_is_a_mistake(tmp_path: Path) -> None:
    """A directory and a pipe are told apart from a file, and from what is not there yet."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "tree").mkdir()
    (tmp_path / "image").write_bytes(bytes(65536))
    said = {}
    for name in ("tree", "pipe", "image", "missing"):
        found = file_mistakes(_loaded(tmp_path, 'kind = "device"\n', str(tmp_path / name)))
        said[name] = [one.message for one in found if one.key == "dataset[disk].path"]
    asked = "write a block device, like /dev/sdb, or a raw image file"
    expected = {
        "tree": [f'"{tmp_path}/tree" is a directory; {asked}, or kind = "tree"'],
        "pipe": [f'"{tmp_path}/pipe" is a pipe; {asked}'],
        "image": [],
        "missing": [],
    }
    assert expected == said


@needs_root
def test_a_file_among_the_devices_is_a_mistake(tmp_path: Path) -> None:
    """Somebody copied to a disk that was not there."""
    path = Path(f"/dev/hikae-config-{os.getpid()}")
    path.write_bytes(bytes(4096))
    try:
        found = file_mistakes(_loaded(tmp_path, 'kind = "device"\n', str(path)))
    finally:
        path.unlink()
    text = f'"{path}" is a file where the kernel shows its devices, gone with the next start; '
    said = [one.message for one in found if one.key == "dataset[disk].path"]
    assert [text + "write a block device, like /dev/sdb, or a raw image file"] == said


@pytest.mark.parametrize("key", ["rpo", "freeze"])
@pytest.mark.parametrize("value", ['"-1s"', "-5", '"0s"', '"999d"', '"1e400s"', "true", '""', "[]"])
def test_terms_that_no_device_can_keep_are_mistakes(tmp_path: Path, key: str, value: str) -> None:
    """Negative, nothing, endless, and what is no time at all: each told at its key."""
    with pytest.raises(ConfigMistakes) as caught:
        _loaded(tmp_path, f'kind = "device"\n[dataset.device]\n{key} = {value}\n')
    assert [f"dataset[disk].device.{key}"] == [one.key for one in caught.value.mistakes]
