"""Datasets that lie in each other: only where something is mounted, or where the outer one excludes the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.config import file_mistakes, load
from agent.config.nesting import apart
from fakes.mounts import memory, needs_root

BASE = """
[node]
name = "alpha"
state_dir = "{base}/state"
[tls]
ca = "{base}/ca.crt"
cert = "{base}/alpha.crt"
key = "{base}/alpha.key"
[[peer]]
name = "beta"
address = "beta:7440"
[[dataset]]
name = "web"
path = "{base}/web"
primary = "alpha"
standby = ["beta"]
{more}
[[dataset]]
name = "inner"
path = "{base}/{inner}"
primary = "alpha"
standby = ["beta"]
"""


def mistakes(base: Path, inner: str = "web/a/b", more: str = "") -> list[str]:
    """What is said of the inner dataset's place."""
    file = base / "agent.toml"
    file.write_text(BASE.format(base=base, inner=inner, more=more))
    found = file_mistakes(load(str(file)))
    return [one.message.replace(f"{base}/", "") for one in found if one.key == "dataset[inner].path"]


SAID = (
    '"web/a/b" lies in the path of dataset "web", and nothing is mounted there; '
    'mount it, or write "/a/b" into exclude of web, or write another place'
)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", [SAID]),
        ('exclude = ["*.tmp"]', [SAID]),
        ('exclude = ["/a/b"]', []),
        ('exclude = ["/a"]', []),
    ],
)
def test_below_what_is_excluded(tmp_path: Path, more: str, said: list[str]) -> None:
    """The directory itself, or one above it; what the message says to write is let through."""
    (tmp_path / "web/a/b").mkdir(parents=True)
    assert said == mistakes(tmp_path, more=more)


def test_by_symbolic_links(tmp_path: Path) -> None:
    """Where a path really leads is what counts."""
    (tmp_path / "web/a/b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("web/a/b")
    assert [SAID.replace("web/a/b", "link", 1)] == mistakes(tmp_path, inner="link")


@needs_root
def test_at_a_mount_point(tmp_path: Path) -> None:
    """At it or below it; the outer dataset knows the place as another's."""
    for place in ("web/a", "web/a b"):
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        with memory(tmp_path / place):
            (tmp_path / place / "b").mkdir()
            assert ([], []) == (mistakes(tmp_path, place), mistakes(tmp_path, f"{place}/b"))
            settings = load(str(tmp_path / "agent.toml"))
            outer, inner = sorted(settings.datasets, key=lambda one: one.path)
            assert {f"{place[4:]}/b".encode()} == apart(outer, settings.datasets)
            assert set() == apart(inner, settings.datasets)
