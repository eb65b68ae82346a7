"""What is found on a real disk."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from agent import pki
from agent.config import load
from agent.config.values import Hook
from agent.core.clock import SystemClock
from agent.doctor.certified import look_at_certificates
from agent.doctor.configured import look_at_configuration, written_by_others
from agent.doctor.examination import examine
from agent.doctor.programs import look_at_programs
from agent.doctor.rights import look_at_rights
from agent.doctor.running_agent import look_at_agent
from agent.doctor.space import look_at_places
from agent.doctor.timed import look_whether_kept

CLOCK = SystemClock()


def configured(base: Path, more: str = "") -> Path:
    """A node with good certificates, and no agent; its configuration file."""
    keys = base / "keys"
    pki.init(str(keys))
    pki.issue("alpha", str(keys))
    (base / "pki").mkdir()
    for name in ("ca.crt", "ca.crl", "alpha.crt", "alpha.key"):
        shutil.copyfile(keys / name, base / "pki" / name)
    (base / "pki/alpha.key").chmod(0o600)
    (base / "tree").mkdir()
    file = base / "agent.toml"
    file.write_text(
        f'[node]\nname = "alpha"\nstate_dir = "{base}/state"\nadmin_socket = "{base}/run/admin.sock"\n'
        '[[peer]]\nname = "beta"\naddress = "127.0.0.1:9"\n'
        f'[[dataset]]\nname = "web"\npath = "{base}/tree"\nprimary = "alpha"\nstandby = ["beta"]\n{more}'
    )
    file.chmod(0o644)
    return file


def test_the_authoritys_key_is_found_whatever_it_is_called(tmp_path: Path) -> None:
    """A copy under another name is the same key; a node's own is none."""
    settings = load(str(configured(tmp_path)))
    assert () == look_at_certificates(settings, CLOCK.now_ns()).authority_keys
    hidden = tmp_path / "pki/backup.pem"
    shutil.copyfile(tmp_path / "keys/ca.key", hidden)
    assert (str(hidden),) == look_at_certificates(settings, CLOCK.now_ns()).authority_keys


def test_a_certificate_of_another_authority_is_a_mistake(tmp_path: Path) -> None:
    """What peers would not believe is seen before they are asked."""
    settings = load(str(configured(tmp_path)))
    pki.init(str(tmp_path / "other"))
    shutil.copyfile(tmp_path / "other/ca.crt", tmp_path / "pki/ca.crt")
    [mistake] = look_at_certificates(settings, CLOCK.now_ns()).mistakes
    assert "not of the configured authority" in mistake


def test_files_that_others_may_write(tmp_path: Path) -> None:
    """The file, its directory and datasets.d count; a directory with the sticky bit does not."""
    file = configured(tmp_path)
    assert () == look_at_configuration(str(file)).open_to_others
    file.chmod(0o666)
    assert (str(file),) == look_at_configuration(str(file)).open_to_others
    sticky = tmp_path / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    assert [] == list(written_by_others([str(sticky)]))


def test_hooks_are_looked_for_and_not_run(tmp_path: Path) -> None:
    """One that is there, one that is not, and a unit that systemd does not know or would start at boot."""
    [dataset] = load(
        str(configured(tmp_path, '[dataset.hooks]\nstart = ["systemctl", "start", "shop"]\nstop = ["no-such"]\n'))
    ).datasets
    said = {"shop": "not-found"}
    found = look_at_programs(dataset, lambda unit: said[unit])
    assert [("stop", True)] == [(one.name, one.missing) for one in found.found if one.name == "stop"]
    assert (("shop",), ()) == (found.unknown_units, found.at_boot)
    assert ("shop",) == look_at_programs(dataset, lambda _: "enabled").at_boot
    assert dataset.hooks.start == Hook(("systemctl", "start", "shop"))


def test_rights_and_places(tmp_path: Path) -> None:
    """The token that everybody reads, a state directory that is not there yet: its parent's room counts."""
    token = tmp_path / "token"
    token.write_text("x" * 32)
    token.chmod(0o644)
    settings = load(str(configured(tmp_path, f'[console]\ntoken_file = "{token}"\n')))
    modes = {one.path: one.mode for one in look_at_rights(settings)}
    assert (None, 0o100644) == (modes[settings.node.state_dir], modes[str(token)])
    stands = {one.path: one.stands for one in look_at_places(settings)}
    assert {f"{tmp_path}/state": str(tmp_path), f"{tmp_path}/tree": f"{tmp_path}/tree"} == stands


def test_a_block_device_takes_no_room(tmp_path: Path) -> None:
    """An image file does."""
    settings = load(str(configured(tmp_path)))
    disks = sorted(one for one in Path("/dev").iterdir() if one.is_block_device())
    places = []
    for path in (str(tmp_path / "image"), *(str(one) for one in disks[:1])):
        device = replace(settings.datasets[0], kind="device", path=path)
        places += [one.what for one in look_at_places(replace(settings, datasets=(device,))) if not one.ours]
    assert ["the image of web"] == places


def test_an_agent_that_is_not_there_is_silent(tmp_path: Path) -> None:
    """Nothing published is no error of the doctor's."""
    assert "no agent is running" in look_at_agent(str(tmp_path)).silent


def test_the_kernel_says_whether_the_clock_is_kept() -> None:
    """It answers without any privilege; what, depends on the machine."""
    assert look_whether_kept() in (True, False)


def test_a_whole_examination_changes_nothing(tmp_path: Path) -> None:
    """It names what is wrong, raises nothing, and leaves every file as it was."""
    file = configured(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    found = examine(str(file), str(tmp_path / "run"), CLOCK)
    assert "alpha" == found.node
    assert {"agent", "hooks", "peer"} <= {one.name for one in found.found if one.asks_for_somebody}
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}


def test_a_configuration_that_is_none_ends_it_early(tmp_path: Path) -> None:
    """Every mistake is told; what it would have named is not looked at."""
    file = tmp_path / "agent.toml"
    file.write_text("[node]\nname = 3\n")
    found = examine(str(file), str(tmp_path), CLOCK)
    assert ("", True) == (found.node, "configuration" in {one.name for one in found.found if one.asks_for_somebody})
