"""Which agent a command talks to."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent.cli import context
from agent.cli.context import DEFAULT_SOCKET, admin_socket
from agent.cli.main import main
from agent.core.errors import ConfigError, NotPermitted


def test_the_socket_of_the_configuration(tmp_path: Path) -> None:
    """What the file says; its default; the rest of the file may be wrong."""
    file = tmp_path / "agent.toml"
    file.write_text('[node]\nadmin_socket = "/x/y.sock"\nunknown = 1\n')
    assert "/x/y.sock" == admin_socket(str(file))
    file.write_text('node = "text"')
    assert DEFAULT_SOCKET == admin_socket(str(file))


def test_configurations_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file that was asked for, wrong TOML, a directory, no permission: each with its code."""
    file = tmp_path / "agent.toml"
    file.write_text("[node\n")
    for path in (tmp_path / "missing", file, tmp_path):
        with pytest.raises(ConfigError, match="read the configuration"):
            admin_socket(str(path))

    def refuse(_path: str) -> bytes:
        raise PermissionError

    with pytest.raises(NotPermitted):
        admin_socket(str(file), read=refuse)


def test_without_the_default_file_the_default_socket_is_meant(tmp_path: Path) -> None:
    """Nothing has to be configured to ask an agent at its usual place."""
    assert DEFAULT_SOCKET == admin_socket(None, str(tmp_path / "missing.toml"))


def test_no_agent_is_69(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The whole way: a configuration, no agent, one sentence."""
    file = tmp_path / "agent.toml"
    file.write_text(f'[node]\nadmin_socket = "{tmp_path}/no.sock"\n')
    code = main(["--config", str(file), "status"])
    out, err = capfd.readouterr()
    assert (69, "") == (code, out)
    assert f"hikae: cannot ask the agent ({tmp_path}/no.sock): no agent is running; systemctl status hikae" in err


def test_commands_start_without_the_heavy_parts(tmp_path: Path) -> None:
    """What is typed to look, and while a service is down, imports neither gRPC nor SQLite nor pydantic nor the agent's log."""
    program = (
        "import sys\nfrom agent.cli.main import main\nmain(sys.argv[1:])\n"
        "heavy = {'grpc', 'apsw', 'pydantic', 'structlog', 'cryptography', 'google.protobuf'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    (tmp_path / "a.toml").write_text(f'[node]\nadmin_socket = "{tmp_path}/no.sock"\n')
    roles = [[one, "web", "--yes"] for one in ("promote", "switchover", "rejoin", "fence", "rehearse")]
    for words in (
        ["--help"],
        ["status"],
        ["rollback", "web", "--at", "02:13", "--yes"],
        *roles,
        ["serve", "web", "--alone"],
    ):
        arguments = ["--config", str(tmp_path / "a.toml"), *words]
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(Path(context.__file__).parents[2])},
        )
        assert "[]" == done.stderr.splitlines()[-1]
