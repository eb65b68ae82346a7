"""``config`` and ``pki``: the commands that need no agent."""

from __future__ import annotations

import ctypes
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent import pki
from agent.cli.host.pki_commands import told_of
from agent.cli.main import main
from agent.core.errors import ConfigError

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def keys(tmp_path: Path, capfd: Captured) -> Path:
    """An authority with a certificate for alpha."""
    directory = tmp_path / "pki"
    assert 0 == main(["pki", "init", "--dir", str(directory)])
    assert 0 == main(["pki", "issue", "alpha", "--dir", str(directory), "--host", "127.0.0.1"])
    capfd.readouterr()
    return directory


def a_config(tmp_path: Path, keys: Path, more: str = "") -> str:
    """A configuration of alpha with one dataset."""
    file = tmp_path / "agent.toml"
    file.write_text(
        f'[node]\nname = "alpha"\nstate_dir = "{tmp_path}/state"\n'
        f'[tls]\nca = "{keys}/ca.crt"\ncert = "{keys}/alpha.crt"\nkey = "{keys}/alpha.key"\n'
        '[[peer]]\nname = "beta"\naddress = "beta.example:7440"\n'
        f'[[dataset]]\nname = "web"\nkind = "tree"\npath = "{tmp_path}/web"\nprimary = "alpha"\nstandby = ["beta"]\n{more}'
    )
    return str(file)


def test_a_good_configuration(tmp_path: Path, keys: Path, capfd: Captured) -> None:
    """``check`` says so; ``show`` gives TOML, or JSON."""
    file = a_config(tmp_path, keys)
    assert 0 == main(["--config", file, "config", "check"])
    missing = f"warning: dataset[web].path: there is no {tmp_path}/web; nothing is captured until it is there\n"
    assert (f"{file}: good, 1 dataset on alpha\n", missing) == capfd.readouterr()
    (tmp_path / "web").mkdir()
    assert 0 == main(["--config", file, "config", "check"])
    assert (f"{file}: good, 1 dataset on alpha\n", "") == capfd.readouterr()
    assert 0 == main(["--config", file, "config", "check", "--json"])
    assert json.loads(capfd.readouterr().out)["ok"] is True
    assert 0 == main(["--config", file, "config", "show"])
    assert 'name = "web"' in capfd.readouterr().out
    assert 0 == main(["--config", file, "config", "show", "--json"])
    assert "web" == json.loads(capfd.readouterr().out)["datasets"][0]["name"]


def test_a_snapshot_that_cannot_be_made(tmp_path: Path, keys: Path, capfd: Captured) -> None:
    """Where the tree's filesystem makes none it is warned of, with what a generation is then; not while nothing stands there."""
    file = a_config(tmp_path, keys, 'quiesce = "btrfs"\n')
    assert 0 == main(["--config", file, "config", "check"])
    assert "quiesce" not in capfd.readouterr().err
    (tmp_path / "web").mkdir()
    assert 0 == main(["--config", file, "config", "check"])
    said = f"warning: dataset[web].quiesce: no snapshot can be made of {tmp_path}/web: it does not stand on btrfs; each file"
    assert said in capfd.readouterr().err


@pytest.mark.parametrize(("primary", "warned"), [("beta", True), ("alpha", False)])
def test_a_standbys_image_beside_the_agents_state(
    tmp_path: Path, keys: Path, capfd: Captured, primary: str, warned: bool
) -> None:
    """It would fill the disk of the state, and is warned of; a primary's image takes what it takes."""
    standby = "alpha" if primary == "beta" else "beta"
    disk = f'kind = "device"\npath = "{tmp_path}/disk.img"\nprimary = "{primary}"\nstandby = ["{standby}"]\n'
    file = a_config(tmp_path, keys, f'[[dataset]]\nname = "disk"\n{disk}')
    assert 0 == main(["--config", file, "config", "check", "--json"])
    warnings = json.loads(capfd.readouterr().out)["warnings"]
    assert warned == any("dataset[disk].path: the standby's image lies on the filesystem" in one for one in warnings)


def test_mistakes_are_78_one_a_line(tmp_path: Path, keys: Path, capfd: Captured) -> None:
    """Every mistake has its line on stderr."""
    file = a_config(tmp_path, keys, 'colour = "red"\nquiesce = "often"\n')
    assert 78 == main(["--config", file, "config", "check"])
    out, err = capfd.readouterr()
    assert ("", 3) == (out, err.count("\n"))
    assert err.startswith(f"hikae: cannot use the configuration ({file}): 2 mistakes\n")
    assert 78 == main(["--config", file, "config", "check", "--json"])
    out, told = capfd.readouterr()
    answer = json.loads(out)
    assert (err, False, 2) == (told, answer["ok"], len(answer["mistakes"]))
    assert 'dataset[web].quiesce: "often" is not one of' in answer["mistakes"][0]


