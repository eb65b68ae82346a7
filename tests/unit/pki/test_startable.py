"""What ``config check`` says is what the agent says at its start: one list."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent import pki
from agent.config import ConfigMistakes, Settings, load
from agent.pki import startable

DAY = 86_400 * 10**9
NOW = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a node whose files are right."""
    directory = str(tmp_path / "pki")
    pki.init(directory, NOW)
    for name in ("alpha", "beta"):
        pki.issue(name, directory, now_ns=NOW)
    path = tmp_path / "agent.toml"
    path.write_text(f'[node]\nname = "alpha"\nstate_dir = "{tmp_path}/state"\n')
    return load(str(path))


def _copy(directory: Path, *pairs: tuple[str, str]) -> None:
    for source, target in pairs:
        shutil.copy(directory / source, directory / target)


def _foreign(directory: Path) -> None:
    other = directory.with_name("other")
    pki.init(str(other), NOW)
    shutil.copy(other / "ca.crt", directory)


WRONG: list[tuple[str, Callable[[Path], object], int, str]] = [
    ("another key", lambda d: _copy(d, ("beta.key", "alpha.key")), NOW, "tls.key"),
    ("a key for a certificate", lambda d: _copy(d, ("alpha.key", "alpha.crt")), NOW, "tls.cert"),
    ("another node's", lambda d: _copy(d, ("beta.crt", "alpha.crt"), ("beta.key", "alpha.key")), NOW, "tls.cert"),
    ("revoked", lambda d: pki.revoke("alpha", str(d), now_ns=NOW), NOW, "tls.cert"),
    ("expired", lambda d: None, NOW + 400 * DAY, "tls.cert"),
    ("not yet valid", lambda d: None, NOW - 400 * DAY, "tls."),
    ("another authority", _foreign, NOW, "tls.ca"),
    ("a list that is none", lambda d: (d / "ca.crl").write_text("x"), NOW, "tls.crl"),
    ("no certificate", lambda d: (d / "alpha.crt").unlink(), NOW, "tls.cert"),
    ("a key for all", lambda d: (d / "alpha.key").chmod(0o644), NOW, "tls.key"),
]


@pytest.mark.parametrize(("do", "now", "key"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_files_with_which_the_agent_does_not_start(
    settings: Settings, tmp_path: Path, do: Callable[[Path], object], now: int, key: str
) -> None:
    """Each is one mistake, at the key that it is about."""
    do(tmp_path / "pki")
    with pytest.raises(ConfigMistakes) as caught:
        startable.check_startable(settings, now)
    assert [key] == [mistake.key[: len(key)] for mistake in caught.value.mistakes]


def test_a_list_that_is_gone_is_a_warning(settings: Settings, tmp_path: Path) -> None:
    """The words are those of the running agent, which remembers it."""
    tls = settings.tls
    assert () == startable.check_startable(settings, NOW)
    (tmp_path / "state").mkdir()
    running = pki.RevocationList(tls.crl, tls.ca, startable.kept_list(settings))
    assert not running.is_revoked(1)
    os.unlink(tls.crl)
    (found,) = running.findings(NOW)
    assert (f"{settings.source_files[0]}: tls.crl: {found}",) == startable.check_startable(settings, NOW)
