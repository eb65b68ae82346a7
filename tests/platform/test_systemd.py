"""The systemd units, judged by systemd itself."""

from __future__ import annotations

import os
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from agent.capture.access.image import ImageLimits

UNITS = Path(__file__).parents[2] / "systemd"

needs = {
    program: pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed (package systemd)")
    for program in ("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles")
}


def _run(*words: str) -> tuple[int, str]:
    """Exit code and everything that was said."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def _verify(folder: Path, addition: str = "") -> tuple[int, str]:
    """What ``systemd-analyze verify`` says of the service with a program that exists here, and a line added to [Service]."""
    text = (UNITS / "hikae.service").read_text()
    assert "ExecStart=/usr/bin/hikae agent\n" in text
    text = text.replace("ExecStart=/usr/bin/hikae agent\n", f"ExecStart=/bin/true\n{addition}\n")
    text = text.replace("ExecReload=/usr/bin/hikae config check\n", "ExecReload=/bin/true\n")
    unit = folder / "hikae.service"
    unit.write_text(text)
    return _run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit))


@needs["systemd-analyze"]
def test_service_is_clean(tmp_path: Path) -> None:
    """systemd knows every directive and has nothing to say."""
    assert (0, "") == _verify(tmp_path)


@needs["systemd-analyze"]
@pytest.mark.parametrize("addition", ["WatchDogSecs=3", "SystemCallFilter=~@nonsense", "Restart=sometimes"])
def test_mistakes_would_be_seen(tmp_path: Path, addition: str) -> None:
    """An unknown directive, group of system calls or value does not pass the check above."""
    code, said = _verify(tmp_path, addition)
    assert (0, "") != (code, said)
    assert any(part.strip("~") in said for part in addition.split("="))


@needs["systemd-analyze"]
def test_capabilities_are_known() -> None:
    """Every capability is one that systemd knows; ``verify`` does not look at their names."""
    lines = (UNITS / "hikae.service").read_text().splitlines()
    wanted = {name for line in lines if line.startswith("CapabilityBoundingSet=") for name in line[22:].split()}
    known = {line.split()[0].upper() for line in _run("systemd-analyze", "capability")[1].splitlines() if line}
    assert wanted == {name for name in wanted if name in known} != set()


def test_what_stands_still_fits_into_locked_memory() -> None:
    """Without the limit the default of 8 MiB refuses the lock, and the image of a freeze is only touched."""
    lines = (UNITS / "hikae.service").read_text().splitlines()
    limits = [
        int(line.removeprefix("LimitMEMLOCK=").removesuffix("M")) << 20 for line in lines if "LimitMEMLOCK=" in line
    ]
    assert [True] == [limit >= ImageLimits().bytes for limit in limits]


@needs["systemd-analyze"]
def test_exposure_stays_low(tmp_path: Path) -> None:
    """systemd's own measure of exposure (0 to 10) does not grow unnoticed."""
    code, said = _run(
        "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=60", str(UNITS / "hikae.service")
    )
    assert 0 == code, said


def test_reload_tells_the_agent_and_then_the_operator() -> None:
    """The signal goes out whatever the file is like; then its mistakes are what `systemctl reload` ends with."""
    lines = (UNITS / "hikae.service").read_text().splitlines()
    expected = ["ExecReload=/bin/kill -HUP $MAINPID", "ExecReload=/usr/bin/hikae config check"]
    assert expected == [line for line in lines if line.startswith("ExecReload=")]


def test_service_contract() -> None:
    """What the agent and operators rely on."""
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # keeps the case of the keys
    unit.read(UNITS / "hikae.service")
    expected = {
        "Type": "notify",
        "NotifyAccess": "main",
        "RestartPreventExitStatus": "77 78",
        "Restart": "on-failure",
        "RuntimeDirectory": "hikae",
        "StateDirectory": "hikae",
    }
    assert expected == {key: unit["Service"][key] for key in expected}
    # An operator who mends what is wrong must not be locked out by the tries before.
    assert "0" == unit["Unit"]["StartLimitIntervalSec"]


def test_the_documentation_of_the_unit_is_installed() -> None:
    """The page that it names is made, and the README installs it."""
    text = (UNITS / "hikae.service").read_text()
    assert "Documentation=man:hikae(1)\n" in text
    assert (UNITS.parent / "docs/man/hikae.1").is_file()
    assert "-t /usr/share/man/man1 docs/man/*.1\n" in (UNITS.parent / "README.md").read_text()


@needs["systemd-sysusers"]
def test_sysusers_makes_the_account(tmp_path: Path) -> None:
    """The account is made on a machine that has none."""
    (tmp_path / "etc").mkdir()
    assert 0 == _run("systemd-sysusers", f"--root={tmp_path}", str(UNITS / "hikae.sysusers"))[0]
    assert (tmp_path / "etc" / "passwd").read_text().startswith("hikae:x:")


@needs["systemd-tmpfiles"]
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give directories to root")
def test_tmpfiles_makes_the_directories(tmp_path: Path) -> None:
    """The directories are made with modes that keep keys and state private."""
    code, said = _run("systemd-tmpfiles", "--create", f"--root={tmp_path}", str(UNITS / "hikae.tmpfiles"))
    assert 0 == code, said
    modes = {str(path.relative_to(tmp_path)): path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert 0o700 == modes["etc/hikae/pki"]
    assert 0o700 == modes["var/lib/hikae"]
    assert 0o755 == modes["run/hikae"]