def test_the_life_of_a_certificate(keys: Path, capfd: Captured) -> None:
    """Issue, renew, show, revoke, show."""
    at = ["--dir", str(keys)]
    assert 0 == main(["pki", "renew", "alpha", *at, "--json"])
    assert "alpha" == json.loads(capfd.readouterr().out)[0]["name"]
    assert 0 == main(["pki", "show", *at])
    lines = capfd.readouterr().out.splitlines()
    assert "(364 days)" in lines[1] or "(365 days)" in lines[1]
    assert 0 == main(["pki", "revoke", "alpha", *at])
    out, err = capfd.readouterr()
    assert ("REVOKED" in out, f"now copy {keys}/ca.crl to every node\n") == (True, err)


def test_refusals_of_the_authority(keys: Path, tmp_path: Path, capfd: Captured) -> None:
    """A second authority, a second certificate, an unknown name, no authority: 3, 3, 4, 4."""
    at = ["--dir", str(keys)]
    codes = [
        main(["pki", "init", *at]),
        main(["pki", "issue", "alpha", *at]),
        main(["pki", "renew", "gamma", *at]),
        main(["pki", "issue", "gamma", "--dir", str(tmp_path / "none")]),
    ]
    assert [3, 3, 4, 4] == codes
    assert 4 == capfd.readouterr().err.count("hikae: cannot ")


def test_what_the_rules_take_and_leave(tmp_path: Path, keys: Path, capfd: Captured) -> None:
    """A line for each name, and how many of each; a dataset or a path that is not there is not found."""
    file = a_config(tmp_path, keys, 'exclude = ["*.tmp"]\n')
    assert 4 == main(["--config", file, "config", "check", "--files", "web"])
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "a").write_text("123")
    (tmp_path / "web" / "b.tmp").write_text("1")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "web" / "sock"))
    capfd.readouterr()
    assert 0 == main(["--config", file, "config", "check", "--files", "web"])
    assert capfd.readouterr() == (
        'take   a\nleave  b.tmp    (exclude = "*.tmp")\nleave  sock    (sockets are never replicated)\n',
        "1 are taken, 3 bytes; 2 are left, with all below them\n",
    )
    assert 0 == main(["--config", file, "config", "check", "--files", "web", "--json"])
    assert [json.loads(line)["taken"] for line in capfd.readouterr().out.splitlines()] == [True, False, False]
    assert 4 == main(["--config", file, "config", "check", "--files", "wbe"])
    assert "the configuration has: web" in capfd.readouterr().err


def test_what_to_type_names_the_directory(keys: Path, tmp_path: Path, capfd: Captured) -> None:
    """What is typed without it would look elsewhere."""
    main(["pki", "revoke", "gamma", "--dir", str(keys)])
    main(["pki", "issue", "alpha", "--dir", str(keys)])
    main(["pki", "renew", "gamma", "--dir", str(keys)])
    main(["pki", "show", "--dir", str(tmp_path)])
    main(["pki", "renew", "alpha", "--dir", str(tmp_path / "none")])
    found = [line.rpartition("hikae pki ")[2] for line in capfd.readouterr().err.splitlines()]
    at = f"--dir {keys}"
    assert [
        f"show {at}",
        f"renew alpha {at}, or revoke it first",
        f"issue gamma {at}",
        f"init --dir {tmp_path}",
        f"init --dir {tmp_path}/none",
    ] == found


@contextmanager
def another_user() -> Iterator[None]:
    """To the filesystem this thread is somebody without privileges."""
    libc = ctypes.CDLL(None)
    libc.setfsuid(65534)
    try:
        yield
    finally:
        libc.setfsuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_what_may_not_be_read_is_no_reason_to_make_another(keys: Path, capfd: Captured) -> None:
    """The directory, or what is in it, of another user: permission, and no authority to make."""
    for command in (("show",), ("issue", "beta"), ("renew", "alpha"), ("revoke", "alpha")):
        with another_user():
            code = main(["pki", *command, "--dir", str(keys)])
        err = capfd.readouterr().err
        assert (77, False, True) == (code, "hikae pki" in err, "use sudo" in err)


@pytest.mark.skipif(os.geteuid() != 0, reason="/proc refuses everybody, and root most clearly")
def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path, capfd: Captured) -> None:
    """No command of the authority ends in a traceback for it."""
    for command in (("init",), ("issue", "alpha"), ("renew", "alpha"), ("revoke", "alpha"), ("show",)):
        assert main(["pki", *command, "--dir", "/proc/x"]) in (4, 77, 78)
        err = capfd.readouterr().err
        assert [err.count("\n"), "Traceback" in err, "/proc/x" in err] == [1, False, True]


def test_a_clock_that_is_centuries_ahead_is_said(tmp_path: Path) -> None:
    """No certificate can hold such a time; the clock is named, not a bug."""
    with (
        pytest.raises(ConfigError, match="this machine's clock") as caught,
        told_of("make an authority", str(tmp_path)),
    ):
        pki.init(str(tmp_path / "pki"), 300_000_000_000 * 10**9)
    assert caught.value.remedy == "set the clock: timedatectl"


def test_the_version_is_a_command_too(capfd: Captured) -> None:
    """As many type it."""
    assert 0 == main(["version"])
    assert capfd.readouterr().out.startswith("hikae ")
